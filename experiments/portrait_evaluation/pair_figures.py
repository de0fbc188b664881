"""What is measured of a talking portrait besides the figures of ``evaluate clips``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from experiments.evaluation.drawn_landmarks import in_colour
from experiments.evaluation.motion_figures import as_tensor
from lightning_modules.errors import MetricError
from lightning_modules.metrics.detector_noise import detector_noise
from lightning_modules.metrics.frame_flow import landmark_flow
from lightning_modules.metrics.landmark_error import landmark_error
from lightning_modules.metrics.lip_landmark_distance import outer_eye_distance
from lightning_modules.metrics.motion_compensated_ssim import motion_magnitude
from lightning_modules.metrics.tracked_motion import tracked_motion
from lightning_modules.pipeline.contact_sheet import evenly_spaced

if TYPE_CHECKING:
    from experiments.evaluation.clips import Pixels, Points
    from experiments.evaluation.drawn_landmarks import DrawnFaceFinder
    from lightning_modules.losses.identity import FaceFeatures


def motion_share(found: Points, asked: Points) -> float:
    """How much of the motion that was asked for the drawing shows, percent.

    The slope of the found landmarks' way over that of the asked ones, each measured from its own mean place: what the
    detector adds from frame to frame has no part in the motion asked for, and so does not count.

    Args:
        found: (T, 68, 2) detected on the drawings, pixels; NaN where no face was found.
        asked: (T, 68, 2) that they were to show.

    Returns:
        100 where all of it is shown; NaN where fewer than two frames have a face, or nothing was to move.
    """
    seen = np.isfinite(found).all((1, 2))
    if seen.sum() < 2:
        return float("nan")
    shown, wanted = (points[seen].astype(np.float64) for points in (found, asked))
    shown, wanted = shown - shown.mean(0), wanted - wanted.mean(0)
    whole = float((wanted * wanted).sum())
    return 100 * float((shown * wanted).sum()) / whole if whole > 0 else float("nan")


def shown_motion(found: Points, asked: Points, size: int) -> dict[str, float]:
    """Motion magnitude of the drawing, from the landmarks found on it, and in percent of that which was asked for.

    Args:
        found: (T, 68, 2) detected, pixels; NaN where no face was found.
        asked: (T, 68, 2) that were to be shown.
        size: side of the drawings, pixels.

    Returns:
        ``motion_found`` in pixels a frame, what the detector adds from frame to frame included, ``motion_ratio`` in
        percent over the pairs of frames in which a face was found, and ``motion_share``, see :func:`motion_share`.
    """
    moved = motion_magnitude(landmark_flow(torch.from_numpy(found), size))
    wanted = motion_magnitude(landmark_flow(torch.from_numpy(asked), size))[torch.isfinite(moved)].mean()
    drawn = moved.nanmean()
    ratio = 100 * float(drawn / wanted) if wanted > 0 else float("nan")
    return {"motion_found": float(drawn), "motion_ratio": ratio, "motion_share": motion_share(found, asked)}


def lines_tracked(static: Pixels, landmarks: Points, frames: Pixels, asked: Points) -> dict[str, float]:
    """How far the lines went, in percent of what was asked for, and how far they are from where they were to be.

    Args:
        static: (S, S, C) the static drawing.
        landmarks: (68, 2) of the photo.
        frames: (T, S, S, C).
        asked: (T, 68, 2) that they were to show.

    Returns:
        ``motion_tracked`` in percent, ``tracked_error`` in percent of the outer-eye distance, ``tracked_share`` of the
        points in percent, see :func:`~lightning_modules.metrics.tracked_motion.tracked_motion`.
    """
    rest, goals = (torch.from_numpy(np.array(points, np.float32)) for points in (landmarks, asked))
    found = tracked_motion(as_tensor(static[None]), rest, as_tensor(frames), goals)
    error = 100 * found.error / float(outer_eye_distance(rest[None])[0])
    return {"motion_tracked": found.ratio, "tracked_error": error, "tracked_share": found.share}


def at_rest(finder: DrawnFaceFinder, static: Pixels, landmarks: Points) -> dict[str, float]:
    """What the detector alone gets wrong on the static drawing: of this no renderer is to blame.

    Args:
        finder: the detector.
        static: (S, S, C) the static drawing.
        landmarks: (68, 2) of the photo, pixels of it.

    Returns:
        ``nme_noise``: how far it disagrees with itself in other views; ``nme_rest``: its error on the static drawing
        against the landmarks of the photo; both percent of the eye distance, NaN where it finds no face.
    """
    picture = as_tensor(np.ascontiguousarray(in_colour(static))[None])
    error = landmark_error(finder.each(picture), torch.from_numpy(landmarks.copy())[None])[0, 0, 0]
    try:
        noise = detector_noise(finder.each, picture)["nme"]
    except MetricError:
        noise = float("nan")
    return {"nme_noise": noise, "nme_rest": float(error)}


@torch.inference_mode()
def identity_distance(
    features: FaceFeatures, frames: Pixels, asked: Points, static: Pixels, landmarks: Points, most: int = 16
) -> float:
    """How far the face drawn is from that of the static drawing, for features that training may have seen.

    Not CSIM: these are the features of the identity loss, which a generator has learned to please.

    Args:
        features: of the identity loss, looking where the landmarks are.
        frames: (T, S, S, C).
        asked: (T, 68, 2) where the faces are in them.
        static: (S, S, C) the static drawing.
        landmarks: (68, 2) of the photo.
        most: so many frames, evenly spaced.

    Returns:
        Mean of 1 - cosine of the embeddings, 0 to 2.
    """
    chosen = list(evenly_spaced(len(frames), most))

    def embedded(pictures: Pixels, points: NDArray[Any]) -> Tensor:
        shown = as_tensor(pictures).float() / 127.5 - 1
        found: Tensor = features(shown, torch.from_numpy(np.array(points, np.float32)))[-1].flatten(1)
        return found

    drawn, kept = embedded(frames[chosen], asked[chosen]), embedded(static[None], landmarks[None])
    return float((1 - functional.cosine_similarity(drawn, kept)).double().mean())
