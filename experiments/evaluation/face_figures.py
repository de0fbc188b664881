"""How well the drawn face does what it should: lips where the film has them, landmarks where they were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from lightning_modules.metrics.landmark_error import landmark_error
from lightning_modules.metrics.lip_landmark_distance import lip_landmark_distance
from lightning_modules.metrics.silent_mouth import silent_mouth

if TYPE_CHECKING:
    from torch import Tensor

    from experiments.evaluation.clips import Points


def face_figures(found: Points, filmed: Points, asked: Points | None, silent: Tensor) -> dict[str, float]:
    """Figures of the landmarks of one video.

    Args:
        found: (T, 68, 2) detected on the drawings, pixels; NaN where no face was found.
        filmed: those of the film.
        asked: those that the drawings were to show; None: those of the film.
        silent: (T,) bool, frames in which nobody speaks.

    Returns:
        ``lmd`` (pixels) and ``lmd_eye``, against the film; ``nme``, against what was asked for; ``landmark_motion``,
        mean way of a found landmark a frame, pixels; ``faces_found`` and ``silent_mouth``, percent. NaN where there is
        nothing to measure.
    """
    shown, truth = torch.from_numpy(found), torch.from_numpy(filmed)
    lips = lip_landmark_distance(shown, truth)
    errors = landmark_error(shown, truth if asked is None else torch.from_numpy(asked))[0, :, 0]
    closed, heard = (int(count) for count in silent_mouth(shown, silent))
    steps = np.linalg.norm(np.diff(found.astype(np.float64), axis=0), axis=2).mean(1)
    return {
        "lmd": float(lips.pixels[0]),
        "lmd_eye": float(lips.eye_percent[0]),
        "nme": float(errors.nanmean()),
        "landmark_motion": float(np.nanmean(steps)) if np.isfinite(steps).any() else float("nan"),
        "faces_found": 100 * float(np.isfinite(found).all((1, 2)).mean()),
        "silent_mouth": 100 * closed / heard if heard else float("nan"),
    }
