"""How much a voice changes from one frame to the next: in loudness, and in the shape of its spectrum.

The pitch tracker lets the voice begin where the sound swells, end where it fades, and do neither in the middle of a
steady sound. The shape is compared by the Itakura distance: how much worse the linear predictor of one frame predicts
the other.

Source: D. Talkin, "A Robust Algorithm for Pitch Tracking (RAPT)", in Kleijn & Paliwal (eds.), Speech Coding and
Synthesis, Elsevier 1995; F. Itakura, "Minimum prediction residual principle applied to speech recognition", IEEE
Trans. ASSP 23(1), 1975.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.conditioning import SAMPLE_RATE

WINDOW = int(0.030 * SAMPLE_RATE)
LEAD = (WINDOW - int(0.020 * SAMPLE_RATE)) // 2
"""The window of frame i begins 80 samples before sample 256·i."""

_ORDER = 2 + SAMPLE_RATE // 1000
_EMPHASIS = 0.4
_STABILITY_DB = 30.0  # noise that is added to the spectrum, below its level
_FFT = 512  # at least WINDOW + _ORDER, so that no correlation wraps around
_STEADY = 0.8  # less than the distance of like frames, 1, so that the quotient stays positive


@dataclass(frozen=True)
class FrameStatistics:
    """What of a frame is compared with the next.

    Attributes:
        correlation: (F, 18) autocorrelation at lags 1 to 18 relative to that at lag 0.
        residual: (F,) share of the energy that the linear predictor leaves.
        loudness: (F,) root mean square under a Hann window.
    """

    correlation: NDArray[np.float64]
    residual: NDArray[np.float64]
    loudness: NDArray[np.float64]

    def last(self) -> FrameStatistics:
        """The last frame alone."""
        return FrameStatistics(self.correlation[-1:], self.residual[-1:], self.loudness[-1:])


def compare_frames(
    windows: NDArray[np.float64], before: FrameStatistics | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], FrameStatistics]:
    """Compare every frame with the one before it.

    Args:
        windows: (F, 480) consecutive frames, 256 samples apart, in any unit well above 0.001; F at least 1.
        before: the last of the ``FrameStatistics`` of the call before; ``None`` at the beginning, where a frame without
            a predecessor counts as equally loud and very different in shape.

    Returns:
        Steadiness (F,), about 1 for like frames, towards 0 for different ones; growth (F,), loudness over the loudness
        before; the statistics of these frames.
    """
    here, predictor = _statistics(windows)
    gain = 1.0 + (predictor**2).sum(axis=1)
    padded = np.concatenate([np.ones((len(windows), 1)), predictor], axis=1)
    inverse = 2.0 * np.stack(
        [(padded[:, : _ORDER + 1 - lag] * padded[:, lag:]).sum(axis=1) for lag in range(1, _ORDER + 1)], axis=1
    )
    first = here if before is None else before
    correlation = np.concatenate([first.correlation[:1], here.correlation[:-1]])
    residual = np.concatenate([first.residual[:1], here.residual[:-1]])
    loudness = np.concatenate([first.loudness[:1], here.loudness[:-1]])
    steadiness = 0.2 / ((gain + (correlation * inverse).sum(axis=1)) / residual - _STEADY)
    growth = (0.001 + here.loudness) / np.maximum(loudness, 1e-6)
    if before is None:
        steadiness[0], growth[0] = 0.02, 1.0
    return steadiness, growth, here


def _statistics(windows: NDArray[np.float64]) -> tuple[FrameStatistics, NDArray[np.float64]]:
    """Statistics of the frames, and the coefficients (F, 18) of their linear predictors."""
    loudness = np.sqrt(((windows * _hann(WINDOW)) ** 2).mean(axis=1))
    emphasised = (windows[:, 1:] - _EMPHASIS * windows[:, :-1]) * _hann(WINDOW - 1)
    power = np.abs(np.fft.rfft(emphasised, _FFT)) ** 2
    correlation = np.fft.irfft(power, _FFT)[:, : _ORDER + 1]
    silent = correlation[:, :1] <= 0.0
    # Silence counts as white noise.
    relative = np.where(silent, 0.0, correlation[:, 1:] / np.where(silent, 1.0, correlation[:, :1]))
    relative /= 1.0 + 10.0 ** (-_STABILITY_DB / 20.0)
    predictor, residual = _levinson_durbin(relative)
    return FrameStatistics(relative, residual, loudness), predictor


def _hann(length: int) -> NDArray[np.float64]:
    window: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2.0 * np.pi * (np.arange(length) + 0.5) / length)
    return window


def _levinson_durbin(relative: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Linear predictors (F, P), leading 1 left out, and what they leave (F,), of relative autocorrelations (F, P)."""
    count, order = relative.shape
    predictor = np.zeros((count, order))
    residual = np.ones(count)
    for i in range(order):
        ahead = (predictor[:, :i] * relative[:, :i][:, ::-1]).sum(axis=1)
        reflection = -(relative[:, i] + ahead) / residual
        predictor[:, :i] += reflection[:, None] * predictor[:, :i][:, ::-1]
        predictor[:, i] = reflection
        residual = residual * (1.0 - reflection**2)
    return predictor, residual
