"""Laying pictures out for people: letterbox, side by side, captions, grids and landmark overlays. NumPy and PIL only.

Pictures are uint8 with 255 white: (H, W), (H, W, 1) or (H, W, 3) RGB. Results are (H, W, 3). Coordinates are pixels,
order (x, y), x right, y down, pixel centres at integers. Nothing given is changed; results are new arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lightning_modules.geometry.landmark_groups import (
    INNER_LIP,
    JAW,
    LEFT_BROW,
    LEFT_EYE,
    NOSE_BASE,
    NOSE_BRIDGE,
    OUTER_LIP,
    RIGHT_BROW,
    RIGHT_EYE,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PAPER = 255
"""Grey level of white paper, the filling of every gap and margin."""

_OPEN_LINES = (JAW, RIGHT_BROW, LEFT_BROW, NOSE_BRIDGE, NOSE_BASE)
_CLOSED_LINES = (RIGHT_EYE, LEFT_EYE, OUTER_LIP, INNER_LIP)


def as_rgb(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture of any kind as (H, W, 3).

    Raises:
        ValueError: not uint8, or another shape.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3)):
        raise ValueError(f"a picture is uint8 (H, W), (H, W, 1) or (H, W, 3), not {image.dtype} {image.shape}")
    if image.ndim == 3 and image.shape[2] == 3:
        return image
    return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)


def as_batch(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One frame or several, always as a batch.

    Args:
        frames: (H, W), (H, W, 1) or (H, W, 3), or several of these with their number first. Three axes of which the
            last is 1 or 3 long are one frame.

    Returns:
        (B, H, W) or (B, H, W, C), not copied.

    Raises:
        ValueError: not uint8, or another shape.
    """
    single = frames.ndim == 2 or (frames.ndim == 3 and frames.shape[2] in (1, 3))
    batch = frames[None] if single else frames
    if batch.dtype != np.uint8 or batch.ndim not in (3, 4) or (batch.ndim == 4 and batch.shape[3] not in (1, 3)):
        raise ValueError(f"frames are uint8 pictures or a batch of them, not {frames.dtype} {frames.shape}")
    return batch


