"""Which parts of a recording hold a voice: long silences tell nothing about the speaker.

Decisions fall for windows of 30 ms and are then smoothed: a majority of eight windows, widened by three on both sides,
so that pauses inside a sentence stay.

Source: reference §4 (Resemblyzer's preparation of a recording).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.conditioning import SAMPLE_RATE
from lightning_modules.audio.loudness import to_int16
from lightning_modules.errors import BackendError

WINDOW = 480
"""Samples of a decision: 30 ms."""

Detector = Literal["energy", "webrtc"]

_MAJORITY = 8
_WIDENING = 3
_RANGE_DB = 30.0  # below the loud places speech is this far at most
_ABOVE_BACKGROUND_DB = 6.0
_SILENT_DB = -60.0
_WEBRTC_LARGEST = 32767.0  # the published code scales by it instead of 32768


class Voice:
    """The parts of a recording that hold a voice, as if they were joined; nothing is copied until it is asked for.

    Args:
        samples: (N,) mono 16 kHz. Not modified. What does not fill a last window of 480 samples is left out.
        kept: (N // 480,) which windows hold a voice.
        gain: what the samples are multiplied by.
    """

    def __init__(self, samples: NDArray[np.floating], kept: NDArray[np.bool_], gain: float = 1.0) -> None:
        self._windows = samples[: len(kept) * WINDOW].reshape(-1, WINDOW)
        self._kept = np.flatnonzero(kept)
        self._gain = np.float32(gain)

    def __len__(self) -> int:
        return len(self._kept) * WINDOW

    def part(self, begin: int, end: int) -> NDArray[np.float32]:
        """Samples ``begin`` to ``end`` (end - begin,) float32; before the beginning and after the end is silence."""
        first, last = max(begin, 0), min(end, len(self))
        result = np.zeros(end - begin, dtype=np.float32)
        if first < last:
            windows = self._windows[self._kept[first // WINDOW : -(-last // WINDOW)]].astype(np.float32)
            skip = first % WINDOW
            result[first - begin : last - begin] = windows.reshape(-1)[skip : skip + last - first] * self._gain
        return result


def find_voice(samples: NDArray[np.floating], detector: Detector = "energy", gain: float = 1.0) -> Voice:
    """Find the parts of a recording that hold a voice.

    Args:
        samples: (N,) mono 16 kHz in [-1, 1]. Not modified.
        detector: ``"energy"``, ours: louder than the background by 6 dB and at most 30 dB below the loud places; where
            nothing is, because the background is all there is, everything counts. ``"webrtc"``, the published one:
            WebRTC's detector in its strictest mode (the extra ``paper``), which may find nothing.
        gain: what the samples are multiplied by beforehand.

    Returns:
        The voice; its length may be 0.

    Raises:
        ValueError: there is no such detector.
        BackendError: ``"webrtc"`` is not installed.
    """
    detectors = {"energy": _loud, "webrtc": _webrtc}
    if detector not in detectors:
        raise ValueError(f"voice is detected by {' or '.join(detectors)}, not {detector!r}")
    windows = samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW)
    kept = detectors[detector](windows, gain) if len(windows) else np.zeros(0, dtype=bool)
    return Voice(samples, smooth_decisions(kept), gain)


def smooth_decisions(voiced: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Smooth the decisions (K,) of consecutive windows.

    A window counts when at least five of the eight windows from three before it to four after it do (beyond the ends
    none does), and so do the three windows on both sides of it.
    """
    if not len(voiced):
        return voiced
    padded = np.pad(voiced.astype(np.int64), ((_MAJORITY - 1) // 2, _MAJORITY // 2))
    votes = np.lib.stride_tricks.sliding_window_view(padded, _MAJORITY).sum(axis=1)
    wide = np.pad(votes > _MAJORITY // 2, _WIDENING)  # four of eight round to even, to none
    return np.asarray(np.lib.stride_tricks.sliding_window_view(wide, 2 * _WIDENING + 1).any(axis=1), dtype=bool)


def _loud(windows: NDArray[np.floating], gain: float) -> NDArray[np.bool_]:
    power = np.einsum("kn,kn->k", windows, windows, dtype=np.float64) / WINDOW
    power = (power - windows.mean(axis=1, dtype=np.float64) ** 2) * gain**2
    level = 10.0 * np.log10(np.maximum(power, 1e-12))
    loud, background = float(np.percentile(level, 95)), float(np.percentile(level, 5))
    threshold = max(loud - _RANGE_DB, background + _ABOVE_BACKGROUND_DB, _SILENT_DB)
    voiced = np.asarray(level > threshold, dtype=bool)
    return voiced if voiced.any() else np.ones(len(windows), dtype=bool)


def _webrtc(windows: NDArray[np.floating], gain: float) -> NDArray[np.bool_]:
    detector = _import_webrtc().Vad(3)
    voiced = np.zeros(len(windows), dtype=bool)
    for index, window in enumerate(windows):
        # Rounded like the published code: to steps of 1/32767.
        raised = window.astype(np.float32) * np.float32(gain)
        steps = to_int16(raised.astype(np.float64) * (_WEBRTC_LARGEST / 32768.0))
        voiced[index] = detector.is_speech(steps.tobytes(), SAMPLE_RATE)
    return voiced


def _import_webrtc() -> Any:
    try:
        import webrtcvad
    except ModuleNotFoundError as error:
        raise BackendError(
            "the published voice detector is not installed (webrtcvad)",
            "install inkspeak[paper], or use the detector energy",
        ) from error
    return webrtcvad
