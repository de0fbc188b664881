"""How a discriminator judges held-out drawings: mean logits, share judged real, accuracy."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.metrics.summed_metric import SummedMetric


class DiscriminatorJudgement(SummedMetric):
    """Logits of real and of generated drawings, patch by patch.

    Args:
        threshold: logits above it say "real": halfway between the targets, 0.5 for least squares (targets 0 and 1), 0
            for the log loss.
        kwargs: see :class:`torchmetrics.Metric`.
    """

    higher_is_better = None
    total: Tensor
    judged_real: Tensor
    count: Tensor

    def __init__(self, threshold: float = 0.5, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.threshold = threshold
        self.add_sum("total", 2)
        self.add_sum("judged_real", 2)
        self.add_state("count", torch.zeros(2, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, logits: Tensor, *, real: bool) -> None:
        """Add logits.

        Args:
            logits: of any shape and floating point precision, one a patch.
            real: whether they are of real drawings, or of generated ones.
        """
        kind = 0 if real else 1
        self.total[kind] += logits.double().sum()
        self.judged_real[kind] += (logits > self.threshold).sum()
        self.count[kind] += logits.numel()

    def compute(self) -> dict[str, Tensor]:
        """Means over the patches of all ranks, float64 scalars.

        Returns:
            ``"real_mean"``, ``"fake_mean"``: mean logits; with least squares they tend to 1 and 0 when the
            discriminator wins and both to 0.5 when nothing can be told. ``"real_sign"``, ``"fake_sign"``: share of
            patches judged real, 0 to 1. ``"accuracy"``: share judged right, real and generated counted alike, 0 to 1;
            0.5 is guessing, close to 1 means that the generator learns little from it.

        Raises:
            MetricError: no real or no generated drawing.
        """
        self.require(self.count[0], 1, "logits of real drawings")
        self.require(self.count[1], 1, "logits of generated drawings")
        mean, sign = self.total / self.count, self.judged_real / self.count
        found = {"real_mean": mean[0], "fake_mean": mean[1], "real_sign": sign[0], "fake_sign": sign[1]}
        return found | {"accuracy": (sign[0] + 1 - sign[1]) / 2}
