"""Streamlines of a tangent field: smoothing along them, and how long something goes on along them.

A streamline through every pixel is traced once, some steps in both directions; then any picture is read along it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lightning_modules.drawing.image_filters import pixel_grid, pixel_steps, read_at


class Streamlines:
    """Streamlines through all pixels of a field, traced by Euler steps of constant length.

    Memory: 16 bytes per pixel and step.

    Args:
        tangent: (B, H, W, 2) unit vectors; the sign of each does not matter.
        reach: how far to follow them in each direction, pixels.
        step: length of a step, pixels.
    """

    def __init__(self, tangent: Tensor, reach: float, step: float = 1.0) -> None:
        self.step = step
        self.count = max(1, math.ceil(reach / step))
        self.forward = self._trace(tangent, 1.0)
        self.backward = self._trace(tangent, -1.0)

    def _trace(self, tangent: Tensor, sign: float) -> list[Tensor]:
        # A tangent and its opposite mean the same, so tangents cannot be interpolated; the tensor of their products
        # can: with the doubled angle (c, s), 2 t tᵀ d = d + (c dx + s dy, s dx - c dy), which also keeps the way of d.
        x, y = tangent[..., 0], tangent[..., 1]
        doubled = torch.stack((x * x - y * y, 2.0 * x * y), dim=1)
        step_x, step_y = (pixel_steps(doubled) * self.step).unbind()
        grid = pixel_grid(doubled)
        along_x, along_y = sign * x, sign * y
        at_x, at_y = grid[..., 0] + along_x * step_x, grid[..., 1] + along_y * step_y
        positions = [torch.stack((at_x, at_y), dim=-1)]
        for _ in range(self.count - 1):
            cosine, sine = read_at(doubled, positions[-1]).unbind(1)
            next_x = along_x + cosine * along_x + sine * along_y
            next_y = along_y + sine * along_x - cosine * along_y
            shrink = torch.rsqrt(next_x * next_x + next_y * next_y + 1e-12)
            along_x, along_y = next_x * shrink, next_y * shrink
            at_x, at_y = at_x + along_x * step_x, at_y + along_y * step_y
            positions.append(torch.stack((at_x, at_y), dim=-1))
        return positions

    def smoothed(self, pictures: Tensor, sigmas: list[float]) -> Tensor:
        """Gaussian mean along the streamlines.

        Args:
            pictures: (B, C, H, W).
            sigmas: C standard deviations, pixels; each is cut at twice itself or at the reach.

        Returns:
            (B, C, H, W). Line integral convolution, Kang 2007 equation 9 with the profile taken apart.
        """
        sigma = pictures.new_tensor(sigmas).view(1, -1, 1, 1)
        total, weights = pictures, torch.ones_like(sigma)
        steps = min(self.count, math.ceil(2.0 * max(sigmas) / self.step))
        for index in range(steps):
            weight = torch.exp(-(((index + 1) * self.step) ** 2) / (2.0 * sigma * sigma))
            both = read_at(pictures, self.forward[index]) + read_at(pictures, self.backward[index])
            total = total + weight * both
            weights = weights + 2.0 * weight
        return total / weights

    def run_length(self, support: Tensor) -> Tensor:
        """How far a line goes on through each pixel.

        Args:
            support: (B, C, H, W) in [0, 1], 1 on lines.

        Returns:
            (B, C, H, W) pixels: the support, summed in both directions until it fades; at most twice the reach.
        """
        length = support
        for positions in (self.forward, self.backward):
            unbroken = support
            for position in positions:
                unbroken = unbroken * read_at(support, position)
                length = length + unbroken
        return length * self.step
