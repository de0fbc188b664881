"""What all drawers share that draw from a sketch: options, the board, photos one by one, and shots of film."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict

import torch
from torch import Tensor

from lightning_modules.drawing.board import Board, board_size, check_drawer_input, inking_size, laid_on_board
from lightning_modules.drawing.coherent_lines import LineStyle, Sketch, sketch_shot
from lightning_modules.drawing.guidance import Guidance, make_guidance
from lightning_modules.drawing.image_filters import resized
from lightning_modules.drawing.steadying import Steadier, alone
from lightning_modules.drawing.tone import luminance
from lightning_modules.errors import ConfigError


class SketchingDrawer(ABC):
    """Draws from a sketch that is worked out on a board. Deterministic: the same photo gives the same bits.

    Args:
        look: its name.
        lines: choices about lines and masses.
        board: shorter side of the board, pixels.
        span: share of the shorter side that a portrait crop around the face would take.
        others: further numbers by name, each with the least and the most that it may be.

    Raises:
        ConfigError: for a number out of range.
    """

    channels: int

    def __init__(
        self,
        look: str,
        lines: LineStyle,
        board: int,
        span: float,
        others: Mapping[str, tuple[float, float, float]] | None = None,
    ) -> None:
        ranges = {
            "line_weight": (lines.line_weight, 0.1, 10.0),
            "line_length": (lines.line_length, 1.0, 200.0),
            "detail": (lines.detail, 0.05, 20.0),
            "coherence": (lines.coherence, 0.1, 5.0),
            "mass_tone": (lines.mass_tone, 0.0, 2.0),
            "background": (lines.background, 0.01, 1.0),
            "board": (board, 128, 2048),
            "span": (span, 0.1, 4.0),
            **(others or {}),
        }
        for name, (value, low, high) in ranges.items():
            if not low <= value <= high:
                raise ConfigError(f"{name} is {value}", f"choose it between {low:g} and {high:g}")
        self.name = look
        self.board = int(board)
        self.span = float(span)
        self.style = LineStyle(**{name: float(value) for name, value in asdict(lines).items()})

    def settings(self) -> dict[str, str | int | float]:
        """The choices about lines and board."""
        return {
            "look": self.name,
            **asdict(self.style),
            "board": self.board,
            # Only where it was chosen: drawings that were kept before it could be are found again.
            **({"span": self.span} if self.span != 1.0 else {}),
        }

    @torch.no_grad()
    def draw(self, photo: Tensor, *, landmarks: Tensor | None = None, matte: Tensor | None = None) -> Tensor:
        """Draw photos, each as if it were alone.

        Args:
            photo: (B, 3, H, W) or, grey, (B, 1, H, W); [0, 1]; sides of at least 32 pixels.
            landmarks: (B, 68, 2 | 3), order (x, y[, z]), pixels of ``photo``. They make the drawer more sensitive at
                eyes, brows, nose, lips and jaw, and calmer on cheeks and forehead.
            matte: (B, 1, H, W) in [0, 1], 1 = person. Outside it nothing is filled and fewer lines are drawn; a matte
                of zeros suits a picture without a person.

        Returns:
            (B, channels, H, W) float32 in [0, 1], 1 = white paper, 0 = black; on the photo's device.

        Raises:
            ValueError: if a shape does not fit or values lie outside [0, 1].
        """
        return self.draw_shot(photo, landmarks=landmarks, mattes=matte, steady=alone)

    @torch.no_grad()
    def draw_shot(
        self,
        frames: Tensor,
        *,
        landmarks: Tensor | None = None,
        mattes: Tensor | None = None,
        steady: Steadier,
    ) -> Tensor:
        """Draw consecutive frames of one shot, with tangents and lines that hold still over time.

        Args:
            frames: as ``photo`` of :meth:`draw`.
            landmarks: as there.
            mattes: as there.
            steady: what averages structure tensors and line responses over time, see :mod:`.steadying`.

        Returns:
            As :meth:`draw`.

        Raises:
            ValueError: if a shape does not fit or values lie outside [0, 1].
        """
        check_drawer_input(frames, landmarks, mattes)
        size = (frames.shape[-2], frames.shape[-1])
        if not len(frames):
            return frames.new_zeros((0, self.channels, *size), dtype=torch.float32)
        laid: list[tuple[Board, Guidance]] = []

        def seen() -> Iterator[tuple[Tensor, Guidance]]:
            for number in range(len(frames)):
                board = laid_on_board(
                    frames[number : number + 1],
                    None if landmarks is None else landmarks[number : number + 1],
                    None if mattes is None else mattes[number : number + 1],
                    self.board,
                )
                # Luminance first: in the other order drawings kept earlier would differ by up to 1e-4.
                light = resized(luminance(frames[number : number + 1].float()), board_size(size, self.board))
                laid.append((board, make_guidance(light, board.landmarks, board.matte)))
                yield light, laid[-1][1]

        fine, drawings = inking_size(size, self.board), []
        for sketch in sketch_shot(seen(), self.style, self.span, steady):
            board, guidance = laid.pop(0)
            drawn = resized(self.inked(sketch, board, guidance, fine), size, "area")
            drawings.append(drawn.clamp(0.0, 1.0))
        return torch.cat(drawings)

    @abstractmethod
    def inked(self, sketch: Sketch, board: Board, guidance: Guidance, size: tuple[int, int]) -> Tensor:
        """Lay down one drawing.

        Args:
            sketch: strokes and masses.
            board: the photo that they are of.
            guidance: maps of the board.
            size: (H, W) at which to ink.

        Returns:
            (1, channels, H, W) in about [0, 1], 1 = white paper.
        """
