"""Short-time energy of speech in a few bands, a hundred times a second: all that the envelope driver hears."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16000
RATE = 100
"""Frames per second of the analysis; frame i is centred on sample 160·i."""

_HOP = SAMPLE_RATE // RATE
_WINDOW = 400
_FFT = 512
_FRAMES_AT_ONCE = 1000
_FLOOR = 1e-12  # -120 dB: what digital silence counts as


@dataclass(frozen=True)
class SpeechEnergy:
    """Energy over time, each (N // 160 + 1,) float64 at 100 frames a second.

    Attributes:
        voice: energy from 100 to 4000 Hz, in dB below a full-scale square wave, at least -120.
        low: the same from 100 to 500 Hz, where the first formant of closed vowels lies.
        middle: the same from 500 to 1100 Hz, where the first formant of open vowels and the second of rounded ones lie.
        high: the same from 1100 to 3500 Hz, where the second formant of spread vowels lies.
        top: the same from 3500 to 7600 Hz, where the noise of s and f lies.
        flatness: geometric over arithmetic mean of the spectrum from 100 to 7600 Hz: about 0.56 for white noise, below
            0.1 for a voice.
    """

    voice: NDArray[np.float64]
    low: NDArray[np.float64]
    middle: NDArray[np.float64]
    high: NDArray[np.float64]
    top: NDArray[np.float64]
    flatness: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.voice)


def speech_energy(samples: NDArray[np.floating]) -> SpeechEnergy:
    """Measure the energy of a recording over windows of 25 ms, block by block.

    Args:
        samples: (N,) mono 16 kHz in [-1, 1], N at least 1. Not modified.

    Returns:
        The energies; beyond both ends the last value is held, so that an offset makes no click there.
    """
    count = len(samples) // _HOP + 1
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * (np.arange(_WINDOW) + 0.5) / _WINDOW)
    scale = 2.0 / (_FFT * float(window @ window))
    hertz = np.arange(_FFT // 2 + 1) * (SAMPLE_RATE / _FFT)
    edges = ((100, 4000), (100, 500), (500, 1100), (1100, 3500), (3500, 7600))
    bands = np.stack([(hertz >= low) & (hertz < high) for low, high in edges], axis=1) * scale
    audible = (hertz >= 100) & (hertz < 7600)
    result = np.empty((6, count))
    half = _WINDOW // 2
    for start in range(0, count, _FRAMES_AT_ONCE):
        stop = min(start + _FRAMES_AT_ONCE, count)
        begin, end = start * _HOP - half, (stop - 1) * _HOP + half
        piece = samples[max(begin, 0) : max(end, 0)].astype(np.float64)
        piece = np.pad(piece, (max(-begin, 0), end - max(begin, 0) - len(piece)), mode="edge")
        frames = np.lib.stride_tricks.sliding_window_view(piece, _WINDOW)[::_HOP]
        power = np.abs(np.fft.rfft(frames * window, _FFT)) ** 2
        result[:5, start:stop] = 10.0 * np.log10(power @ bands + _FLOOR).T
        heard = power[:, audible] * scale + 1e-14
        result[5, start:stop] = np.exp(np.log(heard).mean(axis=1)) / heard.mean(axis=1)
    return SpeechEnergy(*result)
