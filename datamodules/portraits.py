"""Data of the portrait GAN from prepared folders (``inkspeak prepare photos|drawings|film``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datamodules.datasets.drawings import open_drawings
from datamodules.datasets.film_pairs import open_film
from datamodules.datasets.photos import open_photos
from datamodules.portrait_data import PortraitData, PortraitSets


class PortraitsDataModule(PortraitData):
    """Batches from prepared photos, drawings and film; :class:`~datamodules.portrait_data.PortraitData` says how.

    The sets' pictures are decoded once into an array on disk (a hidden folder in each set), which all workers map.

    Args:
        photos: prepared photos, with static drawings.
        drawings: prepared drawings.
        film: prepared film; None for runs without D_coh, whose pairs then hold no frames, (B, 0, C, S, S).
        cache: folder for the decoded pictures, where the sets cannot be written to.
        others: all arguments of :class:`~datamodules.portrait_data.PortraitData`.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(
        self,
        photos: str | Path,
        drawings: str | Path,
        film: str | Path | None = None,
        *,
        cache: str | Path | None = None,
        **others: Any,
    ) -> None:
        super().__init__(**others)
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
