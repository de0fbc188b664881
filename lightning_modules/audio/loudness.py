"""Speech brought to one loudness, as the published front end does it: on 16-bit integers, saturating.

Source: reference §2.2 (the arithmetic of pydub and of Python's former ``audioop``, which the published system uses).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

TARGET_DBFS = -20.0
_FULL_SCALE = 32768.0
_BLOCK = 1 << 20


def to_int16(samples: NDArray[np.floating]) -> NDArray[np.int16]:
    """Round samples (N,) in [-1, 1) to 16-bit integers, saturating; what came from a 16-bit file comes back exactly.

    Raises:
        ValueError: a sample is not finite.
    """
    result = np.empty(len(samples), dtype=np.int16)
    for start in range(0, len(samples), _BLOCK):
        block = samples[start : start + _BLOCK].astype(np.float64) * _FULL_SCALE
        if not np.isfinite(block).all():
            raise ValueError("speech holds finite samples only")
        result[start : start + _BLOCK] = np.clip(np.rint(block), -32768, 32767)
    return result


def normalize_loudness(samples: NDArray[np.floating], target_dbfs: float = TARGET_DBFS) -> NDArray[np.float32]:
    """Scale a recording to a root mean square of ``target_dbfs``.

    The samples are rounded to 16 bits; the root mean square is rounded down to an integer, and so is every scaled
    sample (towards minus infinity). What goes beyond 16 bits is clipped. A recording whose root mean square is below
    one step is silence and keeps its level.

    Args:
        samples: (N,) in [-1, 1), float32 or float64. Not modified.
        target_dbfs: dB relative to a root mean square of full scale.

    Returns:
        (N,) float32: multiples of 1/32768 in [-1, 1).

    Raises:
        ValueError: not one row, or a sample is not finite.
    """
    if samples.ndim != 1:
        raise ValueError(f"speech is one row of samples, not {samples.shape}")
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(samples), _BLOCK)]
    # Twice through the blocks rather than once with a copy: an hour of speech is large.
    power = sum(int((to_int16(samples[block]).astype(np.int64) ** 2).sum()) for block in blocks)
    gain = _gain(power / max(len(samples), 1), target_dbfs)
    result = np.empty(len(samples), dtype=np.float32)
    for block in blocks:
        scaled = np.floor(np.clip(to_int16(samples[block]) * gain, -32768.0, 32767.0))
        result[block] = scaled / _FULL_SCALE
    return result


def _gain(power: float, target_dbfs: float) -> float:
    loudness = int(math.sqrt(power))
    if loudness == 0:
        return 1.0
    # Through decibels, as published: the last bits of the gain decide where a scaled sample is rounded to.
    change = target_dbfs - 20.0 * math.log10(loudness / _FULL_SCALE)
    return float(10.0 ** (change / 20.0))
