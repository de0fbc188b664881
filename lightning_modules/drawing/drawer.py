"""Static drawers: one photo in, one line drawing out. ``make_drawer`` is the door that everything else uses."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any, Final, Protocol, runtime_checkable

import torch
from torch import Tensor

from lightning_modules.drawing.coherent_lines import LineStyle, sketch
from lightning_modules.drawing.guidance import make_guidance
from lightning_modules.drawing.image_filters import resized
from lightning_modules.drawing.looks import LOOKS
from lightning_modules.drawing.tone import luminance
from lightning_modules.errors import ConfigError
from lightning_modules.geometry.points import plane_points

DEFAULT_LOOK: Final = "ink"
SMALLEST_SIDE: Final = 32
_POINTS: Final = 68


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


class CoherentLineDrawer:
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
        ranges = {
            "line_weight": (line_weight, 0.1, 10.0),
            "line_length": (line_length, 1.0, 200.0),
            "detail": (detail, 0.05, 20.0),
            "coherence": (coherence, 0.1, 5.0),
            "mass_tone": (mass_tone, 0.0, 2.0),
            "background": (background, 0.01, 1.0),
            "board": (board, 128, 2048),
            "span": (span, 0.1, 4.0),
        }
        for name, (value, low, high) in ranges.items():
            if not low <= value <= high:
                raise ConfigError(f"{name} is {value}", f"choose it between {low:g} and {high:g}")
        self.name = look
        self.board = int(board)
        self.span = float(span)
        self.style = LineStyle(
            detail=float(detail),
            coherence=float(coherence),
            line_weight=float(line_weight),
            line_length=float(line_length),
            mass_tone=float(mass_tone),
            background=float(background),
        )

    def settings(self) -> dict[str, str | int | float]:
        """The constructor's arguments, the method, and its edition, which rises when a photo comes out otherwise."""
        return {
            "method": "coherent lines",
            "edition": 1,
            "look": self.name,
            **asdict(self.style),
            "board": self.board,
            # Only where it was chosen: drawings that were kept before it could be are found again.
            **({"span": self.span} if self.span != 1.0 else {}),
        }

    @torch.no_grad()
    def draw(self, photo: Tensor, *, landmarks: Tensor | None = None, matte: Tensor | None = None) -> Tensor:
        """Draw photos.

        Args:
            photo: (B, 3, H, W) or, grey, (B, 1, H, W); [0, 1]; sides of at least 32 pixels.
            landmarks: (B, 68, 2 | 3), order (x, y[, z]), pixels of ``photo``. They make the drawer more sensitive at
                eyes, brows, nose, lips and jaw, and calmer on cheeks and forehead.
            matte: (B, 1, H, W) in [0, 1], 1 = person. Outside it nothing is filled and fewer lines are drawn; a matte
                of zeros suits a picture without a person.

        Returns:
            (B, 1, H, W) float32 in [0, 1], 1 = white paper, 0 = black; on the photo's device.

        Raises:
            ValueError: if a shape does not fit or values lie outside [0, 1].
        """
        _check(photo, landmarks, matte)
        points = None if landmarks is None else plane_points(landmarks).float()
        drawings = [
            self._draw_one(
                photo[index : index + 1].float(),
                None if points is None else points[index : index + 1],
                None if matte is None else matte[index : index + 1].float(),
            )
            for index in range(len(photo))
        ]
        return torch.cat(drawings) if drawings else photo.new_zeros((0, 1, *photo.shape[-2:]), dtype=torch.float32)

    def _draw_one(self, photo: Tensor, landmarks: Tensor | None, matte: Tensor | None) -> Tensor:
        height, width = photo.shape[-2:]
        scale = self.board / min(height, width)
        board = (round(height * scale), round(width * scale))
        light = resized(luminance(photo), board)
        if landmarks is not None:
            ratio = landmarks.new_tensor((board[1] / width, board[0] / height))
            landmarks = (landmarks + 0.5) * ratio - 0.5
        if matte is not None:
            matte = resized(matte, board, "bilinear")
        guidance = make_guidance(light, landmarks, matte)
        # Below 768 pixels the drawing is inked finer and reduced, which keeps thin strokes even.
        finer = 1 if min(height, width) >= 768 else max(2, math.ceil(scale))
        drawn = LOOKS[self.name](
            sketch(light, guidance, self.style, self.span), guidance, (finer * height, finer * width)
        )
        return (1.0 - resized(drawn, (height, width), "area")).clamp(0.0, 1.0)


def _check(photo: Tensor, landmarks: Tensor | None, matte: Tensor | None) -> None:
    if photo.ndim != 4 or photo.shape[1] not in (1, 3) or not photo.is_floating_point():
        raise ValueError(f"photo must be floating point (B, 3|1, H, W), got {photo.dtype} {tuple(photo.shape)}")
    if min(photo.shape[-2:]) < SMALLEST_SIDE:
        raise ValueError(f"photo must be at least {SMALLEST_SIDE} pixels on each side, got {tuple(photo.shape)}")
    if photo.numel() and not (photo.amin() >= -1e-3 and photo.amax() <= 1.0 + 1e-3):
        raise ValueError(f"photo must lie in [0, 1], got [{float(photo.amin()):g}, {float(photo.amax()):g}]")
    if landmarks is not None and landmarks.shape[:2] != (len(photo), _POINTS):
        raise ValueError(f"landmarks must be ({len(photo)}, 68, 2|3), got {tuple(landmarks.shape)}")
    expected = (len(photo), 1, *photo.shape[-2:])
    if matte is not None and (tuple(matte.shape) != expected or not matte.is_floating_point()):
        raise ValueError(f"matte must be floating point {expected}, got {matte.dtype} {tuple(matte.shape)}")


def make_drawer(look: str = DEFAULT_LOOK, **options: Any) -> StaticDrawer:
    """A drawer by the name of its look.

    Args:
        look: ``"ink"`` or ``"pencil"``.
        **options: arguments of :class:`CoherentLineDrawer`.

    Returns:
        The drawer.

    Raises:
        ConfigError: for an unknown look, an unknown option or a number out of range.
    """
    try:
        return CoherentLineDrawer(look, **options)
    except TypeError as error:
        raise ConfigError(f"the {look} drawer refuses its options: {error}", "see CoherentLineDrawer") from error
