"""Timing that says how sure it is: warm-up first, then median and spread, the device waited for."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any


def time_repeatedly(work: Callable[[], Any], *, repeats: int, warm_up: int = 1) -> dict[str, float]:
    """Run a piece of work several times.

    Args:
        work: called without arguments; on a GPU it must wait for the device itself.
        repeats: counted runs.
        warm_up: runs before them that are not counted.

    Returns:
        ``median``, ``low`` and ``high`` (quartiles) and ``repeats``; times in seconds.
    """
    for _ in range(warm_up):
        work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    low, median, high = quartiles(seconds)
    return {"median": median, "low": low, "high": high, "repeats": float(repeats)}


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile; with one value, that value three times."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high
