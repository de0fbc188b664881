"""Pairs of film frames for the coherence discriminator D_coh (paper section 3.3, Eq. 8).

Adjacent: frames n and n + 1 of one clip. Non-adjacent: one frame of each of two clips, always from two different shots
(the published loader draws the clips independently, so that they may coincide). Both frames of a pair get the same crop
and flip, so that a pair cannot be told by its augmentation.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from datamodules.augmentation import CropFlip, landmark_window, loading_size
from datamodules.datasets.decoded import Decoded, DecodedSet, decode_once
from datamodules.datasets.pixels import loaded_landmarks, loaded_planes
from datamodules.prepare.clip_record import PreparedClip, read_clip
from lightning_modules.errors import PreparedSetError

FilmPair = tuple[int, int]
"""Numbers of two frames within the decoded film."""


class FilmSet:
    """Film clips, decoded.

    Args:
        decoded: planes frame (C); one span a clip.
        folder: where it came from, for messages.

    Raises:
        PreparedSetError: there are not two different shots, or no clip of two frames.
    """

    def __init__(self, decoded: DecodedSet, folder: Path | None = None) -> None:
        self.decoded = decoded
        self._moving = [number for number, span in enumerate(decoded.spans) if span.count >= 2]
        scenes = [span.scene for span in decoded.spans]
        if len(set(scenes)) < 2:
            found = f"holds {len(scenes)} clip(s) of one shot; pairs of different clips need two shots"
            raise PreparedSetError(found, "prepare more film into it", folder)
        if not self._moving:
            raise PreparedSetError("holds no clip of two frames or more", "prepare longer film into it", folder)
        self._others = [[i for i, scene in enumerate(scenes) if scene != own] for own in scenes]

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.decoded.spans)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the clips' records."""
        return self.decoded.names

    def adjacent_pair(self, generator: np.random.Generator) -> FilmPair:
        """Draw a clip, then two neighbouring frames of it."""
        span = self.decoded.spans[self._moving[int(generator.integers(len(self._moving)))]]
        first = span.start + int(generator.integers(span.count - 1))
        return first, first + 1

    def non_adjacent_pair(self, generator: np.random.Generator) -> FilmPair:
        """Draw a clip, then a clip of another shot, then a frame of each."""
        one = int(generator.integers(len(self)))
        other = self._others[one][int(generator.integers(len(self._others[one])))]
        spans = self.decoded.spans[one], self.decoded.spans[other]
        first, second = (span.start + int(generator.integers(span.count)) for span in spans)
        return first, second

    def cut(self, pair: FilmPair, generator: np.random.Generator, size: int) -> npt.NDArray[np.uint8]:
        """Return two frames with one crop, which holds both faces where that is possible, and one flip.

        Returns:
            uint8 (2, C, size, size).
        """
        window = landmark_window(self.decoded.landmarks[list(pair)])
        crop = CropFlip.random(generator, self.decoded.size, size, window)
        frames: npt.NDArray[Any] = np.stack([crop.pictures(self.decoded.planes[number]) for number in pair])
        return frames


def decoded_clip(record: PreparedClip, size: int, channels: int) -> Decoded:
    """Return the planes of one prepared clip."""
    planes = np.stack([loaded_planes(frame, size, channels) for frame in record.frames])
    return Decoded(planes, loaded_landmarks(record.landmarks, record.size, size), record.scene)


def open_film(folder: Path, image_size: int, channels: int, cache: Path | None = None) -> FilmSet:
    """Open prepared film for crops of ``image_size``; decodes it the first time.

    Raises:
        PreparedSetError: the folder holds no prepared film, or not two different shots.
        OutputError: the decoded frames cannot be written.
    """
    size = loading_size(image_size)
    decode = partial(_decode, size=size, channels=channels)
    decoded = decode_once(folder, "film", size=size, planes=channels, channels=channels, decode=decode, cache=cache)
    return FilmSet(decoded, folder)


def _decode(folder: Path, *, size: int, channels: int) -> Decoded:
    return decoded_clip(read_clip(folder), size, channels)
