"""A real portrait, a template face, and the landmarks that fit the one to the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor


class DrawingCase(NamedTuple):
    photo: Tensor  # (1, 3, 256, 256) in [0, 1]
    landmarks: Tensor  # (1, 68, 2) pixels
    matte: Tensor  # (1, 1, 256, 256) in [0, 1]


def _template(size: float) -> Tensor:
    """A plain frontal face in the portrait crop: arcs and ovals, 68 points, (1, 68, 2) pixels of a square frame."""

    def arc(center, radii, start, stop, count):
        angle = np.deg2rad(np.linspace(start, stop, count))
        return np.stack((center[0] + radii[0] * np.cos(angle), center[1] + radii[1] * np.sin(angle)), 1)

    points = np.concatenate(
        (
            arc((0.5, 0.38), (0.33, 0.52), 180, 0, 17),
            arc((0.33, 0.30), (0.10, 0.04), 190, 350, 5),
            arc((0.67, 0.30), (0.10, 0.04), 190, 350, 5),
            np.stack((np.full(4, 0.5), np.linspace(0.36, 0.51, 4)), 1),
            arc((0.5, 0.54), (0.07, 0.03), 170, 10, 5),
            arc((0.335, 0.35), (0.06, 0.02), 180, 540, 7)[:6],
            arc((0.665, 0.35), (0.06, 0.02), 180, 540, 7)[:6],
            arc((0.5, 0.66), (0.15, 0.05), 180, 540, 13)[:12],
            arc((0.5, 0.66), (0.12, 0.025), 180, 540, 9)[:8],
        )
    )
    return torch.from_numpy(points * size - 0.5).float()[None]


@pytest.fixture
def template_landmarks():
    """``template_landmarks(size)`` -> (1, 68, 2)."""
    return _template


@pytest.fixture(scope="session")
def portrait(astronaut):
    """The astronaut as the portrait crop shows her."""
    left, top, side = 159, 56, 132
    square = torch.from_numpy(astronaut[top : top + side, left : left + side].astype(np.float32) / 255)
    photo = torch.nn.functional.interpolate(
        square.permute(2, 0, 1)[None], size=(256, 256), mode="bicubic", align_corners=False
    ).clamp(0, 1)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 256), torch.linspace(-1, 1, 256), indexing="ij")
    head = torch.sigmoid(20 * (1 - (x / 0.9) ** 2 - ((y + 0.05) / 1.05) ** 4))
    return DrawingCase(photo, _template(256), head[None, None])
