"""Reads what W&B wrote offline, so that a test can see what would arrive in an account."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEADER, BLOCK, CHUNK = 7, 32768, 7  # bytes: of the file, of a block, of the head of a chunk (checksum, length, kind)
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def chunks(data: bytes) -> Iterator[bytes]:
    """Records of a file in LevelDB's log format, which W&B writes after a header of its own."""
    place, parts = HEADER, []
    while place + CHUNK <= len(data):
        left = BLOCK - place % BLOCK
        _, length, kind = struct.unpack("<IHB", data[place : place + CHUNK])
        if left < CHUNK or kind == 0:
            place += left
            continue
        parts.append(data[place + CHUNK : place + CHUNK + length])
        place += CHUNK + length
        if kind in (FULL, LAST):
            yield b"".join(parts)
            parts = []


def records(folder: Path, patience: float = 60.0) -> list[Any]:
    """Records of the one offline run below a folder, up to its end: W&B's process may still write when it has answered.

    Args:
        folder: of the run, or above it.
        patience: seconds to wait for the end.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = folder.rglob("run-*.wandb")
    end = time.monotonic() + patience
    while True:
        found = [Record.FromString(data) for data in chunks(path.read_bytes())]
        if any(record.WhichOneof("record_type") == "exit" for record in found) or time.monotonic() > end:
            return found
        time.sleep(0.1)


def name_of(item: Any) -> str:
    return item.key or ".".join(item.nested_key)


def history(folder: Path) -> list[dict[str, Any]]:
    """Rows that were logged, in order, without W&B's own columns."""
    rows = []
    for record in records(folder):
        if record.WhichOneof("record_type") == "history":
            row = {name_of(item): json.loads(item.value_json) for item in record.history.item}
            rows.append({name: value for name, value in row.items() if not name.startswith("_")})
    return rows


def summary(folder: Path) -> dict[str, Any]:
    """What the run's summary was set to, last value first named."""
    found: dict[str, Any] = {}
    for record in records(folder):
        if record.WhichOneof("record_type") == "summary":
            found |= {name_of(item): json.loads(item.value_json) for item in record.summary.update}
    return found


def artifacts(folder: Path) -> dict[str, tuple[str, tuple[str, ...], dict[str, Any]]]:
    """Name of each artifact -> type, aliases, and its files: path inside -> size and reference."""
    found = {}
    for record in records(folder):
        for kind in ("artifact", "request"):
            if record.WhichOneof("record_type") != kind:
                continue
            one = record.artifact if kind == "artifact" else record.request.log_artifact.artifact
            if one.name:
                files = {entry.path: entry for entry in one.manifest.contents}
                found[one.name] = (one.type, tuple(one.aliases), files)
    return found


def metrics(folder: Path) -> dict[str, str]:
    """Name or pattern of each defined metric -> its axis."""
    found = {}
    for record in records(folder):
        if record.WhichOneof("record_type") == "metric":
            found[record.metric.name or record.metric.glob_name] = record.metric.step_metric
    return found
