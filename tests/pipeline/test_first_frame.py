"""The way to the first frame: what is not loaded for it, and what is worked out beside each other."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from experiments.demo import DEMO_PHOTO, DEMO_SPEECH
from lightning_modules.errors import AudioError
from lightning_modules.pipeline.animate import Session
from lightning_modules.pipeline.animation_job import AnimationJob, SilentProgress
from lightning_modules.pipeline.landmark_driver import LandmarkDriver

NOT_NEEDED = (
    *("sympy", "torch._dynamo", "torch._inductor", "torch.fx.experimental.symbolic_shapes"),
    *("scipy.signal", "scipy.stats", "scipy.interpolate", "scipy.optimize", "jax", "matplotlib"),
    *("mediapipe.python.solutions.download_utils", "mediapipe.tasks.python.vision.face_landmarker"),
    *("lightning", "torchmetrics", "kornia", "librosa", "numba", "pandas", "sklearn", "wandb", "torchvision"),
)
PROGRAM = """
import json, sys
from pathlib import Path
from lightning_modules.pipeline.animate import Session
from lightning_modules.pipeline.animation_job import AnimationJob, SilentProgress
photo, speech = map(Path, sys.argv[1:])
session = Session.open(AnimationJob(photo, speech, Path("film.mp4"), size=128), SilentProgress())
next(iter(session.frames()))
print(json.dumps(sorted(sys.modules)))
"""


def test_nothing_is_loaded_that_the_first_frame_does_not_need(tmp_path: Path) -> None:
    repository = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", PROGRAM, str(DEMO_PHOTO), str(DEMO_SPEECH)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"torch", "mediapipe", "scipy.spatial"} <= loaded, "the list of modules is what was loaded"
    assert not loaded & set(NOT_NEEDED)


def test_what_stops_the_motion_is_told_and_no_thread_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: LandmarkDriver, *arguments: object) -> None:
        raise AudioError("nobody speaks", "record it again", DEMO_SPEECH)

    monkeypatch.setattr(LandmarkDriver, "drive", refused)
    job = AnimationJob(DEMO_PHOTO, DEMO_SPEECH, tmp_path / "film.mp4", size=128)
    running = threading.active_count()
    with pytest.raises(AudioError, match="nobody speaks"):
        Session.open(job, SilentProgress())
    assert threading.active_count() == running
