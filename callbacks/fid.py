"""How far the drawings are from real ones as a set: FID and KID, or the same distances in a stand-in's features.

Logged with Inception's weights:

- ``drawings/fid``: Fréchet inception distance, 0 and up, lower is better; biased upwards by about c / N.
- ``drawings/kid/value``: kernel inception distance (not times 1000), about 0 and up, lower is better; no bias.
- ``drawings/kid/standard_error``: of the kernel distance, 0 and up; differences below two of it say nothing.

Without them the same three under ``drawing_feature_distance/frechet`` and ``drawing_feature_distance/kernel/…``: same
ranges, other numbers, comparable only among themselves. Always: ``drawings/real_count`` and
``drawings/generated_count``, the numbers of drawings compared; distances compare only at equal counts.
"""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torchmetrics import Metric

from callbacks.validation_measure import ValidationMeasure
from lightning_modules.batches import PortraitBatch
from lightning_modules.metrics.drawing_pixels import as_rgb_bytes
from lightning_modules.metrics.feature_networks import make_feature_network
from lightning_modules.metrics.frechet_distance import FrechetDistance
from lightning_modules.metrics.kernel_distance import KernelDistance
from lightning_modules.metrics.summed_metric import SummedMetric


class _Count(SummedMetric):
    """Number of drawings, over all processes."""

    count: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_count("count")

    def update(self, features: Tensor) -> None:
        self.count += len(features)

    def compute(self) -> Tensor:
        return self.count.clone()


class DrawingDistances(ValidationMeasure):
    """Compares each sample's drawing for l_t1 with the real drawings of the same batches; see the module's docstring.

    Both are rounded to 8 bits first, as if saved. The second drawing of a sample is left out: it is nearly the first,
    and would make N look larger than it is.

    Args:
        inception_weights: path of ``pt_inception-2015-12-05-6726825d.pth``; ``None`` takes the stand-in, which is said.

    Raises:
        WeightsError: the file is missing or another one; raised when training is set up.
    """

    def __init__(self, inception_weights: str | None = None) -> None:
        super().__init__()
        self.inception_weights = inception_weights

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Load the feature network, so that a wrong file is told before the first step."""
        if self.networks:
            return
        network = make_feature_network(self.inception_weights)
        self.networks = [network]
        self._frechet, self._kernel = FrechetDistance(network.num_features), KernelDistance(network.num_features)
        self._counts = {True: _Count(), False: _Count()}
        self.metrics = {network.frechet_name: self._frechet, f"{network.kernel_name}/": self._kernel}
        counted: dict[str, Metric] = {
            "drawings/real_count": self._counts[True],
            "drawings/generated_count": self._counts[False],
        }
        self.metrics |= counted
        self.say_once(f"{network.frechet_name} and {network.kernel_name}: features of {network.description}")

    def feed(self, trainer: Trainer, pl_module: LightningModule, frames: Tensor, batch: PortraitBatch) -> None:
        """Add real and generated drawings of a batch, in one pass of the feature network."""
        drawings = torch.cat([as_rgb_bytes(batch.drawing), as_rgb_bytes(frames[:, 0])])
        features = self.networks[0](drawings)
        for real, part in ((True, features[: len(batch)]), (False, features[len(batch) :])):
            self._frechet.update(part, real=real)
            self._kernel.update(part, real=real)
            self._counts[real].update(part)
