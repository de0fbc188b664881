"""Which speech records are trained on and which are kept for validation, so that nothing leaks between the two.

A source names what is held out, axis by axis: voices, faces, sentences (takes are sentences). A record

- is trained on if none of its named axes is held out,
- validates if all of the named axes are held out,
- is left out otherwise: its sentence is new, say, but its voice has been trained on.

So training and validation have no held-out voice, face or sentence in common.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, NamedTuple

from datamodules.prepare.speech_set import SpeechEntry
from lightning_modules.errors import ConfigError

AXES: Final = ("voice", "face", "sentence")


@dataclass(frozen=True)
class SpeechFolder:
    """A prepared set of speech and its part in training.

    Args:
        folder: the prepared set.
        weight: share of the training samples relative to the other sets.
        hold_out: what validation is about, by ``"voice"``, ``"face"`` or ``"sentence"``: names with wildcards
            (``"flite-*"``), or one share such as ``"10%"``, chosen by the hash of the names. Empty for a set that is
            only trained on.
        validate_only: nothing of the set is trained on; all of it validates.

    Raises:
        ConfigError: the weight is not positive, or an axis or a share is none.
    """

    folder: str | Path
    weight: float = 1.0
    hold_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    validate_only: bool = False

    def __post_init__(self) -> None:
        if not 0.0 < self.weight < float("inf"):
            raise ConfigError(f"the weight of {self.folder} is {self.weight}", "give a positive number")
        for axis, names in self.hold_out.items():
            if axis not in AXES or not names or isinstance(names, str):
                remedy = f"give a list of names for one of {', '.join(AXES)}"
                raise ConfigError(f"hold_out of {self.folder} says {axis}: {names!r}", remedy)
            for name in names:
                _share(name)


class SpeechSplit(NamedTuple):
    """The records of a set, divided.

    Attributes:
        training: to train on.
        validation: to validate on.
        left_out: used for neither, so that nothing leaks.
    """

    training: tuple[SpeechEntry, ...]
    validation: tuple[SpeechEntry, ...]
    left_out: tuple[SpeechEntry, ...]


def split_entries(entries: Sequence[SpeechEntry], source: SpeechFolder) -> SpeechSplit:
    """Divide the records of a set.

    Args:
        entries: of the set.
        source: says what is held out.

    Raises:
        ConfigError: no record is left to train on, or, where something is to be held out, to validate on.
    """
    if source.validate_only:
        return SpeechSplit((), tuple(entries), ())
    training: list[SpeechEntry] = []
    validation: list[SpeechEntry] = []
    left_out: list[SpeechEntry] = []
    for entry in entries:
        held = [_is_held_out(getattr(entry, axis), names) for axis, names in source.hold_out.items()]
        part = training if not any(held) else validation if all(held) else left_out
        part.append(entry)
    if not training or (source.hold_out and not validation):
        what = "train" if not training else "validate"
        found = f"hold_out leaves none of {len(entries)} records of {source.folder} to {what} on"
        remedy = "check the names (the set's manifest and records say voice, face and sentence), or hold out less"
        raise ConfigError(found, remedy)
    return SpeechSplit(tuple(training), tuple(validation), tuple(left_out))


def in_common(first: Sequence[SpeechEntry], second: Sequence[SpeechEntry]) -> dict[str, tuple[str, ...]]:
    """Return the voices, faces and sentences that two groups of records share, by axis."""
    return {
        axis: tuple(sorted({getattr(entry, axis) for entry in first} & {getattr(entry, axis) for entry in second}))
        for axis in AXES
    }


def _is_held_out(name: str, patterns: Sequence[str]) -> bool:
    for pattern in patterns:
        share = _share(pattern)
        if share is None:
            if fnmatchcase(name, pattern):
                return True
        elif int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) < share * 2**32:
            return True
    return False


def _share(pattern: str) -> float | None:
    """The share that a pattern such as ``"10%"`` means; None if it is a name."""
    if not pattern.endswith("%"):
        return None
    try:
        share = float(pattern[:-1]) / 100.0
    except ValueError as error:
        raise ConfigError(f"{pattern!r} is no share", "give a number from 0 to 100 before the %") from error
    if not 0.0 < share < 1.0:
        raise ConfigError(f"the share {pattern!r} is out of range", "give more than 0% and less than 100%")
    return share
