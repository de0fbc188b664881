"""Sets of weights that the user imported: where they lie, what is in them, and whether it is still what was imported.

A set is a folder with one ``set.json``, written last and renamed into place, so that a set is either complete or as it
was before. Every file in it is named with what it was made from, so that a new import never overwrites what an old list
still names. Neither torch nor YAML is loaded here.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.pipeline.atomic_files import atomic_path

SET_FILE: Final = "set.json"
FORM: Final = 1
"""Raised whenever the meaning of ``set.json`` changes."""

OFFICIAL: Final = "official"
"""Name of the set that ``inkspeak weights import`` makes, unless told otherwise."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_AGAIN: Final = "import it again with inkspeak weights import"


@dataclass(frozen=True)
class SetMember:
    """One file of a set.

    Attributes:
        role: what it is in the set, unique there.
        kind: the network or table that it holds.
        file: its name in the folder of the set.
        size: bytes.
        sha256: of the file.
        licence: of the weights, as their authors state it.
        source: the published system or archive that it comes from.
        source_file: name of the file that it was made from, with the folder that one lay in.
        source_sha256: of that file.
    """

    role: str
    kind: str
    file: str
    size: int
    sha256: str
    licence: str
    source: str
    source_file: str
    source_sha256: str


@dataclass(frozen=True)
class WeightSet:
    """A set of weights.

    Attributes:
        folder: where it lies; its name is the set's name.
        members: sorted by role.
    """

    folder: Path
    members: tuple[SetMember, ...] = ()

    @property
    def name(self) -> str:
        """Name of the set."""
        return self.folder.name

    def member(self, role: str) -> SetMember | None:
        """What plays a role, or None."""
        return next((member for member in self.members if member.role == role), None)

    def path(self, role: str) -> Path | None:
        """The file that plays a role, or None."""
        member = self.member(role)
        return None if member is None else self.folder / member.file


def weights_folder() -> Path:
    """Where sets of weights are kept: ``$INKSPEAK_WEIGHTS``, else ``inkspeak/weights`` in the user's data folder.

    The folder need not exist yet. Unlike the cache it holds what cannot be made again without the files imported.
    """
    if own := os.environ.get("INKSPEAK_WEIGHTS"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "inkspeak" / "weights"


def set_folder(name: str) -> Path:
    """The folder of a set, which need not exist.

    Raises:
        ConfigError: no set can have this name.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"a set of weights cannot be called {name!r}", "use letters, digits, _ and -")
    return weights_folder() / name


def is_set_folder(path: Path) -> bool:
    """Whether a folder is that of a set."""
    return (path / SET_FILE).is_file()


def read_set(folder: Path) -> WeightSet:
    """Read a set.

    Args:
        folder: its folder.

    Raises:
        WeightsError: it is no set, or its list is damaged.
    """
    path = folder / SET_FILE
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        form, rows = described["form"], described["members"]
    except FileNotFoundError as error:
        raise WeightsError("it is no set of weights", _AGAIN, folder) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError("the list of this set of weights is damaged", _AGAIN, path) from error
    if form != FORM:
        raise WeightsError(f"the list is of form {form!r}, and only form {FORM} is known", _AGAIN, path)
    if not isinstance(rows, list):
        raise WeightsError("the list of this set of weights is damaged", _AGAIN, path)
    return WeightSet(folder, tuple(_member(row, path) for row in rows))


def _member(row: Any, path: Path) -> SetMember:
    kinds = {field.name: int if field.name == "size" else str for field in dataclasses.fields(SetMember)}
    sound = isinstance(row, dict) and row.keys() == kinds.keys()
    if not sound or any(type(row[name]) is not kind for name, kind in kinds.items()) or "/" in row["file"]:
        raise WeightsError("a row in the list of this set of weights is damaged", _AGAIN, path)
    return SetMember(**row)


def known_sets() -> tuple[WeightSet, ...]:
    """All sets of the user, by name.

    Raises:
        WeightsError: the list of one is damaged.
    """
    folder = weights_folder()
    if not folder.is_dir():
        return ()
    return tuple(read_set(one) for one in sorted(folder.iterdir()) if is_set_folder(one))


def write_set(folder: Path, members: Iterable[SetMember]) -> WeightSet:
    """Write the list of a set whose files are in place, then remove files that it no longer names.

    Args:
        folder: of the set; exists.
        members: one a role.

    Returns:
        The set.

    Raises:
        OutputError: the list cannot be written; the set is then as it was.
    """
    rows = tuple(sorted(members, key=lambda member: member.role))
    listed = {"form": FORM, "members": [dataclasses.asdict(member) for member in rows]}
    with atomic_path(folder / SET_FILE) as aside:
        aside.write_text(json.dumps(listed, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    kept = {SET_FILE, *(member.file for member in rows)}
    for path in folder.glob("*.safetensors"):
        if path.name not in kept:
            with suppress(OSError):  # somebody still reads it: the next import removes it
                path.unlink()
    return WeightSet(folder, rows)


def weights_named(word: str) -> Path:
    """What the user names as weights: a file, or the folder of a set.

    Args:
        word: path of a file or of a set's folder, the name of a set, or ``SET:ROLE`` for one file of a set.

    Returns:
        The path; one that looks like a file's is returned as it is, also if there is none.

    Raises:
        ConfigError: a set or a role is named that there is not.
        WeightsError: the list of the set is damaged.
    """
    path = Path(word).expanduser()
    name, colon, role = word.partition(":")
    if path.is_file() or is_set_folder(path) or not _NAME.fullmatch(name):
        return path
    folder = set_folder(name)
    if not is_set_folder(folder):
        names = ", ".join(one.name for one in known_sets())
        known = f"; the sets here are {names}" if names else ""
        found = f"there is neither a file nor a set of weights called {name!r}{known}"
        raise ConfigError(found, "check the path, or make the set with inkspeak weights import DIR")
    if not colon:
        return folder
    weights = read_set(folder)
    chosen = weights.path(role)
    if chosen is None:
        known = ", ".join(member.role for member in weights.members)
        raise ConfigError(f"the set {name!r} has no {role!r}", f"it has {known}")
    return chosen


def set_around(path: Path | None) -> WeightSet | None:
    """The set that a path stands for: that of its folder, or that in which the file lies; None where there is none.

    Raises:
        WeightsError: the list of the set is damaged.
    """
    if path is None:
        return None
    folder = next((one for one in (path, path.parent) if is_set_folder(one)), None)
    return None if folder is None else read_set(folder)
