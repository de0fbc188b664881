"""Crops of faces with their 68 landmarks, in every look that the prepared sets and :mod:`datamodules.face_looks` give.

A photo gives itself, its prepared static drawing, and looks that are drawn from its crop; a prepared drawing gives
itself. Labels are those of the prepared sets, moved with the pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from datamodules.datasets.drawings import DrawingSet
from datamodules.datasets.photos import PhotoSet
from datamodules.face_crops import CROP_SIDE, STILL, CropSettings, FaceCrop
from datamodules.face_looks import LOOKS, damage, photo_light, stroke_weight
from datamodules.samplers import SampleAddress, sample_generator
from lightning_modules.errors import ConfigError

PHOTO, STATIC_DRAWING, ARTIST_DRAWING, CARTOON = range(4)
DOMAINS: Final = ("photo", "static_drawing", "artist_drawing", "cartoon")
"""Names of the domains, in the order of their numbers."""

AS_PHOTO: Final = "photo"
"""Name, among the looks, of the photo itself."""

STATIC: Final = "static_drawing"
"""Name, among the looks, of the drawing that a photo was prepared with."""


class FaceSample(NamedTuple):
    """One crop.

    Attributes:
        crop: uint8 (side, side, 3), RGB.
        landmarks: float32 (68, 2), fractions of the crop's sides, from the outer edge of its first pixel.
        domain: number of the domain.
    """

    crop: npt.NDArray[np.uint8]
    landmarks: npt.NDArray[np.float32]
    domain: int


@dataclass(frozen=True)
class LabelledFaces:
    """Records that belong to one side of the split.

    Attributes:
        photos: sets of photos.
        drawings: sets of drawings.
        drawing_domains: number of the domain of each of these sets.
        photo_items: (set, record) of the photos to take.
        drawing_items: the same of the drawings.
    """

    photos: Sequence[PhotoSet]
    drawings: Sequence[DrawingSet]
    drawing_domains: Sequence[int]
    photo_items: Sequence[tuple[int, int]]
    drawing_items: Sequence[tuple[int, int]]


def fractions(points: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Positions in pixels of the crop as fractions of its sides, 0 and 1 at its outer edges."""
    return np.asarray((points + 0.5) / CROP_SIDE, np.float32)


class TrainingFaces(Dataset[FaceSample]):
    """Crops put wrong at random, in a random look. A photo an index; beyond the photos, any drawing.

    Args:
        faces: the records.
        seed: of the samples.
        drawing_share: share of the samples that show a prepared drawing.
        looks: how often a photo is shown in each look, relative to one another.
        crops: how wrong crops are put.

    Raises:
        ConfigError: a look is unknown, or there is nothing to show.
    """

    def __init__(
        self, faces: LabelledFaces, seed: int, drawing_share: float, looks: Mapping[str, float], crops: CropSettings
    ) -> None:
        known = (AS_PHOTO, STATIC, *LOOKS)
        if set(looks) - set(known) or not sum(looks.values()) > 0 or min(looks.values()) < 0:
            raise ConfigError(f"the looks are {dict(looks)}", f"give numbers for some of {', '.join(known)}")
        self._faces = faces
        self._seed = seed
        self._looks = list(looks)
        self._shares = np.array([looks[name] for name in self._looks]) / sum(looks.values())
        self._crops = crops
        photos, drawings = len(faces.photo_items), len(faces.drawing_items)
        if not photos + drawings:
            raise ConfigError("no face is left to train on", "name more prepared sets, or hold out less")
        share = drawing_share if photos else 1.0
        self._drawn = 0 if not drawings else drawings if not photos else round(photos * share / (1 - share))

    def __len__(self) -> int:
        return len(self._faces.photo_items) + self._drawn

    def __getitem__(self, address: SampleAddress) -> FaceSample:
        generator = sample_generator(self._seed, address)
        if address.index < len(self._faces.photo_items):
            return self._photo(generator, address.index)
        return self._drawing(generator, int(generator.integers(len(self._faces.drawing_items))))

    def _photo(self, generator: np.random.Generator, index: int) -> FaceSample:
        held, record = self._faces.photo_items[index]
        photos = self._faces.photos[held]
        planes, points = photos.decoded.planes[record], photos.decoded.landmarks[record]
        crop = FaceCrop.random(generator, points, self._crops)
        look = self._looks[int(generator.choice(len(self._looks), p=self._shares))]
        if look == STATIC:
            drawing = planes[3 : 3 + photos.channels]
            cut = _cut_drawing(generator, crop, drawing)
            return _sample(damage(generator, stroke_weight(generator, cut)), crop, points, STATIC_DRAWING)
        replaced = generator.random() < 0.3
        wanted = np.concatenate([planes[:3], planes[3 + photos.channels : 4 + photos.channels]])
        outside = tuple(_tone(generator))
        cut = crop.pictures(wanted if replaced else wanted[:3], (*outside, 0)[: 4 if replaced else 3])
        if replaced:
            person = cut[..., 3:].astype(np.float32) / 255
            cut = np.asarray(cut[..., :3] * person + np.array(_tone(generator), np.float32) * (1 - person), np.uint8)
        cut = _opened(generator, crop, np.ascontiguousarray(cut), (60, 24, 24))
        if look == AS_PHOTO:
            return _sample(damage(generator, photo_light(generator, cut)), crop, points, PHOTO)
        drawn = LOOKS[look](generator, cut)
        return _sample(damage(generator, stroke_weight(generator, drawn)), crop, points, STATIC_DRAWING)

    def _drawing(self, generator: np.random.Generator, index: int) -> FaceSample:
        held, record = self._faces.drawing_items[index]
        drawings = self._faces.drawings[held]
        planes, points = drawings.decoded.planes[record], drawings.decoded.landmarks[record]
        crop = FaceCrop.random(generator, points, self._crops)
        cut = _cut_drawing(generator, crop, planes[:-3])
        picture = damage(generator, stroke_weight(generator, cut))
        return _sample(picture, crop, points, self._faces.drawing_domains[held])


