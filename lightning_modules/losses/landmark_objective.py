"""What stage 1 lowers: the weighted sum of its terms, every weight a number of the run's configuration."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from lightning_modules.errors import ConfigError
from lightning_modules.losses.graph_laplacian import graph_laplacian_loss
from lightning_modules.losses.landmark_displacement import landmark_displacement_loss
from lightning_modules.losses.landmark_motion import landmark_motion_loss
from lightning_modules.losses.lip_opening import lip_opening_loss

Term = Callable[[], Tensor]
"""Computes one term, unweighted, when asked."""


class LandmarkObjective:
    """Weights of the terms. The defaults are those of the paper and of the published content branch.

    A term with weight 0 is not computed while training, and measured in validation.

    Args:
        displacement: L1 of the landmarks.
        laplacian: graph Laplacian; published code adds it without its weight, which is 1 in the paper.
        motion: L1 of frame differences; needs consecutive windows. Published: off.
        lip_opening: L1 of the inner lip openings; ours.
        adversarial: the speaker-aware branch against D_T; needs a motion discriminator.
        weigh_lips: let errors of the lips count more the more closed the mouth should be.

    Raises:
        ConfigError: if a weight is negative or not finite, or all are 0.
    """

    def __init__(
        self,
        *,
        displacement: float = 1.0,
        laplacian: float = 1.0,
        motion: float = 0.0,
        lip_opening: float = 0.0,
        adversarial: float = 0.001,
        weigh_lips: bool = True,
    ) -> None:
        self.weights = {
            "displacement": float(displacement),
            "laplacian": float(laplacian),
            "motion": float(motion),
            "lip_opening": float(lip_opening),
            "adversarial": float(adversarial),
        }
        self.weigh_lips = weigh_lips
        wrong = {term: weight for term, weight in self.weights.items() if not 0 <= weight < math.inf}
        if wrong:
            raise ConfigError(f"weights of the objective are out of range: {wrong}", "give numbers from 0 upwards")
        if not any(weight for term, weight in self.weights.items() if term != "adversarial"):
            raise ConfigError("the objective has no term that compares with the truth", "give one of them a weight")

    def terms(self, predicted: Tensor, target: Tensor) -> dict[str, Term]:
        """The terms that need no discriminator, of landmarks (B, N, 204) in face units."""
        return {
            "displacement": lambda: landmark_displacement_loss(predicted, target, weigh_lips=self.weigh_lips),
            "laplacian": lambda: graph_laplacian_loss(predicted, target),
            "motion": lambda: landmark_motion_loss(predicted, target),
            "lip_opening": lambda: lip_opening_loss(predicted, target),
        }

    def total(self, terms: Mapping[str, Term]) -> tuple[Tensor, dict[str, Tensor]]:
        """Add the weighted terms up.

        Args:
            terms: name to what computes it; terms with weight 0 are not computed, and ``adversarial`` may be missing.

        Returns:
            The loss, a scalar, and what to report: detached ``term/<name>``, unweighted.
        """
        values = {name: terms[name]() for name, weight in self.weights.items() if weight and name in terms}
        loss = torch.stack([self.weights[name] * value for name, value in values.items()]).sum()
        return loss, {f"term/{name}": value.detach() for name, value in values.items()}
