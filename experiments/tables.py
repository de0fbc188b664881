"""Plain text tables and JSON for results on standard output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def text_table(rows: Sequence[Sequence[str]], *, gap: int = 2) -> str:
    """Columns aligned to the left, the last one ragged.

    Args:
        rows: cells as text; every row has the same number.
        gap: spaces between columns.
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("".join(cell.ljust(width + gap) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def as_json(value: Any) -> str:
    """JSON for people and programs: indented, accents as they are, no NaN."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


def readable_size(size: int | None, *, exact: bool = True) -> str:
    """Bytes as megabytes, with ``~`` in front when the size is only about right."""
    if size is None:
        return "?"
    return f"{'' if exact else '~'}{size / 1e6:.1f} MB"
