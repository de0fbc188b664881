"""Mattes by a trained matting network: MODNet as inkspeak exported it, or as it was published.

The network learned photos whose shorter side is about 512 px; the published talking drawings show it the portrait's
square at 256 px (auxiliary, section 2.4). Both are named rules here, because weights answer differently to them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np

from lightning_modules.errors import ConfigError
from lightning_modules.faces.matte_choice import BY_NETWORK
from lightning_modules.faces.matter import Matte
from lightning_modules.faces.photo import RgbPixels

InputRule = Literal["reference-512", "native-256"]
"""At which size the network sees a photo, see :func:`network_size`."""

MATTER_NAMES: Final[dict[InputRule, str]] = dict(zip(get_args(InputRule), BY_NETWORK, strict=True))
"""Name of the backend for each rule, as :func:`lightning_modules.faces.matter.make_matter` takes it."""

REFERENCE_SIDE: Final = 512
NATIVE_SIDE: Final = 256
_MULTIPLE: Final = 32  # of which the network takes sides


class NetworkSize(NamedTuple):
    """Pixels that the network is shown."""

    height: int
    width: int


def network_size(height: int, width: int, rule: InputRule) -> NetworkSize:
    """At which size the network sees a photo.

    Args:
        height: of the photo, pixels.
        width: of the photo.
        rule: ``"reference-512"``, as its authors run it: a photo smaller than 512 px on its longer side, or larger than
            that on its shorter, is scaled to a shorter side of 512. ``"native-256"``, as the published talking drawings
            run it: always to a shorter side of 256, so that their square is taken as it is.

    Returns:
        Both sides, cut down to multiples of 32, at least 32.
    """
    shorter, longer = min(height, width), max(height, width)
    wanted = {"reference-512": REFERENCE_SIDE, "native-256": NATIVE_SIDE}[rule]
    if rule == "native-256" or longer < wanted or shorter > wanted:
        height, width = (wanted if side == shorter else int(side / shorter * wanted) for side in (height, width))
    return NetworkSize(*(max(side // _MULTIPLE, 1) * _MULTIPLE for side in (height, width)))


class NetworkMatter:
    """A matting network as matte backend.

    Sizes are reduced by area and enlarged bilinearly (published: by area both ways, which repeats pixels when it
    enlarges). The matte stays soft; the published talking drawings cut it at 0.5, as their generator's recipe does.

    Args:
        network: takes photos (1, 3, H, W) in [-1, 1], H and W multiples of 32, and gives mattes (1, 1, H, W) in [0, 1],
            such as :class:`~lightning_modules.networks.frozen.modnet.MODNet`; used where it lies, in eval mode.
        rule: at which size it sees a photo.
        exact: read and give back exactly as the published talking drawings do: the photo is brought to 256 x 256 by
            area and to 8 bits, and each pixel of the matte is repeated, so that reducing it to that size gives the
            network's own numbers. The rule is not asked then.

    Raises:
        ConfigError: the rule is unknown.
    """

    def __init__(self, network: Any, rule: InputRule = "reference-512", *, exact: bool = False) -> None:
        if rule not in get_args(InputRule):
            raise ConfigError(f"there is no input rule {rule!r}", f"choose one of {', '.join(get_args(InputRule))}")
        self.name = MATTER_NAMES[rule]
        self.rule: InputRule = rule
        self.exact = exact
        self._network = network.eval()

    @classmethod
    def from_file(cls, path: str | Path, rule: InputRule = "reference-512") -> NetworkMatter:
        """Make one of a file.

        Args:
            path: what inkspeak exported, or the published checkpoint. Code in it is never run.
            rule: at which size the network sees a photo.

        Raises:
            WeightsError: there is no such file, it is damaged, or it holds another network.
        """
        from lightning_modules.weights.from_file import network_from_file

        return cls(network_from_file("modnet", path), rule)

    def matte(self, rgb: RgbPixels) -> Matte:
        """Matte of a photo ``(H, W, 3)`` uint8 RGB: ``(H, W)`` float32 in [0, 1], 1 = person."""
        import torch

        height, width = rgb.shape[:2]
        seen = NetworkSize(NATIVE_SIDE, NATIVE_SIDE) if self.exact else network_size(height, width, self.rule)
        shown = _resized(rgb.astype(np.float32), seen)
        view = (np.round(shown) if self.exact else shown) / np.float32(127.5) - 1
        place = next((parameter.device for parameter in self._network.parameters()), torch.device("cpu"))
        with torch.inference_mode():
            photo = torch.from_numpy(np.ascontiguousarray(np.moveaxis(view, -1, 0)))[None]
            made = self._network(photo.to(place))[0, 0].float().cpu().numpy()
        if self.exact:
            return _repeated(made, NetworkSize(height, width))
        return np.clip(_resized(made, NetworkSize(height, width)), 0.0, 1.0)


def _repeated(picture: Matte, size: NetworkSize) -> Matte:
    rows, columns = (
        ((np.arange(wanted) + 0.5) * given / wanted).astype(np.int64)
        for wanted, given in zip(size, picture.shape, strict=True)
    )
    return np.asarray(picture[rows][:, columns], np.float32)


def _resized(picture: Matte, size: NetworkSize) -> Matte:
    import cv2

    if picture.shape[:2] == size:
        return picture
    larger = size.height * size.width > picture.shape[0] * picture.shape[1]
    how = cv2.INTER_LINEAR if larger else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, (size.width, size.height), interpolation=how), np.float32)
