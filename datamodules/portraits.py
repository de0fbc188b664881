"""Data of the portrait GAN from prepared folders (``inkspeak prepare photos|drawings|film``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datamodules.datasets.drawings import open_drawings
from datamodules.datasets.film_pairs import open_film
from datamodules.datasets.photos import open_photos
from datamodules.datasets.portrait_samples import DEFAULT_TARGETS
from datamodules.portrait_data import PortraitData, PortraitSets
from datamodules.targets import TargetSettings


class PortraitsDataModule(PortraitData):
    """Batches from prepared photos, drawings and film; :class:`~datamodules.portrait_data.PortraitData` says how.

    The sets' pictures are decoded once into an array on disk (a hidden folder in each set), which all workers map.

    Args:
        photos: prepared photos, with static drawings.
        drawings: prepared drawings.
        film: prepared film; None for runs without D_coh, whose pairs then hold no frames, (B, 0, C, S, S).
        image_size: side of the samples, pixels, a multiple of 4.
        drawing_channels: 1, or 3 for colour styles.
        batch_size: samples of a batch on each rank.
        samples_per_epoch: on all ranks together; None for one cycle through the photos.
        seed: of order and augmentation.
        workers: processes that make samples, for each rank.
        validation_photos: photos kept out of training; 0 for no validation.
        targets: how target landmarks are made.
        motion: landmark tracks (``.npz``), for ``targets.change="motion"``.
        pin_memory: hand out batches in page-locked memory; None where there is a GPU.
        cache: folder for the decoded pictures, where the sets cannot be written to.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(  # noqa: PLR0913 - every choice of an experiment is an argument
        self,
        photos: str | Path,
        drawings: str | Path,
        film: str | Path | None = None,
        *,
        image_size: int = 256,
        drawing_channels: int = 1,
        batch_size: int = 1,
        samples_per_epoch: int | None = None,
        seed: int = 0,
        workers: int = 2,
        validation_photos: int = 8,
        targets: TargetSettings = DEFAULT_TARGETS,
        motion: Sequence[str | Path] = (),
        pin_memory: bool | None = None,
        cache: str | Path | None = None,
    ) -> None:
        super().__init__(
            image_size=image_size,
            drawing_channels=drawing_channels,
            batch_size=batch_size,
            samples_per_epoch=samples_per_epoch,
            seed=seed,
            workers=workers,
            validation_photos=validation_photos,
            targets=targets,
            motion=motion,
            pin_memory=pin_memory,
        )
        self._photos, self._drawings = Path(photos).expanduser(), Path(drawings).expanduser()
        self._film = None if film is None else Path(film).expanduser()
        self._cache = None if cache is None else Path(cache).expanduser()

    def prepare_data(self) -> None:
        """Decode the sets, once for all ranks of a machine, unless that has been done before."""
        self.open_sets()

    def open_sets(self) -> PortraitSets:
        """Open the prepared sets.

        Raises:
            PreparedSetError: a folder holds no prepared set, another kind, or film of one shot only.
            OutputError: the decoded pictures cannot be written.
        """
        size, channels, cache = self.image_size, self.drawing_channels, self._cache
        return PortraitSets(
            open_photos(self._photos, size, channels, cache),
            open_drawings(self._drawings, size, channels, cache),
            None if self._film is None else open_film(self._film, size, channels, cache),
        )
