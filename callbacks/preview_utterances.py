"""Three made-up utterances that every preview speaks: the same in every run, so that runs can be compared.

They are sounds to move a mouth by, not to be heard: a buzz at 120 Hz through two resonances a vowel, syllable by
syllable. ``fast``: seven short syllables a second, where lips blur or lag. ``slow``: long vowels, wide, round and open
in turn, held long enough to be looked at. ``pauses``: bursts of three syllables with silence between, in which the
mouth has to close and the drawing to hold still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.loading import Speech

RATE: Final = 16000
"""Samples per second."""

# First two resonances of the vowels of an average man, Hz.
_VOWELS: Final = {"a": (730, 1090), "e": (530, 1840), "i": (270, 2290), "o": (570, 840), "u": (300, 870)}
_WIDTHS: Final = (90.0, 150.0)  # of the two resonances, Hz
_PITCH: Final = 120.0
_HARMONICS: Final = 25
_LOUDNESS: Final = 0.1  # root mean square of the loudest vowel


@dataclass(frozen=True)
class Utterance:
    """How an utterance is put together; it is repeated until its time is over.

    Attributes:
        vowels: one a syllable, letters of ``aeiou``; ``.`` is silence.
        syllable: seconds of each.
        shut: share of a syllable, at its ends, in which the sound swells and dies away.
    """

    vowels: str
    syllable: float
    shut: float


UTTERANCES: Final = {
    "fast": Utterance("aieouaeoi", 1 / 7, 0.8),
    "slow": Utterance("aiuoe", 0.5, 0.3),
    "pauses": Utterance("aoi...", 0.16, 0.6),
}
"""By the names that the films bear."""


def spoken(name: str, seconds: float) -> Speech:
    """An utterance of :data:`UTTERANCES` as sound.

    Args:
        name: of the utterance.
        seconds: its length.

    Returns:
        Mono, 16 kHz.
    """
    utterance = UTTERANCES[name]
    times = np.arange(round(seconds * RATE)) / RATE
    number, within = np.divmod(times / utterance.syllable, 1.0)
    order = number.astype(int) % len(utterance.vowels)
    swell = np.clip(np.minimum(within, 1 - within) / (utterance.shut / 2), 0, 1)
    sound = np.zeros_like(times)
    for place, vowel in enumerate(utterance.vowels):
        if vowel != ".":
            sound += np.where(order == place, _vowel(vowel, times), 0.0)
    return Speech((sound * np.sin(swell * np.pi / 2) ** 2).astype(np.float32), RATE, None, ())


def _vowel(vowel: str, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """A held vowel of a steady voice."""
    sound = np.zeros_like(times)
    for harmonic in range(1, _HARMONICS + 1):
        frequency = harmonic * _PITCH
        gain = sum(
            1 / (1 + ((frequency - place) / width) ** 2) for place, width in zip(_VOWELS[vowel], _WIDTHS, strict=True)
        )
        sound += gain / harmonic**0.5 * np.sin(2 * np.pi * frequency * times)
    loudness = float(np.sqrt(np.mean(sound**2))) if len(sound) else 1.0
    return sound * (_LOUDNESS / max(loudness, 1e-9))