class HeldOutFaces(Dataset[FaceSample]):
    """Crops put right: every photo, every photo's static drawing, every drawing.

    Args:
        faces: the records.
    """

    def __init__(self, faces: LabelledFaces) -> None:
        self._faces = faces
        photos = [(domain, item) for item in faces.photo_items for domain in (PHOTO, STATIC_DRAWING)]
        # One of each in turn, so that the first ones are a fair sample.
        drawn = [(faces.drawing_domains[item[0]], item) for item in faces.drawing_items]
        self._items = _interleaved(photos, drawn)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, address: SampleAddress) -> FaceSample:
        domain, (held, record) = self._items[address.index]
        if domain not in (PHOTO, STATIC_DRAWING):
            decoded = self._faces.drawings[held].decoded
            planes = decoded.planes[record][:-3]
        else:
            decoded = self._faces.photos[held].decoded
            drawing = slice(3, 3 + self._faces.photos[held].channels)
            planes = decoded.planes[record][:3] if domain == PHOTO else decoded.planes[record][drawing]
        points = decoded.landmarks[record]
        crop = FaceCrop.random(np.random.default_rng(0), points, STILL)
        return _sample(_three(crop.pictures(planes, (255.0,) * len(planes))), crop, points, domain)


def _interleaved(
    one: Sequence[tuple[int, tuple[int, int]]], other: Sequence[tuple[int, tuple[int, int]]]
) -> list[tuple[int, tuple[int, int]]]:
    places = [((k + 0.5) / max(len(row), 1), item) for row in (one, other) for k, item in enumerate(row)]
    return [item for _, item in sorted(places, key=lambda place: place[0])]


def _sample(picture: npt.NDArray[np.uint8], crop: FaceCrop, points: npt.NDArray[np.float32], domain: int) -> FaceSample:
    return FaceSample(np.ascontiguousarray(picture), fractions(crop.landmarks(points)), domain)


def _three(cut: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.repeat(cut, 3, -1) if cut.shape[-1] == 1 else cut


def _tone(generator: np.random.Generator) -> list[float]:
    """A colour: white, black, gray or any, RGB."""
    kind = generator.random()
    if kind < 0.6:
        return [255.0 if kind < 0.3 else 0.0 if kind < 0.4 else float(generator.uniform(0, 255))] * 3
    return [float(value) for value in generator.uniform(0, 255, 3)]


def _cut_drawing(
    generator: np.random.Generator, crop: FaceCrop, planes: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """A drawing's crop, (side, side, 3), on white, rarely with another border."""
    outside = 255.0 if generator.random() < 0.85 else float(generator.uniform(0, 255))
    cut = _three(crop.pictures(planes, (outside,) * len(planes)))
    tone = 255 if generator.random() < 0.35 else int(generator.integers(0, 60))
    return _opened(generator, crop, cut, (tone,) * 3)


def _opened(
    generator: np.random.Generator, crop: FaceCrop, cut: npt.NDArray[np.uint8], tone: tuple[int, int, int]
) -> npt.NDArray[np.uint8]:
    """Fill what an opened mouth shows; some teeth."""
    if crop.opening is None:
        return cut
    filled = cut.copy()
    teeth = generator.uniform(0.15, 0.5) if generator.random() < 0.5 else 0.0
    inside, bite = crop.opening.inside(teeth)
    filled[inside] = tone
    filled[bite] = 235
    return filled
