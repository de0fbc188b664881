"""The log-mel spectrogram of the speech-to-landmark networks: 80 bands, 62.5 frames a second.

The recipe is the one the published voice-conversion network was trained with, so that its weights can be used: the
conditioned signal, magnitudes of a 1024-point FFT, a Slaney mel scale, shifted decibels. It runs over the recording in
blocks; beside the result it needs a few megabytes, whatever the length.

Source: the front end of AutoVC (Qian et al., "AutoVC: Zero-Shot Voice Style Transfer with Only Autoencoder Loss", ICML
2019) as MakeItTalk (Zhou et al., SIGGRAPH Asia 2020) uses it. What goes before it there: :mod:`.loudness`,
:mod:`.conditioning`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.conditioning import HOP, SAMPLE_RATE, frame_count, listen

BANDS = 80
FFT_LENGTH = 1024
LOWEST_HZ, HIGHEST_HZ = 90.0, 7600.0
FLOOR = -0.16
"""The least value: a band without sound."""

_FRAMES_AT_ONCE = 512


def log_mel(samples: NDArray[np.floating]) -> NDArray[np.float32]:
    """Log-mel spectrogram of a recording.

    Args:
        samples: (N,) mono 16 kHz in [-1, 1], float32 or float64, N at least 513. Not modified.

    Returns:
        (N // 256 + 1, 80) float32; -0.16 is the floor, speech reaches about 0.07 to 0.94.

    Raises:
        ValueError: the samples are something else.
    """
    listener = MelListener(len(samples))
    listen(samples, listener)
    return listener.finish()


class MelListener:
    """Log-mel spectrogram of a recording whose conditioned signal goes by in blocks.

    Args:
        samples: N, the length of the recording.
    """

    def __init__(self, samples: int) -> None:
        self._result = np.empty((frame_count(samples), BANDS), dtype=np.float32)
        self._done = 0
        self._carry = np.empty(0)
        self._started = False
        self._window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(FFT_LENGTH) / FFT_LENGTH)
        self._basis = mel_basis()

    def hear(self, block: NDArray[np.float64]) -> None:
        """Take the next block (n,) of the conditioned signal."""
        half = FFT_LENGTH // 2
        carry = np.concatenate([self._carry, block])
        if not self._started and len(carry) > half:
            carry, self._started = np.concatenate([carry[half:0:-1], carry]), True
        if self._started:
            # The last half window stays back: it is what the end is reflected from.
            frames = (len(carry) - half - 1 - FFT_LENGTH) // HOP + 1
            if frames > 0:
                self._measure(carry[: (frames - 1) * HOP + FFT_LENGTH])
                carry = carry[frames * HOP :]
        self._carry = carry

    def finish(self) -> NDArray[np.float32]:
        """The spectrogram (N // 256 + 1, 80), after the last block."""
        half = FFT_LENGTH // 2
        rest = np.concatenate([self._carry, self._carry[-2 : -half - 2 : -1]])
        if len(rest) >= FFT_LENGTH:
            self._measure(rest)
        self._carry = np.empty(0)
        return self._result

    def _measure(self, piece: NDArray[np.float64]) -> None:
        frames = np.lib.stride_tricks.sliding_window_view(piece, FFT_LENGTH)[::HOP]
        for start in range(0, len(frames), _FRAMES_AT_ONCE):
            spectrum = np.abs(np.fft.rfft(frames[start : start + _FRAMES_AT_ONCE] * self._window))
            decibel = 20.0 * np.log10(np.maximum(spectrum @ self._basis, 1e-5)) - 16.0
            self._result[self._done : self._done + len(decibel)] = (decibel + 100.0) / 100.0
            self._done += len(decibel)


@lru_cache(maxsize=4)
def mel_basis(
    bands: int = BANDS,
    fft_length: int = FFT_LENGTH,
    lowest_hz: float = LOWEST_HZ,
    highest_hz: float = HIGHEST_HZ,
) -> NDArray[np.float64]:
    """Weights from FFT bins to mel bands: triangles of equal area on the scale of Slaney's Auditory Toolbox.

    The scale is linear (200/3 Hz a step) below 1000 Hz and logarithmic (27 steps for a factor of 6.4) above.

    Args:
        bands: number of bands.
        fft_length: length of the FFT at 16 kHz.
        lowest_hz: where the first triangle begins.
        highest_hz: where the last one ends.

    Returns:
        (fft_length // 2 + 1, bands) float64. Shared: do not write into it.
    """
    step, corner, ratio = 200.0 / 3.0, 1000.0, np.log(6.4) / 27.0
    corner_step = corner / step
    ends = np.array([lowest_hz, highest_hz])
    above = np.maximum(ends, corner)  # the logarithm of 0 Hz is not asked for
    low, high = np.where(ends < corner, ends / step, corner_step + np.log(above / corner) / ratio)
    steps = np.linspace(low, high, bands + 2)
    edges = np.where(steps < corner_step, steps * step, corner * np.exp(ratio * (steps - corner_step)))
    frequencies = np.arange(fft_length // 2 + 1)[:, None] * (SAMPLE_RATE / fft_length)
    rising = (frequencies - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - frequencies) / np.diff(edges)[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    basis: NDArray[np.float64] = triangles * (2.0 / (edges[2:] - edges[:-2]))
    basis.flags.writeable = False
    return basis
