"""Voices of espeak-ng, through its shared library (Debian package ``espeak-ng`` or ``libespeak-ng1``).

The library is loaded in a process of its own (:mod:`datamodules.synthetic.speech.espeak_process`); nothing of it is
part of this package (it is under the GPL): who installs it, uses it. It tells when each phone begins, with IPA names.
For voiceless stops that is the burst, and the silence before it belongs, in the events, to the phone before; for voiced
stops and nasals it is the beginning of the closure. Both are turned into the closure that the lips make (reference
§19.1).
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from datamodules.synthetic.speech import espeak_process
from datamodules.synthetic.speech.phones import Phone, Span, Utterance, filled_with_silence
from datamodules.synthetic.speech.resampling import resampled
from datamodules.synthetic.speech.visemes import bare_ipa
from datamodules.synthetic.speech.voices import Manner, Spoken
from lightning_modules.errors import BackendError

_REMEDY: Final = "install it (Debian, Ubuntu: apt-get install espeak-ng), or choose the voices flite or tiny"
_SAMPLE_RATE: Final = 16000
_USUAL_RATE, _USUAL_PITCH = 165, 50
_PATIENCE: Final = 60.0
_VOICELESS_CLOSURE: Final = 0.055
_FIRST_CLOSURE: Final = 0.03
_MNEMONICS: Final = {
    "aa": "A:", "ae": "a", "ah": "V", "ao": "O:", "eh": "E", "er": "3:", "ih": "I", "iy": "i:", "uh": "U", "uw": "u:",
    "ay": "aI", "aw": "aU", "ey": "eI", "ow": "oU", "oy": "OI", "ax": "@", "th": "T", "dh": "D", "sh": "S", "zh": "Z",
    "ch": "tS", "jh": "dZ", "ng": "N", "y": "j", "hh": "h", "pau": "_:",
}  # fmt: skip
_LATE: Final = frozenset({"p", "t", "k"})
_EARLY_STOPS: Final = frozenset({"b", "d", "ɡ", "g"})
_NASALS: Final = frozenset({"m", "n", "ŋ"})


@dataclass(frozen=True)
class EspeakEvent:
    """A phone or a word begins.

    Args:
        at: seconds.
        label: IPA of the phone; empty for a pause; None when a word begins.
    """

    at: float
    label: str | None


def _speak(
    voice: str, text: str, *, rate: int = _USUAL_RATE, pitch: int = _USUAL_PITCH, phonemes: bool = False
) -> tuple[npt.NDArray[np.int16], int, list[EspeakEvent]]:
    """Samples, their rate and events.

    Raises:
        BackendError: espeak-ng is not installed, does not know the voice, or fails.
    """
    wanted = json.dumps({"voice": voice, "text": text, "rate": rate, "pitch": pitch, "phonemes": phonemes})
    command = [sys.executable, "-I", "-S", str(Path(espeak_process.__file__))]
    try:
        done = subprocess.run(command, input=wanted.encode(), capture_output=True, check=True, timeout=_PATIENCE)  # noqa: S603 - our own interpreter and our own text
        first, _, content = done.stdout.partition(b"\n")
        head = json.loads(first)
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        raise BackendError(f"espeak-ng failed ({error})", "try it on a terminal") from error
    match head.get("error"):
        case None:
            events = [EspeakEvent(float(at), label) for at, label in head["events"]]
            return np.frombuffer(content, np.int16), int(head["rate"]), events
        case "voice":
            raise BackendError(f"espeak-ng knows no voice {voice!r}", "see espeak-ng --voices and --voices=variant")
        case "text":
            raise BackendError(f"espeak-ng refused the text {text!r}", "try it on a terminal")
        case "data":
            raise BackendError("espeak-ng finds no data", _REMEDY)
        case _:
            raise BackendError("the library of espeak-ng is not installed", _REMEDY)


@functools.cache
def _check_library() -> None:
    _speak("en", "a")


class EspeakVoice:
    """One voice of espeak-ng.

    Args:
        voice: accent and variant as espeak-ng names them, e.g. ``"en-us+f3"``.

    Raises:
        BackendError: espeak-ng is not installed. What it does not know it says when the voice is used.
    """

    def __init__(self, voice: str = "en-us") -> None:
        _check_library()
        self.name = f"espeak:{voice}"
        self._voice = voice

    def say(self, text: str, manner: Manner) -> Spoken:
        """Say a text, read as English."""
        return self._speak(text.replace("[[", "").replace("]]", ""), manner, phonemes=False)

    def say_phones(self, phones: Sequence[str], manner: Manner) -> Spoken:
        """Say ARPAbet phones; every pause begins a new word."""
        words = " ".join("".join(_MNEMONICS.get(phone, phone) for phone in word) for word in _words(phones))
        return self._speak(f"[[{words}]]", manner, phonemes=True)

    def _speak(self, text: str, manner: Manner, *, phonemes: bool) -> Spoken:
        pitch = int(np.clip(round(_USUAL_PITCH + 6 * manner.pitch), 0, 99))
        sound, rate, events = _speak(
            self._voice, text, rate=round(_USUAL_RATE * manner.tempo), pitch=pitch, phonemes=phonemes
        )
        if not len(sound):
            raise BackendError(f"espeak-ng said nothing for {text!r}", "try it on a terminal")
        utterance = utterance_of(events, len(sound) / rate)
        return Spoken(resampled(sound.astype(np.float32) / 32768.0, rate, _SAMPLE_RATE), utterance)


def _words(phones: Sequence[str]) -> list[list[str]]:
    words: list[list[str]] = [[]]
    for phone in phones:
        if phone == "pau":
            words.append([phone])
        else:
            words[-1].append(phone)
    return [word for word in words if word]


def utterance_of(events: Sequence[EspeakEvent], duration: float) -> Utterance:
    """Return phones and closures from the events of espeak-ng.

    A phone lasts until the next one begins. A voiceless stop's closure is the last 55 ms before its event, but not
    before its word begins; the phone is given that time, so that phones still follow each other. The closure of a
    voiced stop is the first four fifths of its phone, that of a nasal all of it.

    Args:
        events: in order of time.
        duration: of the sound, seconds.
    """
    named = [event for event in events if event.label is not None]
    words = np.array([event.at for event in events if event.label is None] or [0.0])
    phones: list[Phone] = []
    for number, event in enumerate(named):
        end = named[number + 1].at if number + 1 < len(named) else duration
        label = "ɜː" if event.label == "ɜː" else bare_ipa(event.label or "")  # this one's length tells it from ʌ
        if end <= event.at or not label:
            continue
        start, closure = event.at, _closure(label, event.at, end)
        if label in _LATE:
            earliest = max(event.at - _VOICELESS_CLOSURE, *words[words <= event.at][-1:], 0.0)
            start = min(earliest, max(event.at - _FIRST_CLOSURE, 0.0))
            closure = (start, event.at)
            if phones and phones[-1].end > start:
                before = phones.pop()
                if start > before.start + 0.01:
                    phones.append(_cut(before, start))
                else:  # too short to lend anything: half of it
                    start = (before.start + event.at) / 2
                    closure = (start, event.at)
                    phones.append(_cut(before, start))
        if end > start:
            phones.append(Phone(start, end, label, closure=closure))
    return filled_with_silence(phones, duration)


def _cut(phone: Phone, end: float) -> Phone:
    closure = None if phone.closure is None else (min(phone.closure[0], end), min(phone.closure[1], end))
    return Phone(phone.start, end, phone.label, phone.stress, closure)


def _closure(label: str, start: float, end: float) -> Span | None:
    if label in _EARLY_STOPS:
        return start, start + 0.8 * (end - start)
    return (start, end) if label in _NASALS else None
