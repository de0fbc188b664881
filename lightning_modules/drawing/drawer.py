"""Static drawers: one photo in, one line drawing out. ``make_drawer`` is the door that everything else uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, runtime_checkable

from torch import Tensor

from lightning_modules.drawing.board import SMALLEST_SIDE, Board
from lightning_modules.drawing.cartoon_drawer import CARTOON, CartoonDrawer
from lightning_modules.drawing.coherent_lines import LineStyle, Sketch
from lightning_modules.drawing.guidance import Guidance
from lightning_modules.drawing.looks import LOOKS
from lightning_modules.drawing.sketching_drawer import SketchingDrawer
from lightning_modules.drawing.steadying import Steadier
from lightning_modules.errors import ConfigError

__all__ = ["DEFAULT_LOOK", "SMALLEST_SIDE", "CartoonDrawer", "CoherentLineDrawer", "StaticDrawer", "make_drawer"]

DEFAULT_LOOK: Final = "ink"


@runtime_checkable
class StaticDrawer(Protocol):
    """Anything that draws d_s, the static drawing of a photo.

    Attributes:
        name: the look, as ``make_drawer`` takes it.
        channels: channels of the drawing, 1 or 3.
    """

    name: str
    channels: int

    def draw(self, photo: Tensor, *, landmarks: Tensor | None = None, matte: Tensor | None = None) -> Tensor:
        """Draw photos (B, 3, H, W) in [0, 1] as (B, channels, H, W) in [0, 1], 1 = white paper."""
        ...

    def settings(self) -> dict[str, str | int | float]:
        """All that the drawing depends on besides the photo; part of the key under which drawings are kept."""
        ...


@runtime_checkable
class ShotDrawer(StaticDrawer, Protocol):
    """A drawer whose strokes can be held still over the frames of a shot."""

    def draw_shot(
        self, frames: Tensor, *, landmarks: Tensor | None = None, mattes: Tensor | None = None, steady: Steadier
    ) -> Tensor:
        """Draw consecutive frames (T, 3, H, W) as (T, channels, H, W); ``steady`` averages over time."""
        ...


class CoherentLineDrawer(SketchingDrawer):
    """Draws with coherent lines found by a flow-based difference of Gaussians; needs no weights.

    Deterministic: the same photo gives the same bits, alone or in a batch.

    Args:
        look: ``"ink"`` (pen and brush, black masses) or ``"pencil"`` (thin coherent line).
        line_weight: factor on the width of all strokes.
        line_length: shortest stroke away from the features, in 1/512 of the shorter side.
        detail: sensitivity; 2 finds lines of half the contrast.
        coherence: how far along a line contrast is gathered; 1 is usual, 2 calmer and longer lines.
        mass_tone: tone, relative to lit skin, below which an area is filled with black; 0 fills nothing.
        background: sensitivity to lines outside the matte, relative to the person.
        board: shorter side of the board on which the drawing is worked out, pixels. It suits a portrait crop, whose
            face spans 0.7 of the side.
        span: share of the shorter side that a portrait crop around the face would take; widths and lengths of strokes
            follow it. For a picture with a small face choose it with a larger board, so that ``span * board`` stays
            about 384.

    Raises:
        ConfigError: for an unknown look or a number out of range.
    """

    channels = 1

    def __init__(
        self,
        look: str = DEFAULT_LOOK,
        *,
        line_weight: float = 1.0,
        line_length: float = 20.0,
        detail: float = 1.0,
        coherence: float = 1.0,
        mass_tone: float = 0.42,
        background: float = 0.55,
        board: int = 384,
        span: float = 1.0,
    ) -> None:
        if look not in LOOKS:
            raise ConfigError(f"unknown look {look!r}", f"choose one of {', '.join(sorted(LOOKS))}")
        lines = LineStyle(detail, coherence, line_weight, line_length, mass_tone, background)
        super().__init__(look, lines, board, span)

    def settings(self) -> dict[str, str | int | float]:
        """The constructor's arguments, the method, and its edition, which rises when a photo comes out otherwise."""
        return {"method": "coherent lines", "edition": 1, **super().settings()}

    def inked(self, sketch: Sketch, board: Board, guidance: Guidance, size: tuple[int, int]) -> Tensor:
        """Lay down one drawing, see :meth:`.SketchingDrawer.inked`."""
        return 1.0 - LOOKS[self.name](sketch, guidance, size)


def make_drawer(look: str = DEFAULT_LOOK, **options: Any) -> StaticDrawer:
    """A drawer by the name of its look.

    Args:
        look: ``"ink"``, ``"pencil"`` or, in colour, ``"cartoon"``.
        **options: arguments of :class:`CoherentLineDrawer`, or of :class:`CartoonDrawer` for a cartoon.

    Returns:
        The drawer.

    Raises:
        ConfigError: for an unknown look, an unknown option or a number out of range.
    """
    kind: Callable[..., StaticDrawer] = CartoonDrawer if look == CARTOON else CoherentLineDrawer
    if look not in (CARTOON, *LOOKS):
        raise ConfigError(f"unknown look {look!r}", f"choose one of {', '.join(sorted((CARTOON, *LOOKS)))}")
    try:
        return kind(look, **options)
    except TypeError as error:
        raise ConfigError(f"the {look} drawer refuses its options: {error}", "see what it takes") from error
