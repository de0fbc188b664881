"""Crops of faces with 68 landmarks from prepared sets, for the training of a landmark network."""

from __future__ import annotations

import abc
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from datamodules.datasets.drawings import DrawingSet, open_drawings
from datamodules.datasets.labelled_faces import (
    ARTIST_DRAWING,
    AS_PHOTO,
    CARTOON,
    STATIC,
    FaceSample,
    HeldOutFaces,
    LabelledFaces,
    TrainingFaces,
)
from datamodules.datasets.photos import PhotoSet, open_photos
from datamodules.face_crops import CropSettings
from datamodules.sample_data import SampleData
from lightning_modules.errors import ConfigError
from lightning_modules.landmark_batches import FaceLandmarksBatch

SHOWN_LOOKS: Final[Mapping[str, float]] = {
    AS_PHOTO: 0.32,
    STATIC: 0.3,
    "pencil": 0.08,
    "thin_lines": 0.08,
    "ink": 0.1,
    "masses": 0.06,
    "cartoon": 0.06,
}
"""How often a photo is shown in each look."""

STORED: Final = 172
"""Pictures are kept at 286/256 of it: 192 pixels, of which the face takes about 106."""


class FaceSets(NamedTuple):
    """What faces are taken from."""

    photos: Sequence[PhotoSet]
    """With static drawings."""
    drawings: Sequence[DrawingSet]
    """By artists."""
    cartoons: Sequence[DrawingSet]
    """Flat, round heads; measured apart from the other drawings."""


class FaceLandmarksData(SampleData[FaceSample, FaceLandmarksBatch], abc.ABC):
    """Batches of crops with landmarks.

    Args:
        looks: how often a photo is shown in each look, relative to one another; None for :data:`SHOWN_LOOKS`.
        drawing_share: share of the samples that show a prepared drawing or cartoon.
        crops: how wrong crops are put and how faces are warped; None for the defaults of
            :class:`~datamodules.face_crops.CropSettings`.
        hold_out: share of the records, by the hash of their names, that validate: a photo with all its drawings.
        same_face: regular expression; records whose names agree in its groups are held out together.
        batch_size: see :class:`~datamodules.sample_data.SampleData`, also for the three that follow.
        samples_per_epoch: None for one cycle through all photos.
        seed: of order and samples.
        workers: processes that make samples.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(
        self,
        *,
        looks: Mapping[str, float] | None = None,
        drawing_share: float = 0.3,
        crops: CropSettings | None = None,
        hold_out: float = 0.1,
        same_face: str | None = None,
        batch_size: int = 32,
        samples_per_epoch: int | None = None,
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        super().__init__(batch_size=batch_size, samples_per_epoch=samples_per_epoch, seed=seed, workers=workers)
        if not 0 <= drawing_share < 1 or not 0 <= hold_out < 1:
            found = f"drawing_share {drawing_share}, hold_out {hold_out}"
            raise ConfigError(found, "give shares from 0 to below 1")
        try:
            self._same_face = re.compile(same_face) if same_face else None
        except re.error as error:
            raise ConfigError(f"same_face is no pattern ({error})", "give a regular expression") from error
        self.looks = dict(looks or SHOWN_LOOKS)
        self.drawing_share = drawing_share
        self.crops = crops or CropSettings()
        self.hold_out = hold_out
        self._opened: FaceSets | None = None

    @abc.abstractmethod
    def open_sets(self) -> FaceSets:
        """The sets to take faces from."""

    def faces(self, *, held_out: bool) -> LabelledFaces:
        """The records of one side of the split."""
        if self._opened is None:
            self._opened = self.open_sets()
        photos, drawings = self._opened.photos, [*self._opened.drawings, *self._opened.cartoons]
        domains = [ARTIST_DRAWING] * len(self._opened.drawings) + [CARTOON] * len(self._opened.cartoons)

        def items(sets: Sequence[PhotoSet | DrawingSet]) -> list[tuple[int, int]]:
            return [
                (held, record)
                for held, one in enumerate(sets)
                for record, name in enumerate(one.names)
                if is_held_out(name, self.hold_out, self._same_face) == held_out
            ]

        return LabelledFaces(photos, drawings, domains, items(photos), items(drawings))

    def training_samples(self) -> tuple[Dataset[FaceSample], int]:
        """Crops put wrong at random, in any look."""
        samples = TrainingFaces(self.faces(held_out=False), self.seed, self.drawing_share, self.looks, self.crops)
        return samples, len(samples)

    def validation_samples(self) -> tuple[Dataset[FaceSample], int]:
        """Held-out faces in crops put right: photos, their static drawings, drawings, cartoons."""
        samples = HeldOutFaces(self.faces(held_out=True))
        return samples, len(samples)

    def collate(self, samples: Sequence[FaceSample]) -> FaceLandmarksBatch:
        """Make a batch."""
        crops = torch.from_numpy(np.stack([sample.crop for sample in samples]))
        return FaceLandmarksBatch(
            crops.permute(0, 3, 1, 2).float().div_(255.0),
            torch.from_numpy(np.stack([sample.landmarks for sample in samples])),
            torch.tensor([sample.domain for sample in samples]),
        )


def is_held_out(name: str, share: float, same_face: re.Pattern[str] | None = None) -> bool:
    """Whether a record is kept out of training: decided by its name alone, so it stays when a set grows.

    Args:
        name: of the record.
        share: of the records to hold out, about.
        same_face: what a name shows of whose face it is: the groups of the first match, joined; records that agree in
            it fall on one side. Names that it does not match stand for themselves.
    """
    found = same_face.search(name) if same_face is not None else None
    key = name if found is None else "-".join(found.groups(default="") or (found[0],))
    digest = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    return digest < share * 2**64


class FaceLandmarksDataModule(FaceLandmarksData):
    """Crops of prepared photos, their static drawings and looks, and of prepared drawings.

    Args:
        photos: prepared sets of photos, with static drawings.
        drawings: prepared sets of artists' drawings.
        cartoons: prepared sets of drawings that are cartoons; they validate apart.
        cache: folder of the decoded pictures; None for a hidden one in each set.
        others: all other arguments of :class:`FaceLandmarksData`.

    Raises:
        ConfigError: a number is out of its range, or no set is named.
    """

    def __init__(
        self,
        *,
        photos: Sequence[str] = (),
        drawings: Sequence[str] = (),
        cartoons: Sequence[str] = (),
        cache: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        if not (photos or drawings or cartoons):
            raise ConfigError("no prepared set is named", "give data.photos or data.drawings")
        self._photos, self._drawings, self._cartoons = list(photos), list(drawings), list(cartoons)
        self._cache = None if cache is None else Path(cache)

    def open_sets(self) -> FaceSets:
        """Open the prepared sets; they are decoded the first time."""
        return FaceSets(
            [open_photos(Path(folder), STORED, 1, self._cache) for folder in self._photos],
            [open_drawings(Path(folder), STORED, 1, self._cache) for folder in self._drawings],
            [open_drawings(Path(folder), STORED, 1, self._cache) for folder in self._cartoons],
        )
