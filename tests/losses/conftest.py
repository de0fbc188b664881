"""A small face, drawings, and stand-ins for the frozen networks that every loss test can use."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.geometry.landmark_groups import MIRROR


def _arc(center: tuple[float, float], radii: tuple[float, float], start: float, stop: float, count: int) -> list:
    """Points on an ellipse from angle to angle (degrees, y down, so that growing angles run clockwise on screen)."""
    steps = [math.radians(start + (stop - start) * k / (count - 1)) for k in range(count)]
    return [(center[0] + radii[0] * math.cos(a), center[1] + radii[1] * math.sin(a)) for a in steps]


def _unit_face() -> Tensor:
    """A symmetric frontal face around x = 0.5 of a unit square, as the paper's crop shows it."""
    left_brow = [(0.55 + 0.045 * k, 0.40 - 0.012 * (2 - abs(k - 2))) for k in range(5)]
    right_brow = [(1 - x, y) for x, y in reversed(left_brow)]
    bridge = [(0.5, 0.45 + 0.045 * k) for k in range(4)]
    base = [(0.44 + 0.03 * k, 0.615 + 0.01 * (2 - abs(k - 2))) for k in range(5)]
    right_eye = _arc((0.38, 0.46), (0.05, 0.02), 180, 480, 6)
    mirrored_eye = [(1 - x, y) for x, y in right_eye]
    left_eye = [mirrored_eye[k] for k in (3, 2, 1, 0, 5, 4)]
    outer = _arc((0.5, 0.715), (0.11, 0.045), 180, 510, 12)
    inner = _arc((0.5, 0.715), (0.09, 0.015), 180, 495, 8)
    jaw = _arc((0.5, 0.47), (0.275, 0.40), 180, 0, 17)
    points = [*jaw, *right_brow, *left_brow, *bridge, *base, *right_eye, *left_eye, *outer, *inner]
    face = torch.tensor(points, dtype=torch.float64)
    mirrored = face[list(MIRROR)] * torch.tensor((-1.0, 1.0)) + torch.tensor((1.0, 0.0))
    assert torch.allclose(face, mirrored)
    return face


@pytest.fixture(scope="session")
def face_at():
    """``face_at(size)``: (1, 68, 2) float64 pixels, symmetric about the middle of the frame."""

    def at(size: int) -> Tensor:
        return (_unit_face() * size - 0.5)[None]

    return at


@pytest.fixture
def moved_faces(face_at):
    """``moved_faces(size, count)``: source and target landmarks (count, 68, 2) float64, targets moved by a few px."""

    def faces(size: int, count: int = 2) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(size + count)

        def noise(scale: float) -> Tensor:
            return scale * size * torch.randn(count, 68, 2, generator=generator, dtype=torch.float64)

        source = face_at(size) + noise(0.002)
        shift = 0.03 * size * torch.randn(count, 1, 2, generator=generator, dtype=torch.float64)
        return source, source + shift + noise(0.004)

    return faces


@pytest.fixture
def drawings():
    """``drawings(size, count, channels)``: smooth random pictures (count, channels, size, size) float64 in (-1, 1)."""

    def pictures(size: int, count: int = 2, channels: int = 1, seed: int = 3) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.randn(count, channels, 6, 6, generator=generator, dtype=torch.float64)
        return torch.tanh(nn.functional.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True))

    return pictures


class SmallDetector(nn.Module):
    """Stands in for MobileFaceNet: any crop of three channels to 136 fractions, smooth, with random weights."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(torch.randn(136, 3 * 16, generator=generator, dtype=torch.float64) / 7)
        self.requires_grad_(requires_grad=False)

    def forward(self, crop: Tensor) -> Tensor:
        seen = nn.functional.adaptive_avg_pool2d(crop, 4).flatten(1)
        return torch.sigmoid(seen @ self.weight.to(seen).T)


class SmallFeatures(nn.Module):
    """Stands in for SphereFace: two feature tensors of any crop of three channels."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(2)
        self.weight = nn.Parameter(torch.randn(5, 3, 3, 3, generator=generator, dtype=torch.float64))
        self.requires_grad_(requires_grad=False)

    def forward(self, crop: Tensor) -> tuple[Tensor, Tensor]:
        maps = torch.tanh(nn.functional.conv2d(crop, self.weight.to(crop), stride=2))
        return maps, maps.mean((2, 3))


@pytest.fixture
def small_detector() -> SmallDetector:
    return SmallDetector()


@pytest.fixture
def small_features() -> SmallFeatures:
    return SmallFeatures()


@pytest.fixture
def falls():
    """``falls(loss, start)``: the loss (a function of one tensor) before and after Adam on that tensor alone."""

    def descend(loss, start: Tensor, rate: float = 0.05, steps: int = 60) -> tuple[float, float]:
        value = start.clone().requires_grad_()
        optimizer = torch.optim.Adam([value], lr=rate)
        first = loss(value).item()
        for _ in range(steps):
            optimizer.zero_grad()
            loss(value).backward()
            optimizer.step()
        return first, loss(value).item()

    return descend
