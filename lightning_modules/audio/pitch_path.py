"""The most plausible course of the pitch through the candidates of all frames, by dynamic programming.

A candidate is cheap when its correlation is high and its period short; silence of the voice is cheap when no
correlation is high. From frame to frame jumps of pitch cost, an octave less than its size suggests, and so do
beginnings and ends of voice, less where the sound swells, fades or changes.

Source: D. Talkin, "A Robust Algorithm for Pitch Tracking (RAPT)", 1995; the constants are those of its implementations
(get_f0, Snack, SPTK).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.conditioning import FRAMES_PER_SECOND
from lightning_modules.audio.pitch_candidates import MOST, Candidates, SearchRange

_LAG_WEIGHT = 0.3
_JUMP = 0.02 * FRAMES_PER_SECOND  # per natural logarithm of the ratio of two periods
_OCTAVE = 0.35  # what an octave costs, in the same unit
_CHANGE = 0.005  # of voicing, in any case
_CHANGE_STEADY = 0.5  # of voicing, times steadiness
_CHANGE_LOUDNESS = 0.5  # times growth where voice ends, over growth where it begins
_UNVOICED = MOST


class PitchPath:
    """The cheapest path so far to every candidate of the last frame, and how it came there.

    It keeps 96 bytes for a frame.

    Args:
        search: the search range of the candidates.
        frames: T, how many frames there will be at most.
    """

    def __init__(self, search: SearchRange, frames: int) -> None:
        self._lag_weight = _LAG_WEIGHT / search.longest
        self._came_from = np.zeros((frames, MOST + 1), dtype=np.int8)
        self._period = np.zeros((frames, MOST), dtype=np.float32)
        self._cost = np.zeros(MOST + 1)
        self._before = np.zeros((1, MOST), dtype=np.int16)
        self._done = 0

    def extend(self, candidates: Candidates, steadiness: NDArray[np.float64], growth: NDArray[np.float64]) -> None:
        """Go on through F more frames.

        Args:
            candidates: of these frames.
            steadiness: (F,) and
            growth: (F,) as :func:`~lightning_modules.audio.stationarity.compare_frames` gives them.
        """
        count = len(candidates.highest)
        local = np.full((count, MOST + 1), np.inf)
        voiced = candidates.lag > 0
        local[:, :MOST][voiced] = 1.0 - (candidates.height * (1.0 - self._lag_weight * candidates.lag))[voiced]
        local[:, _UNVOICED] = candidates.highest
        change = self._cost_of_change(candidates.lag, steadiness, growth)
        rows = np.arange(MOST + 1)
        cost = self._cost
        for t in range(count):
            total = change[t] + cost
            best = total.argmin(axis=1)
            cost = total[rows, best] + local[t] if self._done + t else local[t]
            self._came_from[self._done + t] = best
            if t % 64 == 0:  # only differences matter; so the sum keeps its precision over hours
                cost = cost - cost.min()
        self._cost = cost
        self._period[self._done : self._done + count] = candidates.period
        self._before = candidates.lag[-1:]
        self._done += count

    def _cost_of_change(
        self, lag: NDArray[np.int16], steadiness: NDArray[np.float64], growth: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Cost (F, 20, 20) of coming to [candidate] from [candidate of the frame before]; the last is unvoiced."""
        logarithm = np.log(np.maximum(np.concatenate([self._before, lag]), 1).astype(np.float64))
        ratio = logarithm[1:, :, None] - logarithm[:-1, None, :]
        octave = _OCTAVE + np.abs(np.abs(ratio) - np.log(2.0))
        change = np.zeros((len(lag), MOST + 1, MOST + 1))
        change[:, :MOST, :MOST] = _JUMP * np.minimum(np.abs(ratio), octave)
        fixed = _CHANGE + _CHANGE_STEADY * steadiness
        change[:, :MOST, _UNVOICED] = (fixed + _CHANGE_LOUDNESS / growth)[:, None]
        change[:, _UNVOICED, :MOST] = (fixed + _CHANGE_LOUDNESS * growth)[:, None]
        return change

    def finish(self) -> NDArray[np.float32]:
        """The periods (T,) float32 in samples along the cheapest path; 0 where unvoiced, and where no frame came."""
        result = np.zeros(len(self._period), dtype=np.float32)
        here = int(self._cost.argmin())
        for t in range(self._done - 1, -1, -1):
            if here != _UNVOICED:
                result[t] = self._period[t, here]
            here = int(self._came_from[t, here])
        return result
