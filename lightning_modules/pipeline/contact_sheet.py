"""A sheet of evenly spaced frames, picked while they stream by: one look tells whether an animation is right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from PIL import Image

from lightning_modules.errors import OutputError
from lightning_modules.pipeline.atomic_files import atomic_path
from lightning_modules.pipeline.frame_rate import exact_frame_rate
from lightning_modules.pipeline.output_checks import IMAGE_SUFFIXES, check_output
from lightning_modules.pipeline.presentation import as_batch, captioned, grid, letterbox

if TYPE_CHECKING:
    from numpy.typing import NDArray


def evenly_spaced(frames: int, count: int) -> tuple[int, ...]:
    """Numbers of ``count`` frames from the first to the last, as evenly as whole numbers allow; each once.

    Args:
        frames: how many frames there are, at least 1.
        count: how many to pick, at least 1; all of them when there are fewer.
    """
    if count == 1:
        return (0,)
    return tuple(sorted({round(step * (frames - 1) / (count - 1)) for step in range(count)}))


class ContactSheet:
    """Collects frames for a sheet and writes it as an image; a context manager.

    Only the picked frames are kept, scaled to their cells. The image is written when the block ends well; a failure
    leaves no trace.

    Args:
        path: the image, ``.png``, ``.jpg`` or ``.jpeg``.
        frames: number of frames that will be written.
        fps: frames per second, for the captions.
        cells: how many frames to show, evenly spaced.
        indices: numbers of the frames to show instead, counted from 0.
        cell: side of the square cells in pixels.
        columns: cells in a row; ``None`` takes six, or fewer where that leaves no hole.
        lead: pictures for the first cells with their captions, e.g. ``[("photo", rgb), ("drawing", drawing)]``.
        inputs: files that must not be overwritten.

    Raises:
        OutputError: the image cannot be written there; raised before any work.
        ValueError: no cell, or a number outside the frames.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        frames: int,
        fps: float | str | Fraction,
        cells: int = 12,
        indices: Sequence[int] | None = None,
        cell: int = 192,
        columns: int | None = None,
        lead: Sequence[tuple[str, NDArray[np.uint8]]] = (),
        inputs: Iterable[str | Path] = (),
    ) -> None:
        wanted = evenly_spaced(frames, cells) if indices is None else tuple(sorted(set(indices)))
        if cells < 1 or not wanted or min(wanted) < 0 or max(wanted) >= frames:
            raise ValueError(f"cells {cells}, indices {indices}: not within {frames} frames")
        self.path = check_output(path, inputs=inputs, suffixes=IMAGE_SUFFIXES)
        self._rate = exact_frame_rate(fps)
        self._wanted = frozenset(wanted)
        self._cell = (cell, cell)
        self._columns = columns or _columns(len(wanted) + len(lead))
        self._pictures = [self._laid_out(picture, text) for text, picture in lead]
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def write(self, frames: NDArray[np.uint8]) -> None:
        """Look at the next frame or batch and keep what belongs on the sheet.

        Args:
            frames: see :func:`~lightning_modules.pipeline.presentation.as_batch`.
        """
        for frame in as_batch(frames):
            if self._seen in self._wanted:
                seconds = float(self._seen / self._rate)
                self._pictures.append(self._laid_out(frame, f"{seconds:.2f} s"))
            self._seen += 1

    def image(self) -> NDArray[np.uint8]:
        """The sheet of what was seen so far, (H, W, 3) uint8.

        Raises:
            ValueError: nothing was seen.
        """
        return grid(self._pictures, self._columns)

    def _laid_out(self, picture: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
        return captioned(letterbox(picture, self._cell), text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._pictures:
            save_image(self.path, self.image())


def save_image(path: str | Path, image: NDArray[np.uint8]) -> None:
    """Write a picture, complete or not at all.

    Args:
        path: ``.png``, ``.jpg`` or ``.jpeg``; missing folders are created.
        image: uint8 (H, W), (H, W, 1) or (H, W, 3) RGB.

    Raises:
        OutputError: it cannot be written.
    """
    if Path(path).suffix.lower() not in IMAGE_SUFFIXES:
        raise OutputError("this kind of image is not written", f"name it {', '.join(IMAGE_SUFFIXES)}", path)
    with atomic_path(path) as temporary:
        picture = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
        Image.fromarray(np.ascontiguousarray(picture)).save(temporary, quality=92)


def _columns(cells: int) -> int:
    """Six cells in a row, or five or four where only these fill the last row."""
    return next((columns for columns in (6, 5, 7, 4) if cells % columns == 0), min(cells, 6))
