"""Periods that the voice may have in each frame: peaks of the normalised cross-correlation.

A window of 7.5 ms is compared with what follows it, at every delay that the search range allows. As in the published
tracker this is done in two steps: at 2 kHz, where peaks are found cheaply and broad, and at 16 kHz in the vicinity
(± 3 samples) of those. What the second step does not look at counts as uncorrelated; that matters for which peaks are
seen, so it is kept although here the whole correlation is at hand.

Source: D. Talkin, "A Robust Algorithm for Pitch Tracking (RAPT)", 1995; the constants are those of its implementations
(get_f0, Snack, SPTK).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.conditioning import HOP, SAMPLE_RATE

WINDOW = round(0.0075 * SAMPLE_RATE)
MOST = 19
"""Most candidates of a frame."""

COARSE = 8
"""Samples per sample at 2 kHz."""

_THRESHOLD = 0.3  # a peak below this share of the highest is none
_VICINITY = 3
_SMOOTHING = 81  # taps of the low-pass before decimation: 5 ms
_POWER_FLOOR = 10000.0  # keeps the correlation of silence near 0; samples are on the scale of 16-bit integers


@dataclass(frozen=True)
class SearchRange:
    """The pitch that is looked for.

    Attributes:
        lowest_hz: at least 40.
        highest_hz: above ``lowest_hz``, at most 1000.

    Raises:
        ValueError: the range is another.
    """

    lowest_hz: float
    highest_hz: float

    def __post_init__(self) -> None:
        if not 40.0 <= self.lowest_hz < self.highest_hz <= 1000.0:
            raise ValueError(f"pitch is looked for between 40 and 1000 Hz, not {self.lowest_hz} to {self.highest_hz}")

    @property
    def shortest(self) -> int:
        """Shortest period, in samples."""
        return int(SAMPLE_RATE / self.highest_hz + 0.5)

    @property
    def longest(self) -> int:
        """Longest period, in samples."""
        return int(SAMPLE_RATE / self.lowest_hz + 0.5)

    @property
    def coarse_lags(self) -> tuple[int, int]:
        """First delay at 2 kHz, and their number."""
        return max(self.shortest // COARSE, 1), 1 + (self.longest - self.shortest + 1) // COARSE

    @property
    def reach(self) -> int:
        """How many samples from its beginning a frame needs."""
        first, count = self.coarse_lags
        coarse = COARSE * (1 + WINDOW // COARSE + first + count) + _SMOOTHING // 2
        return max(WINDOW + self.longest + 1 + _VICINITY, coarse)


@dataclass(frozen=True)
class Candidates:
    """Candidate periods of consecutive frames, shorter ones first; unused places have lag 0.

    Attributes:
        lag: (F, 19) int16 samples.
        height: (F, 19) float64 correlation there, up to 1.
        period: (F, 19) float32 samples, interpolated between the samples.
        highest: (F,) float64, the highest correlation of the frame, at least 0.
    """

    lag: NDArray[np.int16]
    height: NDArray[np.float64]
    period: NDArray[np.float32]
    highest: NDArray[np.float64]


def find_candidates(signal: NDArray[np.float64], before: int, frames: int, search: SearchRange) -> Candidates:
    """Find the candidates of consecutive frames, 256 samples apart.

    Args:
        signal: samples on the scale of 16-bit integers; the first frame begins at ``before``. It has to hold 40 samples
            before the first frame (zeros at the beginning of a recording), and ``search.reach`` from the last one on.
        before: where the first frame begins, at least 40.
        frames: F, at least 1.
        search: which periods.

    Returns:
        The candidates.
    """
    near = _vicinities(signal, before, frames, search)
    correlation = _fine_correlation(signal, before, frames, search)
    correlation[~near] = 0.0
    highest = np.maximum(correlation.max(axis=1), 0.0)
    peak = _is_peak(correlation, highest)
    # The highest ones, then in the order of their lag again.
    ranked = np.where(peak, correlation, -np.inf)
    chosen = np.sort(np.argsort(-ranked, axis=1, kind="stable")[:, :MOST], axis=1)
    rows = np.arange(frames)[:, None]
    is_one = peak[rows, chosen]
    left, height, right = (correlation[rows, chosen + offset] for offset in (-1, 0, 1))
    bend = left - 2.0 * height + right
    shift = np.where(np.abs(bend) > 5e-7, 0.5 * (left - right) / np.where(bend == 0.0, 1.0, bend), 0.0)
    lag = np.where(is_one, chosen + search.shortest, 0)
    return Candidates(lag.astype(np.int16), np.where(is_one, height, 0.0), (lag + shift).astype(np.float32), highest)


def _vicinities(signal: NDArray[np.float64], before: int, frames: int, search: SearchRange) -> NDArray[np.bool_]:
    """Which fine lags (F, L) are near a peak of the coarse correlation."""
    first, count = search.coarse_lags
    size = 1 + WINDOW // COARSE
    half = _SMOOTHING // 2
    start = before - half
    length = ((frames - 1) * HOP) // COARSE + size + first + count
    windows = np.lib.stride_tricks.sliding_window_view(signal[start:], _SMOOTHING)[::COARSE][:length]
    coarse = np.einsum("ij,j->i", windows, _low_pass())  # which is symmetric; the first is centred on `before`
    pieces = np.lib.stride_tricks.sliding_window_view(coarse, size + first + count)[:: HOP // COARSE][:frames]
    correlation = _normalised(pieces, size, first, count, 0.0)
    peak = _is_peak(correlation, correlation.max(axis=1).clip(0.0))
    frame, index = np.nonzero(peak)
    left, height, right = (correlation[frame, index + offset] for offset in (-1, 0, 1))
    bend = 0.5 * (left + right) - height
    shift = np.where(np.abs(bend) > 1e-6, (left - right) / np.where(bend == 0.0, 1.0, 4.0 * bend), 0.0)
    lag = (index + first) * COARSE + np.trunc(0.5 + COARSE * shift).astype(int)
    near = np.zeros((frames, search.longest - search.shortest + 1), dtype=bool)
    begin = np.maximum(lag - _VICINITY, search.shortest) - search.shortest
    for offset in range(2 * _VICINITY + 1):
        place = begin + offset
        inside = place < near.shape[1]
        near[frame[inside], place[inside]] = True
    return near


def _fine_correlation(
    signal: NDArray[np.float64], before: int, frames: int, search: SearchRange
) -> NDArray[np.float64]:
    """Normalised cross-correlation (F, L) at 16 kHz, from the shortest to the longest period."""
    count = search.longest - search.shortest + 1
    length = WINDOW + search.shortest + count
    pieces = np.lib.stride_tricks.sliding_window_view(signal[before:], length)[::HOP][:frames]
    return _normalised(pieces, WINDOW, search.shortest, count, _POWER_FLOOR)


def _normalised(pieces: NDArray[np.float64], size: int, first: int, count: int, floor: float) -> NDArray[np.float64]:
    """Correlation of the first ``size`` samples of each piece (F, n) with the ``size`` that begin at each delay.

    The mean of the first ``size`` is taken off everything, which spares a sharp high-pass.
    """
    pieces = pieces - pieces[:, :size].mean(axis=1, keepdims=True)
    length = 1 << (pieces.shape[1] - 1).bit_length()  # no delay wraps around
    spectrum = np.fft.rfft(pieces, length)
    window = np.fft.rfft(pieces[:, :size], length)
    product = np.fft.irfft(spectrum * window.conj(), length)[:, first : first + count]
    energy = np.cumsum(np.pad(pieces**2, ((0, 0), (1, 0))), axis=1)
    here = energy[:, first + size : first + size + count] - energy[:, first : first + count]
    result: NDArray[np.float64] = product / np.sqrt(np.maximum(here, 1.0) * energy[:, size, None] + floor + 1e-30)
    return result


def _is_peak(correlation: NDArray[np.float64], highest: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where a correlation (F, L) is high and no neighbour is higher. The two longest lags are never peaks."""
    peak = np.zeros(correlation.shape, dtype=bool)
    middle = correlation[:, 1:-2]
    peak[:, 1:-2] = (
        (middle > _THRESHOLD * highest[:, None]) & (middle >= correlation[:, :-3]) & (middle >= correlation[:, 2:-1])
    )
    return peak


def _low_pass() -> NDArray[np.float64]:
    """Taps (81,) of the low-pass at 1 kHz: a sinc under a Hann window."""
    k = np.arange(_SMOOTHING) - _SMOOTHING // 2
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * (np.arange(_SMOOTHING) + 0.5) / _SMOOTHING)
    taps: NDArray[np.float64] = np.sinc(k / COARSE) / COARSE * hann
    return taps
