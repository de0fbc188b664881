"""The prepared film clip: consecutive frames of one shot, one face, one crop, as line drawings. Format number 1.

A record is the folder ``<set>/records/<id>/`` (see :mod:`datamodules.prepare.record_folder`) with

=====================  =======================================================================================
``frames/0000.png`` …  the frames in order, ``size × size``, gray or RGB, 255 = paper
``record.json``        ``kind`` is ``"clip"``; ``source`` as in :mod:`datamodules.prepare.record` (name and hash of
                       the film); ``clip``: ``scene``, ``first`` (number of the first frame in the film, from 0),
                       ``count`` and ``fps`` (None if the film does not say); ``channels`` 1 or 3; ``frame``, the
                       common crop's square in film pixels; ``landmark_track``, for each frame 68 rows x, y, z in crop
                       pixels; ``tools``; ``fingerprint``
=====================  =======================================================================================

Clips with the same ``scene`` come from one shot: for pairs of "different clips" they count as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from datamodules.prepare.provenance import PortraitSource, frame_facts, frame_of, landmark_rows, landmarks_of
from datamodules.prepare.record_folder import encode_png, facts_of, read_facts, read_picture, write_record
from lightning_modules.geometry.alignment import PortraitFrame

KIND: Final = "clip"


@dataclass(frozen=True)
class PreparedClip:
    """One prepared clip, as :func:`read_clip` returns it.

    Args:
        id: name of the record.
        frames: uint8 ``(T, size, size)`` or ``(T, size, size, 3)``, 255 = paper.
        landmarks: float32 ``(T, 68, 3)`` in crop pixels.
        scene: name of the shot it was taken from, unique within the set.
        first: number of its first frame in the film, from 0.
        fps: frames per second of the film; None if unknown.
        frame: the common crop's square in film pixels.
        source: name, hash and terms of the film.
        tools: names and settings of what made the record.
        fingerprint: of source, terms and settings.
    """

    id: str
    frames: npt.NDArray[np.uint8]
    landmarks: npt.NDArray[np.float32]
    scene: str
    first: int
    fps: float | None
    frame: PortraitFrame
    source: PortraitSource
    tools: Mapping[str, Any]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> int:
        """Side of all frames of the record, in pixels."""
        return int(self.frames.shape[1])

    @property
    def channels(self) -> int:
        """1 for gray, 3 for RGB."""
        return 1 if self.frames.ndim == 3 else 3


def frame_name(number: int) -> str:
    """Return the file of a frame within a record, counted from 0."""
    return f"frames/{number:04d}.png"


def write_clip(records: Path, clip: PreparedClip) -> Path:
    """Write a clip as the record ``records/<clip.id>``: with all its frames, or not at all.

    Raises:
        ValueError: landmarks that are not finite.
        OutputError: the disk refuses.
    """
    files = {frame_name(number): encode_png(pixels) for number, pixels in enumerate(clip.frames)}
    facts = {
        "fingerprint": clip.fingerprint,
        "source": clip.source.facts(),
        "clip": {"scene": clip.scene, "first": clip.first, "count": len(clip), "fps": clip.fps},
        "channels": clip.channels,
        "frame": frame_facts(clip.frame, clip.size),
        "landmark_track": [landmark_rows(landmarks) for landmarks in clip.landmarks],
        "tools": dict(clip.tools),
    }
    return write_record(records, clip.id, KIND, files, facts)


def read_clip(folder: Path) -> PreparedClip:
    """Read one prepared clip and check every file against its hash.

    Args:
        folder: the record's own folder.

    Raises:
        PreparedSetError: something is missing, changed, of another format or does not fit together.
    """
    facts = read_facts(folder, KIND)
    with facts_of("a clip", folder):
        channels, count = int(facts["channels"]), int(facts["clip"]["count"])
        landmarks = landmarks_of(facts["landmark_track"]).reshape(count, 68, 3)
        frames = [read_picture(folder, facts, frame_name(number), channels=channels) for number in range(count)]
        fps = facts["clip"]["fps"]
        return PreparedClip(
            id=folder.name,
            frames=np.stack(frames),
            landmarks=landmarks,
            scene=str(facts["clip"]["scene"]),
            first=int(facts["clip"]["first"]),
            fps=None if fps is None else float(fps),
            frame=frame_of(facts["frame"]),
            source=PortraitSource.of(facts["source"]),
            tools=dict(facts["tools"]),
            fingerprint=str(facts["fingerprint"]),
        )
