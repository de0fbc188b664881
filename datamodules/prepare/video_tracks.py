"""The first pass over talking-face videos: the landmarks of the face that is followed, kept in a file a video.

The file (``tracks/<video>.npz``, no pickles) holds the number of the first frame, the length and the landmarks of each
track at 25 frames a second, and the fingerprint of video and settings; with it detection is not repeated.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from datamodules.prepare.film_clips import faces_in_frames
from datamodules.prepare.preparation import SourceItem
from datamodules.prepare.talking_faces import FaceTrack, follow_faces
from lightning_modules.errors import VideoError
from lightning_modules.faces.face import FaceAnalyzer
from lightning_modules.pipeline.atomic_files import atomic_path

VIDEO_RATE: Final = 25
TRACKS_NAME: Final = "tracks"
AnalyzerMaker = Callable[[str], FaceAnalyzer]


@dataclass(frozen=True)
class TrackWork:
    """The work function of the first pass: video in, file of tracks written."""

    folder: Path
    analyzer: FaceAnalyzer

    def __call__(self, item: SourceItem) -> str:
        """Follow the face through one video; return the name of the file of its tracks."""
        from lightning_modules.pipeline.video_reader import VideoReader

        with VideoReader(item.path) as reader:
            if not reader.has_sound:
                raise VideoError("has no sound", "give videos of people who talk", item.path)
            frames = reader.frames(fps=VIDEO_RATE)
            tracks = follow_faces(faces_in_frames(frames, self.analyzer, drawn=False))
        write_tracks(tracks_path(self.folder, item), tracks, item.fingerprint)
        return item.id


def make_track_work(folder: Path, make_analyzer: AnalyzerMaker, landmarks: str) -> TrackWork:
    """Build the work function; called once in each process."""
    return TrackWork(folder, make_analyzer(landmarks))


def tracks_path(folder: Path, item: SourceItem) -> Path:
    """Return the file of a video's tracks."""
    return folder / f"{item.id}.npz"


def write_tracks(path: Path, tracks: Sequence[FaceTrack], mark: str) -> None:
    """Write the tracks of one video, aside first, then renamed.

    Raises:
        OutputError: the disk refuses.
    """
    stream = io.BytesIO()
    np.savez(
        stream,
        fingerprint=np.frombuffer(mark.encode(), np.uint8),
        first=np.array([track.first for track in tracks], np.int64),
        length=np.array([len(track) for track in tracks], np.int64),
        interpolated=np.array([track.interpolated for track in tracks], np.int64),
        landmarks=np.concatenate([np.zeros((0, 68, 3), np.float32), *(track.landmarks for track in tracks)]),
    )
    with atomic_path(path) as aside:
        aside.write_bytes(stream.getvalue())


def read_tracks(path: Path, mark: str) -> list[FaceTrack] | None:
    """Read the tracks of one video; None if they are missing, damaged, or of another state of the video or settings."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            if stored["fingerprint"].tobytes().decode() != mark:
                return None
            ends = np.cumsum(stored["length"])
            parts = np.split(stored["landmarks"], ends[:-1]) if len(ends) else []
            facts = zip(stored["first"].tolist(), parts, stored["interpolated"].tolist(), strict=True)
            return [FaceTrack(first, points, lost, "") for first, points, lost in facts]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def existing_tracks(folder: Path, item: SourceItem) -> str | None:
    """Return the id of a video whose tracks are there and current, else None."""
    return item.id if read_tracks(tracks_path(folder, item), item.fingerprint) is not None else None
