"""AutoVC with pitch: speech re-voiced by one target speaker, the published content feature (reference stage1 §3).

Squeezed through a narrow code, the utterance loses its speaker; the decoder gives it another one. What stage 1 takes
for content is not the code but the re-voiced log-mel after the post-net.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

_KERNEL = 5
_GROUP = 16  # channels that are normalised together


class RevoicedSpeech(NamedTuple):
    """What :class:`AutoVC` gives."""

    mel: Tensor
    """(B, L, 80) log-mel before the post-net."""
    mel_post: Tensor
    """(B, L, 80) log-mel after it; z-scored, this is the content feature."""
    codes: Tensor
    """(B, 2 neck L / period), the codes one after another."""


def _layer(given: int, made: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(given, made, _KERNEL, padding=_KERNEL // 2), nn.GroupNorm(made // _GROUP, made))


class AutoVC(nn.Module):
    """Encoder, decoder and post-net; 14,320,960 parameters by default.

    Convolutions normalise over the whole length that they are given, so the output depends on the clip's length and
    padding; published: chunks of 4096 frames, each padded with zeros to a multiple of 32.

    Args:
        bands: of the log-mel, a multiple of 16.
        embedding: length of a speaker embedding.
        pitch_classes: of the quantised pitch, 0 = unvoiced.
        width: channels of the convolutions, a multiple of 16.
        neck: units of the encoder's LSTM in each direction.
        decoder_width: units of the decoder's LSTM.
        period: frames that share one code.

    Attributes:
        arguments: all of the above as given, so that a file can say what it belongs to.
    """

    def __init__(
        self,
        bands: int = 80,
        embedding: int = 256,
        pitch_classes: int = 257,
        width: int = 512,
        neck: int = 16,
        decoder_width: int = 512,
        period: int = 16,
    ) -> None:
        super().__init__()
        self.arguments = {
            "bands": bands,
            "embedding": embedding,
            "pitch_classes": pitch_classes,
            "width": width,
            "neck": neck,
            "decoder_width": decoder_width,
            "period": period,
        }
        self.bands, self.neck, self.period = bands, neck, period
        self.encoder = nn.ModuleList(_layer(bands + embedding if not index else width, width) for index in range(3))
        self.encoder_recurrence = nn.LSTM(width, neck, 2, batch_first=True, bidirectional=True)
        self.decoder_recurrence = nn.LSTM(2 * neck + embedding + pitch_classes, decoder_width, 3, batch_first=True)
        self.projection = nn.Linear(decoder_width, bands)
        widths = (bands, *(width,) * 4, bands)
        self.post_net = nn.ModuleList(_layer(widths[index], widths[index + 1]) for index in range(5))

    def encode(self, mel: Tensor, source_embedding: Tensor) -> Tensor:
        """The codes: (B, L, 80) log-mel and (B, E) embedding of its speaker to (B, L / period, 2 neck).

        Raises:
            ValueError: if the length is no multiple of the period, or shapes do not fit.
        """
        if mel.ndim != 3 or mel.shape[-1] != self.bands or not mel.shape[1] or mel.shape[1] % self.period:
            raise ValueError(f"mel must be (B, L, {self.bands}), L a multiple of {self.period}, got {tuple(mel.shape)}")
        x = torch.cat((mel, source_embedding[:, None].expand(-1, mel.shape[1], -1)), dim=-1).transpose(1, 2)
        for layer in self.encoder:
            x = torch.relu(layer(x))
        read, _ = self.encoder_recurrence(x.transpose(1, 2))
        ahead = read[:, self.period - 1 :: self.period, : self.neck]
        back = read[:, :: self.period, self.neck :]
        return torch.cat((ahead, back), dim=-1)

    def forward(
        self, mel: Tensor, source_embedding: Tensor, target_embedding: Tensor, f0_one_hot: Tensor
    ) -> RevoicedSpeech:
        """Re-voice speech.

        Args:
            mel: (B, L, 80) log-mel, about 0 to 1; L a multiple of 16 (published: padded with zeros to 32).
            source_embedding: (B, 256) of the speaker that is heard, unit length.
            target_embedding: (B, 256) of the speaker that shall be heard.
            f0_one_hot: (B, L, 257) quantised pitch.

        Returns:
            See :class:`RevoicedSpeech`.

        Raises:
            ValueError: if shapes do not fit.
        """
        codes = self.encode(mel, source_embedding)
        if f0_one_hot.shape[:2] != mel.shape[:2]:
            raise ValueError(f"pitch {tuple(f0_one_hot.shape)} does not go with mel {tuple(mel.shape)}")
        spread = codes.repeat_interleave(self.period, dim=1)
        speaker = target_embedding[:, None].expand(-1, mel.shape[1], -1)
        read, _ = self.decoder_recurrence(torch.cat((spread, speaker, f0_one_hot), dim=-1))
        made = self.projection(read)
        change = made.transpose(1, 2)
        for layer in self.post_net[:-1]:
            change = torch.tanh(layer(change))
        change = self.post_net[-1](change)
        return RevoicedSpeech(made, made + change.transpose(1, 2), codes.flatten(1))
