"""Runs espeak-ng for one text in a process of its own: JSON on standard input, JSON and samples on standard output.

espeak-ng carries its state (phases, random numbers) from one text to the next, so the same text sounds different the
second time; a fresh process gives the same samples every time, and a crash costs one text. Imports nothing but the
standard library, so that it starts within a few hundredths of a second.

Input: ``{"voice", "text", "rate", "pitch", "phonemes"}``. Output: one line ``{"rate", "events": [[seconds, label or
null], …]}`` or ``{"error": "library" | "data" | "voice" | "text"}``, then the samples, int16 of this machine.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import sys
from typing import Any

_LIBRARIES = ("libespeak-ng.so.1", "libespeak-ng.1.dylib", "libespeak-ng.dll")
_SYNCHRONOUS, _PHONEME_EVENTS_IN_IPA, _DO_NOT_EXIT = 2, 0b11, 0x8000
_RATE, _PITCH = 1, 3
_UTF8, _PHONEMES = 1, 0x100
_WORD, _PHONEME = 1, 7


class _Name(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("text", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Name),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


def _library() -> Any:
    for name in (*_LIBRARIES, ctypes.util.find_library("espeak-ng") or ""):
        if name:
            try:
                return ctypes.CDLL(name)
            except OSError:
                continue
    return None


def speak(wanted: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Say what is wanted.

    Returns:
        The head of the answer, and the samples.
    """
    library = _library()
    if library is None:
        return {"error": "library"}, b""
    rate = int(library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS_IN_IPA | _DO_NOT_EXIT))
    if rate <= 0:
        return {"error": "data"}, b""
    blocks: list[bytes] = []
    events: list[tuple[float, str | None]] = []

    def take(samples: Any, count: int, arrived: Any) -> int:
        if count > 0:
            blocks.append(ctypes.string_at(samples, 2 * count))
        index = 0
        while arrived[index].type:
            event = arrived[index]
            if event.type == _WORD:
                events.append((event.sample / rate, None))
            elif event.type == _PHONEME:
                events.append((event.sample / rate, event.id.text.decode("utf-8", "replace")))
            index += 1
        return 0

    callback = _Callback(take)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(str(wanted["voice"]).encode()) != 0:
        return {"error": "voice"}, b""
    library.espeak_SetParameter(_RATE, int(wanted["rate"]), 0)
    library.espeak_SetParameter(_PITCH, int(wanted["pitch"]), 0)
    text = str(wanted["text"]).encode()
    flags = _UTF8 | (_PHONEMES if wanted["phonemes"] else 0)
    if library.espeak_Synth(text, len(text) + 1, 0, 1, 0, flags, None, None) != 0:
        return {"error": "text"}, b""
    library.espeak_Synchronize()
    return {"rate": rate, "events": events}, b"".join(blocks)


def main() -> None:
    """Read what is wanted from standard input, answer on standard output."""
    head, samples = speak(json.load(sys.stdin))
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + samples)


if __name__ == "__main__":
    main()
