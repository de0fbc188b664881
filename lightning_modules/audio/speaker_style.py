"""How a speaker moves, as a function of how the voice sounds: eight gains from a speaker embedding.

A style drawn freely for each voice could not be learnt for a voice never heard before. So the style is a fixed random
linear function of the embedding, squashed: gain = 1 + 0.5·tanh(M (e - e0)). It is a rule of our synthetic data, not a
finding about people. Reference: stage 1, section 19.6.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

EMBEDDING_LENGTH = 256
_SPREAD = 1.5  # unit embeddings of two voices are about 0.7 apart, so that an exponent is about N(0, 1)
_KEY = 68


@dataclass(frozen=True)
class SpeakerStyle:
    """Gains, each 1 for the average speaker and from 0.5 to 1.5.

    Attributes:
        jaw: opening of the jaw.
        width: movement of the lip corners.
        nods: how often an accent is nodded.
        pitch: size of the slow nodding sway.
        yaw: size of the slow turning sway.
        roll: size of the slow tilting sway.
        brows: movement of the brows.
        blinks: blinks a minute.
    """

    jaw: float = 1.0
    width: float = 1.0
    nods: float = 1.0
    pitch: float = 1.0
    yaw: float = 1.0
    roll: float = 1.0
    brows: float = 1.0
    blinks: float = 1.0


AVERAGE = SpeakerStyle()
"""The style of the average speaker: every gain is 1."""


def average_embedding() -> NDArray[np.float64]:
    """The embedding that has the average style unless another is given: (256,) with equal components, length 1."""
    return np.full(EMBEDDING_LENGTH, EMBEDDING_LENGTH**-0.5)


def speaker_style(embedding: NDArray[np.floating], average: NDArray[np.floating] | None = None) -> SpeakerStyle:
    """The style that belongs to a voice.

    Args:
        embedding: (256,) of unit length, e.g. the mean over the recordings of the voice.
        average: (256,) e0, which has the average style; None for :func:`average_embedding`.

    Raises:
        ValueError: a shape is wrong or a value is not finite.
    """
    centre = average_embedding() if average is None else np.asarray(average, np.float64)
    voice = np.asarray(embedding, np.float64)
    if voice.shape != (EMBEDDING_LENGTH,) or centre.shape != voice.shape or not np.isfinite(voice - centre).all():
        raise ValueError(f"a speaker embedding is (256,) and finite, got {voice.shape} and {centre.shape}")
    names = [field.name for field in fields(SpeakerStyle)]
    matrix = np.random.Generator(np.random.Philox(_KEY)).standard_normal((len(names), EMBEDDING_LENGTH))
    gains = 1.0 + 0.5 * np.tanh(_SPREAD * matrix @ (voice - centre))
    return SpeakerStyle(**dict(zip(names, gains.tolist(), strict=True)))
