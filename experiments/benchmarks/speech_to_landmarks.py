"""Seconds from 60 s of speech to landmarks, beside the published order of work in the same run; memory by length.

The two sides take turns, A B A B, with the same networks of the published sizes (random weights: speed does not depend
on them): ours (A) gives 25 frames a second, and once more 62.5, which is all that the published order (B) knows.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from experiments.benchmarks.timing import quartiles

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lightning_modules.audio.loading import Speech
    from lightning_modules.export.landmark_model_file import LandmarkModel

NOTES: Final = {
    "content": "the log-mel feature on both sides: the published voice conversion is in neither, as its weights are "
    "not at hand; it would add to the published side only",
    "embedding": "our voice detector and at most 64 parts of 1.6 s on both sides: the published one takes every part",
    "weights": "random, of the published sizes",
}
"""What to know before quoting the figures; part of the result."""

_CHILD: Final = """
import json, sys
from experiments.benchmarks.peak_memory import peak_resident
from experiments.benchmarks.speech_to_landmarks import ours, speech_of
from experiments.benchmarks.speech_to_landmarks import published_sizes
frames = ours(speech_of(float(sys.argv[1])), published_sizes(), 25.0)
print(json.dumps({"frames": frames, "peak_bytes": peak_resident()}))
"""


def run(*, quick: bool) -> dict[str, Any]:
    """Measure speed and memory.

    Args:
        quick: 5 s of speech once, and 5 s against 20 s for the memory, instead of 60 s three times and 1 against 30
            minutes.

    Returns:
        ``speech_seconds``; ``ours_25_fps``, ``ours_62.5_fps`` and ``published_order``, seconds (median, quartiles);
        ``ratio`` of published to ours at 25; ``published_parts``, seconds of each; ``memory`` by length; ``notes``.
    """
    length, turns = (5.0, 1) if quick else (60.0, 3)
    speech, model = speech_of(length), published_sizes()
    seconds: dict[str, list[float]] = {"ours_25_fps": [], "ours_62.5_fps": [], "published_order": []}
    parts: dict[str, float] = {}
    ours(speech_of(2.0), model, 25.0)  # libraries are loaded before the clock runs
    for _ in range(turns):
        for name, fps in (("ours_25_fps", 25.0), ("ours_62.5_fps", 62.5)):
            seconds[name].append(_timed(lambda fps=fps: ours(speech, model, fps)))
        start = time.perf_counter()
        parts = _published(speech, model)
        seconds["published_order"].append(time.perf_counter() - start)
    lengths = (5.0, 20.0) if quick else (60.0, 1800.0)
    memory = {f"{one:g} s": _memory(one) for one in lengths}
    short, long = (entry["peak_bytes"] for entry in memory.values())
    middle = {name: quartiles(values)[1] for name, values in seconds.items()}
    return {
        "speech_seconds": length,
        **{
            name: dict(zip(("low", "median", "high"), quartiles(values), strict=True))
            for name, values in seconds.items()
        },
        "ratio": middle["published_order"] / middle["ours_25_fps"],
        "published_parts": parts,
        "memory": memory | {"megabytes_more_for_the_long_one": (long - short) / 1e6},
        "notes": NOTES,
    }


def ours(speech: Speech, model: LandmarkModel, fps: float) -> int:
    """Drive the average face from nothing, the speaker's embedding included; returns the number of frames."""
    from lightning_modules.audio.speaker_embedding import forget_speakers
    from lightning_modules.pipeline.landmark_driver import LandmarkDriver

    forget_speakers()
    return len(LandmarkDriver(model).drive(speech, face(), fps))


def speech_of(seconds: float) -> Speech:
    """The demo sentence again and again."""
    import numpy as np

    from experiments.demo import DEMO_SPEECH
    from lightning_modules.audio.loading import Speech, read_speech

    samples = read_speech(DEMO_SPEECH).samples
    return Speech(np.resize(samples, round(seconds * 16000)))


def published_sizes() -> LandmarkModel:
    """Both branches in the published sizes, with random weights of a fixed seed."""
    import torch

    from lightning_modules.export.landmark_model_file import LandmarkModel
    from lightning_modules.networks.content_branch import ContentBranch
    from lightning_modules.networks.speaker_branch import SpeakerBranch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LandmarkModel(
            content_branch=ContentBranch().eval().requires_grad_(requires_grad=False),
            speaker_branch=SpeakerBranch().eval().requires_grad_(requires_grad=False),
            feature_mean=torch.full((80,), 0.25),
            feature_std=torch.full((80,), 0.3),
            mean_embedding=torch.full((256,), 1 / 16),
        )


def face() -> NDArray[np.float64]:
    """A frontal face in pixels."""
    from lightning_modules.geometry.frontal_face import frontal_face

    return frontal_face() * 90.0 + 128.0


def _published(speech: Speech, model: LandmarkModel) -> dict[str, float]:
    from experiments.benchmarks.published_landmark_order import published_order

    return published_order(speech.samples, model, face())[1]


def _timed(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _memory(seconds: float) -> dict[str, float]:
    child = subprocess.run(  # noqa: S603 - our own interpreter and our own text
        [sys.executable, "-c", _CHILD, str(seconds)], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(child.stdout.strip().splitlines()[-1])
    return found
