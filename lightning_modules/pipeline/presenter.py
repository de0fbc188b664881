"""What the video shows: the square alone, the square in its surroundings, or the photo beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lightning_modules.geometry.alignment import PortraitFrame, paste_back
from lightning_modules.pipeline.presentation import SideBySide

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lightning_modules.faces.matter import Matter
    from lightning_modules.faces.photo import Photo
    from lightning_modules.pipeline.portrait import Portrait

#: Longest side of a video that shows the whole photo; decoders of H.264 in common hardware take no more.
LONGEST_SIDE = 4096
#: Crop side on the drawer's board; surroundings are drawn at the same scale, so lines are equally wide inside and out.
_BOARD = 384
#: Pixels of the largest board. Around a smaller face the lines are wider than inside, and never thinner than the pen.
_LARGEST_BOARD = 1_200_000


class Presenter(Protocol):
    """Turns drawn squares into the pictures of the video.

    Attributes:
        size: (width, height) of what it shows, pixels.
    """

    size: tuple[int, int]

    def show(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """From squares (B, S, S, C) to pictures (B, height, width, C'), uint8."""
        ...


class Square:
    """Shows the square as it is.

    Args:
        side: side of the square in pixels.
    """

    def __init__(self, side: int) -> None:
        self.size = (side, side)

    def show(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The frames themselves."""
        return frames


class InSurroundings:
    """Puts the moving square back into the drawing of the whole photo.

    Args:
        canvas: (H, W, C) uint8, the drawing of the whole photo.
        frame: where the square belongs, canvas pixels.
    """

    def __init__(self, canvas: NDArray[np.uint8], frame: PortraitFrame) -> None:
        self.canvas = canvas
        self.frame = frame
        self.size = (canvas.shape[1], canvas.shape[0])

    def show(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """One canvas per frame; the square fades in over a sixteenth of its side, where nothing moves."""
        return np.stack([paste_back(self.canvas, frame, self.frame, feather=self.frame.side / 16) for frame in frames])


class _BesidePhoto:
    """Shows the photo at the left of what another presenter shows."""

    def __init__(self, photo: NDArray[np.uint8], shown: Presenter) -> None:
        self._shown = shown
        self._pair = SideBySide(photo, shown.size)
        self.size = self._pair.size

    def show(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self._pair.show(self._shown.show(frames))


@dataclass(frozen=True)
class Surroundings:
    """Where the square lies when the whole photo is shown.

    Attributes:
        width: canvas width, pixels, even.
        height: canvas height, pixels, even.
        frame: the square on the canvas.
    """

    width: int
    height: int
    frame: PortraitFrame

    @classmethod
    def of(cls, photo_size: tuple[int, int], frame: PortraitFrame) -> Surroundings:
        """The photo at its own size, or reduced until its longest side is :data:`LONGEST_SIDE`.

        Args:
            photo_size: (height, width) of the photo.
            frame: the square in photo pixels.
        """
        height, width = photo_size
        scale = min(1.0, LONGEST_SIDE / max(height, width))
        placed = PortraitFrame(round(frame.left * scale), round(frame.top * scale), max(2, round(frame.side * scale)))
        return cls(max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2), placed)

    def square_side(self) -> int:
        """Side at which the square is drawn: its side on the canvas as a multiple of 8 from 128 to 1024."""
        return min(1024, max(128, -(-self.frame.side // 8) * 8))


def draw_surroundings(
    photo: NDArray[np.uint8],
    surroundings: Surroundings,
    look: str,
    *,
    landmarks: NDArray[np.floating] | None = None,
    matter: Matter | None = None,
) -> NDArray[np.uint8]:
    """Draw the whole photo at the line width of the square, in a time that neither photo nor face can make longer.

    Args:
        photo: (H, W, 3) uint8.
        surroundings: size of the canvas and place of the square.
        look: as ``make_drawer`` takes it.
        landmarks: (68, 2 | 3) of the face, canvas pixels.
        matter: tells the person from the background; ``None`` draws everything as person.

    Returns:
        (height, width, C) uint8, C the channels of the look.
    """
    import cv2
    import torch

    from lightning_modules.drawing.drawer import make_drawer
    from lightning_modules.pipeline.portrait import image_array, image_tensor

    size = (surroundings.width, surroundings.height)
    shrinks = size[0] < photo.shape[1]
    resized = np.asarray(
        cv2.resize(photo, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), np.uint8
    )
    wanted, most = _BOARD * min(size) / surroundings.frame.side, math.sqrt(_LARGEST_BOARD * min(size) / max(size))
    board = max(128, round(min(wanted, most)))
    matte = None if matter is None else torch.from_numpy(matter.matte(resized))[None, None]
    points = None if landmarks is None else torch.from_numpy(landmarks)[None]
    drawer = make_drawer(look, board=board, span=min(_BOARD / board, 4.0))
    drawn: NDArray[np.uint8] = image_array(drawer.draw(image_tensor(resized), landmarks=points, matte=matte))[0]
    return drawn


def make_presenter(
    photo: Photo,
    portrait: Portrait,
    *,
    look: str,
    surroundings: Surroundings | None,
    side_by_side: bool,
    matter: Matter | None = None,
) -> Presenter:
    """The presenter of a job.

    Args:
        photo: the photo.
        portrait: its constants.
        look: the drawing's look.
        surroundings: shows the whole photo when given.
        side_by_side: also show the photo itself at the left.
        matter: tells the person from the background in the whole photo.

    Returns:
        The presenter.
    """
    from lightning_modules.pipeline.portrait import image_array

    presenter: Presenter = Square(portrait.size)
    original = image_array(portrait.photo)[0]
    if surroundings is not None:
        frame = surroundings.frame
        points = portrait.landmarks.cpu().numpy()[:, :2]
        landmarks = (points + 0.5) * (frame.side / portrait.size) - 0.5 + np.array([frame.left, frame.top], np.float32)
        canvas = draw_surroundings(photo.rgb, surroundings, look, landmarks=landmarks, matter=matter)
        presenter = InSurroundings(canvas, frame)
        original = photo.rgb
    return _BesidePhoto(original, presenter) if side_by_side else presenter
