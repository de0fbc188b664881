"""Visemes: what jaw and lips aim at in each phone, and how strongly (reference §19.3).

The targets are set by hand after the phonetics of English, not measured. Five channels have targets: J jaw opening,
W width of the mouth (+ spread, − round), P protrusion, U raise of the upper lip, L drop of the lower lip; two more are
constraints, C lips touch and F lower lip at the upper teeth.
"""

from __future__ import annotations

import itertools
import unicodedata
from dataclasses import dataclass, field
from typing import Final

from datamodules.synthetic.speech.phones import Phone, Utterance

PARAMETERS: Final = ("jaw", "width", "protrusion", "upper_lip", "lower_lip", "closure", "labiodental")
"""Names of the columns J, W, P, U, L, C, F of a parameter track."""


@dataclass(frozen=True)
class Viseme:
    """One viseme.

    Args:
        targets: J, W, P, U, L.
        jaw_dominance: how strongly J is pulled to its target (αJ).
        lip_dominance: the same of W, P, U and L (αL).
        bilabial: the lips touch (C).
        labiodental: the lower lip touches the upper teeth (F).
        vowel: is a vowel.
        voiced: the voice sounds.
    """

    targets: tuple[float, float, float, float, float]
    jaw_dominance: float
    lip_dominance: float
    bilabial: bool = False
    labiodental: bool = False
    vowel: bool = False
    voiced: bool = True

    @property
    def rounded(self) -> bool:
        """Whether the lips are round: such visemes reach far into their neighbours."""
        return self.targets[1] < -0.3


def _consonant(*targets: float, jaw: float, lips: float) -> Viseme:
    j, w, p, u, low = targets
    return Viseme((j, w, p, u, low), jaw, lips)


def _vowel(*targets: float, jaw: float, lips: float) -> Viseme:
    j, w, p, u, low = targets
    return Viseme((j, w, p, u, low), jaw, lips, vowel=True)


VISEMES: Final = {
    "sil": Viseme((0, 0, 0, 0, 0), 0.8, 0.5, voiced=False),
    "PBM": Viseme((0.10, 0, 0.05, 0, 0), 1.0, 0.3, bilabial=True),
    "FV": Viseme((0.12, 0.10, 0, 0.15, 0), 1.0, 0.5, labiodental=True),
    "TH": _consonant(0.22, 0.10, 0, 0.10, 0.10, jaw=0.8, lips=0.25),
    "TD": _consonant(0.18, 0.10, 0, 0.05, 0.10, jaw=0.7, lips=0.15),
    "SZ": _consonant(0.05, 0.25, 0, 0.10, 0.15, jaw=1.2, lips=0.40),
    "SH": _consonant(0.08, -0.45, 0.60, 0.30, 0.30, jaw=1.2, lips=1.0),
    "KG": _consonant(0.25, 0, 0, 0.05, 0.05, jaw=0.4, lips=0.12),
    "R": _consonant(0.20, -0.40, 0.45, 0.10, 0.10, jaw=0.6, lips=0.8),
    "W": _consonant(0.10, -0.90, 0.85, 0, 0, jaw=0.8, lips=1.3),
    "Y": _consonant(0.12, 0.45, 0, 0.10, 0.10, jaw=0.6, lips=0.6),
    "HH": _consonant(0.25, 0, 0, 0.05, 0.05, jaw=0.08, lips=0.05),
    "AA": _vowel(0.85, 0, 0, 0.25, 0.25, jaw=1, lips=0.7),
    "AE": _vowel(0.75, 0.45, 0, 0.30, 0.35, jaw=1, lips=0.8),
    "AH": _vowel(0.45, 0, 0, 0.15, 0.15, jaw=0.8, lips=0.5),
    "AX": _vowel(0.28, 0, 0, 0.10, 0.10, jaw=0.4, lips=0.3),
    "AO": _vowel(0.65, -0.45, 0.45, 0.15, 0.20, jaw=1, lips=0.9),
    "EH": _vowel(0.50, 0.30, 0, 0.20, 0.25, jaw=0.9, lips=0.7),
    "ER": _vowel(0.30, -0.25, 0.35, 0.15, 0.15, jaw=0.8, lips=0.8),
    "IH": _vowel(0.25, 0.30, 0, 0.15, 0.15, jaw=0.7, lips=0.7),
    "IY": _vowel(0.15, 0.60, 0, 0.15, 0.20, jaw=0.8, lips=1),
    "UH": _vowel(0.30, -0.45, 0.45, 0.10, 0.10, jaw=0.8, lips=0.9),
    "UW": _vowel(0.20, -0.80, 0.80, 0.10, 0.10, jaw=0.9, lips=1.2),
    "OW": _vowel(0.45, -0.60, 0.60, 0.10, 0.15, jaw=0.9, lips=1.0),
}
"""By name; ``OW`` is the first half of the diphthong."""

DIPHTHONGS: Final = {
    "ay": ("AA", "IY", 0.60),
    "aw": ("AA", "UW", 0.60),
    "ey": ("EH", "IY", 0.50),
    "ow": ("OW", "UW", 0.55),
    "oy": ("AO", "IY", 0.55),
}
"""From, to, and the share of the time that the first takes."""

