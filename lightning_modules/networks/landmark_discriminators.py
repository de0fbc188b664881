"""Discriminators of landmark motion: one sees frames, one sees stretches of time (reference stage1 §8).

Both give raw logits. The published training has them switched off; the losses are least squares (LSGAN).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.networks.content_branch import COORDINATES
from lightning_modules.networks.landmark_attention import LandmarkAttention

_SLOPE = 0.02  # of the leaky ReLUs


def _judge(given: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(given, 512), nn.LeakyReLU(_SLOPE), nn.Linear(512, 256), nn.LeakyReLU(_SLOPE), nn.Linear(256, 1)
    )


class FrameDiscriminator(nn.Module):
    """D_L: is this a face? Every frame by itself; 236,545 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = _judge(COORDINATES)

    def forward(self, landmarks: Tensor) -> Tensor:
        """Judge frames.

        Args:
            landmarks: (..., 204), face units.

        Returns:
            (...) logits.
        """
        logits: Tensor = self.judge(landmarks)
        return logits.squeeze(-1)


class MotionDiscriminator(nn.Module):
    """D_T: does a speaker move like this? Windows of time, each frame with the speaker's code; 748,609 parameters.

    Args:
        code: length of the speaker's code.
        window: frames that are judged together; a shorter segment is one window.
        hop: frames from one window to the next.
        width: channels of the attention.
        heads: of the attention.
        blocks: of the attention.
        feed_forward: hidden units of its feed forward layers.
    """

    def __init__(
        self,
        code: int = 128,
        window: int = 64,
        hop: int = 1,
        width: int = 64,
        heads: int = 2,
        blocks: int = 2,
        feed_forward: int = 2048,
    ) -> None:
        super().__init__()
        self.window, self.hop = window, hop
        self.attention = LandmarkAttention(
            COORDINATES + code, width, heads, blocks, feed_forward, longest=max(window, 512)
        )
        self.judge = _judge(width)

    def forward(self, landmarks: Tensor, code: Tensor) -> Tensor:
        """Judge stretches of motion.

        Args:
            landmarks: (B, N, 204) consecutive frames, face units.
            code: (B, code) or (B, N, code), as ``SpeakerBranch.encode_speaker`` gives it.

        Returns:
            (B, W) logits, one for each window; W = 1 + (N - window) // hop.

        Raises:
            ValueError: if shapes do not fit.
        """
        if landmarks.ndim != 3 or landmarks.shape[-1] != COORDINATES or len(code) != len(landmarks):
            raise ValueError(f"landmarks (B, N, 204) and codes (B, C), got {landmarks.shape} and {code.shape}")
        spread = code if code.ndim == 3 else code[:, None].expand(-1, landmarks.shape[1], -1)
        frames = torch.cat((landmarks, spread), dim=-1)
        length = min(self.window, frames.shape[1])
        windows = frames.unfold(1, length, self.hop).transpose(-1, -2)
        logits: Tensor = self.judge(self.attention(windows).amax(dim=-2))
        return logits.squeeze(-1)
