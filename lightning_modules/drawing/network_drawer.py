"""Static drawers that are networks: d_s as the published system makes it (auxiliary, sections 1.1, 1.5 and 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.drawing.board import check_drawer_input
from lightning_modules.errors import ConfigError
from lightning_modules.networks.static_drawing_generator import StaticDrawingGenerator

Manner = Literal["default", "published"]

PUBLISHED_SIDE: Final = 256
"""Side in pixels to which the published animation reduces a photo before anything else."""

PUBLISHED_STYLE: Final = (0.0, 1.0, 0.0)
"""The style of the static drawing network that the published animation uses."""

_SIZE_MULTIPLE: Final = 16  # goes into both networks


class InStyle(nn.Module):
    """A static drawing network in one of its styles: photos in, drawings out.

    Args:
        network: the network.
        style: shares of its styles.
    """

    style: Tensor

    def __init__(self, network: StaticDrawingGenerator, style: tuple[float, ...] = PUBLISHED_STYLE) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("style", torch.tensor([style]), persistent=False)

    def forward(self, photo: Tensor) -> Tensor:
        """Draw (B, 3, H, W) in [-1, 1] as (B, C, H, W) in [-1, 1]."""
        return cast("Tensor", self.network(photo, self.style))


class NetworkDrawer:
    """Draws photos with a network that takes the photo alone.

    Args:
        network: photos (B, 3, H, W) in [-1, 1] to drawings (B, channels, H, W) in [-1, 1]; set to eval mode and moved
            to the device of what it draws.
        identity: what tells this network from others, such as a sha256 and a style.
        channels: of the drawings.
        side: shorter side of the pictures that it learned from, pixels.
        paints_white: it learned from people on white, so that the photo's background is painted white with the matte.
        square: the network takes squares of its side only; proportions are not kept then.
        manner: ``"default"``: the photo is brought to the side that the network learned from. ``"published"``: it is
            reduced to 256 x 256 in 8 bits first, enlarged from that if need be, and never painted.
    """

    name = "network"

    def __init__(
        self,
        network: nn.Module,
        identity: str,
        *,
        channels: int = 1,
        side: int = 512,
        paints_white: bool = False,
        square: bool = False,
        manner: Manner = "default",
    ) -> None:
        self.network = network.eval().requires_grad_(requires_grad=False)
        self.identity, self.channels, self.side = identity, channels, side
        self.paints_white, self.square, self.manner = paints_white, square, manner

    def settings(self) -> dict[str, str | int | float]:
        """The network and the manner, and an edition, which rises when a photo comes out otherwise."""
        facts: dict[str, str | int | float] = {"method": "network", "edition": 1, "network": self.identity}
        return facts | {"side": self.side, "white": int(self.paints_white), "manner": self.manner}

    @torch.no_grad()
    def draw(self, photo: Tensor, *, landmarks: Tensor | None = None, matte: Tensor | None = None) -> Tensor:
        """Draw photos.

        Args:
            photo: (B, 3, H, W) or, grey, (B, 1, H, W); [0, 1]; sides of at least 32 pixels.
            landmarks: not looked at.
            matte: (B, 1, H, W) in [0, 1], 1 = person; looked at where the background is painted white.

        Returns:
            (B, channels, H, W) float32 in [0, 1], 1 = white paper.

        Raises:
            ValueError: if a shape does not fit or values lie outside [0, 1].
        """
        check_drawer_input(photo, landmarks, matte)
        height, width = photo.shape[-2:]
        picture = photo.float().expand(-1, 3, -1, -1)
        if self.manner == "published":
            reduced = functional.interpolate(picture, size=(PUBLISHED_SIDE, PUBLISHED_SIDE), mode="area")
            picture = _resized((reduced * 255.0).round() / 255.0, (self.side, self.side))
        else:
            if self.paints_white and matte is not None:
                picture = picture * matte + (1.0 - matte)
            scale = self.side / min(height, width)
            size = (self.side, self.side) if self.square else (_whole(height * scale), _whole(width * scale))
            picture = _resized(picture, size)
        drawing: Tensor = self.network.to(photo.device)(picture * 2.0 - 1.0)
        drawn = ((drawing.float() + 1.0) / 2.0).clamp(0.0, 1.0)
        if self.manner == "published" and self.side < height:
            # Reduced to the network's side again, these are its own numbers.
            return functional.interpolate(drawn, size=(height, width), mode="nearest-exact")
        return _resized(drawn, (height, width))


@dataclass(frozen=True)
class DrawingNetwork:
    """How a kind of network is asked to draw.

    Attributes:
        side: shorter side of the photos that it was trained at, pixels.
        paints_white: whether it was trained with people on white.
    """

    side: int
    paints_white: bool


DRAWING_NETWORKS: Final[Mapping[str, DrawingNetwork]] = {
    "static_drawing_generator": DrawingNetwork(512, paints_white=False),
    "photo2cartoon": DrawingNetwork(256, paints_white=True),
}
"""The kinds of networks that draw photos."""


def network_drawer(kind: str, network: nn.Module, sha256: str, manner: Manner = "default") -> NetworkDrawer:
    """A drawer of a network of a kind that draws; a static drawing network draws in the published style.

    Args:
        kind: one of :data:`DRAWING_NETWORKS`.
        network: of that kind.
        sha256: of its weights, so that drawings of other weights are not taken for its own.
        manner: see :class:`NetworkDrawer`.

    Raises:
        ConfigError: if no network of this kind draws.
    """
    if kind not in DRAWING_NETWORKS:
        raise ConfigError(f"a {kind} draws nothing", f"give the weights of one of {', '.join(DRAWING_NETWORKS)}")
    rules = DRAWING_NETWORKS[kind]
    arguments: Mapping[str, Any] = getattr(network, "arguments", {})
    fixed, identity = int(arguments.get("fixed_size") or 0), sha256
    channels = int(arguments.get("output_channels", 3))
    if isinstance(network, StaticDrawingGenerator):
        style = " ".join(f"{share:g}" for share in PUBLISHED_STYLE)
        network, identity = InStyle(network), f"{sha256} style {style}"
    return NetworkDrawer(
        network,
        identity,
        channels=channels,
        side=fixed or rules.side,
        paints_white=rules.paints_white,
        square=bool(fixed),
        manner=manner,
    )


def _whole(side: float) -> int:
    """A whole number of the networks' steps."""
    return max(round(side / _SIZE_MULTIPLE), 1) * _SIZE_MULTIPLE


def _resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(picture.shape[-2:]) == size:
        return picture
    smaller = size[0] < picture.shape[-2]
    return functional.interpolate(picture, size=size, mode="bilinear", align_corners=False, antialias=smaller)
