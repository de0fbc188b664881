"""A whole training set of synthetic faces, made at run time from a seed; for debug configs and tests."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from datamodules.augmentation import loading_size
from datamodules.datasets.decoded import Decoded, DecodedSet
from datamodules.datasets.drawings import DrawingSet
from datamodules.datasets.film_pairs import FilmSet
from datamodules.datasets.photos import PhotoSet
from datamodules.datasets.pixels import loaded_planes
from datamodules.portrait_data import PortraitData, PortraitSets
from datamodules.synthetic.faces import in_crop, moved_face, random_face, talking_face
from datamodules.synthetic.pictures import Look, draw_lines, draw_matte, draw_photo, random_look
from lightning_modules.errors import ConfigError
from lightning_modules.geometry.part_masks import part_masks

PHOTO, DRAWING, CLIP = range(3)
_STREAM: Final = 3  # keeps these random numbers apart from those of order and augmentation


class SyntheticPortraitsDataModule(PortraitData):
    """Batches of **synthetic** faces: shaded photos, line drawings and film clips made from a face template.

    Samples, order and resume are those of :class:`~datamodules.portrait_data.PortraitData`; every record's name begins
    with ``synthetic``. A model trained on it has seen no face. Making the default set takes about a second.

    Args:
        photos: number of photos.
        drawings: number of drawings.
        clips: number of film clips, at least 2; 0 for runs without D_coh.
        clip_frames: frames of each clip, at least 2.
        workers: processes that make samples, for each rank.
        validation_photos: photos kept out of training; 0 for no validation.
        others: all other arguments of :class:`~datamodules.portrait_data.PortraitData`.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(
        self,
        *,
        photos: int = 16,
        drawings: int = 12,
        clips: int = 4,
        clip_frames: int = 8,
        workers: int = 0,
        validation_photos: int = 4,
        **others: Any,
    ) -> None:
        super().__init__(workers=workers, validation_photos=validation_photos, **others)
        if photos < 1 or drawings < 1 or clips == 1 or clips < 0 or clip_frames < 2:
            found = f"{photos} photos, {drawings} drawings, {clips} clips of {clip_frames} frames"
            raise ConfigError(found, "give at least 1 photo, 1 drawing, and 0 or at least 2 clips of 2 frames or more")
        self._photos, self._drawings, self._clips, self._frames = photos, drawings, clips, clip_frames

    def open_sets(self) -> PortraitSets:
        """Make the sets; the same seed and size give the same pixels."""
        size, channels, seed = loading_size(self.image_size), self.drawing_channels, self.seed
        film = None
        if self._clips:
            parts = [_clip(_random(seed, CLIP, number), size, channels, self._frames) for number in range(self._clips)]
            film = FilmSet(DecodedSet.of_records(parts, _names("clip", self._clips)))
        photos = synthetic_photos(seed, self._photos, size, channels)
        return PortraitSets(photos, synthetic_drawings(seed, self._drawings, size, channels), film)


def synthetic_photos(seed: int, count: int, size: int, channels: int) -> PhotoSet:
    """Make shaded photos with their drawings.

    Args:
        seed: not negative; the same numbers give the same pixels.
        count: number of photos, at least 1.
        size: side of the pictures, pixels.
        channels: of the drawings, 1 or 3.
    """
    photos = [_photo(_random(seed, PHOTO, number), size, channels) for number in range(count)]
    return PhotoSet(DecodedSet.of_records(photos, _names("photo", count)), channels)


def synthetic_drawings(seed: int, count: int, size: int, channels: int) -> DrawingSet:
    """Make line drawings of faces that are not those of :func:`synthetic_photos`; arguments as there."""
    drawings = [_drawing(_random(seed, DRAWING, number), size, channels) for number in range(count)]
    return DrawingSet(DecodedSet.of_records(drawings, _names("drawing", count)))


def _random(seed: int, kind: int, number: int) -> np.random.Generator:
    return np.random.default_rng([_STREAM, seed, kind, number])


def _names(kind: str, count: int) -> list[str]:
    return [f"synthetic {kind} {number:03d}" for number in range(count)]


def random_portrait(generator: np.random.Generator, size: int) -> tuple[npt.NDArray[np.float32], Look]:
    """Return a synthetic face at rest, (68, 3) pixels of a portrait crop of ``size``, and its look."""
    face = random_face(generator)
    mouth = float(generator.uniform(0, 0.06)) if generator.random() < 0.3 else 0.0
    yaw, roll = (float(angle) for angle in generator.normal(0, (4, 2.5)))
    return in_crop(moved_face(face, mouth=mouth, yaw=yaw, roll=roll), size), random_look(generator)


def mask_planes(landmarks: npt.NDArray[np.floating], size: int) -> npt.NDArray[np.uint8]:
    """Return nose, eyes and lips of a face, uint8 (3, size, size)."""
    masks = part_masks(torch.from_numpy(landmarks.astype(np.float32))[None], size)
    planes: npt.NDArray[np.uint8] = (torch.cat(list(masks), dim=1)[0] * 255).round().to(torch.uint8).numpy()
    return planes


def _photo(generator: np.random.Generator, size: int, channels: int) -> Decoded:
    points, look = random_portrait(generator, size)
    planes = [
        loaded_planes(draw_photo(points, size, look), size, 3),
        loaded_planes(draw_lines(points, size, look, colour=channels == 3), size, channels),
        draw_matte(points, size)[None],
        mask_planes(points, size),
    ]
    return Decoded(np.concatenate(planes)[None], points[None])


def _drawing(generator: np.random.Generator, size: int, channels: int) -> Decoded:
    points, look = random_portrait(generator, size)
    picture = loaded_planes(draw_lines(points, size, look, colour=channels == 3), size, channels)
    return Decoded(np.concatenate([picture, mask_planes(points, size)])[None], points[None])


def _clip(generator: np.random.Generator, size: int, channels: int, frames: int) -> Decoded:
    look = random_look(generator)
    track = in_crop(talking_face(generator, random_face(generator), frames), size)
    pictures = [loaded_planes(draw_lines(points, size, look, colour=channels == 3), size, channels) for points in track]
    return Decoded(np.stack(pictures), track)
