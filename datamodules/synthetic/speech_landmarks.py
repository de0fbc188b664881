"""A small set of synthetic speech, made at run time from a seed; for debug configs and tests."""

from __future__ import annotations

import tempfile
from typing import Any, Final

from datamodules.prepare.speech_synthetic import prepare_synthetic_speech
from datamodules.speech_landmarks import SpeechLandmarksDataModule
from datamodules.speech_split import SpeechFolder
from datamodules.synthetic.speech.clips import plan_clip
from datamodules.synthetic.speech.voices import TINY_VOICES
from lightning_modules.errors import ConfigError

_FACES: Final = 8


class SyntheticSpeechDataModule(SpeechLandmarksDataModule):
    """Batches of **synthetic** speech and motion: the built-in voice says sentences, and a face follows by rule.

    Samples, order and resume are those of :class:`~datamodules.speech_landmarks.SpeechLandmarksDataModule`. There are
    no speaker embeddings: they ask for an extra. Validation is about the sentence of the last clip. A model trained on
    it has heard no person. A clip takes a fraction of a second to make.

    Args:
        clips: number of clips, at least 2.
        seed: of the clips, order, choice and augmentation, not negative.
        others: all other arguments of :class:`~datamodules.speech_landmarks.SpeechLandmarksDataModule` but ``folders``
            and ``embeddings``.

    Raises:
        ConfigError: a number is out of its range.
    """

    def __init__(self, *, clips: int = 8, seed: int = 0, **others: Any) -> None:
        if clips < 2:
            raise ConfigError(f"{clips} clips of synthetic speech", "give at least 2, of which one is held out")
        super().__init__(folders=(SpeechFolder("synthetic"),), seed=seed, embeddings=False, **others)
        self._clips = clips

    def setup(self, stage: str | None = None) -> None:
        """Make the clips in a folder that is gone again when they are in memory."""
        if self._stores:
            return
        held_out = plan_clip(self.seed, self._clips - 1, TINY_VOICES, _FACES).text
        with tempfile.TemporaryDirectory(prefix="inkspeak-speech-") as folder:
            prepare_synthetic_speech(
                folder, clips=self._clips, voices=TINY_VOICES, faces=_FACES, seed=self.seed, embedding=False, workers=0
            )
            self.folders = (SpeechFolder(folder, hold_out={"sentence": [held_out]}),)
            super().setup(stage)
