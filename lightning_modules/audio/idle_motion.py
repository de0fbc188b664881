"""What a living head does by itself: sway, nods, raised brows and blinks, as functions of a seed and of time.

Randomness is addressed, not consumed: every stream of numbers belongs to a seed and a purpose (Philox, Salmon et al.
2011), so that the same seed gives the same motion at every frame rate.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.speech_energy import RATE

SWAY_RATE: Final = 50
"""Steps per second of the simulated sway."""

SWAY_HERTZ, SWAY_DAMPING = 0.35, 0.9
PITCH_DEGREES, YAW_DEGREES, ROLL_DEGREES = 1.3, 2.0, 1.0
SHIFT_RIGHT, SHIFT_DOWN = 0.012, 0.008
BROW_NOISE = 0.008

PITCH, YAW, ROLL, RIGHT, DOWN, BROWS, NODS, RAISES, BLINKS = range(9)
"""Purposes: which stream of random numbers."""

CLOSE_SECONDS, HOLD_SECONDS, OPEN_SECONDS = 0.08, 0.03, 0.17
DOUBLE_SHARE = 0.10
FIRST_BLINK_SECONDS = 0.5

_Array = NDArray[np.float64]


def stream(seed: int, purpose: int) -> np.random.Generator:
    """The random numbers that belong to a seed and a purpose."""
    return np.random.Generator(np.random.Philox(key=np.array([seed % 2**64, purpose], dtype=np.uint64)))


def sway(seed: int, purpose: int, deviation: float, times: _Array) -> _Array:
    """Slow irregular movement that starts at rest: a damped oscillator driven by white noise.

    x'' = -2ζω x' - ω² x + q ξ with ω = 2π·0.35 Hz, ζ = 0.9 and q = deviation · sqrt(4 ζ ω³), which settles within a
    second to a standard deviation of ``deviation``, a little less because wide excursions are bent back; it stays
    within 2.5 deviations.

    Args:
        seed: see :func:`stream`.
        purpose: which of the streams.
        deviation: standard deviation of the result.
        times: (T,) seconds from the start, not negative.

    Returns:
        (T,) displacement; 0 with zero speed at time 0.
    """
    steps = math.ceil(float(times.max(initial=0.0)) * SWAY_RATE) + 2
    dt = 1.0 / SWAY_RATE
    omega = 2.0 * math.pi * SWAY_HERTZ
    kick = math.sqrt(4.0 * SWAY_DAMPING * omega**3 * dt)
    place, speed, track = 0.0, 0.0, [0.0]
    for noise in stream(seed, purpose).standard_normal(steps).tolist():
        speed += dt * (-2.0 * SWAY_DAMPING * omega * speed - omega**2 * place) + kick * noise
        place += dt * speed
        track.append(place)
    bent = 2.5 * np.tanh(np.array(track) / 2.5)
    return deviation * np.interp(times * SWAY_RATE, np.arange(len(track)), bent)


def accents(loudness: _Array) -> _Array:
    """Moments of emphasis: the peaks of the smoothed loudness that stand out.

    Args:
        loudness: (K,) in [0, 1] at 100 frames a second.

    Returns:
        Times in seconds, ascending; peaks of at least 0.6 of the loudest, the highest of each third of a second.
    """
    peaks = np.flatnonzero((loudness[1:-1] >= loudness[:-2]) & (loudness[1:-1] > loudness[2:])) + 1
    peaks = peaks[loudness[peaks] >= max(0.6 * float(loudness.max(initial=0.0)), 0.2)]
    kept: list[int] = []
    for peak in peaks[np.argsort(-loudness[peaks], kind="stable")].tolist():
        if all(abs(peak - other) > RATE // 3 for other in kept):
            kept.append(peak)
    return np.array(sorted(kept), dtype=np.float64) / RATE


def pauses(loudness: _Array) -> _Array:
    """Times in seconds at which the voice falls silent for 0.2 s or longer."""
    silent = loudness < 0.08
    begins = np.flatnonzero(silent[1:] & ~silent[:-1]) + 1
    long = [k for k in begins.tolist() if silent[k : k + RATE // 5].all()]
    return np.array(long, dtype=np.float64) / RATE


def nods(seed: int, moments: _Array, times: _Array) -> _Array:
    """Nods at three of five accents: (T,) pitch in radians, downward and back, beginning 0.1 s before the accent."""
    return _bumps(stream(seed, NODS), moments, times, share=0.6, size=math.radians(1.8), spread=0.3)


def brow_raises(seed: int, moments: _Array, times: _Array) -> _Array:
    """Raised brows at two of five accents: (T,) in face units."""
    return _bumps(stream(seed, RAISES), moments, times, share=0.4, size=0.03, spread=0.2)


def _bumps(
    random: np.random.Generator, moments: _Array, times: _Array, *, share: float, size: float, spread: float
) -> _Array:
    moved = np.zeros_like(times)
    for moment in moments.tolist():
        chance, vary, long = random.random(), random.standard_normal(), random.uniform(0.35, 0.5)
        if chance < share:
            first, last = np.searchsorted(times, [moment - 0.1, moment - 0.1 + long])
            phase = (times[first:last] - (moment - 0.1)) / long
            moved[first:last] += size * max(1.0 + spread * vary, 0.2) * np.sin(np.pi * phase) ** 2
    return moved


def blink_times(
    seed: int, rate: float, duration: float, moments: _Array, silences: _Array
) -> list[tuple[float, float]]:
    """When the eyes blink, and how far they close.

    Intervals are 0.35 s and a log-normal part (sigma 0.6), scaled to the wanted rate. A blink due within half a second
    of a pause waits for it or comes early (Nakano & Kitazawa 2010); one due on an accent comes 0.2 s later. One blink
    in ten is double. The first half second has none.

    Args:
        seed: see :func:`stream`.
        rate: blinks per minute on average; 0 for none.
        duration: seconds.
        moments: accents in seconds.
        silences: beginnings of pauses in seconds.

    Returns:
        (time in seconds, amplitude in [0.85, 1]) of each blink.
    """
    if rate <= 0.0:
        return []
    random = stream(seed, BLINKS)
    mean = (1.0 + DOUBLE_SHARE) * 60.0 / rate
    shortest = min(0.35, 0.5 * mean)
    median = (mean - shortest) / math.exp(0.5 * 0.6**2)
    found: list[tuple[float, float]] = []
    now = -mean * random.random()  # the last blink before the recording
    while True:
        interval, amplitude = shortest + median * math.exp(0.6 * random.standard_normal()), random.uniform(0.85, 1.0)
        double = random.random() < DOUBLE_SHARE
        due = now + interval
        if len(silences) and abs(nearest := float(silences[np.argmin(np.abs(silences - due))]) - due) < 0.5:
            due = max(due + nearest, now + shortest)
        elif len(moments) and float(np.abs(moments - due).min()) < 0.15:
            due += 0.2
        now = due
        if due >= duration:
            return found
        if due >= FIRST_BLINK_SECONDS:
            found.append((due, amplitude))
            if double:
                found.append((due + 0.35, amplitude))


def lid_closure(blinks: list[tuple[float, float]], times: _Array) -> _Array:
    """How far the lids are closed: (T,) in [0, 1]. 80 ms closing, 30 ms closed, 170 ms opening, fast first."""
    closure = np.zeros_like(times)
    for begin, amplitude in blinks:
        first, last = np.searchsorted(times, [begin, begin + CLOSE_SECONDS + HOLD_SECONDS + OPEN_SECONDS])
        since = times[first:last] - begin
        closing = 0.5 - 0.5 * np.cos(np.pi * np.minimum(since / CLOSE_SECONDS, 1.0))
        after = np.maximum(since - CLOSE_SECONDS - HOLD_SECONDS, 0.0)
        opening = (1.0 - np.exp(-after / 0.06)) / (1.0 - math.exp(-OPEN_SECONDS / 0.06))
        closure[first:last] = np.maximum(closure[first:last], amplitude * (closing - np.minimum(opening, 1.0)))
    return closure
