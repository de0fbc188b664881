"""A filmed clip as the truth of an evaluation: frames in the portrait crop of the first one, and their landmarks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lightning_modules.errors import VideoError
from lightning_modules.geometry.alignment import PortraitFrame, crop, portrait_frame, to_crop

if TYPE_CHECKING:
    from lightning_modules.faces.face import Face, FaceAnalyzer

Pixels = NDArray[np.uint8]
Points = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """A clip to be evaluated.

    Attributes:
        name: by which its results are called.
        path: the video file.
    """

    name: str
    path: Path


@dataclass(frozen=True, eq=False)
class FilmedClip:
    """A video in the portrait crop of its first frame.

    Attributes:
        path: the video file.
        fps: frames per second at which it was read.
        frame: the square in pixels of the video, the same for all frames.
        landmarks: (T, 68, 2) pixels of the crop at size S, found in every frame; NaN where no face was found.
        pictures: (T, S, S, 3) RGB, white outside of the video.
    """

    path: Path
    fps: float
    frame: PortraitFrame
    landmarks: Points
    pictures: Pixels

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def size(self) -> int:
        """S, pixels."""
        return int(self.pictures.shape[1])

    def first(self, count: int) -> FilmedClip:
        """Its first frames alone."""
        return FilmedClip(self.path, self.fps, self.frame, self.landmarks[:count], self.pictures[:count])

    def fine_frames(self, side: int) -> Iterator[tuple[Pixels, Pixels]]:
        """Read the video again, cropped at another size.

        Yields:
            (side, side, 3) RGB, white outside of the video, and (side, side), 255 inside of it.
        """
        for rgb in islice(read_frames(self.path, self.fps), len(self)):
            inside = crop(np.full(rgb.shape[:2], 255, np.uint8), self.frame, side, fill=0)
            yield crop(rgb, self.frame, side, fill=255), np.asarray(inside)


def read_frames(path: Path, fps: float) -> Iterator[Pixels]:
    """The frames of a video at a constant rate, (H, W, 3) RGB.

    Raises:
        VideoError: it cannot be read.
    """
    from lightning_modules.pipeline.video_reader import VideoReader

    with VideoReader(path) as reader:
        yield from reader.frames(fps)


def read_filmed(path: Path, analyzer: FaceAnalyzer, *, fps: float, size: int, most: int | None = None) -> FilmedClip:
    """Read a video, find the face in every frame and cut the first frame's portrait crop out of all of them.

    Args:
        path: the video file.
        analyzer: the face backend.
        fps: frames per second.
        size: S, pixels.
        most: frames read at most.

    Raises:
        VideoError: it cannot be read, or has one frame only.
        NoFaceError: there is no face in the first frame.
    """
    from lightning_modules.faces.face import choose_face
    from lightning_modules.faces.photo import photo_from_pixels

    frames = list(islice(read_frames(path, fps), most))
    if len(frames) < 2:
        raise VideoError(f"it has {len(frames)} frame", "give clips of two frames or more", path)
    photo = photo_from_pixels(frames[0], path=path)
    # As an animation of the first frame chooses it, so that both have the same crop.
    first = choose_face(analyzer.find_faces(photo.rgb), "largest", photo)
    frame = portrait_frame(first.landmarks)
    points = followed(faces_in(frames, analyzer), first)
    pictures = np.stack([crop(rgb, frame, size, fill=255) for rgb in frames])
    return FilmedClip(path, fps, frame, np.asarray(to_crop(points, frame, size), np.float32), pictures)


def faces_in(frames: Sequence[Pixels], analyzer: FaceAnalyzer) -> Iterable[list[Face]]:
    """The faces of consecutive frames, followed where the analyzer can."""
    follow = getattr(analyzer, "find_faces_in_frames", None)
    return map(analyzer.find_faces, frames) if follow is None else follow(frames)


def followed(faces: Iterable[list[Face]], first: Face | None = None) -> Points:
    """The landmarks of one face through a clip.

    Args:
        faces: those of each frame.
        first: the face to follow; None: the largest one that comes first.

    Returns:
        (T, 68, 2) pixels; NaN for a frame without a face.
    """
    track, last = [], first
    for found in faces:
        if not found:
            track.append(np.full((68, 2), np.nan, np.float32))
            continue
        overlaps = [0.0 if last is None else face.box.overlap(last.box) for face in found]
        best = int(np.argmax(overlaps))
        face = found[best] if overlaps[best] > 0 else max(found, key=lambda one: one.box.area)
        track.append(face.landmarks[:, :2])
        last = face
    return np.stack(track) if track else np.zeros((0, 68, 2), np.float32)


def file_mark(path: Path) -> str:
    """The sha256 of a file's bytes.

    Raises:
        VideoError: it cannot be read.
    """
    try:
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise VideoError(f"it cannot be read ({error.strerror})", "check its name and permissions", path) from error
