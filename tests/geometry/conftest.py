"""A face that every geometry test can use: 68 points drawn by hand in a 256 frame, and talking versions of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch


def _face() -> np.ndarray:
    right_half = {
        0: (58, 122), 1: (60, 142), 2: (63, 161), 3: (68, 179), 4: (76, 195), 5: (87, 208), 6: (99, 217), 7: (113, 223),
        17: (66, 104), 18: (74, 96), 19: (86, 94), 20: (98, 97), 21: (109, 101),
        31: (114, 152), 32: (120, 155), 36: (79, 119), 37: (87, 114), 38: (96, 114), 39: (104, 121), 40: (95, 123),
        41: (86, 123), 48: (101, 181), 49: (110, 176), 50: (119, 173), 59: (109, 187), 58: (118, 191),
        60: (105, 181), 61: (118, 179), 67: (118, 183),
    }  # fmt: skip
    middle = {8: 225, 27: 113, 28: 124, 29: 135, 30: 146, 33: 157, 51: 174, 57: 192, 62: 179, 66: 183}
    mirrored = {
        **{k: 16 - k for k in range(8)}, 17: 26, 18: 25, 19: 24, 20: 23, 21: 22, 31: 35, 32: 34, 36: 45, 37: 44, 38: 43,
        39: 42, 40: 47, 41: 46, 48: 54, 49: 53, 50: 52, 59: 55, 58: 56, 60: 64, 61: 63, 67: 65,
    }  # fmt: skip
    points = np.full((68, 2), np.nan)
    for index, position in right_half.items():
        points[index] = position
        points[mirrored[index]] = (255 - position[0], position[1])
    for index, row in middle.items():
        points[index] = (127.5, row)
    assert np.isfinite(points).all()
    return points


@pytest.fixture(scope="session")
def face() -> torch.Tensor:
    """(1, 68, 2) float64: a symmetric frontal face in a 256 frame, mouth a little open; half pixels broken by noise."""
    noise = np.random.default_rng(68).uniform(-0.4, 0.4, (68, 2))
    return torch.from_numpy(_face() + noise)[None]


@pytest.fixture(scope="session")
def symmetric_face() -> np.ndarray:
    """(68, 2) float64, exactly symmetric about x = 127.5."""
    return _face()


@pytest.fixture(scope="session")
def talking(face: torch.Tensor) -> torch.Tensor:
    """(4, 68, 2) float64: the face turned, nodding, with the jaw dropped, and with every point moved a little."""
    moved = face.repeat(4, 1, 1)
    angle = torch.tensor(0.08, dtype=torch.float64)
    turn = torch.stack((torch.stack((angle.cos(), -angle.sin())), torch.stack((angle.sin(), angle.cos()))))
    moved[0] = (moved[0] - 127.5) @ turn.T + 127.5
    moved[1, :, 1] = (moved[1, :, 1] - 150) * 0.93 + 154
    moved[2, 4:13, 1] += 9
    moved[2, 55:60, 1] += 9
    moved[2, 65:68, 1] += 10
    generator = torch.Generator().manual_seed(4)
    moved[3] += torch.randn(68, 2, generator=generator, dtype=torch.float64)
    return moved
