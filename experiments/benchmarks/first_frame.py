"""Seconds from the start of the program to the first drawn frame, in a fresh process, nothing kept from before."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any, Final

from experiments.benchmarks.timing import quartiles

PROGRAM: Final = """
import os, sys
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does
from pathlib import Path
from experiments.demo import DEMO_PHOTO, DEMO_SPEECH
from lightning_modules.pipeline.animate import Session
from lightning_modules.pipeline.animation_job import AnimationJob, SilentProgress
cache = Path(sys.argv[1]) if len(sys.argv) > 1 else None
session = Session.open(AnimationJob(DEMO_PHOTO, DEMO_SPEECH, Path("demo.mp4"), cache=cache), SilentProgress())
next(iter(session.frames()))
print("first frame", flush=True)
"""
"""What the process does: what ``inkspeak animate`` does up to its first batch of frames."""


def run(*, quick: bool) -> dict[str, Any]:
    """Start it several times with an unknown photo, then with one that was prepared before.

    Args:
        quick: once each.

    Returns:
        ``seconds`` of ``new_photo`` and ``known_photo``: median and quartiles.
    """
    import tempfile

    repeats = 1 if quick else 5
    with tempfile.TemporaryDirectory() as folder:
        new = [seconds_to_first_frame() for _ in range(repeats)]
        seconds_to_first_frame(folder)  # keeps the prepared photo
        known = [seconds_to_first_frame(folder) for _ in range(repeats)]
    figures = {}
    for name, values in (("new_photo", new), ("known_photo", known)):
        low, median, high = quartiles(values)
        figures[name] = {"median": median, "low": low, "high": high, "repeats": float(repeats)}
    return {"seconds": figures}


def seconds_to_first_frame(*arguments: str) -> float:
    """Wall time of one process until it says that the first frame is there.

    Raises:
        RuntimeError: the process ended before.
    """
    start = time.perf_counter()
    command = [sys.executable, "-c", PROGRAM, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  our own program
        assert process.stdout is not None  # noqa: S101  it was asked for
        for line in process.stdout:
            if line.strip() == "first frame":
                seconds = time.perf_counter() - start
                process.kill()
                return seconds
    raise RuntimeError(f"the animation ended with {process.returncode} before its first frame")
