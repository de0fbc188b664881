"""What a landmark detector would add to known motion (reference §19.8): noise, drift, rounding, 25 frames a second.

Closures measured on such tracks are those of a detector; the parameters of the record stay exact.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from datamodules.synthetic.speech.coarticulation import FRAME_RATE

VIDEO_RATE = 25.0
_WHITE, _DRIFT, _DRIFT_TIME = 0.003, 0.003, 0.3
_PIXEL = 0.01 / 130.0  # hundredths of a pixel, at 130 px from eye corner to eye corner


def as_detected(landmarks: npt.NDArray[np.floating], generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return landmarks as a detector would give them.

    Args:
        landmarks: (T, 68, 3) face units, 62.5 frames a second.
        generator: of the errors.

    Returns:
        (T, 68, 3): with white noise and slow drift of 0.003 each, rounded; half of the time seen at 25 frames a second
        and interpolated, with now and then five frames lost.
    """
    points = np.asarray(landmarks, np.float64)
    frames = len(points)
    if generator.random() < 0.5:
        points = _at_video_rate(points, generator)
    keep = np.exp(-1 / (_DRIFT_TIME * FRAME_RATE))
    steps = generator.standard_normal((frames, 68, 3)) * _DRIFT * np.sqrt(1 - keep**2)
    steps[0] /= np.sqrt(1 - keep**2)
    drift = lfilter([1.0], [1.0, -keep], steps, axis=0)
    noisy = points + drift + _WHITE * generator.standard_normal((frames, 68, 3))
    return np.asarray(np.round(noisy / _PIXEL) * _PIXEL)


def _at_video_rate(points: npt.NDArray[np.float64], generator: np.random.Generator) -> npt.NDArray[np.float64]:
    times = np.arange(len(points)) / FRAME_RATE
    seen = np.arange(int(times[-1] * VIDEO_RATE) + 2) / VIDEO_RATE
    if len(seen) > 12 and generator.random() < 0.2:
        lost = int(generator.integers(2, len(seen) - 8))
        seen = np.delete(seen, slice(lost, lost + 5))
    return _at_times(times, _at_times(seen, points, times), seen)


def _at_times(
    wanted: npt.NDArray[np.float64], track: npt.NDArray[np.floating], times: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return a track at other times, linear between frames, held before the first and after the last.

    Args:
        wanted: (S,) seconds.
        track: (T, ...).
        times: (T,) seconds, ascending.

    Returns:
        (S, ...).
    """
    at = np.interp(wanted, times, np.arange(len(times)))
    low = np.minimum(at.astype(np.int64), max(len(times) - 2, 0))
    share = (at - low).reshape(-1, *(1,) * (track.ndim - 1))
    high = np.minimum(low + 1, len(times) - 1)
    return np.asarray(track[low] * (1 - share) + track[high] * share, np.float64)
