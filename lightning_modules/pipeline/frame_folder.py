"""Every frame as a PNG in a folder of its own (``--frames DIR``), complete or not there at all."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from PIL import Image

from lightning_modules.errors import OutputError
from lightning_modules.pipeline.atomic_files import atomic_path, output_error
from lightning_modules.pipeline.frame_rate import exact_frame_rate
from lightning_modules.pipeline.output_checks import check_folder_of, check_free_space, check_name
from lightning_modules.pipeline.presentation import as_batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARKER = "frames.json"
"""File in the folder that says what the frames are, and that the folder may be replaced."""

_LEFT_BY_DESKTOPS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})  # by merely looking into a folder
_MAKER = "inkspeak"
_LEAST_BYTES_PER_PIXEL = 0.03  # a sparse drawing in grey
_COMPRESSION = 3  # of 0 to 9; higher levels take several times as long for a tenth of the size


class FrameFolder:
    """Writes frames as ``00000.png``, ``00001.png`` …; a context manager.

    The folder is written aside and renamed when the block ends well. A folder that an earlier run made is replaced as a
    whole; one with anything else in it is refused.

    Args:
        path: the folder.
        frames: number of frames that will be written; another number is an error.
        fps: frames per second, noted in ``frames.json``.
        sources: names of photo and speech, noted in ``frames.json``.

    Attributes:
        written: frames written so far.

    Raises:
        OutputError: the folder holds other files, is a file, or cannot be written; raised before any work.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        frames: int,
        fps: float | str | Fraction,
        sources: Sequence[str | Path] = (),
    ) -> None:
        self.path = Path(path)
        self.frames = frames
        self.written = 0
        self._rate = exact_frame_rate(fps)
        self._sources = [Path(source).name for source in sources]
        self._cleanup = ExitStack()
        check_name(self.path)
        _refuse_foreign(self.path)
        check_folder_of(self.path)

    def __enter__(self) -> Self:
        self._temporary = self._cleanup.enter_context(atomic_path(self.path, folder=True))
        return self

    def write(self, frames: NDArray[np.uint8]) -> None:
        """Append one frame or a batch.

        Args:
            frames: see :func:`~lightning_modules.pipeline.presentation.as_batch`.

        Raises:
            OutputError: the disk is full or broken.
            ValueError: more frames than announced.
        """
        for frame in as_batch(frames):
            if self.written == self.frames:
                raise ValueError(f"more than the announced {self.frames} frames")
            if self.written == 0:
                check_free_space(self.path, self.frames * frame.shape[0] * frame.shape[1] * _LEAST_BYTES_PER_PIXEL)
            picture = frame[..., 0] if frame.ndim == 3 and frame.shape[2] == 1 else frame
            place = self._temporary / _name(self.written, self.frames)
            try:
                Image.fromarray(picture).save(place, compress_level=_COMPRESSION)
            except OSError as error:
                raise output_error(error, self.path) from error
            self.written += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cleanup = self._cleanup.pop_all()
        if error is not None:
            cleanup.__exit__(kind, error, trace)
            return
        with cleanup:
            if self.written != self.frames:
                raise ValueError(f"{self.written} frames written, {self.frames} announced")
            facts = {"made_by": _MAKER, "frames": self.written, "fps": str(self._rate), "sources": self._sources}
            text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
            (self._temporary / MARKER).write_text(text, encoding="utf-8")


def _refuse_foreign(path: Path) -> None:
    """Refuse a place where replacing would destroy something that no earlier run has made."""
    if path.exists() and not path.is_dir():
        raise OutputError("it is a file, not a folder", "name a folder for the frames", path)
    if not path.exists():
        return
    names = {entry.name for entry in path.iterdir()}
    strange = names - _own_names(path) - _LEFT_BY_DESKTOPS
    if strange:
        found = f"the folder holds other files, for example '{min(strange)}'"
        raise OutputError(found, "name a new or an empty folder for the frames", path)
    if os.path.ismount(path):
        raise OutputError("a whole disk is mounted here", "name a folder inside it", path)


def _own_names(path: Path) -> set[str]:
    """Names that a run has written here, by what ``frames.json`` says; none without it."""
    try:
        facts = json.loads((path / MARKER).read_text(encoding="utf-8"))
        if facts["made_by"] != _MAKER:
            return set()
        count = int(facts["frames"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {MARKER, *(_name(number, count) for number in range(count))}


def _name(number: int, count: int) -> str:
    """File name of a frame; as many digits as the last of ``count`` frames needs, so that names sort in time."""
    return f"{number:0{max(5, len(str(count - 1)))}d}.png"
