"""Which files below some folders hold weights, told by how they begin, and what is in each."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.weights.bare_pickle import read_bare_pickle
from lightning_modules.weights.checkpoint_file import read_weight_file
from lightning_modules.weights.published_tables import LONGEST_TEXT, table_of_tensors, table_of_text
from lightning_modules.weights.recognition import Recognised, recognise

_SUFFIXES: Final = frozenset({".pth", ".pt", ".ckpt", ".tar", ".pickle", ".pkl", ".safetensors", ".bin", ".pytorch"})
_TORCH_STREAM: Final = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"  # torch's number before its old form
_ZIP, _PICKLE = b"PK", b"\x80"
_TAR, _TAR_AT = b"ustar", 257
_OURS: Final = "set.json"


@dataclass(frozen=True, eq=False)
class Found:
    """What one file holds.

    Attributes:
        networks: published networks in it.
        table: kind and tensors of a published table; None where it is none.
    """

    networks: tuple[Recognised, ...] = ()
    table: tuple[str, Mapping[str, Tensor]] | None = None


def files_below(places: Iterable[Path]) -> list[Path]:
    """Every file in some folders, in the order of their paths; each once, and nothing of a set that was imported.

    Raises:
        ConfigError: a place does not exist.
    """
    found: dict[Path, Path] = {}
    for place in places:
        if not place.exists():
            raise ConfigError(f"there is no folder {place}", "name the folder of the published checkpoints")
        for path in [place] if place.is_file() else _walk(place):
            found.setdefault(path.resolve(), path)
    return sorted(found.values())


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        if _OURS in names:
            folders.clear()
            continue
        yield from (Path(here) / name for name in names)


def is_about_weights(path: Path) -> bool:
    """Whether a file holds weights, or is called as if it did; told by its first bytes, without reading it."""
    if path.suffix.lower() in _SUFFIXES:
        return True
    with path.open("rb") as opened:
        start = opened.read(9)
    if start.startswith(_ZIP):
        return _is_torch_archive(path)
    if start.startswith(_PICKLE):
        return True
    return len(start) == 9 and start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] < path.stat().st_size


def _is_torch_archive(path: Path) -> bool:
    """Many things are zip archives: what torch writes has a data.pkl inside."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def read_weights(path: Path) -> Found:
    """What a file of weights holds.

    Args:
        path: a file that :func:`is_about_weights`.

    Raises:
        WeightsError: it is empty, truncated, damaged, foreign, or like a published network and none; in one line.
    """
    with path.open("rb") as opened:
        start = opened.read(_TAR_AT + len(_TAR))
    if not start:
        raise WeightsError("it is empty", "copy or unpack it again", path)
    if start.lstrip().startswith(b"<"):
        found = f"it is a page of the web, not weights (it begins with {start.decode('ascii', 'replace')[:20]!r})"
        raise WeightsError(found, "download the file itself", path)
    if start[_TAR_AT:] == _TAR:
        raise WeightsError("it is a tar archive", "unpack it, and name the folder that it makes", path)
    if start.startswith(_PICKLE) and not start.startswith(_TORCH_STREAM):
        return _found_in(path, read_bare_pickle(path))
    held, header = read_weight_file(path)
    if header is not None:
        raise WeightsError("inkspeak wrote it", "use it as it is: it needs no import", path)
    return _found_in(path, held)


def _found_in(path: Path, held: Mapping[str, Any]) -> Found:
    networks, miss = recognise(held)
    for network in networks:
        for key, value in network.state.items():
            if not bool(torch.isfinite(value).all()):
                found = f"it is a {network.kind}, but '{key}' is not finite"
                raise WeightsError(found, "give the published checkpoint, complete and unchanged", path)
    if networks:
        return Found(tuple(networks))
    if miss is not None:
        remedy = "give the published checkpoint, complete and unchanged"
        raise WeightsError(f"it looks like a {miss.kind}, but {miss.difference}", remedy, path)
    tensors = {name: value for name, value in held.items() if isinstance(value, Tensor)}
    table = table_of_tensors(tensors) if len(tensors) == len(held) else None
    if table is None:
        raise WeightsError(f"{_described(held)}, which no published network has", "leave it out", path)
    return Found(table=table)


def _described(held: Mapping[Any, Any]) -> str:
    if not held:
        return "it holds nothing"
    names = [f"'{name}'" for name in list(held)[:2]]
    return f"it holds {', '.join(names)}{' ...' if len(held) > 2 else ''}"


def read_table(path: Path) -> Found | None:
    """The published table that a small text holds; None for any other file."""
    if not 0 < path.stat().st_size <= LONGEST_TEXT:
        return None
    try:
        text = path.read_text(encoding="ascii")
    except UnicodeDecodeError:
        return None
    table = table_of_text(text)
    return None if table is None else Found(table=table)
