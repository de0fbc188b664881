"""The folder of a prepared set: may it be written, was it made with the same settings, is somebody else at it.

Layout: ``set.json`` (format, kind and settings), ``records/``, ``manifest.jsonl``, ``report.json``, ``report.md`` and
``sheets/``. A set holds records of one kind made with one group of settings; anything else needs a folder of its own.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from datamodules.prepare.manifest import RECORDS_NAME
from datamodules.prepare.record_folder import FORMAT, facts_text
from lightning_modules.errors import OutputError, PreparedSetError
from lightning_modules.pipeline.atomic_files import atomic_path, output_error
from lightning_modules.pipeline.output_checks import check_folder_of

SET_NAME: Final = "set.json"
LOCK_NAME: Final = ".lock"


def fingerprint(*parts: Any) -> str:
    """Return the sha256, 64 hex digits, of JSON values: equal exactly if all parts are equal."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, allow_nan=False).encode()).hexdigest()


def check_destination(source: Path | None, destination: Path) -> None:
    """Make sure that a set can be written to a folder without touching what it is made from.

    Raises:
        OutputError: the destination is the source, lies inside it or around it, is a file, or cannot be written.
    """
    if source is not None:
        inner, outer = destination.resolve(), source.resolve()
        remedy = "choose a folder outside of the source"
        if inner == outer:
            raise OutputError("is the source itself, and sources are never changed", remedy, destination)
        if inner.is_relative_to(outer):
            raise OutputError(f"lies inside the source {source}, which is never changed", remedy, destination)
        if outer.is_relative_to(inner):
            raise OutputError(f"has the source {source} inside", remedy, destination)
    if destination.exists() and not destination.is_dir():
        raise OutputError("is a file", "name a folder", destination)
    check_folder_of(destination / SET_NAME)


def check_set(destination: Path, kind: str, settings: Mapping[str, Any], *, some: bool = False) -> bool:
    """Tell whether a folder already holds a set that records with these settings can be added to.

    Args:
        destination: the folder; need not exist.
        kind: what is prepared, e.g. ``"photos"``.
        settings: everything that shapes a record, JSON values.
        some: the settings given are not all; compare only these. For an early answer.

    Returns:
        True if it does; False if the folder is empty or not there.

    Raises:
        OutputError: the folder holds something else.
        PreparedSetError: it holds a set of another format or kind, one made with other settings, or a damaged one.
    """
    path = destination / SET_NAME
    if not path.exists():
        strangers = {entry.name for entry in destination.iterdir()} - {LOCK_NAME} if destination.is_dir() else set()
        if strangers:
            found = f"is not empty and no prepared set (it holds {min(strangers)!r})"
            raise OutputError(found, "name an empty or a new folder", destination)
        return False
    known = read_set(destination)
    if known.get("kind") != kind:
        found = f"holds prepared {known.get('kind')}, not {kind}"
        raise PreparedSetError(found, "prepare into another folder", destination)
    wanted = json.loads(json.dumps(settings))
    before = known.get("settings")
    if some and isinstance(before, dict):
        before = {key: value for key, value in before.items() if key in wanted}
    if before != wanted:
        raise PreparedSetError(
            f"was prepared with other settings: {_difference(before, wanted)}",
            "give the earlier settings, or prepare into a new folder",
            destination,
        )
    return True


def read_set(destination: Path) -> dict[str, Any]:
    """Read the ``set.json`` of a prepared set.

    Raises:
        PreparedSetError: it is missing, damaged or of another format.
    """
    path = destination / SET_NAME
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(known, dict):
            raise TypeError("no JSON object")  # noqa: TRY301 - one message for all that can be wrong with it
    except FileNotFoundError as error:
        remedy = "make one with inkspeak prepare, or name the folder of one"
        raise PreparedSetError("no prepared set is there", remedy, destination) from error
    except (OSError, ValueError, TypeError) as error:
        raise PreparedSetError(f"cannot be read ({error})", "prepare into a new folder", path) from error
    if known.get("format") != FORMAT:
        found = f"has format {known.get('format')!r}, this version writes format {FORMAT}"
        raise PreparedSetError(found, "prepare into a new folder with this version", path)
    return known


def write_set(destination: Path, kind: str, settings: Mapping[str, Any]) -> None:
    """Begin a prepared set: write its ``set.json``.

    Raises:
        OutputError: the disk refuses.
    """
    with atomic_path(destination / SET_NAME) as aside:
        aside.write_text(facts_text({"format": FORMAT, "kind": kind, "settings": settings}), encoding="utf-8")
    (destination / RECORDS_NAME).mkdir(exist_ok=True)


@contextmanager
def exclusive(destination: Path) -> Iterator[None]:
    """Hold a prepared set for this process; the hold ends with the process, however that ends.

    Raises:
        OutputError: another process is preparing into the same folder, or the folder cannot be written.
    """
    try:
        destination.mkdir(parents=True, exist_ok=True)
        lock = (destination / LOCK_NAME).open("a")
    except OSError as error:
        raise output_error(error, destination) from error
    with lock:
        try:
            _hold(lock)
        except OSError as error:
            found = "is being written by another preparation"
            raise OutputError(found, "wait until that one has ended, or choose another folder", destination) from error
        yield


def _hold(lock: IO[str]) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _difference(before: Any, wanted: Any, name: str = "") -> str:
    """Return the settings that differ, e.g. ``size 256 there, 512 now``."""
    if not (isinstance(before, dict) and isinstance(wanted, dict)):
        return f"{name or 'all'} {before!r} there, {wanted!r} now"
    changed = [key for key in sorted({*before, *wanted}) if before.get(key) != wanted.get(key)]
    return ", ".join(_difference(before.get(key), wanted.get(key), f"{name}.{key}" if name else key) for key in changed)
