"""The drawer of cartoons in colour."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from torch import Tensor

from lightning_modules.drawing.board import Board
from lightning_modules.drawing.cartoon import (
    CARTOON_LINES,
    CartoonStyle,
    cartoon_lines,
    flat_colours,
    inked,
)
from lightning_modules.drawing.coherent_lines import LineStyle, Sketch
from lightning_modules.drawing.guidance import Guidance
from lightning_modules.drawing.sketching_drawer import SketchingDrawer
from lightning_modules.errors import ConfigError

CARTOON: Final = "cartoon"


class CartoonDrawer(SketchingDrawer):
    """Draws cartoons: flat colours in soft steps, dark lines; needs no weights.

    Args:
        look: ``"cartoon"``.
        step: height of a step of lightness, of 100; larger is flatter.
        saturation: factor on the colourfulness; 0 is grey, 1 the photo's.
        brightness: how much paler the skin becomes, in [0, 1].
        evenness: share of the skin's own hue that gives way to one hue, in [0, 1].
        shade: factor on the contrast of light and shade on skin.
        line_weight: as :class:`~lightning_modules.drawing.drawer.CoherentLineDrawer` has it, and so are the others.
        line_length: shortest stroke away from the features, in 1/512 of the shorter side.
        detail: sensitivity to lines.
        coherence: how far along a line contrast is gathered.
        mass_tone: tone, relative to lit skin, below which eyes and brows are filled with ink.
        background: sensitivity to lines outside the matte, relative to the person.
        board: shorter side of the board on which the drawing is worked out, pixels.
        span: share of the shorter side that a portrait crop around the face would take.

    Raises:
        ConfigError: for another look or a number out of range.
    """

    channels = 3

    def __init__(  # noqa: PLR0913 - every choice is an argument
        self,
        look: str = CARTOON,
        *,
        step: float = CartoonStyle.step,
        saturation: float = CartoonStyle.saturation,
        brightness: float = CartoonStyle.brightness,
        evenness: float = CartoonStyle.evenness,
        shade: float = CartoonStyle.shade,
        line_weight: float = CARTOON_LINES.line_weight,
        line_length: float = CARTOON_LINES.line_length,
        detail: float = CARTOON_LINES.detail,
        coherence: float = CARTOON_LINES.coherence,
        mass_tone: float = CARTOON_LINES.mass_tone,
        background: float = CARTOON_LINES.background,
        board: int = 384,
        span: float = 1.0,
    ) -> None:
        if look != CARTOON:
            raise ConfigError(f"unknown look {look!r}", f"choose {CARTOON}")
        ranges = {
            "step": (step, 2.0, 100.0),
            "saturation": (saturation, 0.0, 4.0),
            "brightness": (brightness, 0.0, 1.0),
            "evenness": (evenness, 0.0, 1.0),
            "shade": (shade, 0.0, 2.0),
        }
        lines = LineStyle(detail, coherence, line_weight, line_length, mass_tone, background)
        super().__init__(look, lines, board, span, ranges)
        self.colours = CartoonStyle(float(step), float(saturation), float(brightness), float(evenness), float(shade))

    def settings(self) -> dict[str, str | int | float]:
        """The constructor's arguments, the method, and its edition, which rises when a photo comes out otherwise."""
        return {"method": "flat colours", "edition": 2, **super().settings(), **asdict(self.colours)}

    def inked(self, sketch: Sketch, board: Board, guidance: Guidance, size: tuple[int, int]) -> Tensor:
        """Lay down one drawing, see :meth:`.SketchingDrawer.inked`."""
        picture = board.picture.expand(-1, 3, -1, -1)
        colours = flat_colours(picture, guidance, self.colours, sketch.unit, size)
        return inked(colours, cartoon_lines(sketch, guidance, board.landmarks, size))
