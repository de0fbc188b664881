"""Static drawers that are trained networks: photo to line drawing, photo to cartoon."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from lightning_modules.drawing.board import check_drawer_input
from lightning_modules.drawing.image_filters import resized
from lightning_modules.errors import ConfigError

DRAWING_STYLE: Final = (0.0, 1.0, 0.0)
"""Style of the published animation (auxiliary, section 1.1)."""


@dataclass(frozen=True)
class NetworkRules:
    """How a kind of network is asked.

    Attributes:
        side: shorter side of the photo that it was trained at, pixels.
        multiple: sides must be multiples of this.
        ask: the network's answer, (1, C, h, w) in [-1, 1], to a photo in [-1, 1].
    """

    side: int
    multiple: int
    ask: Callable[[nn.Module, Tensor], Tensor]


def _styled(network: nn.Module, photo: Tensor) -> Tensor:
    answer: Tensor = network(photo, photo.new_tensor([DRAWING_STYLE]))
    return answer


def _plain(network: nn.Module, photo: Tensor) -> Tensor:
    answer: Tensor = network(photo)
    return answer


RULES: Final[Mapping[str, NetworkRules]] = {
    "static_drawing_generator": NetworkRules(512, 4, _styled),
    "photo2cartoon": NetworkRules(256, 16, _plain),
}
"""The kinds of networks that draw: auxiliary sections 1.1 and 8."""


class NetworkDrawer:
    """Draws with a trained network, at the size that it was trained at; landmarks and matte are not asked.

    The published animation shows the photo to these networks as it is, with its background.

    Args:
        kind: one of :data:`RULES`.
        network: of that kind, in eval mode.
        fingerprint: of its weights, so that drawings of other weights are not taken for its own.

    Raises:
        ConfigError: if no network of this kind draws.
    """

    def __init__(self, kind: str, network: nn.Module, fingerprint: str) -> None:
        if kind not in RULES:
            found = f"a {kind} draws nothing"
            raise ConfigError(found, f"give the weights of one of {', '.join(RULES)}")
        arguments = getattr(network, "arguments", {})
        self.name = kind
        self.channels = int(arguments.get("output_channels", 3))
        self._rules, self._network, self._fingerprint = RULES[kind], network, fingerprint
        self._fixed = bool(arguments.get("fixed_size"))
        self.side = int(arguments.get("fixed_size") or self._rules.side)

    def settings(self) -> dict[str, str | int | float]:
        """All that the drawing depends on besides the photo."""
        return {"method": self.name, "edition": 1, "side": self.side, "weights": self._fingerprint}

    @torch.no_grad()
    def draw(self, photo: Tensor, *, landmarks: Tensor | None = None, matte: Tensor | None = None) -> Tensor:
        """Draw photos, each as if it were alone.

        Args:
            photo: (B, 3, H, W) or, grey, (B, 1, H, W); [0, 1]; sides of at least 32 pixels.
            landmarks: not asked; see :class:`.StaticDrawer`.
            matte: not asked.

        Returns:
            (B, channels, H, W) float32 in [0, 1], 1 = white; on the photo's device.

        Raises:
            ValueError: if a shape does not fit or values lie outside [0, 1].
        """
        check_drawer_input(photo, landmarks, matte)
        self._network.to(photo.device)
        size = (photo.shape[-2], photo.shape[-1])
        asked = self._asked_size(size)
        drawings = []
        for one in photo.float().expand(-1, 3, -1, -1).split(1):
            shown = resized(one, asked).clamp(0.0, 1.0)
            answer = self._rules.ask(self._network, 2.0 * shown - 1.0)
            drawings.append(resized(0.5 * (answer + 1.0), size).clamp(0.0, 1.0))
        return torch.cat(drawings) if drawings else photo.new_zeros((0, self.channels, *size), dtype=torch.float32)

    def _asked_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) at which the network is asked: its side, proportions kept where it takes others."""
        if self._fixed:
            return self.side, self.side
        multiple, scale = self._rules.multiple, self.side / min(size)
        return max(1, round(size[0] * scale / multiple)) * multiple, max(
            1, round(size[1] * scale / multiple)
        ) * multiple
