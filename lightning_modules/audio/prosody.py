"""What of speech moves the head and the lids: accents, pauses, ends of phrases, and the melody."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.idle_motion import accents
from lightning_modules.audio.mouth_envelope import mouth_envelope
from lightning_modules.audio.speech_energy import RATE, speech_energy

SILENT_BELOW = 0.08
SHORTEST_PAUSE_SECONDS = 0.2
PHRASE_PAUSE_SECONDS = 0.25
"""A pause of this length ends a phrase."""

Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Prosody:
    """Times in seconds from the start of the recording.

    Attributes:
        accents: beginnings of accented vowels, ascending.
        pauses: (start, end) of silences of 0.2 s or longer, ascending.
        phrase_ends: ends of phrases, ascending.
        questions: those ends of phrases at which a question ends.
        melody: (T,) float64, logarithm of the pitch with mean 0 and standard deviation 1, interpolated over what is
            unvoiced, 62.5 frames a second; None if unknown.
    """

    accents: tuple[float, ...] = ()
    pauses: Spans = ()
    phrase_ends: tuple[float, ...] = ()
    questions: tuple[float, ...] = ()
    melody: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)


def prosody_of(samples: NDArray[np.floating], pitch: NDArray[np.floating] | None = None) -> Prosody:
    """Estimate the prosody of a recording from its loudness and pitch. Questions are not recognised.

    Args:
        samples: (N,) mono 16 kHz in [-1, 1].
        pitch: (T,) Hz, 0 where unvoiced, 62.5 frames a second; None if unknown.
    """
    loudness = mouth_envelope(speech_energy(samples)).loudness
    pauses = silences(loudness)
    ends = tuple(start for start, end in pauses if start > 0.0 and end - start >= PHRASE_PAUSE_SECONDS)
    return Prosody(
        accents=tuple(accents(loudness).tolist()),
        pauses=pauses,
        phrase_ends=ends,
        melody=None if pitch is None else melody_of(pitch),
    )


def silences(loudness: NDArray[np.float64]) -> Spans:
    """Find the pauses.

    Args:
        loudness: (K,) in [0, 1], 100 frames a second.

    Returns:
        (start, end) in seconds of silences of 0.2 s or longer.
    """
    silent = np.concatenate([[False], loudness < SILENT_BELOW, [False]])
    edges = np.flatnonzero(silent[1:] != silent[:-1]).reshape(-1, 2) / RATE
    return tuple((start, end) for start, end in edges.tolist() if end - start >= SHORTEST_PAUSE_SECONDS)


def melody_of(pitch: NDArray[np.floating]) -> NDArray[np.float64] | None:
    """Normalise a pitch track.

    Args:
        pitch: (T,) Hz, 0 where unvoiced.

    Returns:
        (T,) as :attr:`Prosody.melody`; None if fewer than two frames are voiced or the pitch never changes.
    """
    voiced = np.flatnonzero(np.asarray(pitch) > 0.0)
    if len(voiced) < 2:
        return None
    heights = np.log(np.asarray(pitch, np.float64)[voiced])
    deviation = float(heights.std())
    if deviation < 1e-5:
        return None
    melody: NDArray[np.float64] = np.interp(np.arange(len(pitch)), voiced, (heights - heights.mean()) / deviation)
    return melody
