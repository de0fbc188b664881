"""A light flow network: what a smooth spline through the landmarks does not know about the face's depth.

The published networks work out the whole flow from disc maps at full size. Most of it is known without learning: a
smoothing thin-plate spline through the 68 landmarks. This network is given the spline's flow and the disc maps at half
size, and predicts what is missing, at every level; beyond the paper. It costs about a twentieth of the "unet".
"""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.flow_pyramid import LANDMARK_MAPS, VISIBILITY_CLASSES, FlowPyramid, check_depth
from lightning_modules.networks.flow_residual_unet import ResidualCell, ResidualLevel, through_levels

GIVEN: Final = LANDMARK_MAPS + 2
"""Channels read: the disc maps, then the spline's flow (x, y)."""


class FlowSplineUNet(nn.Module):
    """Landmark maps and a spline's flow to flow and visibility.

    Args:
        width: channels at the largest size, half the picture's; doubled from level to level.
        levels: sizes.
        widest: the largest number of channels.
    """

    def __init__(self, width: int = 16, levels: int = 4, widest: int = 128) -> None:
        super().__init__()
        widths = [min(widest, width * 2**level) for level in range(levels + 1)]
        self.enter = ResidualCell(GIVEN, width, 1, plain=True)
        self.levels = nn.ModuleList(ResidualLevel(widths[level], widths[level + 1]) for level in range(levels))
        self.visibility = nn.Conv2d(width, VISIBILITY_CLASSES, 3, padding=1)
        for level in self.levels:  # at first the flow is the spline's
            nn.init.zeros_(level.flow.weight)  # type: ignore[arg-type, union-attr]
            nn.init.zeros_(level.flow.bias)  # type: ignore[arg-type, union-attr]

    def forward(self, given: Tensor, spline: Tensor) -> FlowPyramid:
        """Predict.

        Args:
            given: (B, 138, S / 2, S / 2), see :data:`GIVEN`; S / 2 a multiple of 2^levels.
            spline: (B, 2, S / 2, S / 2) the spline's flow over the unit of the pyramid.

        Returns:
            As many flows as levels, the largest first, and the visibility.

        Raises:
            ValueError: if the picture cannot be halved so often.
        """
        check_depth(2 * given.shape[-1], len(self.levels))
        corrections, features = through_levels(self.levels, self.enter(given))
        flows = []
        for correction in corrections:
            flows.append(spline + correction)
            spline = functional.avg_pool2d(spline, 2)
        return FlowPyramid(tuple(flows), self.visibility(functional.relu(features)))
