"""CSIM and LSE: figures by networks of other people, with weights that the user has; without them there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.evaluation.motion_figures import as_tensor
from lightning_modules.errors import MetricError
from lightning_modules.metrics.drawing_pixels import as_rgb_bytes
from lightning_modules.metrics.face_similarity import FaceEmbedder, face_similarity
from lightning_modules.metrics.lip_sync import face_crops, lip_sync

if TYPE_CHECKING:
    from experiments.evaluation.clips import Pixels, Points
    from lightning_modules.networks.frozen.syncnet import SyncNet

_PIECE = 64  # frames whose faces are cut out at a time


def likeness(embed: FaceEmbedder, frames: Pixels, found: Points, static: Pixels, static_landmarks: Points) -> float:
    """CSIM: mean cosine of the drawn faces with the static drawing of the photo.

    Args:
        embed: the identity network.
        frames: (T, S, S, C).
        found: (T, 68, 2) landmarks found on them; NaN where no face was found.
        static: (S, S, C), the drawing of the film's first frame.
        static_landmarks: (68, 2) found on it.

    Returns:
        -1 to 1; NaN where no face was found in the drawing or in any frame.
    """
    if not np.isfinite(static_landmarks).all():
        return float("nan")
    reference, points = as_rgb_bytes(as_tensor(static[None]))[0], torch.from_numpy(static_landmarks)
    cosines = []
    for start in range(0, len(frames), _PIECE):
        piece = slice(start, start + _PIECE)
        shown = as_rgb_bytes(as_tensor(frames[piece]))
        cosines.append(face_similarity(embed, shown, torch.from_numpy(found[piece]), reference, points))
    return float(torch.cat(cosines).nanmean())


def in_time(network: SyncNet, frames: Pixels, found: Points, samples: NDArray[np.floating]) -> dict[str, float]:
    """LSE-C and LSE-D of a video at 25 frames a second.

    Args:
        network: SyncNet.
        frames: (T, S, S, C).
        found: (T, 68, 2) landmarks found on them; NaN where no face was found.
        samples: (N,) its sound, mono 16 kHz.

    Returns:
        ``lse_c`` and ``lse_d``; NaN where no face was found, or the video is too short.
    """
    try:
        crops = face_crops(as_rgb_bytes(as_tensor(frames)), torch.from_numpy(found))
        measured = lip_sync(network, crops, samples)
    except MetricError:
        return {"lse_c": float("nan"), "lse_d": float("nan")}
    return {"lse_c": measured.confidence, "lse_d": measured.distance}
