"""What the generators of the static drawer lower: the weighted sum of its terms (auxiliary, section 1.3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor

from lightning_modules.errors import ConfigError
from lightning_modules.losses.asymmetric_cycle import cycle_weights

Term = Callable[[], Tensor]
"""Computes one term, unweighted, when asked."""

TERMS: Final = ("adversarial", "local", "photo", "style", "relaxed_cycle", "truncation_cycle", "strict_cycle")
"""Names of the terms."""


class StaticDrawingObjective:
    """Weights of the terms; the defaults are the published ones. A term with weight 0 is not computed.

    Args:
        adversarial: the discriminator of drawings.
        local: the local discriminators of nose, eyes and lips, their losses added.
        photo: the discriminator of photos, on what the inverse generator makes.
        style: the style of what is drawn, as the discriminator of drawings sees it; also weighs it there.
        relaxed_cycle: budget that relaxed and truncation cycle share, see :func:`.asymmetric_cycle.cycle_weights`.
        moved: share of the budget that has gone over to the truncation cycle at the end.
        budget_epochs: epochs in which it goes over; published 300, of which 200 were run.
        strict_cycle: the way from a drawing and back.

    Raises:
        ConfigError: if a weight is negative or not finite, or nothing pulls drawing and photo together.
    """

    def __init__(
        self,
        *,
        adversarial: float = 1.0,
        local: float = 0.5,
        photo: float = 1.0,
        style: float = 1.0,
        relaxed_cycle: float = 5.0,
        moved: float = 0.9,
        budget_epochs: int = 300,
        strict_cycle: float = 5.0,
    ) -> None:
        weights = {"adversarial": adversarial, "local": local, "photo": photo, "style": style}
        self._fixed = {name: float(weight) for name, weight in (weights | {"strict_cycle": strict_cycle}).items()}
        self.relaxed_cycle, self.moved, self.budget_epochs = float(relaxed_cycle), float(moved), budget_epochs
        given = self._fixed | {"relaxed_cycle": self.relaxed_cycle}
        wrong = {name: weight for name, weight in given.items() if not 0 <= weight < math.inf}
        if wrong or not 0 <= self.moved <= 1 or budget_epochs < 1:
            found = f"the objective has weights {wrong}, moved {moved}, budget_epochs {budget_epochs}"
            raise ConfigError(found, "give weights from 0 upwards, moved from 0 to 1, and 1 epoch or more")
        if not self.relaxed_cycle and not strict_cycle:
            raise ConfigError("no cycle ties the drawing to the photo", "give relaxed_cycle or strict_cycle a weight")

    @property
    def style(self) -> float:
        """Weight of the style loss."""
        return self._fixed["style"]

    def progress(self, epoch: int) -> float:
        """P of epoch ``epoch``, counted from 0: the share of the budget's epochs before it, at most 1."""
        return min(epoch / self.budget_epochs, 1.0)

    def weights(self, progress: float) -> dict[str, float]:
        """Weight of each of :data:`TERMS` at progress p."""
        relaxed, truncation = cycle_weights(progress, self.relaxed_cycle, self.moved)
        weights = self._fixed | {"relaxed_cycle": relaxed, "truncation_cycle": truncation}
        return {name: weights[name] for name in TERMS}

    def total(self, terms: Mapping[str, Term], progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Add the weighted terms up.

        Args:
            terms: name to what computes it, all of :data:`TERMS`; those with weight 0 are not called.
            progress: p, 0 to 1.

        Returns:
            The loss, a scalar, and what to report: detached ``term/<name>``, unweighted.
        """
        weights = self.weights(progress)
        values = {name: terms[name]() for name in TERMS if weights[name]}
        loss = torch.stack([weights[name] * value for name, value in values.items()]).sum()
        return loss, {f"term/{name}": value.detach() for name, value in values.items()}
