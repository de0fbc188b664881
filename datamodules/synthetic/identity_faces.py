"""Synthetic people in several looks, made at run time from a seed; for debug configs and tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from datamodules.datasets.decoded import Decoded, DecodedSet
from datamodules.datasets.face_looks import cartoon
from datamodules.datasets.face_samples import Person
from datamodules.datasets.pixels import loaded_planes
from datamodules.identity_faces import IdentityFaceData, grouped
from datamodules.synthetic.faces import in_crop, moved_face, random_face
from datamodules.synthetic.pictures import draw_lines, draw_matte, draw_photo, random_look
from lightning_modules.errors import ConfigError

_STREAM: Final = 12  # keeps these random numbers apart from those of order and augmentation


class SyntheticIdentityFacesDataModule(IdentityFaceData):
    """Views of **synthetic** people, whose faces and drawings are made from a face template.

    A network trained on them has seen no face.

    Args:
        size: side of the frames, pixels.
        persons: number of people trained on.
        held_out: number of people validated.
        photos: of each person, with other expressions.
        others: all arguments of :class:`~datamodules.identity_faces.IdentityFaceData`.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(
        self, *, size: int = 128, persons: int = 12, held_out: int = 4, photos: int = 2, **others: Any
    ) -> None:
        super().__init__(**others)
        if size < 64 or persons < 2 or held_out < 0 or photos < 1:
            found = f"size {size}, {persons} persons, {held_out} held out, {photos} photos each"
            raise ConfigError(found, "give at least 64 pixels, 2 persons and 1 photo of each")
        self._size, self._persons, self._held, self._photos = size, persons, held_out, photos

    def open_people(self) -> tuple[Sequence[Person], Sequence[Person]]:
        """Make the people; the same seed and size give the same pixels."""
        names = [f"synthetic-{number:04d}" for number in range(self._persons + self._held) for _ in range(self._photos)]
        parts = [
            _face(np.random.default_rng([_STREAM, self.seed, number]), self._size, photo)
            for number in range(self._persons + self._held)
            for photo in range(self._photos)
        ]
        faces = DecodedSet.of_records(parts, [f"{name}-{place}" for place, name in enumerate(names)])
        people = grouped(faces, names)
        return people[: self._persons], people[self._persons :]


def _face(generator: np.random.Generator, size: int, photo: int) -> Decoded:
    """One photo of the person that the generator makes, with its looks."""
    face, look = random_face(generator), random_look(generator)
    moved = moved_face(face, mouth=0.08 * photo, yaw=4.0 * (-1) ** photo) if photo else face
    points = in_crop(moved, size)
    pictures = draw_photo(points, size, look), draw_lines(points, size, look)
    planes = [loaded_planes(pictures[0], size, 3), loaded_planes(cartoon(pictures[0]), size, 3)]
    planes += [loaded_planes(pictures[1], size, 1)] * 3
    planes.append(loaded_planes(draw_matte(points, size), size, 1))
    return Decoded(np.concatenate(planes)[None], points[None])