_SPELT: Final = {
    "sil": "pau sil h# #",
    "PBM": "p b m em",
    "FV": "f v",
    "TH": "th dh",
    "TD": "t d n l dx en el nx",
    "SZ": "s z",
    "SH": "sh zh ch jh",
    "KG": "k g ng",
    "R": "r",
    "W": "w",
    "Y": "y",
    "HH": "hh hv",
    "AA": "aa",
    "AE": "ae",
    "AH": "ah",
    "AX": "ax axr ix",
    "AO": "ao",
    "EH": "eh",
    "ER": "er",
    "IH": "ih",
    "IY": "iy",
    "UH": "uh",
    "UW": "uw ux",
}
_IPA_SPELT: Final = {
    "PBM": "p b m ɓ",
    "FV": "f v ɱ ʋ",
    "TH": "θ ð",
    "TD": "t d n l ɾ ɫ ʈ ɖ ɳ ɭ n̩ l̩",
    "SZ": "s z ts dz",
    "SH": "ʃ ʒ tʃ dʒ ɕ ʑ",
    "KG": "k ɡ g ŋ x ɣ q ç",
    "R": "ɹ r ʁ ɻ ʀ",
    "W": "w ʍ ɥ",
    "Y": "j ʝ",
    "HH": "h ʔ ɦ",
    "AA": "ɑ a",
    "AE": "æ",
    "AH": "ʌ ɜ",
    "AX": "ə ɐ ᵻ ɨ əl",
    "AO": "ɔ ɒ",
    "EH": "ɛ e",
    "ER": "ɝ ɚ ɜː œ ø",
    "IH": "ɪ",
    "IY": "i",
    "UH": "ʊ ɵ",
    "UW": "u y ʉ",
    "OW": "o",
}


def _spelt(labels: str) -> list[str]:
    return labels.split()


_ARPABET: Final = {label: name for name, labels in _SPELT.items() for label in _spelt(labels)}
_IPA: Final = {label: name for name, labels in _IPA_SPELT.items() for label in _spelt(labels)}
_IPA_DIPHTHONGS: Final = {
    "aɪ": "ay", "aʊ": "aw", "eɪ": "ey", "oʊ": "ow", "əʊ": "ow", "ɔɪ": "oy", "ɑɪ": "ay", "ɑʊ": "aw", "æɪ": "ey",
}  # fmt: skip
_WITH_R: Final = {"ɹ": "R", "ɚ": "ER", "ə": "AX", "r": "R"}
_VOICELESS: Final = frozenset(_spelt("p t k f th s sh ch hh θ ʃ tʃ x h ʔ ts ʈ q ç ɕ ʍ"))
_STRESS: Final = {"primary": 1.15, "none": 1.0, "unstressed": 0.85}


@dataclass(frozen=True)
class Segment:
    """A stretch of time with one viseme as its aim.

    Args:
        start: seconds.
        end: seconds.
        viseme: the aim; its targets are scaled by the stress already.
    """

    start: float
    end: float
    viseme: Viseme


@dataclass
class VisemeTable:
    """Turns phones into segments, and remembers which labels it did not know.

    Attributes:
        unknown: labels that were taken for ``AX`` (vowels) or ``KG`` (consonants).
    """

    unknown: set[str] = field(default_factory=set)

    def segments(self, utterance: Utterance) -> list[Segment]:
        """Return the segments of an utterance: one a phone, two a diphthong."""
        return list(itertools.chain.from_iterable(self._of_phone(phone) for phone in utterance.phones))

    def names_of(self, label: str) -> tuple[tuple[str, float], ...]:
        """Return the visemes of a label, by name, each with the share of the time that it takes."""
        if label in DIPHTHONGS:
            first, second, share = DIPHTHONGS[label]
            return (first, share), (second, 1 - share)
        if label in _ARPABET and label.isascii():
            return ((_ARPABET[label], 1.0),)
        return self._of_ipa(label)

    def voiced(self, label: str) -> bool:
        """Whether the voice sounds in a phone."""
        return label not in _VOICELESS and self.names_of(label)[0][0] != "sil"

    def _of_phone(self, phone: Phone) -> list[Segment]:
        segments, start = [], phone.start
        for name, share in self.names_of(phone.label):
            end = start + share * phone.duration
            segments.append(Segment(start, end, stressed(VISEMES[name], _STRESS[phone.stress])))
            start = end
        return segments

    def _of_ipa(self, label: str) -> tuple[tuple[str, float], ...]:
        if label in _IPA:
            return ((_IPA[label], 1.0),)
        bare = bare_ipa(label)
        if bare in _IPA_DIPHTHONGS:
            first, second, share = DIPHTHONGS[_IPA_DIPHTHONGS[bare]]
            return (first, share), (second, 1 - share)
        if bare in _IPA:
            return ((_IPA[bare], 1.0),)
        if len(bare) >= 2 and bare[-1] in _WITH_R and bare[0] in _IPA:  # vowels that end in r, as in "near"
            return (_IPA[bare[0]], 0.6), (_WITH_R[bare[-1]], 0.4)
        if bare and bare[0] in _IPA and bare[-1] in _IPA:
            first, last = _IPA[bare[0]], _IPA[bare[-1]]
            return ((first, 1.0),) if len(bare) == 1 else ((first, 0.5), (last, 0.5))
        self.unknown.add(label)
        return (("AX" if any(sign in "aeiouyɑɐɒæəɘɛɜɪɨɔøœʊʉʌ" for sign in bare) else "KG", 1.0),)


def bare_ipa(label: str) -> str:
    """Return an IPA symbol without length, stress, secondary articulation and diacritics."""
    decomposed = unicodedata.normalize("NFD", label)
    kept = (sign for sign in decomposed if not unicodedata.combining(sign) and sign not in "ː:ˑˈˌʲʰʷˠ'-^.;ˤʼ")
    return "".join(kept)


def stressed(viseme: Viseme, gain: float) -> Viseme:
    """Return a vowel with J, U and L multiplied; a consonant as it is."""
    if not viseme.vowel or gain == 1.0:
        return viseme
    j, w, p, u, low = viseme.targets
    targets = (j * gain, w, p, u * gain, low * gain)
    return Viseme(targets, viseme.jaw_dominance, viseme.lip_dominance, vowel=True)
