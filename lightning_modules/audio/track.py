"""A landmark track: the 68 facial landmarks of every frame of a video, and the file that keeps it."""

from __future__ import annotations

import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_modules.errors import OutputError, TrackError

UNITS = "pixels"
CONVENTIONS = (
    "landmarks (T, 68, 3) float32 in the order of the 68-point scheme; x right, y down, z towards the viewer, all "
    "three in pixels of the picture the face was found in; pixel centres at integers; frame k is shown at k/fps seconds"
)


@dataclass(frozen=True)
class LandmarkTrack:
    """Landmarks over time, in the frame and units of the face they were made from.

    Attributes:
        landmarks: (T, 68, 3) float32, T at least 1; x right, y down, z towards the viewer, pixels.
        fps: frames per second; frame k is shown at ``k / fps`` seconds.

    Raises:
        ValueError: the shape is another, a value is not finite, or ``fps`` is not a positive number.
    """

    landmarks: NDArray[np.float32]
    fps: float

    def __post_init__(self) -> None:
        shape = self.landmarks.shape
        if len(shape) != 3 or shape[0] < 1 or shape[1:] != (68, 3):
            raise ValueError(f"a landmark track is (T, 68, 3) with T of at least 1, not {shape}")
        if self.landmarks.dtype != np.float32:
            raise ValueError(f"a landmark track is float32, not {self.landmarks.dtype}")
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise ValueError(f"the frame rate of a landmark track is a positive number, not {self.fps}")
        if not np.isfinite(self.landmarks).all():
            raise ValueError("a landmark track holds finite numbers only")

    def __len__(self) -> int:
        return len(self.landmarks)

    @property
    def duration(self) -> float:
        """How long the frames are shown, in seconds."""
        return len(self.landmarks) / self.fps


def save_track(track: LandmarkTrack, path: str | Path) -> Path:
    """Write a track as an ``.npz`` file that also says its units and conventions.

    The file is written beside its place first and moved there when complete.

    Args:
        track: the track.
        path: where to; the name is taken as it is given.

    Returns:
        The path written.

    Raises:
        OutputError: the file cannot be written.
    """
    target = Path(path)
    aside = target.with_name(f".{target.name}.tmp{os.getpid()}")
    try:
        with aside.open("wb") as file:
            np.savez_compressed(
                file,
                landmarks=track.landmarks,
                fps=np.float64(track.fps),
                units=np.str_(UNITS),
                conventions=np.str_(CONVENTIONS),
            )
        aside.replace(target)
    except OSError as error:
        raise OutputError(
            f"the landmark track cannot be written ({error.strerror})", "choose a folder you may write to", target
        ) from error
    finally:
        aside.unlink(missing_ok=True)
    return target


def load_track(path: str | Path) -> LandmarkTrack:
    """Read a track that :func:`save_track` wrote. Nothing stored in the file is executed.

    Args:
        path: the ``.npz`` file.

    Returns:
        The track.

    Raises:
        TrackError: the file is missing, is no landmark track, is damaged, or is in other units.
    """
    source = Path(path)
    remedy = "give a landmark track that inkspeak wrote"
    if not source.is_file():
        raise TrackError("there is no such file", remedy, source)
    try:
        with source.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            missing = {"landmarks", "fps", "units"} - set(stored.files)
            if missing:
                raise TrackError(f"not a landmark track: it holds no {', '.join(sorted(missing))}", remedy, source)
            landmarks, fps, units = stored["landmarks"], float(stored["fps"]), str(stored["units"])
    except (OSError, ValueError, TypeError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise TrackError(f"not a landmark track, or a damaged one ({type(error).__name__})", remedy, source) from error
    if units != UNITS:
        raise TrackError(f"the landmarks are in {units!r}, expected {UNITS!r}", remedy, source)
    try:
        return LandmarkTrack(np.ascontiguousarray(landmarks, dtype=np.float32), fps)
    except (ValueError, TypeError) as error:
        raise TrackError(str(error), remedy, source) from error
