"""The voice's pitch, frame by frame: normalised cross-correlation and dynamic programming, in NumPy.

The algorithm is RAPT with the constants of the published implementations, on the conditioned signal. It runs in
blocks; beside 96 bytes a frame it needs a few megabytes, whatever the length.

Source: D. Talkin, "A Robust Algorithm for Pitch Tracking (RAPT)", in Kleijn & Paliwal (eds.), Speech Coding and
Synthesis, Elsevier 1995.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.conditioning import HOP, SAMPLE_RATE, frame_count
from lightning_modules.audio.pitch_candidates import WINDOW, SearchRange, find_candidates
from lightning_modules.audio.pitch_noise import PublishedNoise
from lightning_modules.audio.pitch_path import PitchPath
from lightning_modules.audio.stationarity import LEAD, FrameStatistics, compare_frames
from lightning_modules.audio.stationarity import WINDOW as STATISTICS_WINDOW

FULL_SCALE = 32768.0
"""The tracker's floors are on the scale of 16-bit integers."""

_NOISE = 50.0  # -56 dBFS: what is below it is not taken for a voice
_FRAMES_AT_ONCE = 256
_BEHIND = 40  # samples after the last frame that the tracker does without


def tracked_frames(samples: int, search: SearchRange) -> int:
    """How many of the N // 256 + 1 frames are tracked: all but the last two or three, as published.

    Behind those a window and the longest period do not fit; they count as unvoiced.
    """
    length = samples + (samples % HOP == 0)
    needed = _BEHIND + max(STATISTICS_WINDOW - LEAD, WINDOW + search.longest + 1)
    return max(0, (length - needed) // HOP)


class PitchListener:
    """Pitch of a recording whose conditioned signal goes by in blocks.

    Args:
        samples: N, the length of the recording.
        search: the pitch that is looked for.
    """

    def __init__(self, samples: int, search: SearchRange) -> None:
        self._frames = tracked_frames(samples, search)
        self._result = np.zeros(frame_count(samples), dtype=np.float32)
        self._search = search
        self._reach = max(search.reach, STATISTICS_WINDOW - LEAD)
        self._path = PitchPath(search, self._frames)
        self._noise = PublishedNoise()
        self._signal = np.zeros(LEAD)
        self._done = 0
        self._before: FrameStatistics | None = None

    def hear(self, block: NDArray[np.float64]) -> None:
        """Take the next block (n,) of the conditioned signal."""
        noise = self._noise.draw(len(block))
        self._signal = np.concatenate([self._signal, FULL_SCALE * block + _NOISE * noise])
        self._track()

    def finish(self) -> NDArray[np.float32]:
        """The pitch (N // 256 + 1,) in Hz, 0 where unvoiced, after the last block."""
        self._signal = np.concatenate([self._signal, np.zeros(self._reach)])
        self._track()
        period = self._path.finish()
        voiced = period > 0
        self._result[: self._frames][voiced] = SAMPLE_RATE / period[voiced]
        return self._result

    def _track(self) -> None:
        ready = (len(self._signal) - LEAD - self._reach) // HOP + 1
        ready = min(ready, self._frames - self._done)
        first = 0
        while first < ready:
            count = min(_FRAMES_AT_ONCE, ready - first)
            self._extend(self._signal[first * HOP :], count)
            first += count
        self._signal = self._signal[first * HOP :]

    def _extend(self, signal: NDArray[np.float64], count: int) -> None:
        """Track ``count`` frames, of which the first begins 80 samples from the start of ``signal``."""
        windows = np.lib.stride_tricks.sliding_window_view(signal, STATISTICS_WINDOW)[::HOP][:count]
        steadiness, growth, statistics = compare_frames(windows, self._before)
        if self._done == 0:
            # The second frame has no whole window before it; it is treated as the first one.
            steadiness[1:2], growth[1:2] = 0.02, 1.0
        self._before = statistics.last()
        candidates = find_candidates(signal, LEAD, count, self._search)
        self._path.extend(candidates, steadiness, growth)
        self._done += count
