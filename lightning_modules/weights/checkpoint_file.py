"""Files of weights, whoever wrote them: safetensors or torch's own format, read without running what is in them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open

from lightning_modules.errors import WeightsError
from lightning_modules.weights.inert_optimizers import inert_optimizers
from lightning_modules.weights.registry import sha256_of

HEADER: Final = "inkspeak"
"""Under this name the files that we export keep what they hold, as JSON."""

_TORCH_STARTS: Final = (b"PK", b"\x80")  # a zip archive, and the older stream
_BARE_PICKLES: Final = (b"\x80\x03", b"\x80\x04", b"\x80\x05")  # torch itself writes protocol 2


def read_weight_file(path: str | Path) -> tuple[dict[str, Any], str | None]:
    """Read a file of weights.

    Args:
        path: safetensors, or what ``torch.save`` wrote (``.pth``, ``.pth.tar``, ``.ckpt``).

    Returns:
        What it holds, tensors on the CPU; and of a safetensors file that we exported the header, else None.

    Raises:
        WeightsError: there is no such file, it is damaged, or it holds more than tensors and plain values.
    """
    file = Path(path)
    if not file.is_file():
        raise WeightsError("there is no such weight file", "check the path", path)
    with file.open("rb") as opened:
        start = opened.read(9)
    # A safetensors file begins with a length of eight bytes, which may be any, and then the brace of its JSON.
    if start.startswith(_TORCH_STARTS) and start[8:] not in (b"{", b""):
        if start.startswith(_BARE_PICKLES):
            remedy = "load it where it comes from, and write {name: tensor.clone()} with safetensors.torch.save_file"
            raise WeightsError("it is a bare pickle, and is not read: that could run code", remedy, path)
        return _read_torch(file), None
    try:
        with safe_open(file, framework="pt") as stored:
            header = (stored.metadata() or {}).get(HEADER)
            return {name: stored.get_tensor(name) for name in stored.keys()}, header  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise WeightsError("it is damaged or no safetensors file", "give a complete weight file", path) from error


def weights_mark(path: str | Path) -> str:
    """The sha256 of a weight file's bytes: what was made with it is found again by this, wherever the file lies.

    Raises:
        WeightsError: there is no such file.
    """
    file = Path(path)
    if not file.is_file():
        raise WeightsError("there is no such weight file", "check the path", path)
    return sha256_of(file)


def _read_torch(path: Path) -> dict[str, Any]:
    try:
        with inert_optimizers():
            held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = "it is damaged, or holds more than tensors and plain values, and is not read: that could run code"
        raise WeightsError(found, "give a file of weights alone", path) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, SafetensorError) as error:
        raise WeightsError("it is damaged or no file of weights", "give a complete weight file", path) from error
    if not isinstance(held, dict):
        found = f"it holds a {type(held).__name__}, not weights by their names"
        raise WeightsError(found, "give a state_dict or a checkpoint", path)
    return held
