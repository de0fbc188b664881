"""Co-articulation: from visemes in time to articulatory parameters in time (reference §19.4).

The model is that of Cohen and Massaro (1993): every segment pulls each channel towards its target with a dominance that
fades with the distance in time, and the channel is the mean weighted by dominance. Rounded segments pull lips from
further away, as in JALI (Edwards et al. 2016). What must not be blended away is laid over it as constraints: lips that
touch in p, b, m, the lower lip at the teeth in f, v, teeth nearly together in sibilants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from datamodules.synthetic.speech.phones import SHORTEST_CLOSURE, Span, Utterance
from datamodules.synthetic.speech.visemes import VISEMES, Segment, VisemeTable

Array = npt.NDArray[np.float64]

FRAME_RATE: Final = 62.5
HOP: Final = 256
SAMPLE_RATE: Final = 16000

_REACH: Final = (0.055, 0.065)  # seconds before and after a segment
_ROUND_REACH: Final = (0.120, 0.100)
_CLOSING, _OPENING = 0.050, 0.055
_SIBILANT_JAW: Final = 0.2
_SMOOTHING: Final = 0.016
_LONG_PAUSE, _PAUSE_DELAY, _PAUSE_CLOSURE = 0.15, 0.08, 0.9
_PAUSE_RAMPS: Final = (0.12, 0.10)
_SIBILANTS: Final = (VISEMES["SZ"], VISEMES["SH"])


@dataclass(frozen=True)
class Articulation:
    """What the mouth does in an utterance.

    Args:
        parameters: (T, 7) float64, columns J, W, P, U, L, C, F of :data:`PARAMETERS`; frame i at i / 62.5 s.
        closures: (start, end) in seconds of every time that the lips are made to touch, in order.
        unknown: labels of phones without a viseme of their own.
    """

    parameters: Array
    closures: tuple[Span, ...]
    unknown: tuple[str, ...] = ()


def frame_count(samples: int) -> int:
    """Return the number of feature frames of so many samples at 16 kHz: ``samples // 256 + 1``."""
    return samples // HOP + 1


def frame_times(frames: int) -> Array:
    """Return the time of each frame, seconds, (frames,)."""
    return np.arange(frames) / FRAME_RATE


def articulate(utterance: Utterance, frames: int, gain: Array | float = 1.0) -> Articulation:
    """Return the motion of the mouth for an utterance.

    Args:
        utterance: what is said and when.
        frames: T.
        gain: (T,) from :func:`prosody_gain`; multiplies J, U and L.
    """
    table = VisemeTable()
    segments = table.segments(utterance)
    times = frame_times(frames)
    blended = blend(segments, times)
    for segment in segments:
        if segment.viseme in _SIBILANTS:
            inside = (times >= segment.start) & (times < segment.end)
            blended[inside, 0] = np.minimum(blended[inside, 0], _SIBILANT_JAW)
    smooth = gaussian_filter1d(blended, _SMOOTHING * FRAME_RATE, axis=0, mode="nearest")
    factor = np.broadcast_to(np.asarray(gain, dtype=np.float64), (frames,))
    smooth[:, [0, 3, 4]] *= factor[:, None]
    closures = bilabial_closures(utterance, table)
    closed = np.max([raised_cosine(times, a, b, _CLOSING, _OPENING) for a, b in closures], axis=0, initial=0.0)
    closed = np.maximum(closed, _closed_in_pauses(utterance, times, table))
    bites = [
        raised_cosine(times, segment.start, segment.end, _OPENING, _OPENING)
        for segment in segments
        if segment.viseme.labiodental
    ]
    bitten = np.max(bites, axis=0, initial=0.0)
    parameters = np.column_stack([smooth, np.broadcast_to(closed, frames), np.broadcast_to(bitten, frames)])
    return Articulation(parameters, tuple(closures), tuple(sorted(table.unknown)))


