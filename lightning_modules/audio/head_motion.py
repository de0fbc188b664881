"""How a speaking head moves: slow sway, nods on accents, the melody, drops at ends of phrases; about the neck.

Face units as in :mod:`lightning_modules.geometry.head_pose`. Signs as seen by the viewer: pitch nods down (+), yaw
turns to the right of the picture (+), roll tilts clockwise (+).

Every random number belongs to a seed and a purpose, so that a head moves alike however long or in what order tracks are
made. This is a model, not recorded motion: its figures are those of reference stage 1, section 19.6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_modules.audio.expression import HeadPose, rotation
from lightning_modules.audio.idle_motion import stream
from lightning_modules.audio.prosody import Prosody
from lightning_modules.audio.speaker_style import AVERAGE, SpeakerStyle
from lightning_modules.geometry.head_pose import quaternion_of

FRAMES_PER_SECOND: Final = 62.5
SWAY_HERTZ, SWAY_DAMPING = 0.35, 0.9
PITCH_DEGREES, YAW_DEGREES, ROLL_DEGREES = 2.0, 3.0, 1.5
"""Standard deviations of the sway."""

SHIFTS: Final = (0.015, 0.010, 0.010)
"""Standard deviations of the head's shift right, down and forward, face units."""

NOD_SHARE, NOD_DEGREES, NOD_SPREAD = 0.6, 2.5, 0.8
"""Share of accents that are nodded, mean and deviation of the nods."""

NOD_SECONDS, NOD_AHEAD_SECONDS = (0.35, 0.5), 0.1
MELODY_DEGREES, MELODY_HERTZ = 1.2, 2.0
DROP_DEGREES, TILT_DEGREES = 1.5, 2.0
PHRASE_SECONDS = (0.5, 0.8)
"""How long before and after the end of a phrase the head drops or tilts."""

LONG_PAUSE_SECONDS, DRIFT_SECONDS = 0.4, 0.8
"""In pauses longer than the first the head drifts back, with the second as time constant."""

_PITCH, _YAW, _ROLL, _RIGHT, _DOWN, _FORWARD, _NODS = range(20, 27)  # purposes; 0 to 8 are idle_motion's

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class HeadMotion:
    """The head over time.

    Attributes:
        pitch: (T,) radians, nodding down (+).
        yaw: (T,) radians, turning to the right of the picture (+).
        roll: (T,) radians, tilting clockwise as the viewer sees it (+).
        shift: (T, 3) right, down and towards the viewer, face units.
    """

    pitch: _Array
    yaw: _Array
    roll: _Array
    shift: _Array

    def __len__(self) -> int:
        return len(self.pitch)

    def scaled(self, gain: float) -> HeadMotion:
        """The same motion, larger or smaller."""
        return HeadMotion(gain * self.pitch, gain * self.yaw, gain * self.roll, gain * self.shift)


def sway(seed: int, purpose: int, deviation: float, count: int, *, from_rest: bool = False) -> _Array:
    """Slow irregular movement: x'' = -2ζω x' - ω² x + q ξ, ω = 2π·0.35 Hz, ζ = 0.9, q = deviation·sqrt(4ζω³).

    Solved exactly from frame to frame, so that the standard deviation is ``deviation`` and that of the speed
    ω·deviation at any frame rate.

    Args:
        seed: see :func:`lightning_modules.audio.idle_motion.stream`.
        purpose: which of the seed's streams of random numbers.
        deviation: standard deviation of the result.
        count: frames, 62.5 a second.
        from_rest: begin at 0 without speed, instead of anywhere in the movement.

    Returns:
        (count,) displacements; a longer one begins with the shorter.
    """
    omega = 2.0 * math.pi * SWAY_HERTZ
    system = torch.tensor([[0.0, 1.0], [-(omega**2), -2.0 * SWAY_DAMPING * omega]], dtype=torch.float64)
    step = torch.linalg.matrix_exp(system / FRAMES_PER_SECOND).numpy()
    settled = np.diag([1.0, omega**2])
    noise = stream(seed, purpose).standard_normal((count, 2))
    kicks = noise @ np.linalg.cholesky(settled - step @ settled @ step.T).T
    kicks[:1] = 0.0 if from_rest else noise[:1] * [1.0, omega]
    values, vectors = np.linalg.eig(step)  # a damped oscillation: a conjugate pair, so one half tells all
    parts = _decaying(kicks @ np.linalg.inv(vectors)[0], complex(values[0]))
    moved: _Array = 2.0 * deviation * (parts * vectors[0, 0]).real
    return moved


