"""The published pipeline's order of work from speech to landmarks, written anew from its description (reference §16).

What ``speech_to_landmarks`` measures our driver against, with the same networks and features. What differs is how the
work is done: the recording is written and read again, its speaker is embedded twice by an encoder that is loaded each
time, the pitch is tracked for the voice conversion, every window of every frame is stacked and goes through both
branches, lips are tested frame by frame in Python, landmarks go to a text file and back. AutoVC itself is left out, and
the speaker is embedded by our voice detector and from 64 parts at most, on both sides: that favours the published side.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_modules.audio import published_motion as published
from lightning_modules.audio.content_features import MelContent, Standardization
from lightning_modules.audio.fundamental_frequency import make_fundamental_frequency
from lightning_modules.audio.speaker_embedding import embed_speaker, forget_speakers
from lightning_modules.export.landmark_model_file import LandmarkModel
from lightning_modules.networks.speaker_branch import EMBEDDING_SCALE
from lightning_modules.networks.speech_windows import WINDOW

SEGMENT = 512


def inverted(points: NDArray[np.floating]) -> bool:
    """Whether the inner lips of a frame (68, 3) are inverted, by a fan of triangles in Python, as published."""
    area = 0.0
    start = np.append(points[60, :2], 0.0)
    for point in range(61, 67):
        one, other = np.append(points[point, :2], 0.0) - start, np.append(points[point + 1, :2], 0.0) - start
        area += 0.5 * float(np.cross(one, other)[2])
    return area < 0.0


def published_order(
    samples: NDArray[np.float32], model: LandmarkModel, face: NDArray[np.floating]
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Landmarks in the published order of work.

    Args:
        samples: (N,) speech.
        model: with both branches.
        face: (68, 3) pixels, frontal.

    Returns:
        (T - 18, 68, 3) pixels at 62.5 frames a second, and the seconds of each part.
    """
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(part: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        seconds[part] = seconds.get(part, 0.0) + time.perf_counter() - start

    with tempfile.TemporaryDirectory() as folder:
        with timed("files"):
            samples = _through_a_file(samples, Path(folder))
        with timed("two embeddings"):
            embedding = _embedded(samples)
            _embedded(samples * np.float32(0.5))
        with timed("features and pitch"):
            hear = MelContent(Standardization(model.feature_mean.numpy(), model.feature_std.numpy()))
            features = hear(samples)
            make_fundamental_frequency("nccf", "F")(samples)
        with timed("windows"):
            windows = np.stack([features[start : start + WINDOW] for start in range(len(features) - WINDOW)])
        local = published.published_face(face)
        segments = []
        for start in range(0, len(windows), SEGMENT):
            part = torch.from_numpy(windows[start : start + SEGMENT])
            if len(part) < 10:
                continue
            said, moved = _branches(model, part, embedding, local.local, timed)
            with timed("post-processing"):
                joined = published.calibrate(said).reshape(-1, 68, 3)
                joined[:, 48:, :2] *= 2.0
                joined += local.local + published.head_part(moved, 0.5)
            with timed("lip repair frame by frame"):
                for frame in range(len(joined)):
                    if inverted(joined[frame]):
                        published.repair_inverted_lips(joined[max(frame - 1, 0) : frame + 1])
            segments.append(joined)
        with timed("post-processing"):
            track = published.finish_normalised(segments)
        with timed("files"):
            path = Path(folder) / "landmarks.txt"
            np.savetxt(path, track.reshape(len(track), -1), fmt="%.6f")
            track = np.loadtxt(path).reshape(-1, 68, 3)
        with timed("post-processing"):
            pixels = local.to_pixels(track)
            pixels = published.finish_pixels(pixels, published.blink_frames(len(pixels)))
    return pixels, seconds


def _branches(
    model: LandmarkModel, part: torch.Tensor, embedding: NDArray[np.float32], face: NDArray[np.float64], timed: Any
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    assert model.speaker_branch is not None  # noqa: S101 - the benchmark gives both branches
    static = torch.from_numpy(face.astype(np.float32).reshape(1, 204))
    voice = EMBEDDING_SCALE * torch.from_numpy(np.array(embedding))[None].repeat(len(part), 1)
    with torch.no_grad():
        with timed("content branch"):
            said = model.content_branch(part, static).numpy()
        with timed("speaker-aware branch"):
            moved = model.speaker_branch(part, voice).numpy().reshape(-1, 68, 3)
    return said, moved


def _through_a_file(samples: NDArray[np.float32], folder: Path) -> NDArray[np.float32]:
    import soundfile

    for name in ("resampled.wav", "normalised.wav"):
        soundfile.write(folder / name, samples, 16000)
        samples = soundfile.read(folder / name, dtype="float32")[0]
    return samples


def _embedded(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The speaker by an encoder that is loaded anew; nothing is kept."""
    forget_speakers()
    return embed_speaker(samples)
