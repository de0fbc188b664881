"""The speaker-aware branch G: head motion and manner of a speaker (paper §3.2; reference stage1 §7.1).

An LSTM reads each window of content features, attention lets the windows of a segment see each other and the speaker,
and the result is one displacement a window. Like the published network it does not see the static face. The published
checkpoint also holds a transformer decoder (609,088 parameters) that is never run; this module has none.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from lightning_modules.networks.content_branch import COORDINATES
from lightning_modules.networks.landmark_attention import LandmarkAttention
from lightning_modules.networks.speech_windows import CHUNK, check_windows, window_chunks

EMBEDDING_SCALE: Final = 3.0
"""The network is given a speaker embedding of unit length times this."""

_SLOPE = 0.02  # of the leaky ReLUs


class SpeakerBranch(nn.Module):
    """Windows of a segment and a speaker to landmark displacements; 2,391,820 parameters by default.

    Args:
        features: content features of a frame.
        hidden: units of the LSTM.
        layers: of the LSTM.
        embedding: length of a speaker embedding.
        code: length of what is made of it.
        noise: length of the noise vector, zeros unless one is given.
        width: channels of the attention.
        heads: of the attention.
        blocks: of the attention.
        feed_forward: hidden units of its feed forward layers.
        head_width: units of the first layer after it; the second one has half.
        dropout: between the layers of the LSTM, while training.
        attention_dropout: in the attention, while training.
        longest: windows of the longest segment; published 512.
        code_noise: standard deviation of what is added to the speaker's code while training; published 0.01.

    Attributes:
        arguments: the sizes as given, so that a checkpoint can say what it belongs to.
    """

    def __init__(  # noqa: PLR0913, PLR0917  sizes of a network, each with the published default
        self,
        features: int = 80,
        hidden: int = 256,
        layers: int = 3,
        embedding: int = 256,
        code: int = 128,
        noise: int = 128,
        width: int = 64,
        heads: int = 2,
        blocks: int = 2,
        feed_forward: int = 2048,
        head_width: int = 512,
        dropout: float = 0.5,
        attention_dropout: float = 0.1,
        longest: int = 512,
        code_noise: float = 0.0,
    ) -> None:
        super().__init__()
        self.arguments = {
            "features": features,
            "hidden": hidden,
            "layers": layers,
            "embedding": embedding,
            "code": code,
            "noise": noise,
            "width": width,
            "heads": heads,
            "blocks": blocks,
            "feed_forward": feed_forward,
            "head_width": head_width,
            "longest": longest,
        }
        self.features, self.noise, self.longest, self.code_noise = features, noise, longest, code_noise
        self.recurrence = nn.LSTM(features, hidden, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.speaker = nn.Sequential(
            nn.Linear(embedding, embedding),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(embedding, code),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(code, code),
        )
        self.attention = LandmarkAttention(
            hidden + code + noise, width, heads, blocks, feed_forward, attention_dropout, longest
        )
        self.head = nn.Sequential(
            nn.Linear(width + noise, head_width),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(head_width, head_width // 2),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(head_width // 2, COORDINATES),
        )

    def forward(self, windows: Tensor, scaled_embedding: Tensor, noise: Tensor | None = None) -> Tensor:
        """Displacement of the landmarks, one for each window; the windows are consecutive and see each other.

        Args:
            windows: one segment (N, 18, F), or B segments (B, N, 18, F); N at most ``longest``.
            scaled_embedding: speaker embeddings times :data:`EMBEDDING_SCALE`: (1, E) or (N, E) for one segment,
                (B, E) or (B, N, E) for B.
            noise: (..., N, noise) like the windows; None: zeros, as published.

        Returns:
            (N, 204) or (B, N, 204), face units, point by point (x, y, z).

        Raises:
            ValueError: if shapes do not fit or the segment is too long.
        """
        check_windows(windows, self.features)
        leading = windows.shape[:-2]
        read, _ = self.recurrence(windows.flatten(0, -3))
        return self._from_sound(read[:, -1].unflatten(0, leading), scaled_embedding, noise, None)

    def encode_speaker(self, scaled_embedding: Tensor) -> Tensor:
        """The code of a speaker, which the transformer discriminator also sees: (..., E) to (..., code)."""
        code: Tensor = self.speaker(scaled_embedding)
        return code + self.code_noise * torch.randn_like(code) if self.training and self.code_noise else code

    @torch.no_grad()
    def displacements(
        self, features: Tensor, scaled_embedding: Tensor, frames: Tensor, *, chunk: int = CHUNK
    ) -> Tensor:
        """The same as :meth:`forward` on chosen windows of one segment, with bounded memory; for inference.

        Args:
            features: (T, F) content features of the clip.
            scaled_embedding: (E,) or (1, E).
            frames: (N,) int64, growing, the landmark frames of one segment, each from 0 to T - 18, the last one less
                than ``longest`` after the first. Left-out frames are not attended to; the others keep their places in
                the table of positions.
            chunk: most windows that the LSTM reads at once.

        Returns:
            (N, 204), face units.

        Raises:
            ValueError: if shapes do not fit, a frame is out of range, or the segment is too long.
        """
        if not len(frames):
            return features.new_empty(0, COORDINATES)
        places = frames - frames[0]
        if int(places.min()) < 0 or int(places.max()) >= self.longest:
            raise ValueError(f"a segment reaches over less than {self.longest} frames, forwards: cut it")
        read = torch.cat([self.recurrence(part)[0][:, -1] for part in window_chunks(features, frames, chunk)])
        return self._from_sound(read, scaled_embedding.reshape(1, -1), None, places)

    def _from_sound(
        self, sound: Tensor, scaled_embedding: Tensor, noise: Tensor | None, places: Tensor | None
    ) -> Tensor:
        leading = sound.shape[:-1]
        code = self.encode_speaker(scaled_embedding)
        if code.ndim == 2 and sound.ndim == 3:
            code = code[:, None]
        try:
            code = code.expand(*leading, -1)
            given = sound.new_zeros(self.noise) if noise is None else noise
            given = given.expand(*leading, self.noise)
        except RuntimeError as error:
            raise ValueError(
                f"embeddings {tuple(scaled_embedding.shape)} or noise do not go with windows {tuple(leading)}"
            ) from error
        met = self.attention(torch.cat((sound, code, given), dim=-1), places)
        made: Tensor = self.head(torch.cat((met, given), dim=-1))
        return made