def head_motion(
    prosody: Prosody, count: int, *, seed: int, style: SpeakerStyle = AVERAGE, from_rest: bool = False
) -> HeadMotion:
    """Move a head with speech.

    Args:
        prosody: of the recording.
        count: frames, 62.5 a second.
        seed: of everything random.
        style: of the speaker: how far the head sways and how often it nods.
        from_rest: whether the sway begins at rest.

    Returns:
        ``count`` frames.
    """
    times = np.arange(count) / FRAMES_PER_SECOND
    lively = _liveliness(prosody, count)

    def swayed(purpose: int, deviation: float) -> _Array:
        return lively * sway(seed, purpose, deviation, count, from_rest=from_rest)

    pitch = swayed(_PITCH, math.radians(PITCH_DEGREES) * style.pitch) + nods(seed, prosody, times, style)
    pitch -= math.radians(MELODY_DEGREES) * lively * _slow_melody(prosody, count)
    pitch += math.radians(DROP_DEGREES) * _bumps(times, prosody.phrase_ends)
    roll = swayed(_ROLL, math.radians(ROLL_DEGREES) * style.roll)
    roll += math.radians(TILT_DEGREES) * _bumps(times, prosody.questions)
    shift = np.stack([swayed(p, d) for p, d in zip((_RIGHT, _DOWN, _FORWARD), SHIFTS, strict=True)], axis=1)
    return HeadMotion(pitch, swayed(_YAW, math.radians(YAW_DEGREES) * style.yaw), roll, shift)


def nods(seed: int, prosody: Prosody, times: _Array, style: SpeakerStyle = AVERAGE) -> _Array:
    """Nods at some accents: (T,) pitch in radians, down and back (raised cosine), from 0.1 s before the accent on."""
    random = stream(seed, _NODS)
    moved = np.zeros_like(times)
    share = min(NOD_SHARE * style.nods, 1.0)
    for accent in prosody.accents:
        chance, vary, long = random.random(), random.standard_normal(), random.uniform(*NOD_SECONDS)
        if chance < share:
            begin = accent - NOD_AHEAD_SECONDS
            first, last = np.searchsorted(times, [begin, begin + long])
            size = math.radians(max(NOD_DEGREES + NOD_SPREAD * vary, 0.3))
            moved[first:last] += size * np.sin(np.pi * (times[first:last] - begin) / long) ** 2
    return moved


def poses(motion: HeadMotion, static: NDArray[np.floating]) -> _Array:
    """The poses that turn a face about its neck and shift it.

    The neck point is p2 + p14 - p33 of the static face (twice the middle of 2 and 14, minus the nose base).

    Args:
        motion: T frames.
        static: (68, 3) the face at rest, face units.

    Returns:
        (T, 7) quaternion (x, y, z, w) and translation: full = R @ registered + translation.

    Raises:
        ValueError: the face has another shape.
    """
    face = np.asarray(static, np.float64)
    if face.shape != (68, 3):
        raise ValueError(f"a face has (68, 3) landmarks, got {face.shape}")
    still = np.zeros(len(motion))
    turn = rotation(HeadPose(motion.pitch, motion.yaw, motion.roll, still, still))
    neck = face[2] + face[14] - face[33]
    translation = neck - turn @ neck + motion.shift
    return np.concatenate([quaternion_of(turn), translation], axis=1)


def _liveliness(prosody: Prosody, count: int) -> _Array:
    """(T,) in [0, 1]: 1 while speaking, decaying in long pauses and recovering after them, with a time constant."""
    goal = np.ones(count)
    for start, end in prosody.pauses:
        if end - start > LONG_PAUSE_SECONDS:
            goal[math.ceil(start * FRAMES_PER_SECOND) : math.ceil(end * FRAMES_PER_SECOND)] = 0.0
    keep = math.exp(-1.0 / (DRIFT_SECONDS * FRAMES_PER_SECOND))
    return _decaying(np.concatenate([[1.0], (1.0 - keep) * goal]), keep)[1:]


def _decaying(values: NDArray[Any], keep: complex) -> NDArray[Any]:
    """Each value, and what is kept of all before it: y[n] = x[n] + keep · y[n - 1]."""
    kept = accumulate(values.tolist(), lambda before, value: value + keep * before)
    return np.fromiter(kept, values.dtype, len(values))


def _slow_melody(prosody: Prosody, count: int) -> _Array:
    """(T,) the melody below 2 Hz; 0 where it is unknown."""
    melody = np.zeros(count)
    if prosody.melody is not None:
        known = prosody.melody[:count]
        width = FRAMES_PER_SECOND * math.sqrt(math.log(2.0)) / (2.0 * math.pi * MELODY_HERTZ)  # -3 dB at 2 Hz
        reach = round(4.0 * width)
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
        held = np.pad(known, reach, mode="edge")
        melody[: len(known)] = np.convolve(held, weights / weights.sum(), mode="valid")
    return melody


def _bumps(times: _Array, moments: tuple[float, ...]) -> _Array:
    """(T,) 1 at each moment, rising before it and falling after it like raised cosines; the largest where they meet."""
    before, after = PHRASE_SECONDS
    bumps = np.zeros_like(times)
    for moment in moments:
        away = (times - moment) / np.where(times < moment, before, after)
        bumps = np.maximum(bumps, np.cos(0.5 * np.pi * np.clip(away, -1.0, 1.0)) ** 2)
    return bumps
