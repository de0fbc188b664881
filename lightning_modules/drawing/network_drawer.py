"""A static drawer that is a network: d_s as the published system makes it (auxiliary, sections 1.1 and 1.5)."""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.networks.static_drawing_generator import SIZE_MULTIPLE, StaticDrawingGenerator

Manner = Literal["default", "published"]

TRAINED_SIDE: Final = 512
"""Side in pixels of the pictures that the published network was trained on."""

PUBLISHED_SIDE: Final = 256
"""Side to which the published animation reduces a photo before it enlarges it again."""

PUBLISHED_STYLE: Final = (0.0, 1.0, 0.0)


class NetworkDrawer:
    """Draws photos with a static drawing network, in one of its styles.

    Args:
        network: the network; set to eval mode and moved to the device of what it draws.
        identity: what tells these weights from others, such as a sha256.
        style: shares of the network's styles; the published animation uses the second alone.
        manner: ``"default"``: the photo is brought to a shorter side of 512 pixels, at which the network was trained.
            ``"published"``: it is reduced to 256 x 256 first, in 8 bits, and enlarged from that.
    """

    name = "network"

    def __init__(
        self,
        network: StaticDrawingGenerator,
        identity: str,
        *,
        style: tuple[float, ...] = PUBLISHED_STYLE,
        manner: Manner = "default",
    ) -> None:
        self.network = network.eval().requires_grad_(requires_grad=False)
        self.channels = int(network.arguments["output_channels"])
        self.identity, self.style, self.manner = identity, style, manner

    def settings(self) -> dict[str, str | int | float]:
        """Weights, style and manner, and an edition, which rises when a photo comes out otherwise."""
        style = ",".join(f"{share:g}" for share in self.style)
        return {"method": "network", "edition": 1, "weights": self.identity, "style": style, "manner": self.manner}

    @torch.no_grad()
    def draw(self, photo: Tensor, *, landmarks: Tensor | None = None, matte: Tensor | None = None) -> Tensor:
        """Draw photos.

        Args:
            photo: (B, 3, H, W) in [0, 1], sides of at least 32 pixels.
            landmarks: not looked at.
            matte: not looked at.

        Returns:
            (B, channels, H, W) float32 in [0, 1], 1 = white paper.
        """
        height, width = photo.shape[-2:]
        picture = photo.float()
        if self.manner == "published":
            reduced = functional.interpolate(picture, size=(PUBLISHED_SIDE, PUBLISHED_SIDE), mode="area")
            picture = _bilinear((reduced * 255.0).round() / 255.0, (TRAINED_SIDE, TRAINED_SIDE))
        else:
            scale = TRAINED_SIDE / min(height, width)
            # A whole number of the network's steps on each side.
            size = (_whole(height * scale), _whole(width * scale))
            picture = _bilinear(picture, size)
        device = photo.device
        style = torch.tensor([self.style], device=device)
        drawing: Tensor = self.network.to(device)(picture * 2.0 - 1.0, style)
        return _bilinear((drawing.float() + 1.0) / 2.0, (height, width)).clamp(0.0, 1.0)


def _whole(side: float) -> int:
    return round(side / SIZE_MULTIPLE) * SIZE_MULTIPLE


def _bilinear(picture: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(picture.shape[-2:]) == size:
        return picture
    smaller = size[0] < picture.shape[-2]
    return functional.interpolate(picture, size=size, mode="bilinear", align_corners=False, antialias=smaller)
