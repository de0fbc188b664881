"""Least squares between D_T and the speaker-aware branch (paper §3.2; reference stage1 §8).

The branch lowers ``(D(made) - 1)^2``, D_T lowers ``2 (D(real) - 1)^2 + D(made)^2``: the weight of the real half is that
of the published code, in which the whole term is switched off.
"""

from __future__ import annotations

from torch import Tensor, nn

from lightning_modules.losses.adversarial import adversarial_loss


def motion_generator_loss(made_logits: Tensor) -> Tensor:
    """What the speaker-aware branch lowers: logits of any shape to a scalar, 0 or more."""
    return adversarial_loss(made_logits, real=True)


def motion_discriminator_loss(real_logits: Tensor, made_logits: Tensor, *, real_weight: float = 2.0) -> Tensor:
    """What D_T lowers.

    Args:
        real_logits: of true motion, any shape.
        made_logits: of made motion, detached from the branch by the caller.
        real_weight: of the real half.

    Returns:
        A scalar, 0 or more.
    """
    real = adversarial_loss(real_logits, real=True)
    return real_weight * real + adversarial_loss(made_logits, real=False)


class MotionAdversarialLoss(nn.Module):
    """The options of both losses.

    Args:
        real_weight: see :func:`motion_discriminator_loss`.
    """

    def __init__(self, *, real_weight: float = 2.0) -> None:
        super().__init__()
        self.real_weight = real_weight

    def forward(self, made_logits: Tensor) -> Tensor:
        """The branch's loss; see :func:`motion_generator_loss`."""
        return motion_generator_loss(made_logits)

    def discriminator(self, real_logits: Tensor, made_logits: Tensor) -> Tensor:
        """D_T's loss; see :func:`motion_discriminator_loss`."""
        return motion_discriminator_loss(real_logits, made_logits, real_weight=self.real_weight)
