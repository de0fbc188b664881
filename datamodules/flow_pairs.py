"""Data of flow map A: pairs of views of a 3D face, made as they are asked for (auxiliary, section 6.6)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch.utils.data import Dataset

from datamodules.sample_data import SampleData
from datamodules.samplers import SampleAddress, sample_generator
from datamodules.synthetic.face3d.mesh import FaceMesh, read_face_mesh
from datamodules.synthetic.face3d.parametric_mesh import parametric_mesh
from datamodules.synthetic.face3d.views import FlowPair, ViewSettings, random_pair
from lightning_modules.errors import ConfigError
from lightning_modules.flow_batches import FlowBatch
from lightning_modules.networks.landmark_flow import NETWORK_SIZE, PICTURE_SIZE

_TRAINING: Final = 0
_VALIDATION: Final = 1
_VALIDATION_SEED: Final = 2022  # the same pairs for every run, whatever its own seed


class FlowPairs(Dataset[FlowPair]):
    """A pair for every address.

    Args:
        mesh: the face.
        views: how it is seen.
        seed: not negative.
        purpose: keeps validation apart from training.
    """

    def __init__(self, mesh: FaceMesh, views: ViewSettings, seed: int, purpose: int) -> None:
        self.mesh, self.views, self.seed, self.purpose = mesh, views, seed, purpose

    def __getitem__(self, address: SampleAddress) -> FlowPair:
        generator = sample_generator(self.seed, address, self.purpose)
        return random_pair(self.mesh, generator, self.views, NETWORK_SIZE, PICTURE_SIZE)


class FlowPairsDataModule(SampleData[FlowPair, FlowBatch]):
    """Batches of synthetic pairs with true flow and visibility. No photo is needed: the network sees landmarks only.

    A pair costs about 9 ms of one core (ICT-FaceKit, 48,836 triangles).

    Args:
        face_model: the packed ICT-FaceKit model, see :func:`read_face_mesh`; None: a parametric mask, for runs that
            only have to run.
        views: how much heads turn, nod, tilt, and what errors landmarks have.
        pairs: different pairs that a cycle has; the next cycle makes new ones.
        validation_pairs: fixed pairs that are measured, the same for every seed.
        batch_size: pairs of a batch on each rank.
        samples_per_epoch: pairs of an epoch on all ranks together; None for ``pairs``.
        seed: of the training pairs, not negative.
        workers: processes that make pairs, for each rank.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(
        self,
        face_model: str | Path | None = None,
        views: ViewSettings | None = None,
        *,
        pairs: int = 100_000,
        validation_pairs: int = 1000,
        batch_size: int = 16,
        samples_per_epoch: int | None = None,
        seed: int = 0,
        workers: int = 2,
    ) -> None:
        super().__init__(batch_size=batch_size, samples_per_epoch=samples_per_epoch, seed=seed, workers=workers)
        if pairs < 1 or validation_pairs < 0:
            raise ConfigError(f"{pairs} pairs and {validation_pairs} to validate", "give at least 1, and none below 0")
        self.face_model = face_model
        self.views = views or ViewSettings()
        self.pairs, self.validation_pairs = pairs, validation_pairs
        self._mesh: FaceMesh | None = None

    @property
    def mesh(self) -> FaceMesh:
        """The face; read when first asked for.

        Raises:
            BackendError: the file of the face model cannot be used.
        """
        if self._mesh is None:
            self._mesh = parametric_mesh() if self.face_model is None else read_face_mesh(self.face_model)
        return self._mesh

    def setup(self, stage: str | None = None) -> None:
        """Read the face, so that a wrong file is refused before anything runs."""
        _ = self.mesh

    def training_samples(self) -> tuple[FlowPairs, int]:
        """See the base class."""
        return FlowPairs(self.mesh, self.views, self.seed, _TRAINING), self.pairs

    def validation_samples(self) -> tuple[FlowPairs, int]:
        """See the base class."""
        return FlowPairs(self.mesh, self.views, _VALIDATION_SEED, _VALIDATION), self.validation_pairs

    def collate(self, samples: Sequence[FlowPair]) -> FlowBatch:
        """See the base class."""
        columns = [torch.from_numpy(np.stack(column)) for column in zip(*samples, strict=True)]
        return FlowBatch(*columns)
