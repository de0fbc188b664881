"""Bare pickles of tensors by name, read by a reader that can build tensors and nothing else (reference stage1 §4, §13).

The published table of training speakers is such a file: written by ``pickle`` and not by ``torch.save``, so that
``weights_only=True`` does not read it. A pickle names the functions that rebuild its objects. Here those of a tensor
are known by name, the bytes of its numbers go through torch's own restricted reader, and any other name ends the
reading.
"""

from __future__ import annotations

import collections
import io
import pickle
from pathlib import Path
from typing import Any, Final

import torch
from torch._utils import _rebuild_tensor_v2

from lightning_modules.errors import WeightsError

LARGEST: Final = 2**28
"""Bytes that such a file may have: the published one has 31 MB."""


def _storage(data: bytes) -> Any:
    """The numbers of a tensor, from the bytes that torch wrote for them."""
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _bytes(text: str, encoding: str) -> bytes:
    """Pickles of protocol 2 write bytes as a text in this one encoding."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding}")
    return text.encode("latin1")


_KNOWN: Final[dict[tuple[str, str], Any]] = {
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor_v2,
    ("torch.storage", "_load_from_bytes"): _storage,
    ("_codecs", "encode"): _bytes,
    ("collections", "OrderedDict"): collections.OrderedDict,
}


class _TensorReader(pickle.Unpickler):
    """Knows :data:`_KNOWN` and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name in the file."""
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _KNOWN[module, name]


def read_bare_pickle(path: str | Path) -> dict[str, torch.Tensor]:
    """Read tensors by name from a bare pickle.

    Args:
        path: the file.

    Returns:
        Name -> a tensor of its own on the CPU: where the file kept a view with all that it was a view of, the rest is
        let go.

    Raises:
        WeightsError: it is too large, damaged, or holds anything but tensors by name; nothing in it has been run then.
    """
    file, remedy = Path(path), "give a pickle of tensors by name"
    if file.stat().st_size > LARGEST:
        raise WeightsError(f"it is a bare pickle of more than {LARGEST / 1e6:.0f} MB, and is not read", remedy, path)
    try:
        with file.open("rb") as opened:
            held = _TensorReader(opened).load()
    except pickle.UnpicklingError as error:
        found = f"it is a bare pickle of more than tensors, and is not read: that could run code ({error})"
        raise WeightsError(found, remedy, path) from error
    except Exception as error:  # a damaged pickle can raise anything that rebuilding tensors raises
        found = f"it is a damaged pickle ({type(error).__name__})"
        raise WeightsError(found, "give the complete file", path) from error
    if not isinstance(held, dict) or not held:
        raise WeightsError(f"it is a pickle of a {type(held).__name__}, not of tensors by name", remedy, path)
    for name, value in held.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            found = f"it is a pickle with {name!r} of type {type(value).__name__}, not tensors by name"
            raise WeightsError(found, remedy, path)
    return {name: value.detach().clone() for name, value in held.items()}
