"""The asymmetric cycle of the static drawer (Yi et al. 2020; auxiliary, section 1.3).

A drawing holds less than a photo, so the two ways round are judged differently. Photo to drawing to photo is *relaxed*:
only the edges of the photo have to come back, and a photo may be anything else. Drawing to photo to drawing is
*strict*: every pixel has to come back. And lest the photo be hidden in the drawing as grey levels that nobody sees, a
growing share of the relaxed cycle goes through a drawing of 64 grey levels only (*truncation*).

Convention: drawings (B, C, H, W) and photos (B, 3, H, W) in [-1, 1], +1 = white paper; edge maps (B, 1, H, W) in
[0, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple, assert_never

from torch import Tensor, nn

from lightning_modules.losses.precision import in_full_precision

TruncationGradient = Literal["stopped", "straight_through"]
"""What passes back through the truncation: nothing (published), or the gradient as if it were not there."""

LEVELS: Final = 64
_STEPS: Final = 255 / 8  # grey levels of 8 bits to those of 6, over the range of [-1, 1]: 31.875 a unit


class CycleWeights(NamedTuple):
    """How much the two forms of the relaxed cycle count."""

    relaxed: float
    """Of the cycle through the drawing as it is."""
    truncation: float
    """Of the cycle through the truncated drawing."""


def cycle_weights(progress: float, budget: float = 5.0, moved: float = 0.9) -> CycleWeights:
    """The budget of the relaxed cycle at a point of the training: ``budget (1 - moved p)`` and ``budget moved p``.

    Args:
        progress: p, share of the schedule that is over, 0 to 1.
        budget: sum of both weights.
        moved: share of it that has gone over to the truncated form at the end.

    Returns:
        Both weights.

    Raises:
        ValueError: if the progress or the share is outside 0 to 1.
    """
    if not (0 <= progress <= 1 and 0 <= moved <= 1):
        raise ValueError(f"progress and the share moved are 0 to 1, got {progress} and {moved}")
    return CycleWeights(budget * (1.0 - moved * progress), budget * moved * progress)


def truncated(drawing: Tensor, gradient: TruncationGradient = "stopped") -> Tensor:
    """A drawing in 64 grey levels: ``trunc(31.875 (d + 1)) / 31.875 - 1``, from -1 to 0.976; white itself is not one.

    Args:
        drawing: values in [-1, 1], any shape.
        gradient: ``"stopped"`` (published): what is behind learns, the drawing does not. ``"straight_through"``: the
            drawing gets the gradient of the truncated values unchanged.

    Returns:
        The same shape.
    """
    levels = ((drawing.detach() + 1.0) * _STEPS).trunc() / _STEPS - 1.0
    match gradient:
        case "stopped":
            return levels
        case "straight_through":
            return drawing + (levels - drawing).detach()
        case _:
            assert_never(gradient)


@in_full_precision
def relaxed_cycle_loss(
    recovered: Tensor,
    photo: Tensor,
    edges: Callable[[Tensor], Tensor],
    distance: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """How far the edges of a recovered photo are from those of the photo; no gradient reaches the photo.

    Published: HED's edges, as pictures in [-1, 1], compared by LPIPS.

    Args:
        recovered: F(G(x, s)) or F(T(G(x, s))), (B, 3, H, W) in [-1, 1].
        photo: x, the same shape.
        edges: pictures (B, 3, H, W) in [0, 1] to edge maps (B, 1, H, W) in [0, 1].
        distance: two pictures (B, 1, H, W) in [-1, 1] to (B,).

    Returns:
        A scalar.

    Raises:
        ValueError: if the shapes differ.
    """
    if recovered.shape != photo.shape:
        raise ValueError(f"photos must be of one shape, got {tuple(recovered.shape)} and {tuple(photo.shape)}")
    found, wanted = (2.0 * edges((picture + 1.0) / 2.0) - 1.0 for picture in (recovered, photo.detach()))
    return distance(found, wanted).mean()


@in_full_precision
def strict_cycle_loss(recovered: Tensor, drawing: Tensor) -> Tensor:
    """Mean absolute difference of G(F(d), s_d) and d, (B, C, H, W) each: a scalar, 0 to 2.

    Raises:
        ValueError: if the shapes differ.
    """
    if recovered.shape != drawing.shape:
        raise ValueError(f"drawings must be of one shape, got {tuple(recovered.shape)} and {tuple(drawing.shape)}")
    return (recovered - drawing).abs().mean()


class RelaxedCycleLoss(nn.Module):
    """The relaxed cycle with what it compares by.

    Args:
        edges: see :func:`relaxed_cycle_loss`.
        distance: see :func:`relaxed_cycle_loss`.
    """

    def __init__(self, edges: nn.Module, distance: nn.Module) -> None:
        super().__init__()
        self.edges = edges
        self.distance = distance

    def forward(self, recovered: Tensor, photo: Tensor) -> Tensor:
        """The loss of recovered photos; see :func:`relaxed_cycle_loss`."""
        return relaxed_cycle_loss(recovered, photo, self.edges, self.distance)
