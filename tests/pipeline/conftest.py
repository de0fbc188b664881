"""Plain stand-ins for the rooms around the pipeline: their results can be computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch import Tensor

from lightning_modules.faces.face import Face, FaceBox
from lightning_modules.faces.photo import Photo, photo_from_pixels


class LuminanceDrawer:
    """Draws a photo as its grey values."""

    name = "luminance"
    channels = 1

    def draw(self, photo: Tensor, *, landmarks: Tensor | None = None, matte: Tensor | None = None) -> Tensor:
        return photo.mean(1, keepdim=True)

    def settings(self) -> dict[str, Any]:
        return {"method": "luminance"}


class DiscMatter:
    """A disc of three tenths of the side around the middle."""

    name = "disc"

    def matte(self, rgb: np.ndarray) -> np.ndarray:
        height, width = rgb.shape[:2]
        rows, columns = np.mgrid[:height, :width]
        return (np.hypot(rows - height / 2, columns - width / 2) < 0.3 * height).astype(np.float32)


def plain_landmarks(left: float, top: float, scale: float) -> np.ndarray:
    """A frontal face, 100·scale wide, in photo pixels."""
    angle = np.linspace(0, np.pi, 17)
    jaw = np.stack([50 - 50 * np.cos(angle), 35 + 75 * np.sin(angle)], 1)
    brows = [[10 + 8 * i, 15 - 2 * (i % 3)] for i in range(5)] + [[58 + 8 * i, 15 - 2 * (i % 3)] for i in range(5)]
    nose = [[50, 32], [50, 42], [50, 52], [50, 60], [40, 66], [45, 68], [50, 70], [55, 68], [60, 66]]
    eye = np.array([[0, 4], [6, 0], [12, 0], [18, 4], [12, 7], [6, 7]])
    eyes = np.concatenate([eye + np.array([16, 28]), eye + np.array([66, 28])])
    outer = [
        [32, 85],
        [38, 81],
        [45, 79],
        [50, 80],
        [55, 79],
        [62, 81],
        [68, 85],
        [62, 90],
        [55, 92],
        [50, 93],
        [45, 92],
        [38, 90],
    ]
    inner = [[35, 85], [43, 84.6], [50, 85], [57, 84.6], [65, 85], [57, 85.8], [50, 86], [43, 85.8]]
    flat = np.concatenate([jaw, brows, nose, eyes, outer, inner]) * scale + [left, top]
    return np.concatenate([flat, np.zeros((68, 1))], 1).astype(np.float32)


@pytest.fixture
def photo() -> Photo:
    """A bright gradient with a dark disc where the head is."""
    rows, columns = np.mgrid[:300, :260]
    grey = (170 + columns * 0.3).astype(np.float64)
    grey[np.hypot(rows - 133, columns - 131) < 50] = 20
    return photo_from_pixels(np.repeat(grey[..., None], 3, 2).astype(np.uint8))


@pytest.fixture
def face() -> Face:
    landmarks = plain_landmarks(80, 90, 1.0)
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    box = FaceBox(float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return Face(box, landmarks, 1.0)


@pytest.fixture
def drawer() -> LuminanceDrawer:
    return LuminanceDrawer()


@pytest.fixture
def matter() -> DiscMatter:
    return DiscMatter()


@pytest.fixture
def portrait(photo: Photo, face: Face, drawer: LuminanceDrawer, matter: DiscMatter) -> Any:
    from lightning_modules.pipeline.portrait import prepare_portrait

    return prepare_portrait(photo, face, drawer=drawer, matter=matter, size=128)
