"""The preset ``paper``: the trained networks with the published order of work around them, seams and all.

Segments of 512 windows side by side, each calibrated and smoothed by itself, 62.5 frames a second, blinks at fixed
frames (:mod:`lightning_modules.audio.published_motion`). What differs: inputs are not written to, the video lasts as
long as the sound (the last landmarks are held for 0.29 s), and any frame rate is read from the 62.5.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_modules.audio import published_motion as published
from lightning_modules.audio.content_features import ContentFeature, MelContent, Standardization
from lightning_modules.audio.loading import Speech
from lightning_modules.audio.speaker_embedding import Manner, embed_speaker
from lightning_modules.audio.track import LandmarkTrack
from lightning_modules.errors import AudioError, ConfigError
from lightning_modules.export.landmark_model_file import LandmarkModel
from lightning_modules.geometry.smoothing import resample_track
from lightning_modules.networks.speaker_branch import EMBEDDING_SCALE
from lightning_modules.networks.speech_windows import WINDOW
from lightning_modules.pipeline.frame_rate import exact_frame_rate, frame_count
from lightning_modules.pipeline.landmark_driver import DriverGains

FEATURE_RATE = 62.5
SEGMENT, SHORTEST_SEGMENT = 512, 10
MOUTH_GAIN, HEAD_GAIN = 2.0, 0.5
"""The published amplifications of the mouth and of the speaker-aware branch; users' gains multiply them."""


class PublishedLandmarkDriver:
    """Moves the landmarks of a face as the published system does.

    Args:
        model: the networks and what they hear. Without a speaker-aware branch, as in the published ablation, the head
            is still.
        seed: of the blinks; 0 gives the published ones.
        gains: how strongly each part moves. The brows are part of the head here, and a blink rate other than 0 stands
            for the published rate.
        content: makes the content feature; None for models that hear the log-mel.
        embedding: how the speaker is embedded for the speaker-aware branch.

    Attributes:
        notes: what the user should know about the last recording.

    Raises:
        ConfigError: the seed is negative.
    """

    name = "trained, as published"

    def __init__(
        self,
        model: LandmarkModel,
        seed: int = 0,
        gains: DriverGains | None = None,
        content: ContentFeature | None = None,
        embedding: Manner = "published",
    ) -> None:
        if seed < 0:
            raise ConfigError(f"the seed is {seed}", "choose 0 or a positive whole number")
        if content is None and model.training.feature != "mel":
            found = f"the model hears the feature '{model.training.feature}', which needs networks of its own"
            raise ConfigError(found, "hand the driver a ContentFeature that makes it, or take one that hears 'mel'")
        self.model, self.seed, self.gains = model, seed, gains or DriverGains()
        self.content: ContentFeature = content or MelContent(
            Standardization(model.feature_mean.numpy(), model.feature_std.numpy())
        )
        self.embedding = embedding
        self.notes: tuple[str, ...] = ()

    def drive(self, speech: Speech, face: NDArray[np.floating], fps: float) -> LandmarkTrack:
        """Move a face with a recording.

        Args:
            speech: the recording, 1.03 s or longer.
            face: (68, 3) landmarks at rest, frontal; pixels.
            fps: frames per second.

        Returns:
            ``round(duration · fps)`` frames in pixels.

        Raises:
            AudioError: the recording is too short for the published post-processing.
            BackendError: the published voice detector is not installed (for models with a speaker-aware branch).
            ConfigError: ``fps`` is no frame rate.
            ValueError: the face is a profile.
        """
        count, rate = frame_count(speech.duration, fps), float(exact_frame_rate(fps))
        if len(speech.samples) // 256 + 1 - WINDOW < published.SHORTEST_TRACK:
            least = (published.SHORTEST_TRACK + WINDOW - 1) * 256 / 16000
            found = f"it lasts {speech.duration:.2f} s, and the published post-processing needs {least:.2f} s"
            raise AudioError(found, "take a longer recording or the preset 'default'", speech.source)
        track = self.landmarks(speech, published.published_face(face))
        read = resample_track(track, FEATURE_RATE, rate, count)
        return LandmarkTrack(np.ascontiguousarray(read, np.float32), float(fps))

    def landmarks(self, speech: Speech, face: published.PublishedFace) -> NDArray[np.float64]:
        """The published result: T - 18 frames at 62.5 frames a second, (T - 18, 68, 3) pixels."""
        features = torch.from_numpy(self.content(speech.samples))
        voice = None
        if self.model.speaker_branch is not None:
            # As published, the speaker is embedded before the loudness is normalised (§15, B4).
            known = embed_speaker(speech.samples, self.embedding)
            voice = EMBEDDING_SCALE * torch.from_numpy(np.array(known))
        heard = self._with_silence(features)
        segments = []
        for start in range(0, len(features) - WINDOW, SEGMENT):
            frames = torch.arange(start, min(start + SEGMENT, len(features) - WINDOW))
            if len(frames) >= SHORTEST_SEGMENT:
                segments.append(self._segment(heard, features, frames, voice, face.local))
        track = face.to_pixels(published.finish_normalised(segments))
        blinks = published.blink_frames(len(track), self.seed) if self.gains.blink_rate > 0.0 else None
        return published.finish_pixels(track, blinks)

    def _with_silence(self, features: torch.Tensor) -> torch.Tensor:
        """Features for a content branch that hears more than the published one: with silence before and after."""
        branch = self.model.content_branch
        before, after = branch.past, max(branch.future - (WINDOW - 1), 0)
        if not before and not after:
            return features
        silence = torch.from_numpy(self.content(np.zeros(16000, np.float32))[31])
        return torch.cat([silence.expand(before, -1), features, silence.expand(after, -1)])

    def _segment(
        self,
        heard: torch.Tensor,
        features: torch.Tensor,
        frames: torch.Tensor,
        voice: torch.Tensor | None,
        face: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        static = torch.from_numpy(face.astype(np.float32).reshape(204))
        said = self.model.content_branch.displacements(heard, static, frames).numpy()
        moved = published.calibrate(said).reshape(-1, 68, 3)
        moved[:, 48:, 0] *= MOUTH_GAIN * self.gains.mouth_x
        moved[:, 48:, 1] *= MOUTH_GAIN * self.gains.mouth_y
        if self.model.speaker_branch is not None and voice is not None:
            head = self.model.speaker_branch.displacements(features, voice, frames).numpy().reshape(-1, 68, 3)
            moved += published.head_part(head, HEAD_GAIN * self.gains.head)
        landmarks = face + moved
        published.repair_inverted_lips(landmarks)
        return landmarks
