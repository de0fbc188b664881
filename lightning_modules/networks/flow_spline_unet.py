"""A light flow network: what a smooth spline through the landmarks does not know about the face's depth.

The published networks work out the whole flow from disc maps at full size. Here most of it is known beforehand, and
the rest is cheap, so that it trains on a CPU; beyond the paper. Three parts are added up:

1. The flow of a smoothing thin-plate spline through the 68 landmarks; see :class:`LandmarkFlow`.
2. Fields on a face: pictures of corrections on the frontal face, as many as coefficients, which a small network reads
   off the landmarks as numbers. A head's points move by few numbers (its turn, its proportions, its expression), so few
   fields say most of it. The spline also says where on the frontal face each pixel lies, and there they are looked up.
3. A U-Net on disc maps at a quarter of the size, whose levels the same numbers scale and shift (Perez et al. 2018).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.networks.flow_pyramid import LANDMARK_MAPS, POINTS, VISIBILITY_CLASSES, FlowPyramid, check_depth
from lightning_modules.networks.flow_residual_unet import ResidualCell, ResidualLevel

GIVEN: Final = LANDMARK_MAPS + 5
"""Channels of the U-Net: the disc maps, the spline's flow (x, y), and the place on a frontal face (x, y, z)."""

_POSE: Final = 4 * POINTS + 4
_FIELD_SIZE: Final = 32
_FIELD_CENTER: Final = (0.0, 0.35)  # of the part of the frontal face that fields cover, face units
_FIELD_REACH: Final = (1.1, 1.25)  # from there to its borders


def pose_numbers(source: Tensor, target: Tensor) -> Tensor:
    """Two sets of landmarks as numbers that say how the heads are turned, and where they are to each other.

    Args:
        source: (B, 68, 2) landmarks, any unit.
        target: (B, 68, 2), the same unit.

    Returns:
        (B, 276): both sets about their centres over their spreads; then the shift of the centre over the target's
        spread, (x, y), and the logarithm of the spreads' ratio, each way.
    """
    numbers, centers, spreads = [], [], []
    for points in (source, target):
        center = points.mean(dim=1, keepdim=True)
        spread = (points - center).square().mean(dim=(1, 2), keepdim=True).sqrt().clamp(min=1e-6)
        numbers.append(((points - center) / spread).flatten(1))
        centers.append(center[:, 0])
        spreads.append(spread[:, 0])
    shift = (centers[0] - centers[1]) / spreads[1]
    ratio = (spreads[0] / spreads[1]).log()
    return torch.cat((*numbers, shift, ratio, -ratio), dim=1)


class FieldsOnAFace(nn.Module):
    """Sum of ``coefficients`` learned pictures on the frontal face, looked up where each pixel lies.

    Args:
        channels: of the pictures.
        coefficients: number of them.
        hidden: units of what they are weighted by: a vector of that width.
    """

    def __init__(self, channels: int, coefficients: int, hidden: int) -> None:
        super().__init__()
        self.channels = channels
        self.weights = nn.Linear(hidden, coefficients)
        fields = torch.empty(coefficients, channels * _FIELD_SIZE**2)
        # On the meta device nothing is there to be filled, and torch would load its compiler for it, two seconds.
        self.fields = nn.Parameter(fields if fields.is_meta else 0.02 * torch.randn_like(fields))

    def forward(self, heard: Tensor, place: Tensor) -> Tensor:
        """Look up.

        Args:
            heard: (B, hidden).
            place: (B, 2, H, W), order (x, y), face units; beyond the fields their border counts.

        Returns:
            (B, channels, H, W).
        """
        made = (self.weights(heard) @ self.fields).view(-1, self.channels, _FIELD_SIZE, _FIELD_SIZE)
        center, reach = (place.new_tensor(pair).view(1, 2, 1, 1) for pair in (_FIELD_CENTER, _FIELD_REACH))
        grid = ((place - center) / reach).movedim(1, -1)
        return functional.grid_sample(made, grid, padding_mode="border", align_corners=False)


class FlowSplineUNet(nn.Module):
    """Landmark maps and a spline's flow to flow and visibility.

    Args:
        width: channels of the U-Net at its largest size, a quarter of the picture's; doubled from level to level.
        levels: sizes of the pyramid, one more than the U-Net has.
        widest: the largest number of channels.
        coefficients: fields on a face.
        hidden: units of the network that reads the landmarks as numbers.
    """

    def __init__(
        self, width: int = 24, levels: int = 4, widest: int = 128, coefficients: int = 64, hidden: int = 384
    ) -> None:
        super().__init__()
        count = levels - 1
        widths = [min(widest, width * 2**level) for level in range(count + 1)]
        # Faces are much alike: without the normalisation the numbers are a large mean and small differences.
        self.pose = nn.Sequential(
            nn.BatchNorm1d(_POSE, affine=False),
            *(nn.Linear(_POSE, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU()),
        )
        self.fields = FieldsOnAFace(2 + VISIBILITY_CLASSES, coefficients, hidden)
        self.enter = ResidualCell(GIVEN, width, 1, plain=True)
        self.levels = nn.ModuleList(ResidualLevel(widths[level], widths[level + 1]) for level in range(count))
        self.modulated = (*widths[:-1], *widths[1:])  # channels on the way down, then on the way up
        self.modulation = nn.Linear(hidden, 2 * sum(self.modulated))
        self.visibility = nn.Conv2d(width, 4 * VISIBILITY_CLASSES, 3, padding=1)

    def forward(self, given: Tensor, spline: Tensor, place: Tensor, pose: Tensor) -> FlowPyramid:
        """Predict.

        Args:
            given: (B, 141, S / 4, S / 4), see :data:`GIVEN`; S / 4 a multiple of 2^(levels - 1).
            spline: (B, 2, S / 2, S / 2) the spline's flow over the unit of the pyramid.
            place: (B, 2, S / 2, S / 2) where on the frontal face each pixel lies, (x, y), face units.
            pose: (B, 276) from :func:`pose_numbers`.

        Returns:
            As many flows as levels, the largest first, and the visibility.

        Raises:
            ValueError: if the picture cannot be halved so often.
        """
        check_depth(4 * given.shape[-1], len(self.levels) + 1)
        heard = self.pose(pose)
        said = [one[:, :, None, None] for one in self.modulation(heard).split([2 * n for n in self.modulated], dim=1)]

        def modulate(x: Tensor, number: int) -> Tensor:
            scale, shift = torch.chunk(said[number], 2, dim=1)
            return x * (1 + scale) + shift

        count = len(self.levels)
        x = self.enter(given)
        made = []
        for number, level in enumerate(self.levels):
            blocks, x = level.descend(modulate(x, number))  # type: ignore[operator]  # a list forgets the class
            made.append(blocks)
        corrections: list[Tensor] = []
        for number in reversed(range(count)):
            below = modulate(x, count + number)
            x, correction = self.levels[number].ascend(below, made[number])  # type: ignore[operator]
            corrections.insert(0, correction)

        shown = self.fields(heard, place)
        base = spline + shown[:, :2]
        larger = functional.interpolate(corrections[0], scale_factor=2, mode="bilinear", align_corners=False)
        flows = [base + larger]
        for correction in corrections:
            base = functional.avg_pool2d(base, 2)
            flows.append(base + correction)
        seen = functional.pixel_shuffle(self.visibility(functional.relu(x)), 2)
        return FlowPyramid(tuple(flows), shown[:, 2:] + seen)
