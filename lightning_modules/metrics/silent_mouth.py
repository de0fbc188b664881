"""Whether the mouth rests while nobody speaks: the share of silent frames in which it is closed (auxiliary 10.4).

Silent is a frame whose sound is more than 30 dB below the loud places of its clip (the 95th percentile of all frames),
within at least 0.2 s of such frames and 0.12 s away from the speech on either side: lips part before a sound and close
after it. Closed is a mouth whose inner lips are less than 3 % of the outer-eye distance apart (some 2 mm), which is
about the error of a detector on a drawing.

People open their mouths to breathe in before they speak (in a clip of GRID for ten of 41 silent frames), so the filmed
clip itself does not reach 100: read its figure beside.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_modules.audio.speech_energy import RATE, speech_energy
from lightning_modules.errors import MetricError
from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS
from lightning_modules.metrics.lip_landmark_distance import outer_eye_distance
from lightning_modules.metrics.summed_metric import SummedMetric

BELOW_SPEECH: Final = 30.0
"""How far below the loud places of a clip silence begins, dB."""
LEAST_SILENCE: Final = 0.2
"""Shorter pauses are none, seconds."""
MARGIN: Final = 0.12
"""Beside speech the mouth may be open, seconds."""
CLOSED_BELOW: Final = 3.0
"""A mouth that opens less counts as closed, percent of the outer-eye distance."""

_LOUD_PERCENTILE: Final = 95.0
_SILENT_DB: Final = -60.0  # below full scale: quieter than this is silence whatever the rest of the clip is


def sound_levels(samples: NDArray[np.floating], frames: int, fps: float) -> Tensor:
    """The loudest 25 ms of each frame's time, from 100 to 4000 Hz.

    Args:
        samples: (N,) mono 16 kHz in [-1, 1].
        frames: T; frame t lasts from t / fps to (t + 1) / fps.
        fps: frames per second.

    Returns:
        (T,) float64, dB below full scale, at least -120: what lies beyond the end of the recording is silence.

    Raises:
        MetricError: there is no sample, or one is not finite.
    """
    if not len(samples) or not np.isfinite(samples).all():
        raise MetricError("the sound is empty or not finite", "give the recording that the clip speaks")
    loudness = speech_energy(samples).voice
    levels = torch.full((frames,), -120.0, dtype=torch.float64)
    for frame in range(frames):
        heard = loudness[
            round(frame * RATE / fps) : max(round((frame + 1) * RATE / fps), round(frame * RATE / fps) + 1)
        ]
        if len(heard):
            levels[frame] = float(heard.max())
    return levels


def silent_frames(levels: Tensor, fps: float) -> Tensor:
    """Frames in which nobody speaks and in which the mouth has had time to close.

    Args:
        levels: (T,) dB, see :func:`sound_levels`.
        fps: frames per second.

    Returns:
        (T,) bool.

    Raises:
        MetricError: a level is not a number.
        ValueError: another shape.
    """
    if levels.ndim != 1 or not len(levels):
        raise ValueError(f"levels are (T,), got {tuple(levels.shape)}")
    if bool(torch.isnan(levels).any()):
        raise MetricError("a sound level is not a number", "give the recording that the clip speaks")
    loud = torch.quantile(levels.double(), _LOUD_PERCENTILE / 100)
    quiet = levels < max(float(loud) - BELOW_SPEECH, _SILENT_DB)
    silent = torch.zeros_like(quiet)
    # Both ends of the clip are no speech: beside them no margin is left.
    edges = [0, *(torch.nonzero(quiet[1:] != quiet[:-1])[:, 0] + 1).tolist(), len(quiet)]
    margin = round(MARGIN * fps)
    for start, stop in pairwise(edges):
        if bool(quiet[start]) and stop - start >= LEAST_SILENCE * fps:
            silent[start + (margin if start else 0) : stop - (margin if stop < len(quiet) else 0)] = True
    return silent


def mouth_openings(landmarks: Tensor) -> Tensor:
    """Mean distance of the three inner lip pairs: (..., 68, 2 | 3) to (...) float64, percent of the eye distance."""
    points = landmarks[..., :2].double()
    upper, lower = (points[..., [pair[side] for pair in INNER_LIP_PAIRS], :] for side in (0, 1))
    opening: Tensor = torch.linalg.vector_norm(lower - upper, dim=-1).mean(-1)
    return 100 * opening / outer_eye_distance(points)


def silent_mouth(landmarks: Tensor, silent: Tensor) -> tuple[Tensor, Tensor]:
    """Closed and all silent frames of a clip.

    Args:
        landmarks: (T, 68, 2 | 3): detected on the frames, pixels; frames with one that is not finite are left out.
        silent: (T,) bool, see :func:`silent_frames`.

    Returns:
        Two whole numbers: silent frames in which the mouth is closed, and silent frames with a face.

    Raises:
        ValueError: shapes do not fit.
    """
    if landmarks.ndim != 3 or landmarks.shape[1] != 68 or landmarks.shape[:1] != silent.shape:
        raise ValueError(f"T frames have (T, 68, 2) and (T,), got {tuple(landmarks.shape)} and {tuple(silent.shape)}")
    opening = mouth_openings(landmarks)
    heard = silent.to(opening.device) & torch.isfinite(landmarks).flatten(1).all(1) & torch.isfinite(opening)
    return (heard & (opening < CLOSED_BELOW)).sum(), heard.sum()


class SilentMouth(SummedMetric):
    """Percent of all silent frames in which the mouth is closed.

    Args:
        kwargs: see :class:`torchmetrics.Metric`.
    """

    higher_is_better = True
    closed: Tensor
    silent: Tensor

    def __init__(self, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.add_count("closed")
        self.add_count("silent")

    def update(self, landmarks: Tensor, silent: Tensor) -> None:
        """Add a clip; see :func:`silent_mouth`. A clip without silence adds nothing."""
        closed, count = silent_mouth(landmarks, silent)
        self.closed += closed
        self.silent += count

    def compute(self) -> Tensor:
        """Percent over the silent frames of all clips and ranks, a float64 scalar; higher is better.

        Raises:
            MetricError: no clip had a silent frame with a face in it.
        """
        self.require(self.silent, 1, "silent frames with a face in them")
        return 100 * self.closed.double() / self.silent
