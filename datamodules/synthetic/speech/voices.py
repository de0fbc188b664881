"""Voices that say text or phones and tell when each phone sounds: what they share, their names, which are there.

A voice's name is ``engine:voice`` with, for flite, an optional vocal tract ``@factor``: ``flite:slt``,
``flite:rms@0.92``, ``espeak:en-us+f3``, ``tiny:120:1``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from datamodules.synthetic.speech.phones import Utterance
from datamodules.synthetic.speech.text import syllables
from datamodules.synthetic.speech.tiny_voice import TinyVoice
from lightning_modules.errors import ConfigError

SAMPLE_RATE: Final = 16000
ENGINES: Final = ("flite", "espeak", "tiny")
TRACTS: Final = (1.0, 0.88, 0.94, 1.07, 1.14)
"""Lengths of the vocal tract relative to its own that make several speakers of one flite voice."""

FLITE_VOICES: Final = ("slt", "rms", "awb", "kal16")
ESPEAK_ACCENTS: Final = (
    "en-us", "en", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029", "en-us-nyc",
)  # fmt: skip
ESPEAK_VARIANTS: Final = (
    "f1", "m1", "f2", "m2", "f3", "m3", "f4", "m4", "f5", "m5", "m6", "m7", "m8", "Adam", "Alex", "Alicia", "Andrea",
    "Andy", "Annie", "Antonio", "Auntie", "Belinda", "Benjamin", "Boris", "Caleb", "David", "Denis", "Diogo", "Ed",
    "Gene", "Gustave", "Henrique", "Hugo", "Iven", "Jacky", "John", "Lee", "Linda", "Marcelo", "Marco", "Mario", "Max",
    "Michael", "Michel", "Miguel", "Mike", "Nguyen", "Pablo", "Paul", "Pedro", "Quincy", "Rob", "Robert", "Steph",
    "Travis", "Tweaky", "Zac", "anika", "grandma", "grandpa", "klatt", "klatt2", "klatt4", "norbert", "sandro",
    "shelby", "victor",
)  # fmt: skip
TINY_VOICES: Final = ("tiny:120:1", "tiny:205:0.86", "tiny:95:1.08", "tiny:250:0.8")


@dataclass(frozen=True)
class Manner:
    """How something is said.

    Args:
        tempo: relative to the voice's usual, 0.7 to 1.4.
        pitch: shift in semitones, -6 to 6.
        seed: for voices that have something random.
    """

    tempo: float = 1.0
    pitch: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Spoken:
    """What a voice gave.

    Attributes:
        samples: (N,) float32 in [-1, 1], 16 kHz.
        utterance: the phones in it.
    """

    samples: npt.NDArray[np.float32]
    utterance: Utterance


class Voice(Protocol):
    """Says things.

    Attributes:
        name: by which :func:`make_voice` makes it.
    """

    name: str

    def say(self, text: str, manner: Manner) -> Spoken:
        """Say a text.

        Raises:
            BackendError: the engine fails.
        """
        ...

    def say_phones(self, phones: Sequence[str], manner: Manner) -> Spoken:
        """Say ARPAbet phones in lower case, ``pau`` for pauses.

        Raises:
            BackendError: the engine fails.
        """
        ...


class TinySpeaker:
    """The built-in voice as a :class:`Voice`; it cannot read, so a text becomes as many nonsense syllables as words.

    Args:
        pitch: mean fundamental frequency, Hz.
        tract: length of the vocal tract relative to the usual.
    """

    def __init__(self, pitch: float = 120.0, tract: float = 1.0) -> None:
        self._voice = TinyVoice(pitch, tract)
        self.name = self._voice.name

    def say(self, text: str, manner: Manner) -> Spoken:
        """Say nonsense with one and a half syllables a word of the text."""
        count = max(2, round(1.5 * len(text.split())))
        return self.say_phones(syllables(manner.seed, sum(text.encode()), count), manner)

    def say_phones(self, phones: Sequence[str], manner: Manner) -> Spoken:
        """Say ARPAbet phones."""
        voice = TinyVoice(self._voice.pitch * 2 ** (manner.pitch / 12), self._voice.tract, manner.tempo)
        return Spoken(*voice.say(phones, manner.seed))


def make_voice(name: str) -> Voice:
    """Make a voice by its name.

    Raises:
        ConfigError: no voice can have this name.
        BackendError: its engine is not installed or does not know it.
    """
    engine, _, rest = name.partition(":")
    makers: dict[str, Callable[[str], Voice]] = {"flite": _flite, "espeak": _espeak, "tiny": _tiny}
    if engine not in makers or not rest:
        raise ConfigError(f"{name!r} names no voice", "say for example flite:slt, espeak:en-us+f3 or tiny:120:1")
    try:
        return makers[engine](rest)
    except ValueError as error:
        raise ConfigError(
            f"{name!r} names no voice ({error})", "say for example flite:slt@0.9 or tiny:120:1"
        ) from error


def _flite(rest: str) -> Voice:
    from datamodules.synthetic.speech.flite_voice import FliteVoice

    voice, _, tract = rest.partition("@")
    return FliteVoice(voice, float(tract or 1.0))


def _espeak(rest: str) -> Voice:
    from datamodules.synthetic.speech.espeak_voice import EspeakVoice

    return EspeakVoice(rest)


def _tiny(rest: str) -> Voice:
    return TinySpeaker(*(float(part) for part in rest.split(":")))


def voice_names(wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the voices that were asked for.

    Args:
        wanted: names of engines, which stand for all their voices, and names of voices.

    Raises:
        ConfigError: nothing or something unknown was asked for.
        BackendError: an engine is not installed.
    """
    names: list[str] = []
    for entry in wanted:
        if entry not in ENGINES:
            names.append(_tried(entry))
            continue
        every = _voices_of(entry)
        make_voice(every[0])  # says what is missing
        names += every
    if not names:
        raise ConfigError("no voice was asked for", f"name an engine ({', '.join(ENGINES)}) or a voice")
    return tuple(dict.fromkeys(names))


def _tried(name: str) -> str:
    """The name as the voice gives it, once the voice has said something."""
    voice = make_voice(name)
    voice.say("ah", Manner())
    return voice.name


def _voices_of(engine: str) -> tuple[str, ...]:
    if engine == "flite":
        tracts = (
            (f"flite:{voice}" + (f"@{tract:g}" if tract != 1 else "")) for tract in TRACTS for voice in FLITE_VOICES
        )
        return tuple(tracts)
    if engine == "espeak":
        pairs = zip(itertools.cycle(ESPEAK_ACCENTS), ESPEAK_VARIANTS, strict=False)
        return tuple(f"espeak:{accent}+{variant}" for accent, variant in pairs)
    return TINY_VOICES
