"""``manifest.jsonl``: one row for every accepted item of a prepared set, so that a reader needs to open no folder.

A row has ``id``, ``kind``, ``source`` (name and sha256), ``licence``, ``attribution``, ``files`` (sha256 by file name,
``record.json`` included) and, where the record has landmarks, ``landmarks``, a summary in record pixels. The manifest
is always made anew from the records that are there, in the order of their ids, aside and then renamed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from datamodules.prepare.record_folder import FACTS_NAME, read_facts, record_folders, sha256_of_file
from lightning_modules.errors import PreparedSetError
from lightning_modules.geometry.landmark_groups import INNER_LIP, LEFT_EYE, RIGHT_EYE
from lightning_modules.pipeline.atomic_files import atomic_path

MANIFEST_NAME: Final = "manifest.jsonl"
RECORDS_NAME: Final = "records"


@dataclass(frozen=True)
class ManifestCheck:
    """What :func:`verify_manifest` found.

    Args:
        rows: rows of the manifest.
        files: files whose hash was compared.
        problems: one line for each thing that is wrong; empty if all is well.
    """

    rows: int
    files: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def landmark_summary(landmarks: list[list[float]]) -> dict[str, Any]:
    """Summarise 68 landmarks, rows x, y[, z] in pixels: what a sampler or a filter wants to know.

    Returns:
        ``center`` (mean x, y), ``eye_distance`` (between the two eyes' means), ``mouth_opening`` (height of the inner
        lips) and ``tilt`` (degrees that the line of the eyes falls to the right); all but ``tilt`` in pixels.
    """
    points = np.asarray(landmarks, dtype=np.float64)[:, :2]
    right, left = points[list(RIGHT_EYE)].mean(axis=0), points[list(LEFT_EYE)].mean(axis=0)
    across, down = left - right
    inner = points[list(INNER_LIP), 1]
    return {
        "center": [round(float(value), 2) for value in points.mean(axis=0)],
        "eye_distance": round(float(np.hypot(across, down)), 2),
        "mouth_opening": round(float(inner.max() - inner.min()), 2),
        "tilt": round(float(np.degrees(np.arctan2(down, across))), 2),
    }


def manifest_row(folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of one record, given its facts."""
    source = facts["source"]
    row = {
        "id": facts["id"],
        "kind": facts["kind"],
        "source": {"name": source["name"], "sha256": source["sha256"]},
        "licence": source["licence"],
        "attribution": source["attribution"],
        "files": {**facts["files"], FACTS_NAME: sha256_of_file(folder / FACTS_NAME)},
    }
    if "landmarks" in facts:
        row["landmarks"] = landmark_summary(facts["landmarks"])
    return row


def write_manifest(destination: Path) -> tuple[dict[str, Any], ...]:
    """Write the manifest of a prepared set from the records present, atomically; return its rows.

    Raises:
        PreparedSetError: a record's facts are damaged.
        OutputError: the manifest cannot be written.
    """
    rows = []
    for folder in record_folders(destination / RECORDS_NAME):
        try:
            rows.append(manifest_row(folder, read_facts(folder)))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            remedy = "delete this folder and run the preparation again"
            raise PreparedSetError(f"lacks a fact ({error})", remedy, folder / FACTS_NAME) from error
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    with atomic_path(destination / MANIFEST_NAME) as aside:
        aside.write_text(text, encoding="utf-8")
    return tuple(rows)


def read_manifest(destination: Path) -> tuple[dict[str, Any], ...]:
    """Read the rows of a prepared set's manifest, in its order.

    Raises:
        PreparedSetError: the manifest is missing or a line is no row; the message names the line.
    """
    path = destination / MANIFEST_NAME
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        remedy = "name a folder that a preparation has filled, or run the preparation to its end"
        raise PreparedSetError("is missing, so this is no prepared set", remedy, path) from error
    except (OSError, ValueError) as error:
        raise PreparedSetError(f"cannot be read ({error})", "run the preparation again to rewrite it", path) from error
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            if not (isinstance(row["id"], str) and isinstance(row["files"], dict)):
                raise TypeError("no id or no files")  # noqa: TRY301 - one message for all that can be wrong with a line
        except (ValueError, TypeError, KeyError) as error:
            found = f"line {number} is no row of a manifest ({error})"
            raise PreparedSetError(found, "run the preparation again to rewrite it", path) from error
        rows.append(row)
    return tuple(rows)


def verify_manifest(destination: Path) -> ManifestCheck:
    """Compare every file of a prepared set with the manifest's hashes, and the records with its rows.

    Raises:
        PreparedSetError: the manifest itself is missing or unreadable.
    """
    rows = read_manifest(destination)
    records = destination / RECORDS_NAME
    problems: list[str] = []
    compared = 0
    for row in rows:
        folder = records / row["id"]
        for name, expected in row["files"].items():
            compared += 1
            try:
                if sha256_of_file(folder / name) != expected:
                    problems.append(f"{folder / name}: has changed since the manifest was written")
            except OSError as error:
                problems.append(f"{folder / name}: cannot be read ({error.strerror})")
    counts = Counter(row["id"] for row in rows)
    problems += [f"{records / name}: is in {count} rows" for name, count in counts.items() if count > 1]
    strangers = [folder for folder in record_folders(records) if folder.name not in counts]
    problems += [f"{folder}: has no row in the manifest" for folder in strangers]
    return ManifestCheck(len(rows), compared, tuple(problems))
