"""Samples for the identity features: views of one person in two looks, and fixed views to measure by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from datamodules.datasets.decoded import DecodedSet
from datamodules.datasets.face_looks import MATTE, PLANES
from datamodules.datasets.pixels import picture_tensor
from datamodules.face_tones import Picture, ToneSettings, on_paper, printed, reinked, relit, sketched
from datamodules.face_warp import NO_WARP, VIEW_SIZE, WarpSettings, view_map
from datamodules.samplers import SampleAddress, sample_generator
from lightning_modules.face_batches import FaceSample

LOOKS: Final[Mapping[str, float]] = {
    "photo": 0.3,
    "cartoon": 0.12,
    "sketch": 0.13,
    "ink": 0.17,
    "pencil": 0.14,
    "outline": 0.14,
}
"""Looks of views and how often each is taken; a sketch is drawn when it is asked for, the others come with the face."""

DRAWN: Final = ("ink", "pencil", "outline")

MEASURED: Final[tuple[tuple[str, str, bool], ...]] = (
    ("photo", "photo", False),
    ("ink", "ink", False),
    ("ink_moved", "ink", True),
    ("pencil_moved", "pencil", True),
    ("cartoon_moved", "cartoon", True),
)
"""Views of validation: name, look, and whether pose, expression and window are changed."""


class Photo(NamedTuple):
    """One photo of the sets."""

    faces: DecodedSet
    number: int
    """Of the picture in its set."""


class Person(NamedTuple):
    """Somebody, with all photos there are."""

    name: str
    photos: tuple[Photo, ...]


def face_view(
    generator: np.random.Generator, photo: Photo, look: str, warp: WarpSettings, tones: ToneSettings | None
) -> npt.NDArray[np.uint8]:
    """Make one view.

    Args:
        generator: of the sample.
        photo: of whom.
        look: one of :data:`LOOKS`.
        warp: how far from the plain window.
        tones: changes of tone; None for none.

    Returns:
        uint8 (3, 112, 96).
    """
    planes, landmarks = photo.faces.planes[photo.number], photo.faces.landmarks[photo.number]
    x, y = view_map(generator, landmarks, photo.faces.size, warp)

    def cut(plane: npt.NDArray[np.uint8], outside: int) -> Picture:
        found = cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=outside)
        return np.asarray(found.astype(np.float32) / 255)

    layers = [cut(plane, 255) for plane in planes[PLANES["photo" if look == "sketch" else look]]]
    picture: Picture = layers[0] if len(layers) == 1 else np.stack(layers, axis=-1)
    matte = cut(planes[MATTE][0], 0)
    if tones is not None:
        picture = on_paper(generator, picture, matte, tones)
        if look in ("photo", "cartoon", "sketch"):
            picture = relit(generator, picture, tones)
    if look == "sketch":
        picture = sketched(generator, picture)
    if tones is not None:
        if look not in ("photo", "cartoon"):
            picture = reinked(generator, picture, tones)
        picture = printed(generator, picture, tones)
    if picture.ndim == 2:
        picture = picture[..., None]
    pixels = np.rint(np.broadcast_to(picture, (*VIEW_SIZE, 3)) * 255).astype(np.uint8)
    return np.moveaxis(pixels, -1, 0)


class FaceViews(Dataset[FaceSample]):
    """Two views of a person for each address: of any of the photos, in different looks, both mirrored or none.

    Args:
        people: an item is a person.
        labels: number of each of them.
        looks: weight of each look; see :data:`LOOKS`.
        warp: how far views are from the plain window.
        tones: changes of tone.
        seed: of the random numbers.
    """

    def __init__(
        self,
        people: Sequence[Person],
        labels: Sequence[int],
        *,
        looks: Mapping[str, float] = LOOKS,
        warp: WarpSettings,
        tones: ToneSettings,
        seed: int = 0,
    ) -> None:
        self.people, self.labels = tuple(people), tuple(labels)
        self._names = sorted(looks)
        self._weights = np.array([looks[name] for name in self._names], np.float64)
        self._weights /= self._weights.sum()
        self._warp, self._tones = warp, tones
        self._seed = seed

    def __len__(self) -> int:
        return len(self.people)

    def __getitem__(self, address: SampleAddress) -> FaceSample:
        """Make the sample of an address."""
        generator = sample_generator(self._seed, address)
        person = self.people[address.index]
        mirrored = generator.random() < 0.5
        looks = generator.choice(len(self._names), 2, replace=False, p=self._weights)
        views = []
        for look in looks:
            photo = person.photos[generator.integers(len(person.photos))]
            view = face_view(generator, photo, self._names[look], self._warp, self._tones)
            views.append(view[..., ::-1] if mirrored else view)
        return _sample(views, self.labels[address.index], -1)


class MeasuredFaces(Dataset[FaceSample]):
    """The views of :data:`MEASURED` of every photo of some people, always the same.

    Args:
        people: whose photos.
        labels: number of each person.
        warp: of the views that are moved.
    """

    def __init__(self, people: Sequence[Person], labels: Sequence[int], *, warp: WarpSettings) -> None:
        self._photos = [(photo, label) for person, label in zip(people, labels, strict=True) for photo in person.photos]
        self._warp = warp

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, address: SampleAddress) -> FaceSample:
        """Make the views of the photo with this index."""
        photo, label = self._photos[address.index]
        views = []
        for purpose, (_, look, moved) in enumerate(MEASURED):
            generator = sample_generator(0, SampleAddress(0, address.index), purpose)
            views.append(face_view(generator, photo, look, self._warp if moved else NO_WARP, None))
        return _sample(views, label, address.index)


def _sample(views: Sequence[npt.NDArray[Any]], person: int, photo: int) -> FaceSample:
    return FaceSample(picture_tensor(np.stack(views)), torch.tensor(person), torch.tensor(photo))
