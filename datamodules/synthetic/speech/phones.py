"""The phones of one utterance, in time: what a voice says and what the mouth is to do.

Times are seconds from the first sample. Labels are those of the voice: ARPAbet in lower case (flite, the built-in
voice) or IPA (espeak-ng).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

Stress = Literal["primary", "none", "unstressed"]
Span = tuple[float, float]

SHORTEST_CLOSURE: Final = 0.03
"""Seconds for which the lips touch at least."""


@dataclass(frozen=True)
class Phone:
    """One phone.

    Args:
        start: seconds.
        end: seconds, after ``start``.
        label: as the voice names it, without marks of stress.
        stress: of a vowel; ``"none"`` where the voice does not tell.
        closure: while the vocal tract is shut, for stops and nasals; None where it never is, or where nobody knows.
    """

    start: float
    end: float
    label: str
    stress: Stress = "none"
    closure: Span | None = None

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True)
class Utterance:
    """What a voice says and when.

    Args:
        phones: in order, without gaps or overlaps.
        duration: of the sound, seconds.
    """

    phones: tuple[Phone, ...]
    duration: float

    def __post_init__(self) -> None:
        ends = [0.0, *(phone.end for phone in self.phones)]
        for before, phone in zip(ends, self.phones, strict=False):
            if phone.end <= phone.start or phone.start < before - 1e-6:
                raise ValueError(f"phone {phone} does not follow {before:.3f} s")

    def scaled(self, factor: float) -> Utterance:
        """Return it with all times multiplied: a tempo of 1 / factor."""

        def later(phone: Phone) -> Phone:
            closure = None if phone.closure is None else (phone.closure[0] * factor, phone.closure[1] * factor)
            return replace(phone, start=phone.start * factor, end=phone.end * factor, closure=closure)

        return Utterance(tuple(later(phone) for phone in self.phones), self.duration * factor)


def segment_with_burst(label: str, start: float, end: float) -> Span | None:
    """Closure of a stop whose segment holds closure and burst, as flite and the built-in voice mark them.

    Args:
        label: ARPAbet.
        start: of the segment, seconds.
        end: of the segment, seconds.

    Returns:
        The first three quarters for stops, all of it for nasals (§19.4), None for other phones. At least 30 ms, as far
        as the segment has them.
    """
    if label in {"m", "n", "ng", "em", "en"}:
        return start, end
    if label in {"p", "b", "t", "d", "k", "g"}:
        return start, min(end, start + max(0.75 * (end - start), SHORTEST_CLOSURE))
    return None


def filled_with_silence(phones: Iterable[Phone], duration: float) -> Utterance:
    """Return an utterance in which every stretch without a phone is a pause (``pau``)."""
    filled: list[Phone] = []
    at = 0.0
    for phone in phones:
        if phone.start > at + 1e-4:
            filled.append(Phone(at, phone.start, "pau"))
        begin = max(phone.start, at)
        if phone.end > begin:
            filled.append(replace(phone, start=begin))
            at = phone.end
    if duration > at + 1e-4:
        filled.append(Phone(at, duration, "pau"))
    return Utterance(tuple(filled), max(duration, at))