def blend(segments: Sequence[Segment], times: Array) -> Array:
    """Return the five channels J, W, P, U, L as means of the segments' targets, weighted by dominance.

    For a segment of length d around c: k = clip(√(d / 0.1 s), 0.7, 1.5), τ = max(|t − c| − d/4, 0) and
    D(t) = α·exp(−τ / (β·k)); β = 55 ms before c and 65 ms after it; 120 and 100 ms for W and P of rounded segments.

    Args:
        segments: S of them, any order.
        times: (T,) seconds.

    Returns:
        (T, 5); 0 where no segment is near.
    """
    if not segments:
        return np.zeros((len(times), 5))
    start = np.array([segment.start for segment in segments])
    end = np.array([segment.end for segment in segments])
    targets = np.array([segment.viseme.targets for segment in segments])  # (S, 5)
    jaw = np.array([segment.viseme.jaw_dominance for segment in segments])
    lips = np.array([segment.viseme.lip_dominance for segment in segments])
    rounded = np.array([segment.viseme.rounded for segment in segments])
    length = np.clip(np.sqrt((end - start) / 0.1), 0.7, 1.5)
    center = (start + end) / 2
    away = times[:, None] - center  # (T, S)
    tau = np.maximum(np.abs(away) - (end - start) / 4, 0)
    plain = np.where(away < 0, _REACH[0], _REACH[1]) * length
    wide = np.where(away < 0, _ROUND_REACH[0], _ROUND_REACH[1]) * length
    ordinary = np.exp(-tau / plain)
    far = np.where(rounded, np.exp(-tau / wide), ordinary)
    channels = []
    for channel in range(5):
        dominance = (far if channel in (1, 2) else ordinary) * (jaw if channel == 0 else lips)
        channels.append(dominance @ targets[:, channel] / (dominance.sum(axis=1) + 1e-6))
    return np.stack(channels, axis=1)


def bilabial_closures(utterance: Utterance, table: VisemeTable) -> list[Span]:
    """Return when the lips touch in p, b and m: the phone's closure, 30 ms at least and within the sound."""
    closures = []
    for phone in utterance.phones:
        if not VISEMES[table.names_of(phone.label)[0][0]].bilabial:
            continue
        start, end = phone.closure or (phone.start, phone.end)
        start = max(0.0, min(start, end - SHORTEST_CLOSURE))
        closures.append((start, max(end, start + SHORTEST_CLOSURE)))
    return closures


def raised_cosine(times: Array, start: float, end: float, rise: float, fall: float) -> Array:
    """Return 1 from start to end, falling to 0 as half a cosine over ``rise`` before and ``fall`` after (seconds)."""
    distance = np.clip(np.maximum((start - times) / rise, (times - end) / fall), 0.0, 1.0)
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * distance))


def _closed_in_pauses(utterance: Utterance, times: Array, table: VisemeTable) -> Array:
    """Soft closure in long pauses; before the first and after the last word there is nothing to open for."""
    closed = np.zeros(len(times))
    for phone in utterance.phones:
        if VISEMES[table.names_of(phone.label)[0][0]] is not VISEMES["sil"] or phone.duration <= _LONG_PAUSE:
            continue
        shutting = (times - phone.start - _PAUSE_DELAY) / _PAUSE_RAMPS[0] if phone.start > 0 else np.ones_like(times)
        final = phone.end >= utterance.duration - 1e-3
        opening = np.ones_like(times) if final else (phone.end - times) / _PAUSE_RAMPS[1]
        depth = np.clip(np.minimum(shutting, opening), 0.0, 1.0)
        closed = np.maximum(closed, _PAUSE_CLOSURE * (0.5 - 0.5 * np.cos(np.pi * depth)))
    return closed


def prosody_gain(samples: npt.NDArray[np.floating], utterance: Utterance, frames: int) -> Array:
    """Return how much further the mouth opens where the voice is louder than usual (§19.4).

    Args:
        samples: (N,) at 16 kHz.
        utterance: tells where the voice sounds.
        frames: T.

    Returns:
        (T,): clip(1 + 0.5·(E − median)/12, 0.4, 1.3) with E the level in dB over 40 ms of voiced frames, carried over
        the unvoiced ones by interpolation; 1 where nothing is voiced. (With the 0.6 of §19.4 in place of 1 and a median
        over voiced frames, vowels open to 60 % of what the same section measured.)
    """
    times = frame_times(frames)
    voiced = np.zeros(frames, bool)
    table = VisemeTable()
    for phone in utterance.phones:
        if table.voiced(phone.label):
            voiced |= (times >= phone.start) & (times < phone.end)
    if voiced.sum() < 2:
        return np.ones(frames)
    power = np.square(np.asarray(samples, np.float64))
    width = round(0.04 * SAMPLE_RATE)
    total = np.concatenate([[0.0], np.cumsum(power)])
    middle = np.arange(frames) * HOP
    low, high = np.clip(middle - width // 2, 0, len(power)), np.clip(middle + width // 2, 0, len(power))
    level = 10 * np.log10((total[high] - total[low]) / np.maximum(high - low, 1) + 1e-10)
    carried = np.interp(times, times[voiced], level[voiced])
    return np.asarray(np.clip(1.0 + 0.5 * (carried - np.median(level[voiced])) / 12, 0.4, 1.3))
