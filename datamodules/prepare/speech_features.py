"""What a recording sounds like to the speech-to-landmark networks: the part of a record that every builder shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_modules.errors import BackendError

EmbedSpeaker = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From samples in [-1, 1] to a speaker embedding (256,) of unit length."""


@dataclass(frozen=True, eq=False)
class SpeechFeatures:
    """Features of a recording, as a :class:`~datamodules.prepare.speech_record.SpeechRecord` holds them.

    Attributes:
        mel: (T, 80) float32 log-mel of the loudness-normalised sound.
        pitch: (T,) float32 Hz, 0 where unvoiced.
        pitch_bins: (T,) int16 in 0..256.
        speaker_embedding: (256,) float32 of unit length, or None if not asked for.
    """

    mel: NDArray[np.float32]
    pitch: NDArray[np.float32]
    pitch_bins: NDArray[np.int16]
    speaker_embedding: NDArray[np.float32] | None


def features_of(samples: NDArray[np.int16], embed_speaker: EmbedSpeaker | None = None) -> SpeechFeatures:
    """Measure a recording: its loudness is brought to -20 dBFS first, for all features alike.

    Args:
        samples: (N,) int16, mono 16 kHz, N at least 513. Not modified.
        embed_speaker: computes the speaker embedding; None for none.

    Raises:
        ValueError: fewer samples.
    """
    from lightning_modules.audio.fundamental_frequency import (
        make_fundamental_frequency,
        mel_and_pitch,
        quantize_pitch,
    )
    from lightning_modules.audio.loudness import normalize_loudness

    normal = normalize_loudness(as_float(samples))
    mel, pitch = mel_and_pitch(normal, make_fundamental_frequency())
    return SpeechFeatures(
        mel=mel,
        pitch=pitch,
        pitch_bins=quantize_pitch(pitch).astype(np.int16),
        speaker_embedding=None if embed_speaker is None else np.asarray(embed_speaker(normal), np.float32),
    )


def speaker_embedder(*, wanted: bool) -> EmbedSpeaker | None:
    """Return what computes speaker embeddings, or None if they are not wanted.

    Raises:
        BackendError: they are wanted, and the network's weights are not installed.
    """
    if not wanted:
        return None
    from lightning_modules.audio.speaker_embedding import embed_speaker, load_speaker_encoder

    try:
        load_speaker_encoder()
    except BackendError as error:
        raise BackendError(error.found, f"{error.remedy}, or do without (--no-embedding)") from error
    return embed_speaker


def as_float(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Samples in [-1, 1) of 16-bit samples."""
    return samples.astype(np.float32) / np.float32(32768.0)
