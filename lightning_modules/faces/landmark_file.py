"""Reading 68 landmarks that somebody placed or computed elsewhere: text, NumPy, CSV, JSON and PTS files."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lightning_modules.errors import PhotoError
from lightning_modules.geometry.landmark_groups import POINT_COUNT

Points = npt.NDArray[np.float64]
MOST_BYTES = 16 << 20
_EXPECTED = f"{POINT_COUNT} points with x and y, or x, y and z"


def read_landmarks(path: str | Path) -> Points:
    """Read the landmarks of one or several faces.

    By suffix:

    * ``.txt``: 68 lines ``x y`` or ``x y z``, separated by blanks or commas; ``#`` starts a comment;
    * ``.csv``: the same with commas; a header line is allowed, and columns named x, y and z are taken by name;
    * ``.npy``, ``.npz``: an array ``(68, 2|3)``, or ``(N, 68, 2|3)`` for N faces; in ``.npz`` under the name
      ``landmarks``, or the only one; object arrays are refused, so no code can run;
    * ``.json``: the same as nested lists, alone or under the key ``landmarks``;
    * ``.pts``: the format of the 300-W annotations, ``{`` x y lines ``}``. It counts pixels from 1, so 1 is subtracted.

    Positions are pixels of the upright photo (after its EXIF rotation), x right, y down, the centre of the first
    pixel at 0.

    Returns:
        ``(N, 68, 2)`` or ``(N, 68, 3)`` float64, finite.

    Raises:
        PhotoError: missing, too large, of another format, not 68 points, or not numbers.
    """
    path = Path(path)
    readers: dict[str, Callable[[bytes], Any]] = {
        ".txt": _from_text,
        ".csv": _from_csv,
        ".npy": _from_numpy,
        ".npz": _from_archive,
        ".json": _from_json,
        ".pts": _from_pts,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        kinds = ", ".join(readers)
        raise PhotoError(f"landmarks in a {path.suffix or 'nameless'} file", f"give one of {kinds}", path)
    try:
        if path.is_dir():
            raise PhotoError("this is a folder, not a landmark file", f"give a file with {_EXPECTED}", path)
        if path.stat().st_size > MOST_BYTES:
            raise PhotoError("the landmark file is larger than 16 MiB", f"give a file with {_EXPECTED}", path)
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise PhotoError("there is no such landmark file", "check the path", path) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise PhotoError(f"the landmark file cannot be read ({reason})", "check path and permissions", path) from error
    try:
        points = np.asarray(reader(data), dtype=np.float64)
    except (ValueError, TypeError, KeyError, EOFError, OSError, zipfile.BadZipFile, RecursionError) as error:
        reason = str(error) or type(error).__name__
        raise PhotoError(f"the landmarks cannot be read ({reason})", f"give {_EXPECTED}", path) from error
    if points.ndim == 2:
        points = points[None]
    if points.ndim != 3 or points.shape[1] != POINT_COUNT or points.shape[2] not in {2, 3} or len(points) == 0:
        shape = "×".join(str(length) for length in points.shape[1 if len(points) == 1 else 0 :])
        raise PhotoError(f"the file holds {shape or 'no'} numbers", f"give {_EXPECTED}", path)
    if not np.isfinite(points).all():
        bad = int(np.argwhere(~np.isfinite(points))[0][1])
        raise PhotoError(f"landmark {bad} is not a finite number", f"give {_EXPECTED}", path)
    return points


def _from_text(data: bytes) -> list[list[float]]:
    rows = []
    for number, line in enumerate(_decoded(data).splitlines(), start=1):
        if fields := re.split(r"[,;\s]+", line.partition("#")[0].strip()):
            if fields == [""]:
                continue
            rows.append(_numbers([field for field in fields if field], number))
    return _even(rows)


def _from_csv(data: bytes) -> list[list[float]]:
    text = _decoded(data)
    delimiter = ";" if text.count(";") > text.count(",") else "," if "," in text else "\t"
    lines = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(field.strip() for field in row)]
    if not lines:
        raise ValueError("it is empty")
    header = [field.strip().lower() for field in lines[0]]
    columns: list[int] | None = None
    if not all(_is_number(field) for field in header):
        lines = lines[1:]
        if "x" in header and "y" in header:
            columns = [header.index(name) for name in ("x", "y", "z") if name in header]
    rows = []
    for number, row in enumerate(lines, start=2 if columns else 1):
        if columns and len(row) <= max(columns):
            raise ValueError(f"line {number} has {len(row)} columns")
        rows.append(_numbers([row[i] for i in columns] if columns else row, number))
    return _even(rows)


def _from_numpy(data: bytes) -> npt.NDArray[Any]:
    return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))


def _from_archive(data: bytes) -> npt.NDArray[Any]:
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        names = list(archive.files)
        if "landmarks" not in names and len(names) != 1:
            raise ValueError(f"no array named landmarks among {', '.join(names) or 'none'}")
        return np.asarray(archive["landmarks" if "landmarks" in names else names[0]])


def _from_json(data: bytes) -> Any:
    content = json.loads(_decoded(data))
    if isinstance(content, dict):
        if "landmarks" not in content:
            raise ValueError("no key named landmarks")
        return content["landmarks"]
    return content


def _from_pts(data: bytes) -> npt.NDArray[np.float64]:
    text = _decoded(data)
    opening, closing = text.find("{"), text.rfind("}")
    if opening < 0 or closing < opening:
        raise ValueError("no { and } around the points")
    return np.asarray(_from_text(text[opening + 1 : closing].encode()), dtype=np.float64) - 1.0


def _decoded(data: bytes) -> str:
    return data.decode("utf-8-sig")


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _numbers(fields: list[str], line: int) -> list[float]:
    try:
        return [float(field) for field in fields]
    except ValueError as error:
        raise ValueError(f"line {line} is not numbers: {' '.join(fields)[:40]!r}") from error


def _even(rows: list[list[float]]) -> list[list[float]]:
    lengths = {len(row) for row in rows}
    if len(lengths) != 1:
        found = " and ".join(str(length) for length in sorted(lengths)) or "no"
        raise ValueError(f"its lines have {found} numbers")
    return rows
