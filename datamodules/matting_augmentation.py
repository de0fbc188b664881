"""Training photos for the matting network: cut, mirrored, in another light, before another background.

Pictures are float32 in [0, 1]: photos (H, W, 3), mattes and trimaps (H, W). Everything random comes from the sample's
own generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lightning_modules.errors import ConfigError

Picture = npt.NDArray[np.float32]

_SURE: Final = 0.95  # share of a pixel from which on its colour is taken for that of the person alone
_NARROWEST, _WIDEST = 0.008, 0.05  # half the width of a trimap's band, shares of the side
_FAR: Final = 0.03  # so far from the person, in shares of the side, a background is taken for free of it


@dataclass(frozen=True)
class MattingAugmentation:
    """How training photos are changed.

    Args:
        smallest_cut: side of the smallest square that is cut out, as a share of the photo's; 1 cuts nothing.
        flip: mirror every second photo.
        colour: strength of the changes of light and colour: brightness and contrast up to so far from 1; 0 for none.
        background: share of the photos that are put before the background of another one.

    Raises:
        ConfigError: a number is out of its range.
    """

    smallest_cut: float = 0.6
    flip: bool = True
    colour: float = 0.3
    background: float = 0.6

    def __post_init__(self) -> None:
        if not 0.1 <= self.smallest_cut <= 1 or not 0 <= self.colour < 1 or not 0 <= self.background <= 1:
            found = f"smallest_cut {self.smallest_cut}, colour {self.colour}, background {self.background}"
            raise ConfigError(found, "give 0.1 to 1, 0 to below 1, and 0 to 1")


UNCHANGED: Final = MattingAugmentation(smallest_cut=1.0, flip=False, colour=0.0, background=0.0)
"""Photos as they are, only brought to size."""


def cut_out(
    generator: np.random.Generator, photo: Picture, matte: Picture, settings: MattingAugmentation, size: int
) -> tuple[Picture, Picture]:
    """Cut a random square, mirror it or not, and bring it to a side of ``size`` pixels.

    Args:
        generator: of the sample.
        photo: (L, L, 3).
        matte: (L, L).
        settings: how small the square may be, and whether it is mirrored.
        size: side of the result.

    Returns:
        Photo (size, size, 3) and matte (size, size).
    """
    side = len(photo)
    cut = round(side * generator.uniform(settings.smallest_cut, 1.0))
    left, top = (int(generator.integers(0, side - cut, endpoint=True)) for _ in range(2))
    mirrored = bool(generator.random() < 0.5) and settings.flip
    step = -1 if mirrored else 1
    parts = [picture[top : top + cut, left : left + cut][:, ::step] for picture in (photo, matte)]
    return _sized(parts[0], size), _sized(parts[1], size)


def before_background(photo: Picture, matte: Picture, other: Picture, other_matte: Picture) -> Picture:
    """The person of one photo before the background of another.

    Neither brings a halo: at the soft edge the person's colour is continued from where it is sure, and the other
    person's place is filled from what surrounds it.

    Args:
        photo: (S, S, 3), whose person stays.
        matte: (S, S) of it.
        other: (S, S, 3), whose background is taken.
        other_matte: (S, S) of it.

    Returns:
        (S, S, 3).
    """
    import cv2

    radius = max(1, round(_FAR * len(photo)))
    near = cv2.dilate((other_matte > 1 - _SURE).astype(np.uint8), _square(radius))
    behind = _filled(other, near == 0)
    person = _filled(photo, matte >= _SURE)
    share = matte[..., None]
    return np.asarray(person * share + behind * (1 - share), np.float32)


def in_another_light(generator: np.random.Generator, photo: Picture, strength: float) -> Picture:
    """Change brightness, contrast, saturation and the balance of the colours.

    Args:
        generator: of the sample.
        photo: (S, S, 3).
        strength: brightness, contrast and saturation lie in 1 ± strength, each colour in 1 ± a third of it.

    Returns:
        (S, S, 3) in [0, 1].
    """
    if strength == 0:
        return photo
    brightness, contrast, saturation = 1 + generator.uniform(-strength, strength, 3)
    balance = 1 + generator.uniform(-strength / 3, strength / 3, 3)
    gray = photo.mean(-1, keepdims=True)
    coloured = (gray + (photo - gray) * saturation) * balance
    middle = coloured.mean()
    return np.asarray(np.clip(((coloured - middle) * contrast + middle) * brightness, 0, 1), np.float32)


def trimap_of(matte: Picture, inside: int, outside: int) -> Picture:
    """What of a matte is sure, by erosion: the band between is where the network must find the outline.

    Args:
        matte: (S, S).
        inside: pixels by which the person is eroded, at least 1.
        outside: pixels by which the background is, at least 1.

    Returns:
        (S, S) of 0, 0.5 and 1. Squares of side 2 r + 1; the border of the frame erodes nothing.
    """
    import cv2

    person = cv2.erode((matte >= _SURE).astype(np.uint8), _square(inside))
    background = cv2.erode((matte <= 1 - _SURE).astype(np.uint8), _square(outside))
    return np.asarray(0.5 + 0.5 * person - 0.5 * background, np.float32)


def band_widths(generator: np.random.Generator | None, size: int) -> tuple[int, int]:
    """Pixels by which person and background are eroded for the trimap of a photo.

    Args:
        generator: of the sample; None for the middle of the range, the same each time.
        size: side of the photo.

    Returns:
        Both between 0.8 % and 5 % of the side, at least 1.
    """
    low, high = (max(1, round(share * size)) for share in (_NARROWEST, _WIDEST))
    if generator is None:
        return (low + high) // 2, (low + high) // 2
    inside, outside = (int(width) for width in generator.integers(low, high, 2, endpoint=True))
    return inside, outside


def _square(radius: int) -> npt.NDArray[np.uint8]:
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)


def _sized(picture: Picture, size: int) -> Picture:
    import cv2

    if len(picture) == size:
        return np.ascontiguousarray(picture)
    how = cv2.INTER_AREA if len(picture) > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), (size, size), interpolation=how), np.float32)


def _filled(picture: Picture, known: npt.NDArray[np.bool_]) -> Picture:
    """Continue a picture smoothly from where it is known; gray where nothing is."""
    import torch

    from lightning_modules.pipeline.inpainting import fill_smoothly

    if not known.any():
        return np.full_like(picture, 0.5)
    planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(picture, -1, 0)))[None]
    filled = fill_smoothly(planes, torch.from_numpy(known.astype(np.float32))[None, None])
    return np.asarray(filled[0].movedim(0, -1).numpy(), np.float32)
