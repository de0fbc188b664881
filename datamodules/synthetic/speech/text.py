"""What is said: sentences of a small grammar over word lists of our own, and nonsense words.

The word lists are balanced by hand for the mouth: every onset consonant meets open, spread and rounded vowels, and lips
that touch come before and after each of them. A sentence depends on (seed, index) alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np


def _words(text: str, separator: str = " ") -> tuple[str, ...]:
    return tuple(text.split(separator))


_NOUNS: Final = _words(
    "map beam moon boat bell pan pool pea mouse boy baby paper farm foot fan fish phone valley voice vine wolf worm "
    "wall window whale yard yolk youth road rope rabbit room lamp leaf loop lamb table tooth team tie dog duck door "
    "dove night nose neighbour noon sun soup seat sofa ship shoe shop shower cheese church chain choice jam juice "
    "jewel journey king cow cave coffee goat girl garden glove house hat heart hero thumb thief thought mother father "
    "brother apple apron oven island uncle umbrella engine orange evening owner echo oil arm ear eye amber opera puppy "
    "mammoth poppy pump bob pepper bubble memory museum value movie bowl bamboo waffle vowel favour level lever river"
)
_VERBS: Final = _words(
    "moved made met missed mopped mapped bought baked built boiled bent pushed pulled packed paid poured put found "
    "fed forgave folded fixed visited valued warned washed wove woke used opened answered asked ate owned saw sold "
    "sewed showed shook shaved chose chewed chased joined judged jumped kept called caught carried gave got guarded "
    "heard helped held hurt thanked threw thought told took tied touched drew drove dropped noticed named knew read "
    "rowed rubbed left loved lifted leaned robbed wrapped improved employed"
)
_ADJECTIVES: Final = _words(
    "big bold blue brown beige pale pink poor proud purple mild muddy modern mauve few fair funny foolish vivid vast "
    "vague warm weak wise wooden yellow young round rough rare loud low lazy tall tiny tough deaf dark deep new near "
    "narrow sad soft silver shy sharp short cheap chubby jolly joyful cool calm clever good green gloomy heavy happy "
    "huge thin thick third old open only early empty oily awful ample able"
)
_PLACES: Final = _words(
    "by the bay,on the beach,in the mall,from the farm,over the pub,at the pool,above the moor,in view,with five "
    "others,for fun,on the roof,under the arch,near the shore,at the church,behind the jail,in the cave,by the gate,"
    "at home,in our house,on the path,to the south,without a doubt,in the barn,up the loop,before we won,through the "
    "woods,after you,at noon,above my oven",
    ",",
)
_SUBJECTS: Final = _words(
    "I,you,we,they,my mother,your brother,Bob,Emma,Paul,Fay,Owen,Zoe,Yuma,Hugh,Kay,Joe,Shaw,Thea,Ruby,Wim,the boy,"
    "every owner,both of them,nobody,some people,five old men,the queen,a poor bee,each of us,who",
    ",",
)
_CLAUSES: Final = _words(
    "because {s} {v} it,but {s} never {v} me,and {s} {v} them all,so {s} {v} the {n},while {s} {v} you,when {s} "
    "{v} a {a} {n},if {s} {v} more,although {s} {v} few,where {s} {v} us",
    ",",
)
_NUMBERS: Final = _words("one two three four five six seven eight nine ten eleven twelve fifteen twenty forty sixty")
_FRAMES: Final = (
    "{S} {v} the {a} {n} {p}.",
    "{S} {v} my {n}.",
    "{S} {v} a {n} and a {n} {c}.",
    "The {a} {n} {v} {n} number {d}.",
    "Why has {s} {v} the {n} {p}?",
    "Did {s} say that {s} {v} it {p}?",
    "{P}, {s} {v} {d} {n}s, {c}.",
    "{D} {n}s, {d} {n}s, and {d} {a} {n}s.",
    "No, {s} {v} our {a}, {a} {n}!",
    "Oh my, what a {a} {n} {s} {v} {p}.",
    "{S} {v} it; {s} {v} the {n} too.",
    "Please, move the {n} {p}.",
)
_ONSETS: Final = _words("p b m f v th dh t d n l s z sh ch jh k g r w y hh")
_VOWELS: Final = _words("aa ae ah ao eh er ih iy uh uw ay aw ey ow oy")


def sentence(seed: int, index: int) -> str:
    """Return the sentence at a position of an endless list, 3 to about 16 words."""
    generator = np.random.default_rng([seed, index, 1])

    def one(words: tuple[str, ...]) -> str:
        return words[int(generator.integers(len(words)))]

    def fill(frame: str) -> str:
        lists = {"n": _NOUNS, "v": _VERBS, "a": _ADJECTIVES, "s": _SUBJECTS, "p": _PLACES, "d": _NUMBERS}
        parts = []
        for piece in frame.split("{"):
            key, brace, rest = piece.partition("}")
            if not brace:
                parts.append(piece)
            elif key == "c":
                parts.append(fill(one(_CLAUSES)) + rest)
            else:
                word = one(lists[key.lower()])
                ending = "e" if rest.startswith("s") and word.endswith(("s", "sh", "ch")) else ""
                parts.append((word[0].upper() + word[1:] if key.isupper() else word) + ending + rest)
        return "".join(parts)

    return fill(one(_FRAMES))


def syllables(seed: int, index: int, count: int = 12) -> tuple[str, ...]:
    """Return nonsense as ARPAbet phones, CVCVC… with a pause (``pau``) after every fifth syllable and at both ends.

    Consonants and vowels walk through all pairs: over the indices every consonant meets every vowel equally often.

    Args:
        seed: of the walk.
        index: which piece of it.
        count: syllables.
    """
    generator = np.random.default_rng([seed, 2])
    pairs = [(onset, vowel) for onset in _ONSETS for vowel in _VOWELS]
    order = generator.permutation(len(pairs))
    phones = ["pau"]
    for k in range(count):
        onset, vowel = pairs[order[(index * count + k) % len(pairs)]]
        phones += [onset, vowel]
        if k % 5 == 4 and k + 1 < count:
            phones.append("pau")
    return (*phones, "pau")
