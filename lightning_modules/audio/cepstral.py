"""Mel-frequency cepstral coefficients as SyncNet was trained on them: those of python_speech_features by default.

13 coefficients of 26 triangular mel bands, a hundred times a second, from windows of 25 ms without taper; the first is
replaced by the logarithm of the energy (auxiliary, section 10.4).
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from lightning_modules.audio.loudness import to_int16

SAMPLE_RATE: Final = 16000
RATE: Final = 100
"""Steps per second; step i begins at sample 160·i."""
COEFFICIENTS: Final = 13

_WINDOW: Final = 400
_HOP: Final = SAMPLE_RATE // RATE
_FFT: Final = 512
_BANDS: Final = 26
_EMPHASIS: Final = 0.97
_LIFTER: Final = 22
_LEAST: Final = np.finfo(np.float64).eps  # an energy of nought counts as this


@cache
def _bands() -> NDArray[np.float64]:
    """(26, 257) triangles, evenly spaced in mel from 0 to 8000 Hz, whose corners are rounded down to whole bins."""
    top = 2595.0 * np.log10(1.0 + (SAMPLE_RATE / 2) / 700.0)
    hertz = 700.0 * (10.0 ** (np.linspace(0.0, top, _BANDS + 2) / 2595.0) - 1.0)
    corners = np.floor((_FFT + 1) * hertz / SAMPLE_RATE)
    bins = np.arange(_FFT // 2 + 1)[None]
    low, middle, high = (corners[shift : shift + _BANDS, None] for shift in range(3))
    rising = (bins - low) / (middle - low)
    falling = (high - bins) / (high - middle)
    weights: NDArray[np.float64] = np.where(bins < middle, rising, falling)
    return np.where((bins >= low) & (bins < high), weights, 0.0)


def cepstral_coefficients(samples: NDArray[np.floating]) -> NDArray[np.float64]:
    """Coefficients of a recording.

    Args:
        samples: (N,) mono 16 kHz in [-1, 1], N at least 1; brought to 16-bit whole numbers, as wave files hold them.

    Returns:
        (T, 13): T is 1 + ceil((N - 400) / 160), at least 1; silence follows the recording in the last window.

    Raises:
        ValueError: no sample, or one is not finite.
    """
    if samples.ndim != 1 or not len(samples):
        raise ValueError(f"speech is a row of samples, got {samples.shape}")
    whole = to_int16(samples).astype(np.float64)
    raised = np.append(whole[0], whole[1:] - _EMPHASIS * whole[:-1])
    count = 1 + max(0, -(-(len(raised) - _WINDOW) // _HOP))
    padded = np.pad(raised, (0, (count - 1) * _HOP + _WINDOW - len(raised))) if count > 1 else raised
    padded = np.pad(padded, (0, max(0, _WINDOW - len(padded))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][:count]
    power = np.abs(np.fft.rfft(frames, _FFT)) ** 2 / _FFT
    heard = power @ _bands().T
    cepstrum = dct(np.log(np.where(heard == 0, _LEAST, heard)), type=2, axis=1, norm="ortho")[:, :COEFFICIENTS]
    cepstrum *= 1.0 + _LIFTER / 2 * np.sin(np.pi * np.arange(COEFFICIENTS) / _LIFTER)
    energy = power.sum(1)
    cepstrum[:, 0] = np.log(np.where(energy == 0, _LEAST, energy))
    return np.asarray(cepstrum, np.float64)
