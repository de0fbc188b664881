"""Random expressions of a face whose shapes are named like ARKit's (auxiliary, section 6.6 step 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

_SPEECH: Final = (
    *("jawOpen", "mouthFunnel", "mouthPucker", "mouthUpperUp", "mouthLowerDown", "mouthStretch", "mouthSmile"),
    *("mouthRollLower", "mouthRollUpper", "mouthPress"),
)
_GAZE: Final = "eyeLook"
_TIED: Final = 0.7  # share of faces whose two halves do the same
_SPEAKING: Final = 0.6
_BLINKING: Final = 0.25


@dataclass(frozen=True)
class Expressions:
    """Shapes by what they do, each as the numbers of its halves: (left, right), or (both,) for what has no sides.

    Attributes:
        speech: shapes of the talking mouth.
        blink: of the lids; None if there is none.
        jaw_open: number of the shape; None if there is none.
        mouth_close: number of the shape that closes the lips over an open jaw; None if there is none.
        others: all other shapes but the gaze, which moves no landmark.
    """

    speech: tuple[tuple[int, ...], ...]
    blink: tuple[int, ...] | None
    jaw_open: int | None
    mouth_close: int | None
    others: tuple[tuple[int, ...], ...]


def expression_pairs(names: Sequence[str]) -> Expressions:
    """Sort shapes by their names.

    Args:
        names: such as ``"jawOpen"`` and ``"mouthSmile_L"``, in the order of the shapes.
    """
    halves: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        halves.setdefault(name.removesuffix("_L").removesuffix("_R"), []).append(number)
    single = {name: numbers[0] for name, numbers in halves.items() if len(numbers) == 1}
    left_out = {"eyeBlink", "mouthClose", "PupilDilate"}
    return Expressions(
        speech=tuple(tuple(halves[name]) for name in _SPEECH if name in halves),
        blink=tuple(halves["eyeBlink"]) if "eyeBlink" in halves else None,
        jaw_open=single.get("jawOpen"),
        mouth_close=single.get("mouthClose"),
        others=tuple(
            tuple(numbers)
            for name, numbers in halves.items()
            if name not in left_out and name not in _SPEECH and not name.startswith(_GAZE)
        ),
    )


def random_weights(shapes: Expressions, generator: np.random.Generator) -> dict[int, float]:
    """Weights of one expression by the number of the shape, in [0, 1]: speech, blinks, and one to five other shapes.

    The lips are closed over the jaw by at most as much as it is open: the shape is defined together with the jaw's.
    """
    weights: dict[int, float] = {}

    def put(numbers: Sequence[int], most: float) -> None:
        level = generator.uniform(0, most)
        tied = generator.random() < _TIED
        for number in numbers:
            weights[number] = level if tied else generator.uniform(0, most)

    everything = (*shapes.speech, *shapes.others)
    for _ in range(int(generator.integers(1, 6))):
        if everything:
            put(everything[generator.integers(len(everything))], 0.7)
    if shapes.speech and generator.random() < _SPEAKING:
        for _ in range(int(generator.integers(1, 4))):
            put(shapes.speech[generator.integers(len(shapes.speech))], 0.6)
    if shapes.blink is not None and generator.random() < _BLINKING:
        put(shapes.blink, 1.0)
    if shapes.jaw_open is not None and shapes.mouth_close is not None and generator.random() < 0.3:
        weights[shapes.mouth_close] = generator.uniform(0, 1) * weights.get(shapes.jaw_open, 0.0)
    return weights
