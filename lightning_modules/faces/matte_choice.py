"""The names of the matte backends, and which of them want a file of weights. Plain values, no heavy import."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lightning_modules.errors import ConfigError

BY_NETWORK: Final = ("modnet", "modnet-256")
"""Backends that are a matting network of the user's own."""

DEFAULT_MATTE: Final = "selfie"
"""The backend that is taken where none was chosen."""

MATTERS: Final = ("selfie", "none", *BY_NETWORK)
"""Names that :func:`lightning_modules.faces.matter.make_matter` knows."""


def check_matte_weights(name: str, weights: str | Path | None) -> None:
    """Refuse a matting network without its file, and a file that nobody reads.

    Args:
        name: of the matter.
        weights: file of the matting network.

    Raises:
        ConfigError: they do not go together.
    """
    if name in BY_NETWORK and weights is None:
        found = f"the matte {name!r} needs the weights of a matting network, and none ships with inkspeak"
        raise ConfigError(found, "name an exported file or the published checkpoint with --matte-weights FILE")
    if weights is not None and name not in BY_NETWORK:
        found = f"weights of a matting network are given, but the matte {name!r} reads none"
        raise ConfigError(found, "add --matte modnet, or leave the weights out")
