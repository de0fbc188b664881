"""Films to prepare: video files, and folders of numbered frames."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from datamodules.prepare.prepared_set import fingerprint
from datamodules.prepare.record_folder import sha256_of_file
from datamodules.prepare.sources import IMAGE_ENDINGS, find_files
from lightning_modules.errors import VideoError
from lightning_modules.faces.photo import read_photo

if TYPE_CHECKING:
    from lightning_modules.pipeline.video_reader import FrameMark

VIDEO_ENDINGS: Final = frozenset(
    {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".webm", ".wmv"}
)


@dataclass(frozen=True)
class Film:
    """One film.

    Attributes:
        name: of the file or folder, relative to what is prepared, with ``/``.
        path: of the file or folder.
        pictures: files of the frames in order, for a folder; empty for a video file.
    """

    name: str
    path: Path
    pictures: tuple[Path, ...] = ()

    def sha256(self) -> str:
        """Return the hash of the file's bytes, or one of the names and bytes of all frames.

        Raises:
            OSError: something cannot be read.
        """
        if not self.pictures:
            return sha256_of_file(self.path)
        return fingerprint([(picture.name, sha256_of_file(picture)) for picture in self.pictures])

    def marked_frames(self) -> Iterator[tuple[npt.NDArray[np.uint8], FrameMark | None]]:
        """Read all frames in order, (H, W, 3) RGB, upright, each with the mark by which :meth:`frames` finds it again.

        Raises:
            InkspeakError: something cannot be read, or the frames of a folder differ in size.
        """
        if self.pictures:
            yield from ((frame, None) for frame in self._of_folder(0, None))
            return
        from lightning_modules.pipeline.video_reader import VideoReader

        with VideoReader(self.path) as reader:
            yield from reader.marked_frames()

    def frames(
        self, first: int = 0, stop: int | None = None, mark: FrameMark | None = None
    ) -> Iterator[npt.NDArray[np.uint8]]:
        """Read frames in order, each (H, W, 3) RGB, upright.

        Args:
            first: number of the first one wanted.
            stop: number of the one after the last; None for all.
            mark: of that frame or one shortly before it; without one a video is read from its beginning.

        Raises:
            InkspeakError: something cannot be read, or the frames of a folder differ in size.
        """
        if self.pictures:
            yield from self._of_folder(first, stop)
            return
        from lightning_modules.pipeline.video_reader import VideoReader

        with VideoReader(self.path) as reader:
            begin = 0 if mark is None else mark.number
            frames = reader.frames() if mark is None else reader.frames_from(mark)
            yield from itertools.islice(frames, first - begin, None if stop is None else stop - begin)

    def fps(self) -> float | None:
        """Return the frames per second, None where nobody says."""
        if self.pictures:
            return None
        from lightning_modules.pipeline.video_reader import VideoReader

        with VideoReader(self.path) as reader:
            return None if reader.fps is None else float(reader.fps)

    def _of_folder(self, first: int, stop: int | None) -> Iterator[npt.NDArray[np.uint8]]:
        shape: tuple[int, ...] | None = None
        for picture in self.pictures[first:stop]:
            rgb = read_photo(picture).rgb
            if shape is not None and rgb.shape != shape:
                found = f"is {rgb.shape[1]}×{rgb.shape[0]} where the frame before is {shape[1]}×{shape[0]}"
                raise VideoError(found, "keep the frames of one film in a folder of their own", picture)
            shape = rgb.shape
            yield rgb


def find_films(source: Path) -> tuple[list[Film], tuple[str, ...]]:
    """Find all films in a folder and the folders below: each video file, each folder with two pictures or more.

    Args:
        source: a folder, or one video file.

    Returns:
        The films, sorted by name, and the names of the other files.

    Raises:
        VideoError: there is none.
    """
    found = find_files(source, VIDEO_ENDINGS | IMAGE_ENDINGS, what="videos or folders of frames", error=VideoError)
    films, folders, others = [], defaultdict(list), list(found.passed_over)
    for name in found.names:
        path = found.root / name
        if path.suffix.lower() in IMAGE_ENDINGS:
            folders[path.parent].append(path)
        else:
            films.append(Film(name, path))
    for folder, pictures in folders.items():
        if len(pictures) < 2:
            others += [picture.relative_to(found.root).as_posix() for picture in pictures]
            continue
        name = folder.relative_to(found.root).as_posix() if folder != found.root else folder.name
        films.append(Film(name, folder, tuple(sorted(pictures, key=lambda picture: _natural(picture.name)))))
    if not films:
        raise VideoError("holds no film", "name a folder with videos, or with folders of numbered frames", source)
    return sorted(films, key=lambda film: film.name), tuple(sorted(others))


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key by which frame 9 comes before frame 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
