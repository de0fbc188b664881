"""What measuring a talking drawing costs beside rendering it: landmarks, motion, faces and features of every frame."""

from __future__ import annotations

from typing import Any

FRAMES = 1000


def run(*, quick: bool) -> dict[str, Any]:
    """Render a talking drawing of the demo, encode it, and measure all of it as ``inkspeak evaluate clips`` does.

    Args:
        quick: 60 frames instead of 1,000.

    Returns:
        Frames, seconds of rendering with encoding and of measuring with its parts, and ``measuring_per_rendering``; the
        seconds of processor time of both, which other work on the machine does not make longer, and their ratio.
    """
    return measure(60 if quick else FRAMES)


def measure(count: int) -> dict[str, Any]:
    """The figures for so many frames; see :func:`run`."""
    import tempfile
    import time
    from dataclasses import replace
    from pathlib import Path

    import numpy as np
    import torch

    from experiments.demo import DEMO_PHOTO, DEMO_SPEECH
    from experiments.evaluation.measuring import Measurer, Truth
    from experiments.evaluation.scene import Tools
    from experiments.evaluation.settings import EvaluationSettings
    from lightning_modules.audio.track import LandmarkTrack
    from lightning_modules.pipeline.animate import Session
    from lightning_modules.pipeline.animation_job import AnimationJob, SilentProgress
    from lightning_modules.pipeline.video_writer import VideoWriter

    settings = EvaluationSettings()
    tools = Tools(settings)
    measurer = Measurer(settings, tools.finder)
    with tempfile.TemporaryDirectory() as folder:
        job = AnimationJob(photo=DEMO_PHOTO, speech=DEMO_SPEECH, output=Path(folder) / "demo.mp4")
        session = Session.open(job, SilentProgress(), tools.backends)
        spoken = session.track.landmarks
        # Forwards and backwards, so that nothing jumps where the sentence begins anew.
        there_and_back = np.concatenate([spoken, spoken[-2:0:-1]])
        track = there_and_back[np.arange(count) % len(there_and_back)]
        session = replace(session, track=LandmarkTrack(track, job.fps))
        start, busy = time.perf_counter(), time.process_time()
        drawn = []
        with VideoWriter(job.output, session.presenter.size, job.fps, frames=count, sound=DEMO_SPEECH) as writer:
            for batch in session.frames():
                writer.write(batch)
                drawn.append(batch)
        rendering, rendering_busy = time.perf_counter() - start, time.process_time() - busy
    frames, asked = np.concatenate(drawn), np.ascontiguousarray(track[:, :, :2])
    truth = Truth(asked, torch.zeros(count, dtype=torch.bool))
    measurer.measure(frames[:4], Truth(asked[:4], truth.silent[:4]), asked=asked[:4])  # loads the networks
    start, busy = time.perf_counter(), time.process_time()
    measured = measurer.measure(frames, truth, asked=asked)
    measuring, measuring_busy = time.perf_counter() - start, time.process_time() - busy
    return {
        "frames": count,
        "seconds_rendering_with_encoding": rendering,
        "seconds_measuring": measuring,
        "seconds_of_its_parts": dict(measured.seconds),
        "measuring_per_rendering": measuring / rendering,
        "processor_seconds_rendering_with_encoding": rendering_busy,
        "processor_seconds_measuring": measuring_busy,
        "measuring_per_rendering_in_processor_time": measuring_busy / rendering_busy,
    }
