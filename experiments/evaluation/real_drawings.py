"""Real line drawings from a folder, as the distances compare with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_modules.errors import ConfigError, PhotoError


def read_drawings(folder: Path, size: int) -> Iterator[NDArray[np.uint8]]:
    """Read every picture below a folder, in alphabetical order.

    Args:
        folder: searched with all folders in it; what is no picture is passed over.
        size: side of the squares, pixels; drawings are laid on white paper and keep their proportions.

    Yields:
        (size, size, 3) uint8.

    Raises:
        ConfigError: fewer than three pictures are in it.
        PhotoError: one of them cannot be read.
    """
    from experiments.commands.batch import PHOTOS
    from lightning_modules.faces.photo import read_photo
    from lightning_modules.pipeline.presentation import letterbox

    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() in PHOTOS.suffixes)
    if len(files) < 3:
        raise ConfigError(f"{len(files)} pictures are in {folder}", "give a folder of real line drawings")
    for file in files:
        try:
            yield letterbox(read_photo(file).rgb, (size, size))
        except PhotoError as error:
            raise PhotoError(error.found, f"{error.remedy}, or take it out of the folder", file) from error
