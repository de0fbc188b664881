"""The spectrogram that the speaker encoder reads: 40 mel bands of power, a hundred times a second.

Source: reference §4 (Resemblyzer; librosa's mel spectrogram with its defaults).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.log_mel import mel_basis

BANDS = 40
HOP = 160
WINDOW = 400


def speaker_mel(samples: NDArray[np.floating]) -> NDArray[np.float32]:
    """Spectrogram of a short recording.

    Args:
        samples: (N,) mono 16 kHz in [-1, 1], N at least 400. Not modified.

    Returns:
        ((N - 400) // 160 + 1, 40) float32, power; frame k is centred on sample 200 + 160·k.
    """
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW)
    windows = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(windows * window)) ** 2
    return np.asarray(power @ mel_basis(BANDS, WINDOW, 0.0, 8000.0), dtype=np.float32)
