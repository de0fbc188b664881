"""Data of the identity features: faces in several looks, grouped by person, from prepared photos."""

from __future__ import annotations

import abc
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from datamodules.datasets.decoded import DecodedSet
from datamodules.datasets.face_looks import open_faces
from datamodules.datasets.face_samples import LOOKS, FaceViews, MeasuredFaces, Person, Photo
from datamodules.face_tones import ToneSettings
from datamodules.face_warp import WarpSettings
from datamodules.prepare.manifest import read_manifest
from datamodules.sample_data import SampleData
from lightning_modules.errors import ConfigError
from lightning_modules.face_batches import FaceBatch, FaceSample, stack_faces

DEFAULT_WARP = WarpSettings()
DEFAULT_TONES = ToneSettings()


@dataclass(frozen=True)
class FaceFolder:
    """A prepared set of photos and its part in training.

    Args:
        folder: the prepared set.
        person: regular expression that finds in a photo's name (its path within the source that was prepared) whose it
            is: what its groups hold, put together. ``"^([^/]+)/"`` for a folder a person. None, or where nothing is
            found: every photo is somebody else.
        hold_out: share of the people that is validated and never trained on, chosen by the hash of their names: 0 for
            none, 1 for all.
        drawn: draw pencil and outline, which takes 0.7 s a photo once; otherwise the static drawing stands in for both,
            also where they are measured.

    Raises:
        ConfigError: the share is out of its range, or the expression is none or has no group.
    """

    folder: str | Path
    person: str | None = None
    hold_out: float = 0.2
    drawn: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.hold_out <= 1:
            raise ConfigError(f"hold_out of {self.folder} is {self.hold_out}", "give a share from 0 to 1")
        try:
            groups = re.compile(self.person).groups if self.person is not None else 1
        except re.error as error:
            found = f"the person {self.person!r} of {self.folder} is no regular expression ({error})"
            raise ConfigError(found, 'give one such as "^([^/]+)/"') from error
        if not groups:
            raise ConfigError(
                f"the person {self.person!r} of {self.folder} has no group", "put what tells people in ( )"
            )

    def who(self, photo: str) -> str:
        """Name of the person in a photo of this name."""
        found = re.search(self.person, photo) if self.person is not None else None
        return "-".join(part or "" for part in found.groups()) if found else photo


class IdentityFaceData(SampleData[FaceSample, FaceBatch], abc.ABC):
    """Batches of two views of each person; subclasses say where the people come from.

    Args:
        looks: how often each look is taken, see :data:`~datamodules.datasets.face_samples.LOOKS`.
        warp: how far the views are from the plain window of the identity loss.
        tones: what else is changed.
        others: all arguments of :class:`~datamodules.sample_data.SampleData`.

    Raises:
        ConfigError: a number is out of its range, or a look is unknown.
    """

    def __init__(
        self,
        *,
        looks: Mapping[str, float] = LOOKS,
        warp: WarpSettings = DEFAULT_WARP,
        tones: ToneSettings = DEFAULT_TONES,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        if not looks.keys() <= LOOKS.keys() or sum(weight > 0 for weight in looks.values()) < 2:
            remedy = f"give weights for at least two of {', '.join(LOOKS)}"
            raise ConfigError(f"the looks {', '.join(map(str, looks))}", remedy)
        if min(looks.values()) < 0:
            raise ConfigError("a look has a negative weight", "give 0 for a look that is not wanted")
        self.looks = {name: weight for name, weight in looks.items() if weight > 0}
        self.warp, self.tones = warp, tones
        self._people: tuple[tuple[Person, ...], tuple[Person, ...]] | None = None

    @abc.abstractmethod
    def open_people(self) -> tuple[Sequence[Person], Sequence[Person]]:
        """Who is trained on, and who is held out."""

    @property
    def people(self) -> tuple[tuple[Person, ...], tuple[Person, ...]]:
        """Who is trained on and who is held out; opened when first asked for."""
        if self._people is None:
            trained, held = self.open_people()
            if len(trained) < 2:
                raise ConfigError(f"{len(trained)} people are left to train on", "give more photos, or hold out less")
            self._people = tuple(trained), tuple(held)
        return self._people

    def setup(self, stage: str | None = None) -> None:
        """Open the sets and check that people are left to train on."""
        _ = self.people

    def training_samples(self) -> tuple[Dataset[FaceSample], int]:
        """Views of the people trained on, numbered from 0."""
        trained, _ = self.people
        labels = range(len(trained))
        made = FaceViews(trained, labels, looks=self.looks, warp=self.warp, tones=self.tones, seed=self.seed)
        return made, len(made)

    def validation_samples(self) -> tuple[Dataset[FaceSample], int]:
        """The measured views of the held-out people, numbered on after those trained on."""
        trained, held = self.people
        made = MeasuredFaces(held, range(len(trained), len(trained) + len(held)), warp=self.warp)
        return made, len(made)

    def collate(self, samples: Sequence[FaceSample]) -> FaceBatch:
        """Put samples together."""
        return stack_faces(samples)


class IdentityFacesDataModule(IdentityFaceData):
    """Faces of prepared photos (``inkspeak prepare photos``), with the drawings made there and others made here.

    The looks that are missing are drawn once and kept as an array with the set. For
    labelled faces prepare a folder of folders, one a person, and give ``person: "^([^/]+)/"``.

    Args:
        folders: the sets.
        cache: folder for the arrays, where the sets cannot be written to.
        others: all arguments of :class:`IdentityFaceData`.

    Raises:
        ConfigError: no folder was given, or a number is out of its range.
    """

    def __init__(self, folders: Sequence[FaceFolder], *, cache: str | Path | None = None, **others: Any) -> None:
        super().__init__(**others)
        if not folders:
            raise ConfigError("no folder of prepared photos was given", "give at least one")
        self.folders = tuple(folders)
        self._cache = None if cache is None else Path(cache).expanduser()

    def prepare_data(self) -> None:
        """Draw what is missing, once for all ranks of a machine, unless that has been done before."""
        for source in self.folders:
            open_faces(Path(source.folder).expanduser(), cache=self._cache, drawn=source.drawn)

    def open_people(self) -> tuple[Sequence[Person], Sequence[Person]]:
        """Group the photos of all sets by person, and divide the people.

        Raises:
            PreparedSetError: a folder holds no prepared photos, or none with drawings.
        """
        trained: list[Person] = []
        held: list[Person] = []
        for source in self.folders:
            folder = Path(source.folder).expanduser()
            faces = open_faces(folder, cache=self._cache, drawn=source.drawn)
            names = [row["source"]["name"] for row in read_manifest(folder)]
            for person in grouped(faces, [source.who(name) for name in names]):
                (held if held_out(person.name, source.hold_out) else trained).append(person)
        return trained, held


def grouped(faces: DecodedSet, names: Sequence[str]) -> list[Person]:
    """People of a set in the order of their names.

    Args:
        faces: the set.
        names: who each picture shows.
    """
    photos: dict[str, list[Photo]] = {}
    for number, name in enumerate(names):
        photos.setdefault(name, []).append(Photo(faces, number))
    return [Person(name, tuple(photos[name])) for name in sorted(photos)]


def held_out(name: str, share: float) -> bool:
    """Whether the person of this name is validated, which follows from the name alone."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32 < share
