"""Data of the static drawer from prepared folders (``inkspeak prepare photos|drawings``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datamodules.datasets.drawings import open_drawings
from datamodules.datasets.photos import open_photos
from datamodules.datasets.photos_and_drawings import UnpairedSets
from datamodules.prepare.manifest import read_manifest
from datamodules.unpaired_data import UnpairedData
from lightning_modules.errors import ConfigError, PreparedSetError


class PhotosAndDrawingsDataModule(UnpairedData):
    """Batches from prepared photos and drawings; :class:`~datamodules.unpaired_data.UnpairedData` says how.

    The style of a drawing is the topmost folder that it lay in when it was prepared, by custom its artist or series.
    The sets' pictures are decoded once into an array on disk (a hidden folder in each set), which all workers map.

    Args:
        photos: prepared photos: one folder, or several.
        drawings: prepared drawings.
        styles: names of the folders, each a style, in the order of the style vector; drawings of other folders are not
            used. None: all drawings are of one style.
        cache: folder for the decoded pictures, where the sets cannot be written to.
        others: all arguments of :class:`~datamodules.unpaired_data.UnpairedData`.

    Raises:
        ConfigError: a number is out of its range, or a style is named twice.
    """

    def __init__(
        self,
        photos: str | Sequence[str],
        drawings: str,
        styles: Sequence[str] | None = None,
        *,
        cache: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        if styles is not None and len(set(styles)) < max(len(styles), 1):
            raise ConfigError(f"the styles are {', '.join(styles) or 'none'}", "name each of them once")
        self._photos = [Path(one).expanduser() for one in ([photos] if isinstance(photos, str) else photos)]
        self._drawings = Path(drawings).expanduser()
        self._styles = None if styles is None else tuple(styles)
        self._cache = None if cache is None else Path(cache).expanduser()

    def prepare_data(self) -> None:
        """Decode the sets, once for all ranks of a machine, unless that has been done before."""
        self.open_sets()

    def open_sets(self) -> UnpairedSets:
        """Open the prepared sets.

        Raises:
            PreparedSetError: a folder holds no prepared set or another kind, or no drawing of a style.
            OutputError: the decoded pictures cannot be written.
        """
        size, channels, cache = self.image_size, self.drawing_channels, self._cache
        drawings = open_drawings(self._drawings, size, channels, cache)
        labels = self._labels(drawings.names)
        return UnpairedSets([open_photos(folder, size, channels, cache) for folder in self._photos], drawings, labels)

    def _labels(self, names: Sequence[str]) -> list[int]:
        if self._styles is None:
            return [0] * len(names)
        folders = {row["id"]: style_folder(row["source"]["name"]) for row in read_manifest(self._drawings)}
        there = Counter(folders[name] for name in names)
        missing = [style for style in self._styles if style not in there]
        if missing:
            told = ", ".join(f"{folder or 'no folder'} ({count})" for folder, count in there.most_common())
            found = f"holds no drawing of the style {missing[0]!r}"
            raise PreparedSetError(found, f"name some of its folders: {told}", self._drawings)
        return [self._styles.index(folders[name]) if folders[name] in self._styles else -1 for name in names]


def style_folder(name: str) -> str:
    """The topmost folder of a source's name, ``"gibson"`` for ``"gibson/1_0.png"``; empty for a file in none."""
    return name.partition("/")[0] if "/" in name else ""
