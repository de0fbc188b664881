"""What the trained driver hears of a recording: content features, prosody, and who speaks; measured once, in one pass.

Beside the recording this needs one copy of it while it measures, and afterwards 320 bytes for every 16 ms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.conditioning import SHORTEST
from lightning_modules.audio.content_features import ContentFeature, Standardization
from lightning_modules.audio.fundamental_frequency import ANY_VOICE, make_fundamental_frequency, mel_and_pitch
from lightning_modules.audio.loading import Speech
from lightning_modules.audio.log_mel import BANDS, FLOOR
from lightning_modules.audio.loudness import normalize_loudness
from lightning_modules.audio.prosody import Prosody, prosody_of
from lightning_modules.audio.speaker_embedding import embed_speaker
from lightning_modules.errors import BackendError, ConfigError
from lightning_modules.export.landmark_model_file import LandmarkModel
from lightning_modules.networks.speech_windows import WINDOW

PADDING = WINDOW + 2
"""Frames of silence that follow the recording, so that its last frames have a window, also between two frames."""


@dataclass(frozen=True, eq=False)
class Heard:
    """A recording as the driver knows it.

    Attributes:
        features: (T + 20, 80) float32 standardised content features, 62.5 frames a second, the last 20 of silence.
        silence: (80,) float32, the feature of silence.
        prosody: accents, pauses, melody.
        embedding: (256,) float32, the speaker; None where no branch asks for it.
        notes: what the user should know.
    """

    features: NDArray[np.float32]
    silence: NDArray[np.float32]
    prosody: Prosody
    embedding: NDArray[np.float32] | None = None
    notes: tuple[str, ...] = ()

    def stretch(self, start: int, stop: int) -> NDArray[np.float32]:
        """Features of the frames from ``start`` to before ``stop``; outside of :attr:`features` there is silence."""
        inside = self.features[max(start, 0) : max(stop, 0)]
        before, after = max(min(0, stop) - start, 0), max(stop - max(len(self.features), start), 0)
        if not before and not after:
            return inside
        rows = [np.broadcast_to(self.silence, (count, len(self.silence))) for count in (before, after)]
        return np.concatenate([rows[0], inside, rows[1]])


def hear(speech: Speech, model: LandmarkModel, content: ContentFeature | None = None) -> Heard:
    """Measure a recording for a model.

    Args:
        speech: the recording; one shorter than 513 samples is continued by silence.
        model: says what it wants to hear.
        content: makes the content feature, standardised; None for models that hear the log-mel.

    Returns:
        What was heard. Where the model wants to know the speaker and the encoder's weights are not installed, the mean
        of its training speakers stands in, and a note says so.

    Raises:
        ConfigError: the model hears another feature, and nothing makes it.
        ValueError: a sample is not finite.
    """
    if content is None and model.training.feature != "mel":
        found = f"the model hears the feature '{model.training.feature}', which needs networks of its own"
        raise ConfigError(found, "hand the driver a ContentFeature that makes it, or take a model that hears 'mel'")
    samples = speech.samples
    if len(samples) < SHORTEST:
        samples = np.pad(samples, (0, SHORTEST - len(samples)))
    normal = normalize_loudness(samples)
    mel, pitch = mel_and_pitch(normal, make_fundamental_frequency(search=ANY_VOICE))
    embedding, notes = (None, ()) if model.speaker_branch is None else _speaker(normal, model)
    del normal
    if content is None:
        standardize = Standardization(model.feature_mean.numpy(), model.feature_std.numpy())
        features = standardize(mel)
        silence = standardize(np.full((1, BANDS), FLOOR, np.float32))[0]
    else:
        features = content(samples)
        silence = content(np.zeros(16000, np.float32))[31]
    padded = np.concatenate([features, np.broadcast_to(silence, (PADDING, BANDS))])
    return Heard(padded, silence, prosody_of(speech.samples, pitch), embedding, notes)


def _speaker(normal: NDArray[np.float32], model: LandmarkModel) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    try:
        return embed_speaker(normal), ()
    except BackendError as error:
        if model.mean_embedding is None:
            raise
        note = f"the speaker is taken for an average one: {error.found}"
        return model.mean_embedding.numpy(), (note,)
