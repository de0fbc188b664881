"""SyncNet: whether lips and sound belong together (Chung and Zisserman 2016; auxiliary, section 10.4).

Two towers turn five frames of a face and the 0.2 s of sound that go with them into 1024 numbers each, which are near
each other where they belong together. Parameters carry the published names, so that the published file
``syncnet_v2.model`` fits as it is.
"""

from __future__ import annotations

from typing import Final, cast

from torch import Tensor, nn

from lightning_modules.networks.frozen.frozen_network import FrozenNetwork

FACE_SIZE: Final = 224
"""Side of the face crop, pixels."""
FRAMES: Final = 5
"""Of a window, at 25 a second."""
SOUND_STEPS: Final = 20
"""Of a window, at 100 a second."""
COEFFICIENTS: Final = 13
"""Of a step of sound."""
EMBEDDING: Final = 1024


def _cell_2d(given: int, made: int, kernel: tuple[int, int] = (3, 3), padding: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(given, made, kernel, padding=padding), nn.BatchNorm2d(made), nn.ReLU()]


def _cell_3d(
    given: int, made: int, kernel: tuple[int, int, int], stride: int = 1, padding: tuple[int, int, int] = (0, 0, 0)
) -> list[nn.Module]:
    convolution = nn.Conv3d(given, made, kernel, (1, stride, stride), padding)
    return [convolution, nn.BatchNorm3d(made), nn.ReLU()]


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, EMBEDDING))


class SyncNet(FrozenNetwork):
    """Both towers; 13.6 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_cell_2d(1, 64),
            nn.MaxPool2d((1, 1), (1, 1)),  # does nothing; keeps the published numbers of the layers
            *_cell_2d(64, 192),
            nn.MaxPool2d((3, 3), (1, 2)),
            *_cell_2d(192, 384),
            *_cell_2d(384, 256),
            *_cell_2d(256, 256),
            nn.MaxPool2d((3, 3), (2, 2)),
            *_cell_2d(256, 512, (5, 4), 0),
        )
        self.netfcaud = _head()
        self.netfclip = _head()
        self.netcnnlip = nn.Sequential(
            *_cell_3d(3, 96, (FRAMES, 7, 7), 2),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_cell_3d(96, 256, (1, 5, 5), 2, (0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_cell_3d(256, 256, (1, 3, 3), padding=(0, 1, 1)),
            *_cell_3d(256, 256, (1, 3, 3), padding=(0, 1, 1)),
            *_cell_3d(256, 256, (1, 3, 3), padding=(0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_cell_3d(256, 512, (1, 6, 6)),
        )
        self.settle()

    def lips(self, faces: Tensor) -> Tensor:
        """Embed windows of faces.

        Args:
            faces: (B, 3, 5, 224, 224) float32, BGR, 0 to 255.

        Returns:
            (B, 1024).
        """
        return cast("Tensor", self.netfclip(self.netcnnlip(faces).flatten(1)))

    def sound(self, coefficients: Tensor) -> Tensor:
        """Embed windows of sound.

        Args:
            coefficients: (B, 1, 13, 20) float32, see :func:`lightning_modules.audio.cepstral.cepstral_coefficients`.

        Returns:
            (B, 1024).
        """
        return cast("Tensor", self.netfcaud(self.netcnnaud(coefficients).flatten(1)))
