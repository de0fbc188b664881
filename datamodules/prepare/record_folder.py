"""The shape that every prepared record has, whatever it holds: a folder that is either whole or not there.

A record is one folder ``<set>/records/<id>/`` with some picture files and one ``record.json`` of facts. The facts
always carry four keys of this module (``format``, ``kind``, ``id`` and ``files``, the sha256 of each other file of the
folder); the rest belongs to the kind of record (:mod:`datamodules.prepare.record` for portraits).

Writing goes to a hidden folder beside the target, then one rename: a process killed at any moment leaves no
half-written record, only a hidden leftover that :func:`sweep_leftovers` removes. Reading checks the hashes and never
runs code.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lightning_modules.errors import PreparedSetError
from lightning_modules.pipeline.atomic_files import atomic_path, temporary_name

FORMAT = 1
"""Format number of everything that this package writes; a reader refuses any other."""

FACTS_NAME = "record.json"
LEFTOVER_MARK = ".tmp-"  # part of every name that atomic_files.temporary_name gives

_REDO = "delete this folder and run the preparation again; it makes what is missing"


def sha256_of_file(path: Path) -> str:
    """Return the sha256 of a file's bytes as 64 hex digits, read in pieces so that a long film needs no memory."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Encode a picture, uint8 ``(H, W)`` gray or ``(H, W, 3)`` RGB, as PNG; equal pixels give equal bytes."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, format="PNG")
    return stream.getvalue()


def decode_png(content: bytes, path: Path, *, size: int, channels: int | None) -> npt.NDArray[np.uint8]:
    """Decode a square PNG of a record.

    Args:
        content: the bytes of the file.
        path: where they come from, for the message.
        size: expected side in pixels.
        channels: 1 for gray, 3 for RGB; None takes either.

    Returns:
        uint8 ``(size, size)`` for one channel, else ``(size, size, 3)``.

    Raises:
        PreparedSetError: the bytes are no PNG, or it has another size or kind of pixels.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            pixels = np.array(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise PreparedSetError(f"cannot be decoded as PNG ({error})", _REDO, path) from error
    shapes = {1: (size, size), 3: (size, size, 3)}
    expected = [shape for count, shape in shapes.items() if channels in (count, None)]
    if pixels.dtype != np.uint8 or pixels.shape not in expected:
        belongs = " or ".join(map(str, expected))
        found = f"holds {pixels.dtype} pixels of shape {pixels.shape} where uint8 {belongs} belongs"
        raise PreparedSetError(found, _REDO, path)
    return pixels


def facts_text(facts: Mapping[str, Any]) -> str:
    """Return facts as JSON with one top-level key a line: short, and readable in a diff. NaN is refused."""
    lines = [f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in facts.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write_record(
    records: Path, record_id: str, kind: str, files: Mapping[str, bytes], facts: Mapping[str, Any]
) -> Path:
    """Write one record aside and rename it into place; an older record of this id is replaced.

    Args:
        records: the ``records`` folder of the set; made if missing.
        record_id: name of the record's folder.
        kind: what the record holds, e.g. ``"portrait"``.
        files: content by file name; a name may have sub-folders with ``/``.
        facts: JSON values, written to ``record.json`` after the keys ``format``, ``kind`` and ``id``.

    Returns:
        The folder of the record.

    Raises:
        OutputError: the disk refuses; nothing is left at the target then except an older record.
        ValueError: a fact is not a finite JSON value.
    """
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    text = facts_text({"format": FORMAT, "kind": kind, "id": record_id, **facts, "files": hashes})
    target = records / record_id
    with atomic_path(target, folder=True) as aside:
        for name, content in files.items():
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            (aside / name).write_bytes(content)
        (aside / FACTS_NAME).write_text(text, encoding="utf-8")
    return target


@contextmanager
def facts_of(what: str, folder: Path) -> Iterator[None]:
    """Turn what goes wrong while facts are taken apart into a sentence that names the record.

    Args:
        what: the record is, with its article.
        folder: of the record.

    Raises:
        PreparedSetError: a fact was missing or of another kind than expected.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError) as error:
        found = f"lacks or garbles a fact of {what} ({type(error).__name__}: {error})"
        raise PreparedSetError(found, _REDO, folder / FACTS_NAME) from error


def read_picture(folder: Path, facts: Mapping[str, Any], name: str, *, channels: int | None) -> npt.NDArray[np.uint8]:
    """Read one picture of a record, of the size that its ``frame`` tells, and check it against its hash.

    Args:
        folder: of the record.
        facts: of the record.
        name: of the file.
        channels: 1 for gray, 3 for RGB; None takes either.

    Returns:
        uint8 ``(size, size)`` for one channel, else ``(size, size, 3)``.

    Raises:
        PreparedSetError: the file is missing, has changed or holds something else.
    """
    size = int(facts["frame"]["size"])
    return decode_png(read_file(folder, facts, name), folder / name, size=size, channels=channels)


def remove_record(folder: Path) -> None:
    """Remove a record, if it is there, so that it is never seen with only some of its files."""
    if folder.exists():
        aside = temporary_name(folder)
        folder.rename(aside)
        shutil.rmtree(aside)


def sweep_leftovers(records: Path) -> int:
    """Remove what killed runs left half-written beside the records; return how many folders that were."""
    leftovers = [path for path in _entries(records) if path.name.startswith(".") and LEFTOVER_MARK in path.name]
    for path in leftovers:
        shutil.rmtree(path)
    return len(leftovers)


def record_folders(records: Path) -> list[Path]:
    """Return the folders of all records, sorted by id."""
    return [path for path in _entries(records) if path.is_dir() and not path.name.startswith(".")]


def read_facts(folder: Path, kind: str | None = None) -> dict[str, Any]:
    """Read and check the ``record.json`` of a record.

    Raises:
        PreparedSetError: it is missing, no JSON object, of another format, id or kind, or names no files.
    """
    path = folder / FACTS_NAME
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PreparedSetError("is missing, so this is no prepared record", _REDO, path) from error
    except (OSError, ValueError) as error:
        raise PreparedSetError(f"cannot be read ({error})", _REDO, path) from error
    if not isinstance(facts, dict) or not isinstance(facts.get("files"), dict):
        raise PreparedSetError("holds no facts of a record", _REDO, path)
    if facts.get("format") != FORMAT:
        found = f"has format {facts.get('format')!r}, this version reads format {FORMAT}"
        raise PreparedSetError(found, "prepare the set again with this version, into a new folder", path)
    if kind is not None and facts.get("kind") != kind:
        raise PreparedSetError(f"holds a {facts.get('kind')!r} where a {kind!r} is expected", "name another set", path)
    if facts.get("id") != folder.name:
        raise PreparedSetError(f"has the id {facts.get('id')!r}, its folder has another name", _REDO, path)
    return facts


def read_file(folder: Path, facts: Mapping[str, Any], name: str) -> bytes:
    """Read one file of a record and check it against the hash that the facts give.

    Raises:
        PreparedSetError: the file is missing or its bytes are not those that were written.
    """
    path = folder / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PreparedSetError(f"cannot be read ({error.strerror})", _REDO, path) from error
    if hashlib.sha256(content).hexdigest() != facts["files"].get(name):
        raise PreparedSetError("has changed since it was written (its sha256 differs)", _REDO, path)
    return content


def _entries(records: Path) -> list[Path]:
    return sorted(records.iterdir()) if records.is_dir() else []
