"""What there is to prepare in a folder: its files in a fixed order, the name each record gets, and the terms of use."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lightning_modules.errors import InkspeakError, PhotoError

IMAGE_ENDINGS: Final = frozenset(
    {".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tga"}
    | {".tif", ".tiff", ".webp"}
)
"""Files with these endings are tried as pictures; those that cannot be read are then listed with the reason."""

UNKNOWN_LICENCE: Final = "unknown"
SOURCE_NOTE: Final = "SOURCE.md"

_LICENCE = re.compile(r"(?:^|(?<=\.\s))(?:licen[cs]e|rights):[\s*]*", re.IGNORECASE)
_ORIGIN = re.compile(r"(?:repo|origin|url|attribution):", re.IGNORECASE)
_FIELD = re.compile(r"^[A-Z][A-Za-z ]{0,30}:\s*")
_SENTENCE_END = re.compile(r"(?<!\s[A-Z])(?<!\.)\.\s+(?=[A-Z])")  # not after an initial or an ellipsis


@dataclass(frozen=True)
class Terms:
    """Under which terms files may be used.

    Args:
        licence: as its source states it, one line, or ``"unknown"``.
        attribution: what has to go with it (title, origin, citation), one line; may be empty.
    """

    licence: str
    attribution: str = ""


@dataclass(frozen=True)
class FoundFiles:
    """The result of :func:`find_files`.

    Args:
        root: folder that the names are relative to.
        names: of the files to prepare, relative with ``/``, sorted.
        passed_over: names of files of another kind, sorted; hidden ones are not even listed.
    """

    root: Path
    names: tuple[str, ...]
    passed_over: tuple[str, ...]

    def passed_over_note(self) -> str:
        """Return one line about the files of another kind; empty if there are none."""
        if not self.passed_over:
            return ""
        kinds = Counter(Path(name).suffix.lower() or "without ending" for name in self.passed_over)
        return f"{len(self.passed_over)} passed over: " + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))


def find_files(
    source: Path,
    endings: Collection[str] = IMAGE_ENDINGS,
    *,
    what: str = "photos",
    error: type[InkspeakError] = PhotoError,
) -> FoundFiles:
    """Find files by their ending, in a folder and all folders below it.

    Hidden files and folders are skipped; links to files are followed, links to folders are not.

    Args:
        source: a folder, or one file.
        endings: in lower case, with the dot.
        what: is sought, for the message.
        error: kind of error to raise.

    Raises:
        InkspeakError: of the given kind: the source is missing, cannot be listed or has no such file.
    """
    if source.is_file():
        return FoundFiles(source.parent, (source.name,), ())
    if not source.is_dir():
        raise error("no such file or folder", f"name a folder with {what}", source)

    def refuse(problem: OSError) -> None:
        remedy = "make it readable or name another folder"
        raise error(f"cannot be listed ({problem.strerror})", remedy, problem.filename)

    wanted: list[str] = []
    others: list[str] = []
    for folder, subfolders, names in os.walk(source, onerror=refuse):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if not name.startswith("."):
                (wanted if path.suffix.lower() in endings else others).append(path.relative_to(source).as_posix())
    if not wanted:
        known = " ".join(sorted(endings))
        raise error(f"holds no {what}", f"name a folder with files that end in one of {known}", source)
    return FoundFiles(source, tuple(sorted(wanted)), tuple(sorted(others)))


def record_id(name: str) -> str:
    """Return the name of the record that a source file gets: readable, safe as a folder name, the file's own.

    Args:
        name: of the file relative to the prepared folder, with ``/``. It alone decides, so that adding or removing
            other files changes nothing.

    Returns:
        Letters, digits, ``-`` and ``_``: the name's own ones (at most 80), then 8 hex digits of the name's hash.
    """
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", name.rsplit(".", 1)[0]).strip("-")[-80:].lstrip("-")
    digits = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{stem or 'item'}-{digits}"


class TermsFinder:
    """Finds the terms of files: the given licence, or the nearest ``SOURCE.md`` from the file's folder up to the root.

    Args:
        root: folder that is prepared; nothing above it is looked at.
        licence: overrules every note; None to look for notes.
    """

    def __init__(self, root: Path, licence: str | None = None) -> None:
        self._root = root
        self._given = None if licence is None else Terms(" ".join(licence.split()) or UNKNOWN_LICENCE)
        self._known: dict[Path, Terms] = {}

    def terms_of(self, name: str) -> Terms:
        """Return the terms of one file, given its name relative to the root."""
        return self._given or self._of_folder((self._root / name).parent)

    def _of_folder(self, folder: Path) -> Terms:
        if folder not in self._known:
            terms = _read_note(folder / SOURCE_NOTE)
            if terms is None:
                terms = Terms(UNKNOWN_LICENCE) if folder == self._root else self._of_folder(folder.parent)
            self._known[folder] = terms
        return self._known[folder]


def _read_note(path: Path) -> Terms | None:
    try:
        return parse_source_note(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None


def parse_source_note(text: str) -> Terms | None:
    """Read the terms out of a ``SOURCE.md``.

    The licence is the sentence after ``Licence:``, ``License:`` or ``Rights:``, which begins a line or a sentence. The
    attribution is the heading, the lines that begin with ``Repo:``, ``Origin:``, ``URL:`` or ``Attribution:`` (up to a
    licence in them), and what follows the licence on its line, to the end of the sentence that wraps from it.

    Returns:
        The terms, or None if the note states no licence.
    """
    lines = [line.strip().lstrip("*- ") for line in text.splitlines()]
    start, match = next(((i, found) for i, line in enumerate(lines) if (found := _LICENCE.search(line))), (0, None))
    if match is None:
        return None
    statement = lines[start][match.end() :]
    for line in lines[start + 1 :]:
        if statement.endswith(".") or not line or line.startswith("#") or _FIELD.match(line):
            break
        statement = f"{statement} {line}"
    licence, *rest = _SENTENCE_END.split(statement.strip(" *"), maxsplit=1)
    if not licence:
        return None
    heading = next((line.lstrip("# ") for line in lines if line.startswith("#")), "")
    origins = [_LICENCE.split(line)[0] for line in lines if _ORIGIN.match(line)]
    attribution = ". ".join(part.rstrip(". ") for part in (heading, *origins, *rest) if part)
    return Terms(licence.rstrip(". "), attribution)
