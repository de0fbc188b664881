"""What the landmark networks hear of speech: 80 numbers a frame, 62.5 frames a second.

Two features behind one interface: the log-mel itself, which needs no trained network, and the published one, the
log-mel of the utterance as the voice-conversion network says it again in the voice of one speaker.

Source: reference §3, §3.1; MakeItTalk (Zhou et al., SIGGRAPH Asia 2020); AutoVC (Qian et al., ICML 2019).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightning_modules.audio.fundamental_frequency import (
    PITCH_BINS,
    FundamentalFrequency,
    mel_and_pitch,
    quantize_pitch,
)
from lightning_modules.audio.log_mel import BANDS, FLOOR, log_mel
from lightning_modules.audio.loudness import normalize_loudness
from lightning_modules.audio.speaker_embedding import EMBEDDING

if TYPE_CHECKING:
    from lightning_modules.networks.autovc import AutoVC

CHUNK = 4096
"""Frames that the voice-conversion network takes at once: 65.5 s."""

Manner = Literal["default", "published"]

_MULTIPLE = 32
_OVERLAP = 256  # frames that neighbouring chunks share, at least
_FADE = 128  # in the middle of them


class ContentFeature(Protocol):
    """Makes the content feature of a recording."""

    def __call__(self, samples: NDArray[np.floating]) -> NDArray[np.float32]:
        """The content feature at 62.5 frames a second.

        Args:
            samples: (N,) mono 16 kHz in [-1, 1], float32 or float64, N at least 513, at any level. Not modified.

        Returns:
            (N // 256 + 1, 80) float32, of mean about 0 and standard deviation about 1 on ordinary speech.

        Raises:
            ValueError: the samples are something else.
        """
        ...


class Standardization:
    """Takes the mean of every band off and divides by its standard deviation.

    Args:
        mean: (80,).
        deviation: (80,), positive.

    Raises:
        ValueError: of other shapes, not finite, or a deviation is not positive.
    """

    def __init__(self, mean: ArrayLike, deviation: ArrayLike) -> None:
        self.mean = np.array(mean, dtype=np.float32)
        self.deviation = np.array(deviation, dtype=np.float32)
        for values in (self.mean, self.deviation):
            if values.shape != (BANDS,) or not np.isfinite(values).all():
                raise ValueError(f"mean and deviation are {BANDS} finite numbers each, not {values.shape}")
        if (self.deviation <= 0).any():
            raise ValueError("the deviation of every band is positive")

    def __call__(self, bands: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standardise (T, 80) in place, and return it."""
        bands -= self.mean
        bands /= self.deviation
        return bands


class MelContent:
    """The standardised log-mel of the recording at -20 dBFS.

    Args:
        standardization: with the statistics of such log-mels.
    """

    def __init__(self, standardization: Standardization) -> None:
        self.standardization = standardization

    def __call__(self, samples: NDArray[np.floating]) -> NDArray[np.float32]:
        """The content feature (T, 80); see :class:`ContentFeature`."""
        return self.standardization(log_mel(normalize_loudness(samples)))


class AutoVCContent:
    """The standardised log-mel of the recording, said again by the target speaker.

    Args:
        network: the voice-conversion network, in eval mode.
        standardization: with the statistics of such log-mels.
        target: (256,) embedding of the target speaker.
        pitch: measures the pitch; the published system uses the range ``"F"`` for every voice.
        embed: embeds the recording's own speaker, from samples at -20 dBFS.
        manner: ``"default"``: longer recordings go in chunks of 4096 frames that overlap by 256 or more and are faded
            into each other, and what fills the last 32 frames is silence without voice. ``"published"``: chunks stand
            side by side, a short one at the end included; what fills up is 0, in the pitch not even a class.

    Raises:
        ValueError: the target has another shape, or there is no such manner.
    """

    def __init__(
        self,
        network: AutoVC,
        standardization: Standardization,
        target: ArrayLike,
        pitch: FundamentalFrequency,
        embed: Callable[[NDArray[np.floating]], NDArray[np.float32]],
        manner: Manner = "default",
    ) -> None:
        self.target = np.array(target, dtype=np.float32)
        if self.target.shape != (EMBEDDING,) or not np.isfinite(self.target).all():
            raise ValueError(f"a speaker is {EMBEDDING} finite numbers, not {self.target.shape}")
        if manner not in {"default", "published"}:
            raise ValueError(f"speech is said again in the manner default or published, not {manner!r}")
        self.network, self.standardization, self.pitch, self.embed = network, standardization, pitch, embed
        self.manner = manner

    def __call__(self, samples: NDArray[np.floating]) -> NDArray[np.float32]:
        """The content feature (T, 80); see :class:`ContentFeature`."""
        return self.standardization(self.revoice(samples))

    def revoice(self, samples: NDArray[np.floating]) -> NDArray[np.float32]:
        """The log-mel (T, 80) of the recording in the voice of the target speaker, not standardised.

        Args:
            samples: as for the content feature.
        """
        samples = normalize_loudness(samples)
        mel, hertz = mel_and_pitch(samples, self.pitch)
        return self.revoice_mel(mel, quantize_pitch(hertz), self.embed(samples))

    def revoice_mel(
        self, mel: NDArray[np.float32], pitch_bins: NDArray[np.integer], speaker: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The same from what was measured before.

        Args:
            mel: (T, 80) log-mel of the recording at -20 dBFS, T at least 1. Not modified.
            pitch_bins: (T,) 0 to 256.
            speaker: (256,) embedding of its speaker.

        Returns:
            (T, 80) float32.

        Raises:
            ValueError: the shapes do not go together.
        """
        if mel.ndim != 2 or mel.shape[1] != BANDS or not len(mel) or pitch_bins.shape != mel.shape[:1]:
            raise ValueError(f"a log-mel is (T, {BANDS}) and its pitch (T,), not {mel.shape} and {pitch_bins.shape}")
        if speaker.shape != (EMBEDDING,):
            raise ValueError(f"a speaker is {EMBEDDING} numbers, not {speaker.shape}")
        result = np.empty_like(mel)
        done = 0
        for start in self._chunk_starts(len(mel)):
            stop = min(start + CHUNK, len(mel))
            made = self._convert(mel[start:stop], pitch_bins[start:stop], speaker)
            if start < done:
                middle = (start + done) // 2
                fade = slice(middle - _FADE // 2, middle + _FADE // 2)
                weight = 0.5 - 0.5 * np.cos(np.pi * (np.arange(_FADE, dtype=np.float32)[:, None] + 0.5) / _FADE)
                result[fade] += weight * (made[fade.start - start : fade.stop - start] - result[fade])
                result[fade.stop : stop] = made[fade.stop - start :]
            else:
                result[start:stop] = made
            done = stop
        return result

    def _chunk_starts(self, frames: int) -> list[int]:
        if self.manner == "published" or frames <= CHUNK:
            return list(range(0, frames, CHUNK))
        # Full chunks, evenly spread: the network normalises over each, which a short one would suffer from.
        count = -(-(frames - _OVERLAP) // (CHUNK - _OVERLAP))
        return [int(start) for start in np.rint(np.linspace(0, frames - CHUNK, count))]

    def _convert(
        self, mel: NDArray[np.float32], pitch_bins: NDArray[np.integer], speaker: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        import torch
        from torch.nn import functional

        frames = len(mel)
        length = -(-frames // _MULTIPLE) * _MULTIPLE
        published = self.manner == "published"
        device = next(self.network.parameters()).device
        filled = np.full((1, length, BANDS), 0.0 if published else FLOOR, dtype=np.float32)
        filled[0, :frames] = mel
        bins = np.zeros(length, dtype=np.int64)
        bins[:frames] = pitch_bins
        with torch.inference_mode():
            classes = functional.one_hot(torch.from_numpy(bins), PITCH_BINS).float()[None].to(device)
            if published:
                classes[:, frames:] = 0.0
            source, target = (torch.tensor(voice, device=device)[None] for voice in (speaker, self.target))
            made = self.network(torch.from_numpy(filled).to(device), source, target, classes).mel_post
            converted: NDArray[np.float32] = made[0, :frames].float().cpu().numpy()
        return converted
