"""Frames per second once the portrait is prepared: drawing alone, and drawing with encoding into a video."""

from __future__ import annotations

from typing import Any

from experiments.benchmarks.timing import time_repeatedly


def run(*, quick: bool) -> dict[str, Any]:
    """Animate the demo photo with the demo speech.

    Args:
        quick: 256 pixels only, one repeat.

    Returns:
        Per size: frames, and frames per second of the renderer alone and of renderer, sound and encoder together,
        computed from the median time; with the quartiles of the seconds.
    """
    return {str(size): measure(size, repeats=1 if quick else 5) for size in ((256,) if quick else (256, 512))}


def measure(size: int, repeats: int) -> dict[str, Any]:
    """The figures of one output size; see :func:`run`."""
    import tempfile
    from pathlib import Path

    from experiments.demo import DEMO_PHOTO, DEMO_SPEECH
    from lightning_modules.pipeline.animate import Session, write_video
    from lightning_modules.pipeline.animation_job import AnimationJob, SilentProgress

    with tempfile.TemporaryDirectory() as folder:
        job = AnimationJob(photo=DEMO_PHOTO, speech=DEMO_SPEECH, output=Path(folder) / "demo.mp4", size=size)
        session = Session.open(job, SilentProgress())
        count = len(session.track.landmarks)

        def draw() -> None:
            for _ in session.frames():
                pass

        drawing = time_repeatedly(draw, repeats=repeats)
        together = time_repeatedly(lambda: write_video(session, SilentProgress()), repeats=repeats)
    return {
        "frames": count,
        "frames_per_second_drawing": count / drawing["median"],
        "frames_per_second_with_encoding": count / together["median"],
        "seconds_drawing": drawing,
        "seconds_with_encoding": together,
    }
