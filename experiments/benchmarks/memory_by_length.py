"""Peak memory of ten minutes of speech against ten seconds, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

_CHILD = """
import json, sys, tempfile
from pathlib import Path
from experiments.benchmarks.memory_by_length import long_speech
from experiments.benchmarks.peak_memory import peak_resident
from experiments.demo import DEMO_PHOTO
from lightning_modules.pipeline.animate import animate_photo
from lightning_modules.pipeline.animation_job import AnimationJob, SilentProgress
with tempfile.TemporaryDirectory() as folder:
    speech = long_speech(Path(folder), float(sys.argv[1]))
    job = AnimationJob(photo=DEMO_PHOTO, speech=speech, output=Path(folder) / "long.mp4")
    report = animate_photo(job, SilentProgress())
peak = peak_resident()
print(json.dumps({"frames": report.frames, "peak_bytes": peak, "seconds": sum(report.seconds.values())}))
"""


def long_speech(folder: Any, seconds: float) -> Any:
    """Write the demo sentence again and again, as 48 kHz stereo, until it is ``seconds`` long.

    Args:
        folder: a folder that exists.
        seconds: length wanted.

    Returns:
        The FLAC file, written in pieces so that writing it does not itself take the memory.
    """
    import numpy as np
    import soundfile
    from scipy.signal import resample_poly

    from experiments.demo import DEMO_SPEECH

    samples, rate = soundfile.read(DEMO_SPEECH, dtype="float32")
    piece = np.clip(resample_poly(samples, 48000, rate), -1, 1).astype(np.float32)
    path, left = folder / "long.flac", round(seconds * 48000)
    with soundfile.SoundFile(path, "w", 48000, 2) as out:
        while left > 0:
            out.write(np.repeat(piece[: min(left, len(piece)), None], 2, 1))
            left -= len(piece)
    return path


def run(*, quick: bool) -> dict[str, Any]:
    """Animate short and long speech in fresh processes.

    Args:
        quick: 4 and 30 seconds instead of 10 seconds and 10 minutes.

    Returns:
        Per length: frames, peak resident bytes, wall seconds; and the difference in megabytes.
    """
    lengths = (4.0, 30.0) if quick else (10.0, 600.0)
    results = {}
    for seconds in lengths:
        child = subprocess.run(  # noqa: S603 - our own interpreter and our own text
            [sys.executable, "-c", _CHILD, str(seconds)], capture_output=True, text=True, check=True
        )
        results[f"{seconds:g} s"] = json.loads(child.stdout.strip().splitlines()[-1])
    short, long = (entry["peak_bytes"] for entry in results.values())
    return {"by_length": results, "megabytes_more_for_the_long_one": (long - short) / 1e6}
