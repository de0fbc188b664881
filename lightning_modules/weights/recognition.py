"""Which published network a state_dict is, by its keys and shapes alone.

The register of published networks is the only table: every kind in it is tried. A file's name says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from torch import Tensor

from lightning_modules.errors import WeightsError
from lightning_modules.weights.published import PUBLISHED
from lightning_modules.weights.published_network import WRAPPERS, PublishedNetwork, Shapes

LIKENESS: Final = 0.5
"""Share of keys that a state_dict has in common with a kind before it is said to look like it."""

_DEEPEST: Final = 3  # published files wrap their state_dict once; more is allowed for
_PARALLEL: Final = "module."
_COUNTER: Final = "num_batches_tracked"


@dataclass(frozen=True, eq=False)
class Recognised:
    """A published network inside a file.

    Attributes:
        kind: one of the register's.
        sizes: what builds it.
        state: its state_dict, published keys without prefix.
        entry: under which name the file holds it; empty for the file itself.
    """

    kind: str
    sizes: dict[str, Any]
    state: dict[str, Tensor]
    entry: str = ""


@dataclass(frozen=True)
class NearMiss:
    """A state_dict that is like a published network and is not one.

    Attributes:
        kind: the kind that it is most like.
        difference: the first difference, in words.
        likeness: share of keys in common, in [0, 1].
    """

    kind: str
    difference: str
    likeness: float


def recognise(held: Mapping[str, Any]) -> tuple[list[Recognised], NearMiss | None]:
    """Find the published networks in what a file holds.

    Args:
        held: what was read: a state_dict, or one or more of them under names, beside anything else.

    Returns:
        The networks, those under names known from published files first, else in the order of the file; and where there
        is none, what one of them is like.
    """
    found: list[Recognised] = []
    missed: list[NearMiss] = []
    for entry, state in state_dicts(held):
        kind = next((kind for kind, network in PUBLISHED.items() if _sizes_if_it_is(network, state) is not None), None)
        if kind is not None:
            sizes = _sizes_if_it_is(PUBLISHED[kind], state)
            found.append(Recognised(kind, sizes or {}, state, entry))
        elif (miss := _nearest(state)) is not None:
            missed.append(miss)
    # Where a file has a network and its like for the way back, the one under a published name is meant.
    found.sort(key=lambda one: one.entry not in WRAPPERS)
    return found, None if found else max(missed, key=lambda miss: miss.likeness, default=None)


def state_dicts(held: Mapping[Any, Any], entry: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Every state_dict in what a file holds, without the prefix of parallel training: (name of the entry, state_dict).

    An optimiser's state is none: its keys are numbers.
    """
    tensors = {key: value for key, value in held.items() if isinstance(key, str) and isinstance(value, Tensor)}
    if tensors:
        parallel = all(key.startswith(_PARALLEL) for key in tensors)
        yield entry, {key.removeprefix(_PARALLEL) if parallel else key: value for key, value in tensors.items()}
    if depth < _DEEPEST:
        for key, value in held.items():
            if isinstance(key, str) and isinstance(value, Mapping):
                yield from state_dicts(value, key, depth + 1)


def _needed(network: PublishedNetwork, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the entries that are not needed, or that a file has twice."""
    return {
        key: value
        for key, value in state.items()
        if not key.startswith(tuple(network.repeated))
        and not any(re.fullmatch(pattern, key) for pattern in network.dropped)
    }


def _shapes(state: Mapping[str, Tensor]) -> Shapes:
    return Shapes((key, tuple(value.shape)) for key, value in state.items())


def _sizes_if_it_is(network: PublishedNetwork, state: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """The sizes of a network whose keys and shapes are exactly these; None for another one."""
    given = _needed(network, state)
    if _likeness(network, given) < LIKENESS:  # cheap; spares building every kind for every file
        return None
    try:
        sizes = network.sizes(_shapes(given))
        expected = network.shapes(sizes)
    except WeightsError:
        return None
    return sizes if _difference(given, expected) is None else None


@cache
def _keys(kind: str, sizes: tuple[tuple[str, Any], ...]) -> frozenset[str]:
    return frozenset(PUBLISHED[kind].names_at(dict(sizes)))


def _likeness(network: PublishedNetwork, given: Mapping[str, Tensor]) -> float:
    """Share of keys in common with the kind, at the sizes that the shapes speak of, or else at full size."""
    try:
        sizes: Mapping[str, Any] = network.sizes(_shapes(given))
    except WeightsError:
        sizes = network.full_size
    keys = _keys(network.kind, tuple(sizes.items()))
    return len(keys & given.keys()) / max(len(keys | given.keys()), 1)


def _nearest(state: Mapping[str, Tensor]) -> NearMiss | None:
    likeness = {kind: _likeness(network, _needed(network, state)) for kind, network in PUBLISHED.items()}
    kind = max(likeness, key=lambda one: likeness[one])
    if likeness[kind] < LIKENESS:
        return None
    network, given = PUBLISHED[kind], _needed(PUBLISHED[kind], state)
    try:
        expected = network.shapes(network.sizes(_shapes(given)))
    except WeightsError:  # what gives the sizes is itself wrong: the published sizes are what was expected
        expected = network.shapes(network.full_size)
    difference = _difference(given, expected) or _difference(given, network.shapes(network.full_size))
    return NearMiss(kind, difference or "it differs", likeness[kind])


def _difference(given: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]) -> str | None:
    """The first difference in words; None where there is none. Counters of batches may be missing."""
    for key, shape in expected.items():
        if key in given and tuple(given[key].shape) != shape:
            return f"'{key}' is {tuple(given[key].shape)} instead of {shape}"
    missing = [key for key in expected if key not in given and not key.endswith(_COUNTER)]
    if missing:
        return f"'{missing[0]}' {_and_more(missing, 'is', 'are')} missing"
    unexpected = [key for key in given if key not in expected]
    if unexpected:
        return f"'{unexpected[0]}' {_and_more(unexpected, 'is', 'are')} not expected"
    return None


def _and_more(keys: list[str], one: str, several: str) -> str:
    return one if len(keys) == 1 else f"and {len(keys) - 1} more {several}"
