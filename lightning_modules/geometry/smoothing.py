"""Landmark tracks over time: Savitzky-Golay smoothing and resampling to another frame rate. NumPy only.

Convention: tracks are (T, ..., C), time first, any unit; frame k is shown from time ``k / fps`` on, frame 0 from 0 s.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lightning_modules.pipeline.frame_rate import frame_count


def smoothing_matrix(window: int, order: int) -> NDArray[np.float64]:
    """Least-squares polynomial fit over one window, as a projection of its samples onto their fitted values.

    Args:
        window: samples, odd, positive.
        order: degree of the polynomial, 0 <= order < window.

    Returns:
        (window, window): row k gives the fitted value at sample k; the middle row is the Savitzky-Golay kernel.

    Raises:
        ValueError: if window or order is out of range.
    """
    if window < 1 or window % 2 == 0 or not 0 <= order < window:
        raise ValueError(f"window must be odd and order in 0 .. window - 1, got window {window} and order {order}")
    half = window // 2
    times = np.arange(-half, half + 1) / max(half, 1)
    basis, _ = np.linalg.qr(np.vander(times, order + 1))
    projection: NDArray[np.float64] = basis @ basis.T
    return projection


def smooth_track(landmarks: NDArray[np.floating], window: int, order: int) -> NDArray[np.floating]:
    """Savitzky-Golay smoothing over time, each coordinate by itself.

    Every frame becomes the value of a polynomial fitted to the ``window`` frames around it. The first and last
    ``window // 2`` frames are read from the fit to the first and last full window (SciPy's ``mode="interp"``), so
    nothing is padded and polynomials up to ``order`` pass unchanged. A track shorter than the window is smoothed with
    the longest odd window that fits it; where ``order`` is not below that window, the track is returned as it is (a
    fit would reproduce it).

    Args:
        landmarks: (T, ..., C) floating point, e.g. (T, 68, 3) pixels.
        window: frames, odd. The published chain uses 31, 15 and 5.
        order: degree of the polynomial, below window; 3 in the published chain.

    Returns:
        New array of the same shape and dtype; computed in float64.

    Raises:
        ValueError: if window or order is out of range or there is no frame.
    """
    smoothing_matrix(window, order)  # the options must be valid whatever the length
    frames = len(landmarks)
    if frames < 1:
        raise ValueError("a track must have at least one frame")
    fitting = min(window, frames - 1 + frames % 2)
    if order >= fitting:
        return landmarks.copy()
    projection = smoothing_matrix(fitting, order)
    half = fitting // 2
    track = landmarks.astype(np.float64).reshape(frames, -1)
    smoothed = np.zeros_like(track)
    inner = frames - 2 * half
    for offset, weight in enumerate(projection[half]):
        smoothed[half : half + inner] += weight * track[offset : offset + inner]
    smoothed[:half] = projection[:half] @ track[:fitting]
    smoothed[half + inner :] = projection[half + 1 :] @ track[-fitting:]
    return smoothed.reshape(landmarks.shape).astype(landmarks.dtype, copy=False)


def resample_track(
    landmarks: NDArray[np.floating],
    fps_in: float,
    fps_out: float,
    frames: int | None = None,
    *,
    method: Literal["linear", "cubic"] = "linear",
) -> NDArray[np.floating]:
    """A track at another frame rate, with an exact number of frames.

    Output frame k is read at time ``k / fps_out``. Beyond the last input frame the last value is held. ``"cubic"`` is
    the Catmull-Rom spline (passes through the frames, smooth velocity, exact on straight and parabolic motion inside).
    Nothing is low-passed: smooth first where the rate goes down much.

    Args:
        landmarks: (T, ..., C) floating point, T >= 1.
        fps_in: frames a second of the input.
        fps_out: frames a second wanted.
        frames: length of the result; None: what a sound of the input's duration gets, ``T / fps_in``.
        method: ``"linear"`` or ``"cubic"``.

    Returns:
        (frames, ..., C), same dtype; the very values where an output frame falls on an input frame.

    Raises:
        ValueError: if a rate or ``frames`` is not positive, there is no frame, or the method is unknown.
    """
    count = len(landmarks)
    if count < 1 or fps_in <= 0 or fps_out <= 0 or (frames is not None and frames < 1):
        raise ValueError(f"cannot resample {count} frames at {fps_in} fps to {frames} frames at {fps_out} fps")
    wanted = frame_count(count / fps_in, fps_out) if frames is None else frames
    position = np.arange(wanted) * (fps_in / fps_out)
    on_frame = np.rint(position)  # 62.5 / 25 * 2 may miss 5 by the last bit
    position = np.where(np.abs(position - on_frame) < 1e-9 * (1 + position), on_frame, position)
    position = np.clip(position, 0, count - 1)
    before = np.minimum(position.astype(np.int64), max(count - 2, 0))
    part = (position - before).reshape(-1, *(1,) * (landmarks.ndim - 1))
    track = landmarks.astype(np.float64)

    def shifted(steps: int) -> NDArray[np.float64]:
        picked: NDArray[np.float64] = track[np.clip(before + steps, 0, count - 1)]
        return picked

    start, end = shifted(0), shifted(1)
    if method == "linear":
        result = start + part * (end - start)
    elif method == "cubic":
        # Where a neighbour is missing, the outermost step is continued, so that straight motion stays straight.
        ahead = np.where((before == 0).reshape(part.shape), 2 * start - end, shifted(-1))
        behind = np.where((before >= count - 2).reshape(part.shape), 2 * end - start, shifted(2))
        slope_start, slope_end = (end - ahead) / 2, (behind - start) / 2
        rise = end - start
        result = start + part * (
            slope_start + part * (3 * rise - 2 * slope_start - slope_end + part * (slope_start + slope_end - 2 * rise))
        )
    else:
        raise ValueError(f'method must be "linear" or "cubic", got {method!r}')
    resampled: NDArray[np.floating] = result.astype(landmarks.dtype, copy=False)
    return resampled
