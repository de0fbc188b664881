"""When eyes blink while a person speaks, and what the lids' landmarks do then.

Intervals between blinks are 0.35 s and a log-normal part of median 2.4 s: 3.2 s on average, 19 blinks a minute. The
chance of a blink is three times as high at pauses and ends of phrases, where speakers do blink (Nakano and Kitazawa,
"Eyeblink entrainment at breakpoints of speech", 2010), and less than a third in accents. Reference: stage 1, 19.7.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_modules.audio.idle_motion import lid_closure, stream
from lightning_modules.audio.prosody import Prosody
from lightning_modules.audio.speaker_style import AVERAGE, SpeakerStyle
from lightning_modules.geometry.landmark_groups import LID_PAIRS

SHORTEST_INTERVAL_SECONDS, MEDIAN_SECONDS, SPREAD = 0.35, 2.4, 0.6
BLINKS_PER_MINUTE: Final = 60.0 / (SHORTEST_INTERVAL_SECONDS + MEDIAN_SECONDS * math.exp(0.5 * SPREAD**2))
"""18.6 without double blinks and away from pauses."""

DOUBLE_SHARE, DOUBLE_SECONDS = 0.10, 0.35
NEAR_SECONDS = 0.15
AT_PAUSES, IN_ACCENTS = 3.0, 0.3
EAGER_SECONDS = 1.0
"""After so long a silence the eyes blink as at rest."""

ACCENT_SECONDS = 0.2
"""How long an accented syllable lasts from the beginning of its vowel."""

UPPER_SHARE, LOWER_SHARE = 0.8, 0.2
"""Of the gap between the lids: how far the upper lid comes down, and the lower one up."""

FRAMES_PER_SECOND: Final = 62.5
_BLINKS: Final = 27  # purpose of the random numbers, beside those of idle_motion and head_motion
_STEP = 0.01
_LONGEST_SECONDS = 20.0  # one interval in 5000 would be longer
_LEAD_SECONDS = 60.0

_Array = NDArray[np.float64]


def blink_times(
    prosody: Prosody, seconds: float, *, seed: int, rate: float = 1.0, style: SpeakerStyle = AVERAGE
) -> list[tuple[float, float]]:
    """Draw the blinks of a recording.

    A blink ends an interval whose hazard is that of the log-normal distribution, times what the speech says at that
    moment. The recording begins somewhere within an interval.

    Args:
        prosody: of the recording.
        seconds: its length.
        seed: of everything random.
        rate: multiplies the number of blinks; 0 for none.
        style: of the speaker, multiplies it, too.

    Returns:
        (time in seconds at which the lids begin to close, amplitude in [0.85, 1]) of each blink, ascending.

    Raises:
        ValueError: the rate is negative or not finite.
    """
    if not (math.isfinite(rate) and rate >= 0.0):
        raise ValueError(f"the rate of blinks must be finite and not negative, got {rate}")
    speed = rate * style.blinks
    if speed == 0.0:
        return []
    random = stream(seed, _BLINKS)
    weight = _readiness(prosody, seconds)
    hazard = _hazard(speed)
    found: list[tuple[float, float]] = []
    # A minute before the recording the lids begin to keep time, so that its start is like any other moment.
    now, lead = 0.0, _LEAD_SECONDS
    weight = np.concatenate([np.ones(round(lead / _STEP)), weight])
    while now < lead + seconds:
        due, amplitude = random.standard_exponential(), random.uniform(0.85, 1.0)
        double = random.random() < DOUBLE_SHARE
        first = round(now / _STEP)
        spent = np.cumsum(hazard[: len(weight) - first] * weight[first : first + len(hazard)]) * _STEP
        now += (int(np.searchsorted(spent, due)) + 1) * _STEP
        moments = (now - lead, now - lead + DOUBLE_SECONDS) if double else (now - lead,)
        found += [(moment, amplitude) for moment in moments if 0.0 <= moment < seconds]
        now += DOUBLE_SECONDS if double else 0.0
    return found


def _hazard(speed: float) -> _Array:
    """Chance of a blink per second, in steps after the last one; intervals shrink as the speed grows.

    That of the log-normal distribution: density over what is left of the probability.
    """
    after = (np.arange(round(_LONGEST_SECONDS / _STEP / min(speed, 1.0))) + 0.5) * _STEP
    since = np.maximum(after - SHORTEST_INTERVAL_SECONDS / speed, 1e-9)
    deviations = np.log(since * speed / MEDIAN_SECONDS) / SPREAD
    density = -0.5 * deviations**2 - np.log(SPREAD * since * math.sqrt(2.0 * math.pi))
    chance: _Array = np.exp(density - torch.special.log_ndtr(torch.from_numpy(-deviations)).numpy())
    return chance


def _readiness(prosody: Prosody, seconds: float) -> _Array:
    """What the hazard is multiplied with, in steps from the start of the recording."""
    times = np.arange(max(round(seconds / _STEP), 1)) * _STEP
    weight = np.ones_like(times)
    for accent in prosody.accents:
        weight[slice(*np.searchsorted(times, (accent, accent + ACCENT_SECONDS)))] = IN_ACCENTS
    ends = [(end, end) for end in prosody.phrase_ends]
    for start, end in (*prosody.pauses, *ends):
        last = min(end, start + EAGER_SECONDS) + NEAR_SECONDS
        first = np.searchsorted(times, start - NEAR_SECONDS)
        weight[first : np.searchsorted(times, last, side="right")] = AT_PAUSES
    return weight


def blink_track(prosody: Prosody, count: int, *, seed: int, rate: float = 1.0, style: SpeakerStyle = AVERAGE) -> _Array:
    """How far the lids are closed: (T,) in [0, 1], 62.5 frames a second, 80 ms closing, 30 closed, 170 opening.

    Args:
        prosody: of the recording.
        count: frames T.
        seed: of everything random.
        rate: multiplies the number of blinks; 0 for none.
        style: of the speaker.
    """
    blinks = blink_times(prosody, count / FRAMES_PER_SECOND, seed=seed, rate=rate, style=style)
    return lid_closure(blinks, np.arange(count) / FRAMES_PER_SECOND)


def close_lids(landmarks: NDArray[np.floating], closure: NDArray[np.floating]) -> NDArray[np.float64]:
    """Close the eyes of registered landmarks: each lid point moves along the line to its partner.

    Args:
        landmarks: (T, 68, 3) or (68, 3), any unit.
        closure: (T,) in [0, 1]; 0 leaves the lids where they are.

    Returns:
        (T, 68, 3) float64.
    """
    shape = np.broadcast_shapes(landmarks.shape, (len(closure), 68, 3))
    moved = np.array(np.broadcast_to(landmarks, shape), np.float64)
    share = np.asarray(closure, np.float64)[:, None]
    for upper, lower in LID_PAIRS:
        gap = moved[:, lower] - moved[:, upper]
        moved[:, upper] += UPPER_SHARE * share * gap
        moved[:, lower] -= LOWER_SHARE * share * gap
    return moved
