"""A matte from MODNet, by the size rule of its authors or of the published animation (auxiliary, section 2.4)."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.faces.matter import Matte
from lightning_modules.faces.photo import RgbPixels
from lightning_modules.networks.frozen.mobilenet_v2 import REDUCTION
from lightning_modules.networks.frozen.modnet import MODNet

SizeRule = Literal["reference", "native"]
"""``"reference"``: a shorter side of about 512 pixels, as the network was trained; ``"native"``: 256 x 256."""

REFERENCE_SIDE: Final = 512
NATIVE_SIDE: Final = 256


class NetworkMatter:
    """Separates the person from the background with MODNet.

    Args:
        network: the network, on any device; set to eval mode.
        size_rule: see :data:`SizeRule`.
    """

    name = "modnet"

    def __init__(self, network: MODNet, size_rule: SizeRule = "reference") -> None:
        self.network = network.eval().requires_grad_(requires_grad=False)
        self.size_rule = size_rule

    @torch.no_grad()
    def matte(self, rgb: RgbPixels) -> Matte:
        """Matte of a photo ``(H, W, 3)`` uint8 RGB: ``(H, W)`` float32 in [0, 1], 1 = person.

        By the rule ``native`` every pixel of the network's 256 x 256 is repeated, so that reducing the matte to that
        size gives the network's own numbers.
        """
        photo = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].float() / 255.0
        height, width = photo.shape[-2:]
        native = self.size_rule == "native"
        size = (NATIVE_SIDE, NATIVE_SIDE) if native else reference_size(height, width)
        seen = functional.interpolate(photo, size=size, mode="area")
        if native:  # as the published animation reads its pictures
            seen = (seen * 255.0).round() / 255.0
        device = next(self.network.parameters()).device
        found: Tensor = self.network((seen * 2.0 - 1.0).to(device)).float().cpu()
        full = functional.interpolate(found, size=(height, width), mode="nearest-exact" if native else "area")
        return np.asarray(full[0, 0].numpy(), dtype=np.float32)


def reference_size(height: int, width: int) -> tuple[int, int]:
    """The size at which MODNet's authors show it a photo: (height, width), multiples of 32.

    A photo whose longer side is below 512 pixels or whose shorter side is above is brought to a shorter side of 512.
    """
    if max(height, width) < REFERENCE_SIDE or min(height, width) > REFERENCE_SIDE:
        if width >= height:
            height, width = REFERENCE_SIDE, int(width / height * REFERENCE_SIDE)
        else:
            height, width = int(height / width * REFERENCE_SIDE), REFERENCE_SIDE
    return max(height - height % REDUCTION, REDUCTION), max(width - width % REDUCTION, REDUCTION)
