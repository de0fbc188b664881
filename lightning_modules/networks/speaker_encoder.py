"""The speaker encoder: what a voice sounds like, as a point on the unit sphere (reference stage1 §4).

Source: Wan et al., "Generalized End-to-End Loss for Speaker Verification", ICASSP 2018; the sizes and the ReLU before
the normalisation are those of Resemblyzer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class SpeakerEncoder(nn.Module):
    """An LSTM over a mel spectrogram, whose last output becomes the embedding; 1,423,616 parameters by default.

    Args:
        bands: of the spectrogram.
        hidden: units of the LSTM.
        layers: of the LSTM.
        embedding: length of the result.
    """

    def __init__(self, bands: int = 40, hidden: int = 256, layers: int = 3, embedding: int = 256) -> None:
        super().__init__()
        self.bands = bands
        self.lstm = nn.LSTM(bands, hidden, layers, batch_first=True)
        self.linear = nn.Linear(hidden, embedding)

    def forward(self, mel: Tensor) -> Tensor:
        """Embed utterances of one length.

        Args:
            mel: (B, F, 40) power (not decibels) of 25 ms windows every 10 ms; published: F = 160.

        Returns:
            (B, 256), not negative, of unit length; zeros where every unit is off.

        Raises:
            ValueError: if the shape is another.
        """
        if mel.ndim != 3 or mel.shape[-1] != self.bands or not mel.shape[1]:
            raise ValueError(f"mel must be (B, F, {self.bands}), got {tuple(mel.shape)}")
        _, (hidden, _) = self.lstm(mel)
        made = torch.relu(self.linear(hidden[-1]))
        return functional.normalize(made, dim=1)
