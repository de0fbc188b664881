"""The style loss of the static drawer: cross-entropy with shares of styles (Yi et al. 2020; auxiliary, section 1.3)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.losses.precision import in_full_precision


@in_full_precision
def soft_style_loss(logits: Tensor, style: Tensor) -> Tensor:
    """``sum_c s_c * (-log softmax(logits)_c)``, mean over the drawings.

    A style that is a mixture is matched best by its own shares; the loss is then the mixture's entropy, not 0.

    Args:
        logits: (B, styles), without softmax.
        style: s, (B, styles), shares that add up to 1; takes no gradient.

    Returns:
        A scalar.

    Raises:
        ValueError: if the shapes differ.
    """
    if logits.shape != style.shape or logits.ndim != 2:
        raise ValueError(f"logits and styles must be (B, styles), got {tuple(logits.shape)} and {tuple(style.shape)}")
    return functional.cross_entropy(logits, style.detach())


class SoftStyleLoss(nn.Module):
    """:func:`soft_style_loss` as a module."""

    def forward(self, logits: Tensor, style: Tensor) -> Tensor:
        """The loss of logits (B, styles) for shares of styles (B, styles)."""
        return soft_style_loss(logits, style)
