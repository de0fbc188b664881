"""What a training leaves behind, found again: its newest checkpoint, and the numbers that validation logged."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Final

_LAST: Final = "last.ckpt"
_POSITION: Final = {"epoch", "step"}


def newest_checkpoint(fit_folder: Path) -> Path | None:
    """The checkpoint to go on from.

    Args:
        fit_folder: holds ``attempt_0``, ``attempt_1``, … of one run, each a root folder of ``inkspeak fit``.

    Returns:
        ``last.ckpt`` of the latest attempt that has one, as the file that it points at; where no attempt has, the
        youngest checkpoint; None where there is none.
    """
    for attempt in reversed(attempts(fit_folder)):
        lasts = [path for path in attempt.rglob(_LAST) if path.is_file()]
        found = lasts or [path for path in attempt.rglob("*.ckpt") if path.is_file()]
        if found:
            return max(found, key=lambda path: path.stat().st_mtime_ns).resolve()
    return None


def attempts(fit_folder: Path) -> list[Path]:
    """Folders of the attempts, oldest first."""
    found = [path for path in fit_folder.glob("attempt_*") if path.name.removeprefix("attempt_").isdecimal()]
    return sorted(found, key=lambda path: int(path.name.removeprefix("attempt_")))


def last_values(folder: Path) -> dict[str, float]:
    """The last number of each column of all ``metrics.csv`` below a folder, but ``epoch`` and ``step``.

    Args:
        folder: a root folder of ``inkspeak fit`` or ``validate``, or one that holds several attempts.
    """
    values: dict[str, float] = {}
    for path in sorted(folder.rglob("metrics.csv"), key=lambda one: one.stat().st_mtime_ns):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                values |= {name: float(text) for name, text in row.items() if name and text}
    return {name: value for name, value in values.items() if name not in _POSITION}


def finite_or_none(values: dict[str, float]) -> dict[str, float | None]:
    """The same with None for what is not finite, which JSON cannot hold."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
