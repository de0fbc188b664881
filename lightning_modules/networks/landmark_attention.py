"""Self-attention along time, as the speaker-aware branch and the transformer discriminator use it (stage1 §7.1).

Two things are not as in other transformers, and published weights need them: the table of positions doubles the
exponent and gives sine and cosine of a pair different frequencies, and the normalisation divides by the *unbiased*
standard deviation plus 1e-6.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

_EPSILON = 1e-6


def position_table(length: int, width: int) -> Tensor:
    """Values that tell positions apart: ``sin(p / 10000^(2 i / width))`` at even i, ``cos`` of the same with i odd.

    Args:
        length: positions.
        width: channels, even.

    Returns:
        (length, width) float32. Published: 512 x 64.
    """
    # In NumPy: the values are there even where a module is built without memory to learn its shapes.
    channel = np.arange(width)
    angles = np.arange(length)[:, None] / 10000.0 ** (2 * channel / width)
    return torch.from_numpy(np.where(channel % 2 == 0, np.sin(angles), np.cos(angles)).astype(np.float32))


class UnbiasedNormalization(nn.Module):
    """``alpha (x - mean) / (std + 1e-6) + bias`` over the last axis, std with n - 1 in its denominator.

    Args:
        width: length of that axis, at least 2.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (..., width)."""
        deviation, mean = torch.std_mean(x, dim=-1, keepdim=True)
        return self.alpha * (x - mean) / (deviation + _EPSILON) + self.bias


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(-2, -3) for layer in (self.query, self.key, self.value)
        )
        dropout = self.dropout if self.training else 0.0
        met = functional.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        made: Tensor = self.out(met.transpose(-2, -3).flatten(-2))
        return made


class _Block(nn.Module):
    """Normalise, attend, add; normalise, feed forward, add."""

    def __init__(self, width: int, heads: int, feed_forward: int, dropout: float) -> None:
        super().__init__()
        self.first_norm = UnbiasedNormalization(width)
        self.attention = _Attention(width, heads, dropout)
        self.second_norm = UnbiasedNormalization(width)
        self.widen = nn.Linear(width, feed_forward)
        self.narrow = nn.Linear(feed_forward, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.first_norm(x)))
        wide = self.dropout(functional.relu(self.widen(self.second_norm(x))))
        made: Tensor = x + self.dropout(self.narrow(wide))
        return made


class LandmarkAttention(nn.Module):
    """Every time step sees all others of its segment.

    Args:
        features: of a time step.
        width: channels inside, even.
        heads: of the attention; they divide the width.
        blocks: attention with feed forward.
        feed_forward: hidden units of the feed forward layers.
        dropout: while training.
        longest: length of the table of positions, the longest segment; published 512.
    """

    positions: Tensor

    def __init__(
        self,
        features: int,
        width: int = 64,
        heads: int = 2,
        blocks: int = 2,
        feed_forward: int = 2048,
        dropout: float = 0.1,
        longest: int = 512,
    ) -> None:
        super().__init__()
        self.longest = longest
        self.embed = nn.Linear(features, width)
        self.blocks = nn.ModuleList(_Block(width, heads, feed_forward, dropout) for _ in range(blocks))
        self.norm = UnbiasedNormalization(width)
        self.register_buffer("positions", position_table(longest, width), persistent=False)

    def forward(self, x: Tensor, positions: Tensor | None = None) -> Tensor:
        """Attend along time.

        Args:
            x: (..., N, features), N at most ``longest``.
            positions: (N,) int64 in 0 .. longest - 1, where the steps stand; None: 0 .. N - 1.

        Returns:
            (..., N, width).

        Raises:
            ValueError: if the segment is too long.
        """
        if x.shape[-2] > self.longest:
            raise ValueError(f"segments have at most {self.longest} time steps, got {x.shape[-2]}: cut them")
        table = self.positions[: x.shape[-2]] if positions is None else self.positions[positions]
        x = self.embed(x)
        x = x * math.sqrt(x.shape[-1]) + table.to(x.dtype)
        for block in self.blocks:
            x = block(x)
        normal: Tensor = self.norm(x)
        return normal
