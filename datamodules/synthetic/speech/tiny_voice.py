"""A voice built in: pulses and noise through three formant resonators, so that nothing has to be installed.

It sounds like a toy and says ARPAbet phones or nonsense, not text; pitch, length of the vocal tract and tempo are its
options. Tests and small examples use it. The principle is the source–filter model of speech (Fant 1960) in the cascade
form of Klatt (1980).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from datamodules.synthetic.speech.phones import Phone, Utterance, segment_with_burst

SAMPLE_RATE: Final = 16000
_BLOCK: Final = 80  # samples over which a resonator keeps its frequency
_BANDWIDTHS: Final = (80.0, 110.0, 160.0)

# F1, F2, F3 in Hz after Peterson and Barney (1952), men; for consonants their loci.
_FORMANTS: Final = {
    "aa": (730, 1090, 2440), "ae": (660, 1720, 2410), "ah": (640, 1190, 2390), "ao": (570, 840, 2410),
    "eh": (530, 1840, 2480), "er": (490, 1350, 1690), "ih": (390, 1990, 2550), "iy": (270, 2290, 3010),
    "uh": (440, 1020, 2240), "uw": (300, 870, 2240), "ax": (500, 1400, 2400), "ow": (500, 900, 2300),
    "w": (300, 650, 2200), "y": (260, 2200, 3000), "r": (330, 1100, 1500), "l": (360, 1100, 2600),
    "m": (280, 900, 2200), "n": (280, 1600, 2500), "ng": (280, 2000, 2500),
    "b": (250, 850, 2200), "d": (250, 1700, 2600), "g": (250, 2000, 2500),
    "v": (280, 1100, 2100), "dh": (280, 1400, 2500), "z": (280, 1700, 2600), "jh": (280, 1900, 2600),
}  # fmt: skip
_DIPHTHONGS: Final = {
    "ay": ("aa", "iy"), "aw": ("aa", "uw"), "ey": ("eh", "iy"), "ow": ("ow", "uw"), "oy": ("ao", "iy"),
}  # fmt: skip
# Centre and width in Hz, and loudness, of the noise.
_NOISE: Final = {
    "s": (5800, 1800, 0.22), "z": (5800, 1800, 0.10), "sh": (3200, 1400, 0.22), "ch": (3400, 1500, 0.2),
    "jh": (3200, 1400, 0.1), "f": (4500, 5000, 0.07), "v": (4500, 5000, 0.03), "th": (5200, 5000, 0.06),
    "dh": (5200, 5000, 0.02), "hh": (1500, 2500, 0.06), "p": (900, 900, 0.2), "t": (4500, 2500, 0.2),
    "k": (2000, 900, 0.2), "b": (800, 900, 0.08), "d": (3800, 2500, 0.08), "g": (1900, 900, 0.08),
}  # fmt: skip
_VOICING: Final = {"m": 0.5, "n": 0.5, "ng": 0.5, "b": 0.18, "d": 0.18, "g": 0.18, "v": 0.4, "dh": 0.4, "z": 0.35,
                   "jh": 0.3, "w": 0.8, "y": 0.8, "r": 0.8, "l": 0.7}  # fmt: skip
_VOICELESS: Final = frozenset({"p", "t", "k", "f", "th", "s", "sh", "ch", "hh", "pau"})
_STOPS: Final = frozenset({"p", "t", "k", "b", "d", "g"})
# fmt: off
_SECONDS: Final = {"pau": 0.22, "p": 0.10, "t": 0.09, "k": 0.10, "b": 0.08, "d": 0.075, "g": 0.08, "m": 0.085,
                   "n": 0.07, "f": 0.1, "v": 0.075, "s": 0.12, "z": 0.09, "sh": 0.12, "ch": 0.12, "jh": 0.1}
# fmt: on
_LONG_VOWELS: Final = frozenset({"ay", "aw", "ey", "ow", "oy", "aa", "ae", "ao", "iy", "uw", "er"})


@dataclass(frozen=True)
class TinyVoice:
    """One voice of the built-in kind.

    Args:
        pitch: mean of the voice's fundamental frequency, Hz.
        tract: length of the vocal tract relative to the usual one of a man: divides all formants.
        tempo: how fast it speaks relative to the usual.
    """

    pitch: float = 120.0
    tract: float = 1.0
    tempo: float = 1.0

    @property
    def name(self) -> str:
        """Name of the voice, with its options."""
        return f"tiny:{self.pitch:g}:{self.tract:g}"

    def say(self, phones: Sequence[str], seed: int = 0) -> tuple[npt.NDArray[np.float32], Utterance]:
        """Say phones.

        Args:
            phones: ARPAbet in lower case, with ``pau`` for pauses.
            seed: of lengths, melody and noise.

        Returns:
            (N,) float32 in [-1, 1] at 16 kHz, and the utterance.

        Raises:
            ValueError: a phone is unknown, or there is none.
        """
        unknown = set(phones) - set(_FORMANTS) - set(_DIPHTHONGS) - _VOICELESS
        if unknown or not phones:
            raise ValueError(f"unknown phones: {sorted(unknown)}" if unknown else "there is nothing to say")
        generator = np.random.default_rng(seed)
        track = self._timed(phones, generator)
        count = round(track[-1].end * SAMPLE_RATE)
        times = np.arange(count) / SAMPLE_RATE
        voiced = lfilter(*_one_pole(0.9), self._pulses(times, generator)) * _voicing_level(track, times)
        for formant in range(3):
            frequency = self._formant_track(track, times, formant)
            voiced = _resonated(voiced, frequency, _BANDWIDTHS[formant])
        sound = voiced / max(1e-9, float(np.abs(voiced).max())) * 0.6 + self._noise(track, count, generator)
        sound *= 0.7 / max(0.7, float(np.abs(sound).max()))
        return sound.astype(np.float32), Utterance(track, count / SAMPLE_RATE)

    def _timed(self, phones: Sequence[str], generator: np.random.Generator) -> tuple[Phone, ...]:
        track, at = [], 0.0
        for label in phones:
            usual = _SECONDS.get(label, 0.17 if label in _LONG_VOWELS else 0.1)
            end = at + usual * float(generator.uniform(0.8, 1.25)) / self.tempo
            track.append(Phone(at, end, label, closure=segment_with_burst(label, at, end)))
            at = end
        return tuple(track)

    def _pulses(self, times: npt.NDArray[np.float64], generator: np.random.Generator) -> npt.NDArray[np.float64]:
        """One pulse a period; the melody falls slowly and moves up and down about every half second."""
        phase = generator.uniform(0, 2 * np.pi, 2)
        bend = 0.08 * np.sin(2 * np.pi * 1.9 * times + phase[0]) + 0.04 * np.sin(2 * np.pi * 4.3 * times + phase[1])
        frequency = self.pitch * (1.08 - 0.16 * times / max(times[-1], 0.1) + bend)
        turns = np.floor(np.cumsum(frequency) / SAMPLE_RATE)
        return np.diff(turns, prepend=0.0)

    def _formant_track(
        self, track: Sequence[Phone], times: npt.NDArray[np.float64], formant: int
    ) -> npt.NDArray[np.float64]:
        """The frequency of one formant: straight lines between the middles of phones (voiceless ones pass)."""
        at, hertz = [], []
        for phone in track:
            first, last = _DIPHTHONGS.get(phone.label, (phone.label, phone.label))
            if first in _FORMANTS:
                length = phone.duration
                at += [phone.start + 0.3 * length, phone.end - 0.25 * length]
                hertz += [_FORMANTS[first][formant], _FORMANTS[last][formant]]
        if not at:
            return np.full(len(times), 500.0 + 1000 * formant)
        return np.interp(times, at, hertz) / self.tract

    def _noise(self, track: Sequence[Phone], count: int, generator: np.random.Generator) -> npt.NDArray[np.float64]:
        sound = np.zeros(count)
        white = generator.standard_normal(count)
        for phone in track:
            if phone.label not in _NOISE:
                continue
            center, width, loudness = _NOISE[phone.label]
            shut = phone.closure[1] if phone.label in _STOPS and phone.closure else phone.start
            first, last = round(shut * SAMPLE_RATE), min(count, round(phone.end * SAMPLE_RATE))
            if last - first < 8:
                continue
            piece = lfilter(*_resonator(min(center / self.tract, 7200.0), width), white[first:last])
            piece /= max(1e-9, float(np.sqrt(np.mean(piece**2))))
            edge = np.minimum(1.0, np.arange(last - first) / 60.0)
            decay = np.exp(-np.arange(last - first) / 160.0) if phone.label in _STOPS else edge[::-1]
            sound[first:last] += 0.5 * loudness * piece * edge * decay
        return sound


def _voicing(label: str) -> float:
    return 0.0 if label in _VOICELESS else _VOICING.get(label, 1.0)


def _voicing_level(track: Sequence[Phone], times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Loudness of the voice, with edges of about 12 ms."""
    level = np.zeros(len(times))
    for phone in track:
        level[(times >= phone.start) & (times < phone.end)] = _voicing(phone.label)
    width = round(0.012 * SAMPLE_RATE)
    return np.convolve(level, np.hanning(width) / np.hanning(width).sum(), mode="same")


def _one_pole(pole: float) -> tuple[list[float], list[float]]:
    return [1 - pole], [1.0, -pole]


def _resonator(frequency: float, bandwidth: float) -> tuple[list[float], list[float]]:
    """Coefficients of a digital resonator with gain 1 at 0 Hz (Klatt 1980, Eq. 1)."""
    c = -np.exp(-2 * np.pi * bandwidth / SAMPLE_RATE)
    b = 2 * np.exp(-np.pi * bandwidth / SAMPLE_RATE) * np.cos(2 * np.pi * frequency / SAMPLE_RATE)
    return [1 - b - c], [1.0, -b, -c]


def _resonated(
    sound: npt.NDArray[np.float64], frequency: npt.NDArray[np.float64], bandwidth: float
) -> npt.NDArray[np.float64]:
    """Send a sound through a resonator whose frequency moves, in blocks of 5 ms that hand on the filter's state."""
    filtered = np.empty_like(sound)
    state = np.zeros(2)
    for first in range(0, len(sound), _BLOCK):
        block = slice(first, first + _BLOCK)
        filtered[block], state = lfilter(*_resonator(float(frequency[first]), bandwidth), sound[block], zi=state)
    return filtered
