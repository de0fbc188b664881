"""How a published checkpoint becomes a module of ours: unwrap it, check every key and shape, rename, load.

Nothing here reads files. A checkpoint is what ``torch.load(..., weights_only=True)`` or safetensors gave.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lightning_modules.errors import ConfigError, WeightsError

WRAPPERS = ("state_dict", "genA2B", "model", "model_g_face_id", "G")
"""Under these names published files keep the state_dict, if they keep it under one."""

_REMEDY = "give the published checkpoint of this kind, unchanged"
_COUNTER = "num_batches_tracked"  # of batch normalisation: older files lack it, and evaluation does not read it


class Shapes(dict[str, tuple[int, ...]]):
    """Key -> shape of a checkpoint, from which a network's sizes are read."""

    def size(self, key: str, axis: int) -> int:
        """How long the tensor ``key`` is along ``axis``.

        Raises:
            WeightsError: if there is no such key, or it has no such axis.
        """
        if key not in self:
            raise WeightsError(f"no {key} among {len(self)} entries", _REMEDY)
        if axis >= len(self[key]):
            raise WeightsError(f"{key} has the shape {self[key]}, which is not that of this network", _REMEDY)
        return self[key][axis]


@dataclass(frozen=True)
class PublishedNetwork:
    """One kind of published network.

    Attributes:
        kind: its name for :func:`~lightning_modules.weights.published.from_published`.
        build: makes our module from its sizes.
        full_size: the sizes of the published files.
        sizes: reads the sizes from the shapes in a checkpoint.
        names: published key -> our key, in the order of the published file; a function of the sizes where it depends on
            them.
        dropped: regular expressions of published keys that are not needed, matched in full.
        repeated: how keys begin that stand for a module a second time -> how those of the first time begin. They may be
            missing; those that are there must be the same.
    """

    kind: str
    build: Callable[..., nn.Module]
    full_size: Mapping[str, Any]
    sizes: Callable[[Shapes], dict[str, Any]]
    names: Mapping[str, str] | Callable[[Mapping[str, Any]], Mapping[str, str]]
    dropped: tuple[str, ...] = ()
    repeated: Mapping[str, str] = field(default_factory=dict)

    def names_at(self, sizes: Mapping[str, Any]) -> Mapping[str, str]:
        """Published key -> our key for given sizes."""
        return self.names(sizes) if callable(self.names) else self.names

    def shapes(self, sizes: Mapping[str, Any]) -> Shapes:
        """Published key -> shape for given sizes; no memory is taken for the weights.

        Raises:
            WeightsError: if no network has these sizes.
        """
        try:
            with torch.device("meta"):
                ours = self.build(**sizes).state_dict()
        except (ConfigError, ValueError, RuntimeError, ZeroDivisionError) as error:
            raise WeightsError(f"{self.kind} weights of impossible sizes {dict(sizes)}: {error}", _REMEDY) from error
        names = self.names_at(sizes)
        unnamed = ours.keys() - set(names.values())
        if unnamed:
            raise KeyError(f"{self.kind}: no published name for {sorted(unnamed)}")
        return Shapes((published, tuple(ours[own].shape)) for published, own in names.items())

    def load(self, checkpoint: Mapping[str, Any]) -> nn.Module:
        """Our module with these weights, in evaluation mode; see ``from_published``."""
        needed = {
            key: value
            for key, value in unwrap(self.kind, checkpoint).items()
            if not any(re.fullmatch(pattern, key) for pattern in self.dropped)
        }
        given = {key: value for key, value in needed.items() if not key.startswith(tuple(self.repeated))}
        sizes = self.sizes(Shapes((key, tuple(value.shape)) for key, value in given.items()))
        check_entries(self.kind, given, self.shapes(sizes))
        check_repeated(self.kind, needed, self.repeated)
        with torch.random.fork_rng(devices=[]):  # the weights drawn here are overwritten: draw none from the caller's
            module = self.build(**sizes)
        names = self.names_at(sizes)
        renamed = {names[key]: value for key, value in given.items()}
        module.load_state_dict({**module.state_dict(), **renamed})  # counters that old files lack stay as they are
        return module.eval()


def unwrap(kind: str, checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The bare state_dict: out of its wrapper, without the ``module.`` of parallel training, all values tensors.

    Args:
        kind: named in messages.
        checkpoint: what the file held.

    Returns:
        Key -> tensor.

    Raises:
        WeightsError: if it holds anything but tensors.
    """
    bare: Any = checkpoint
    while isinstance(bare, Mapping):
        wrapper = next((name for name in WRAPPERS if isinstance(bare.get(name), Mapping)), None)
        if wrapper is None:
            break
        bare = bare[wrapper]
    if not isinstance(bare, Mapping):
        raise WeightsError(f"{kind} weights that are a {type(bare).__name__}, not a state_dict", _REMEDY)
    tensors: dict[str, Tensor] = {}
    for key, value in bare.items():
        tensor = torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            raise WeightsError(f"{kind} weights with {key} of type {type(value).__name__}, not a tensor", _REMEDY)
        tensors[key] = tensor
    parallel = bool(tensors) and all(key.startswith("module.") for key in tensors)
    return {key.removeprefix("module."): value for key, value in tensors.items()} if parallel else tensors


def check_entries(kind: str, given: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]) -> None:
    """Require exactly the expected keys and shapes, and finite numbers.

    Raises:
        WeightsError: naming the first key that is missing, unexpected, misshapen or not finite.
    """

    def first(keys: Iterable[str]) -> str | None:
        return next(iter(keys), None)

    missing = first(key for key in expected if key not in given and not key.endswith(_COUNTER))
    if missing is not None:
        raise WeightsError(f"{kind} weights without {missing}", _REMEDY)
    unexpected = first(key for key in given if key not in expected)
    if unexpected is not None:
        raise WeightsError(f"{kind} weights with the unexpected entry {unexpected}", _REMEDY)
    misshapen = first(key for key, shape in expected.items() if key in given and tuple(given[key].shape) != shape)
    if misshapen is not None:
        found = tuple(given[misshapen].shape)
        raise WeightsError(
            f"{kind} weights with {misshapen} of shape {found} instead of {expected[misshapen]}", _REMEDY
        )
    damaged = first(key for key, value in given.items() if not torch.isfinite(value).all())
    if damaged is not None:
        raise WeightsError(f"{kind} weights with {damaged} not finite", _REMEDY)


def check_repeated(kind: str, given: Mapping[str, Tensor], repeated: Mapping[str, str]) -> None:
    """Require that what stands in a file a second time is what stands there the first time.

    Args:
        kind: named in messages.
        given: published key -> tensor.
        repeated: see :class:`PublishedNetwork`.

    Raises:
        WeightsError: naming the first key of a second time that no first time has, or with other numbers.
    """
    for again, once in repeated.items():
        for key in (key for key in given if key.startswith(again)):
            first = once + key.removeprefix(again)
            if first not in given:
                raise WeightsError(f"{kind} weights with the unexpected entry {key}", _REMEDY)
            if given[first].shape != given[key].shape or not bool((given[first] == given[key]).all()):
                raise WeightsError(f"{kind} weights with {key} unlike {first}", _REMEDY)


def layer_entries(layers: Mapping[str, str], entries: Iterable[str] = ("weight", "bias")) -> dict[str, str]:
    """Published layer -> our layer, spelt out for the entries of each: published key -> our key."""
    entries = tuple(entries)
    return {f"{published}.{entry}": f"{own}.{entry}" for published, own in layers.items() for entry in entries}