def letterbox(image: NDArray[np.uint8], size: tuple[int, int], *, fill: int = PAPER) -> NDArray[np.uint8]:
    """Scale a picture to fit into a box, keeping its proportions, and centre it there.

    Args:
        image: the picture; smaller ones are enlarged.
        size: (width, height) of the box in pixels.
        fill: grey level of the margins, 0–255.

    Returns:
        (height, width, 3).
    """
    rgb, (width, height) = as_rgb(image), size
    scale = min(width / rgb.shape[1], height / rgb.shape[0])
    inner = (min(width, max(1, round(rgb.shape[1] * scale))), min(height, max(1, round(rgb.shape[0] * scale))))
    box = np.full((height, width, 3), fill, np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    if inner != (rgb.shape[1], rgb.shape[0]):
        rgb = np.asarray(Image.fromarray(rgb).resize(inner, Image.Resampling.LANCZOS))
    box[top : top + inner[1], left : left + inner[0]] = rgb
    return box


class SideBySide:
    """The photo on the left and the moving frame on the right, in two boxes of the frame's size.

    The photo is scaled once; each frame costs one copy.

    Args:
        photo: the photo, any size.
        frame_size: (width, height) of the frames in pixels.
        gap: white columns between the two; ``None`` takes a 32nd of the width, made even.

    Attributes:
        size: (width, height) of the result in pixels; even when the frame's is.
    """

    def __init__(self, photo: NDArray[np.uint8], frame_size: tuple[int, int], *, gap: int | None = None) -> None:
        width, height = frame_size
        gap = width // 64 * 2 if gap is None else gap
        self.size = (2 * width + gap, height)
        self._start = width + gap
        self._sheet = np.full((height, self.size[0], 3), PAPER, np.uint8)
        self._sheet[:, :width] = letterbox(photo, frame_size)

    def show(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Put frames beside the photo.

        Args:
            frames: see :func:`as_batch`.

        Returns:
            (B, height, width, 3), also for one frame.
        """
        batch = as_batch(frames)
        shown = np.repeat(self._sheet[None], len(batch), axis=0)
        shown[:, :, self._start :] = batch if batch.ndim == 4 else batch[..., None]
        return shown


def side_by_side(
    photo: NDArray[np.uint8], frame: NDArray[np.uint8], *, landmarks: NDArray[np.floating] | None = None
) -> NDArray[np.uint8]:
    """One photo beside one drawing, in boxes of the drawing's size.

    Args:
        photo: the photo, any size.
        frame: the drawing, (H, W), (H, W, 1) or (H, W, 3).
        landmarks: (68, 2 or 3), photo pixels; drawn over the photo when given.

    Returns:
        (H, 2W + gap, 3).
    """
    marked = photo if landmarks is None else draw_landmarks(photo, landmarks)
    return SideBySide(marked, (frame.shape[1], frame.shape[0])).show(frame).squeeze(axis=0)


def draw_landmarks(
    image: NDArray[np.uint8],
    landmarks: NDArray[np.floating],
    *,
    color: tuple[int, int, int] = (220, 30, 60),
    radius: float | None = None,
    lines: bool = True,
    numbers: bool = False,
    scale: int = 1,
) -> NDArray[np.uint8]:
    """Draw the 68 points, and the lines that they stand for, over a picture, for the eyes of a developer.

    Args:
        image: the picture.
        landmarks: (68, 2 or 3), pixels of the picture; a depth is ignored. Points outside are cut off.
        color: of points and lines, RGB 0–255.
        radius: of the points, pixels of the result; ``None`` takes a 250th of the longer side, at least 1.
        lines: join the points of each contour.
        numbers: write each point's number (0–67) beside it.
        scale: enlarge the picture this many times first, so that small faces can be judged.

    Returns:
        (scale·H, scale·W, 3).

    Raises:
        ValueError: another number of points.
    """
    if landmarks.shape[0] != 68 or landmarks.ndim != 2 or landmarks.shape[1] not in (2, 3):
        raise ValueError(f"landmarks are (68, 2) or (68, 3), not {landmarks.shape}")
    rgb = as_rgb(image)
    canvas = Image.fromarray(rgb).resize((rgb.shape[1] * scale, rgb.shape[0] * scale), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(canvas)
    spots = [(float(x), float(y)) for x, y in (landmarks[:, :2] + 0.5) * scale - 0.5]
    radius = max(1.0, max(canvas.size) / 250) if radius is None else radius
    if lines:
        width = max(1, round(radius / 2))
        for group in _OPEN_LINES:
            pen.line([spots[index] for index in group], fill=color, width=width)
        for group in _CLOSED_LINES:
            pen.line([spots[index] for index in (*group, group[0])], fill=color, width=width)
    for number, (x, y) in enumerate(spots):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)
        if numbers:
            pen.text((x + radius + 1, y), str(number), fill=color, font=_font(10), anchor="lm")
    return np.asarray(canvas)


def captioned(image: NDArray[np.uint8], text: str, *, height: int = 18) -> NDArray[np.uint8]:
    """A picture with a line of text on white paper below it; text that is too long is cut with an ellipsis.

    Args:
        image: the picture.
        text: one line.
        height: of the added strip, pixels; the letters are two thirds of it.

    Returns:
        (H + height, W, 3).
    """
    rgb = as_rgb(image)
    strip = Image.new("RGB", (rgb.shape[1], height), (PAPER, PAPER, PAPER))
    font = _font(max(6, height * 2 // 3))
    line = " ".join(text.split())
    while len(line) > 1 and font.getlength(line) > strip.width - 4:
        line = line.removesuffix("…")[:-1] + "…"
    ImageDraw.Draw(strip).text((strip.width / 2, height / 2), line, fill=(0, 0, 0), font=font, anchor="mm")
    return np.concatenate([rgb, np.asarray(strip)])


def grid(images: Sequence[NDArray[np.uint8]], columns: int, *, gap: int = 6, fill: int = PAPER) -> NDArray[np.uint8]:
    """Pictures in rows from left to right, each centred in a cell as large as the largest of them.

    Args:
        images: at least one.
        columns: cells in a row, at least 1; fewer when there are fewer pictures.
        gap: pixels between cells and around them.
        fill: grey level between, 0–255.

    Returns:
        (H, W, 3).

    Raises:
        ValueError: no picture, or no column.
    """
    if not images or columns < 1:
        raise ValueError(f"{len(images)} pictures in {columns} columns")
    columns = min(columns, len(images))
    height, width = max(image.shape[0] for image in images), max(image.shape[1] for image in images)
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), fill, np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top = gap + row * (height + gap) + (height - image.shape[0]) // 2
        left = gap + column * (width + gap) + (width - image.shape[1]) // 2
        sheet[top : top + image.shape[0], left : left + image.shape[1]] = as_rgb(image)
    return sheet


@lru_cache(maxsize=8)
def _font(size: int) -> Font:
    return ImageFont.load_default(size)
