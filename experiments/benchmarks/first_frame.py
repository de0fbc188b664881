"""Seconds from the start of ``inkspeak animate`` to its first drawn frame, in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from experiments.benchmarks.timing import quartiles
from experiments.demo import DEMO_PHOTO, DEMO_SPEECH

PROGRAM: Final = """
import sys
from lightning_modules.pipeline.animate import Session
frames = Session.frames
def frames_that_tell(session):
    for batch in frames(session):
        print("first frame", flush=True)
        yield batch
Session.frames = frames_that_tell
from experiments.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
"""What the process does: the command itself, which says when it has drawn frames."""


def run(*, quick: bool) -> dict[str, Any]:
    """Start it several times with an unknown photo, then with one that was prepared before.

    Args:
        quick: once each.

    Returns:
        ``seconds`` of ``new_photo`` and ``known_photo``: median and quartiles.
    """
    repeats = 1 if quick else 5
    new = [seconds_to_first_frame() for _ in range(repeats)]
    with tempfile.TemporaryDirectory() as cache:
        seconds_to_first_frame(cache)  # keeps the prepared photo
        known = [seconds_to_first_frame(cache) for _ in range(repeats)]
    figures = {}
    for name, values in (("new_photo", new), ("known_photo", known)):
        low, median, high = quartiles(values)
        figures[name] = {"median": median, "low": low, "high": high, "repeats": float(repeats)}
    return {"seconds": figures}


def seconds_to_first_frame(cache: str | None = None) -> float:
    """Wall time of ``inkspeak animate`` until its first frame is there; the command is ended then.

    Args:
        cache: folder of prepared photos; ``None`` takes an empty one, so that the photo is new.

    Raises:
        RuntimeError: the command ended before.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = ["animate", str(DEMO_PHOTO), str(DEMO_SPEECH), "--output", str(Path(folder, "film.mp4")), "--quiet"]
        environment = os.environ | {"INKSPEAK_CACHE": cache or str(Path(folder, "cache"))}
        start = time.perf_counter()
        command = [sys.executable, "-c", PROGRAM, *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:  # noqa: S603  our own program
            assert process.stdout is not None  # noqa: S101  it was asked for
            for line in process.stdout:
                if line.strip() == "first frame":
                    seconds = time.perf_counter() - start
                    process.kill()
                    return seconds
    raise RuntimeError(f"the animation ended with {process.returncode} before its first frame")
