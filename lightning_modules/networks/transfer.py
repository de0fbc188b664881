"""The transfer module: residual blocks at 1/4 size that change style and geometry together (paper §3.3, Fig. 3).

The paper counts blocks from 1 and gives the landmarks to blocks 1, 4 and 7; here they are counted from 0: 0, 3 and 6.
Reference stage2 §1.4.
"""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor, nn

from lightning_modules.errors import ConfigError
from lightning_modules.networks.blocks import BlockType, LandmarkResidualBlock, ResidualBlock


class Transfer(nn.Module):
    """Residual blocks, some of which read the landmark features.

    Args:
        channels: channels of the image features.
        landmark_channels: channels of each landmark feature.
        blocks: number of blocks.
        landmark_blocks: which of them, counted from 0, read the landmarks.
        block_type: dense or separable convolutions.

    Raises:
        ConfigError: if a landmark block does not exist, or no block reads the landmarks.
    """

    def __init__(
        self,
        channels: int = 256,
        landmark_channels: int = 16,
        *,
        blocks: int = 9,
        landmark_blocks: Collection[int] = (0, 3, 6),
        block_type: BlockType = "residual",
    ) -> None:
        super().__init__()
        if not landmark_blocks or not set(landmark_blocks) <= set(range(blocks)):
            raise ConfigError(
                f"landmarks before blocks {tuple(landmark_blocks)} of {blocks}",
                f"give one or more of 0 to {blocks - 1}",
            )
        self.blocks = nn.ModuleList(
            LandmarkResidualBlock(channels, landmark_channels, block_type)
            if index in landmark_blocks
            else ResidualBlock(channels, block_type)
            for index in range(blocks)
        )

    def forward(self, features: Tensor, source_landmarks: Tensor, target_landmarks: Tensor) -> Tensor:
        """Image features (B, C, H, W) and two landmark features (B, L, H, W) to (B, C, H, W)."""
        for block in self.blocks:
            if isinstance(block, LandmarkResidualBlock):
                features = block(features, source_landmarks, target_landmarks)
            else:
                features = block(features)
        return features
