"""What one face may look like: drawn from its photo in several manners, and seen through bad cameras and printers.

Everything works on crops of about a hundred pixels, uint8 with 255 = paper, with OpenCV, in a fraction of a
millisecond: rough cousins of the drawers of :mod:`lightning_modules.drawing`, whose drawings come with the prepared
sets. No pixel changes its place here, so landmarks stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Look = Callable[[np.random.Generator, Pixels], Pixels]


def _gray(crop: Pixels) -> npt.NDArray[np.float32]:
    """Luminance (H, W) in [0, 1]."""
    import cv2

    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.float32) / np.float32(255)


def _blurred(picture: npt.NDArray[Any], deviation: float) -> npt.NDArray[np.float32]:
    import cv2

    return np.asarray(cv2.GaussianBlur(picture, (0, 0), deviation), np.float32)


def _paper(tone: npt.NDArray[np.floating]) -> Pixels:
    """Tone (H, W) in [0, 1], 1 = paper, as (H, W, 3)."""
    import cv2

    gray = np.clip(tone * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB))


def pencil(generator: np.random.Generator, crop: Pixels) -> Pixels:
    """Soft strokes where it is darker than around."""
    gray = _gray(crop)
    around = _blurred(gray, float(generator.uniform(1.5, 6)))
    return _paper(np.power(np.clip(gray / (around + 0.02), 0, 1), generator.uniform(1.5, 6)))


def thin_lines(generator: np.random.Generator, crop: Pixels) -> Pixels:
    """Lines of one width on white: a difference of Gaussians, cut off sharply."""
    gray, width = _gray(crop), float(generator.uniform(0.6, 1.2))
    edge = _blurred(gray, width) - _blurred(gray, 1.6 * width)
    least = generator.uniform(0.004, 0.016)
    return _paper(1 - np.clip((-edge - least) * generator.uniform(40, 160), 0, 1) * generator.uniform(0.6, 1))


def ink(generator: np.random.Generator, crop: Pixels) -> Pixels:
    """Lines and black areas together: the extended difference of Gaussians of Winnemöller (2011)."""
    gray, width = _gray(crop), float(generator.uniform(0.7, 1.5))
    sharp = generator.uniform(6, 22)
    fine = _blurred(gray, width)
    tone = fine + sharp * (fine - _blurred(gray, 1.6 * width))
    level = float(gray.mean()) * generator.uniform(0.45, 1.0)
    return _paper(1 + np.tanh(np.minimum(tone - level, 0) * generator.uniform(3, 20)))


def masses(generator: np.random.Generator, crop: Pixels) -> Pixels:
    """Black and white areas without lines, as in a woodcut."""
    gray = _blurred(_gray(crop), float(generator.uniform(0.6, 1.8)))
    level = float(np.quantile(gray[16:-16:2, 16:-16:2], generator.uniform(0.2, 0.55)))
    return _paper(np.clip((gray - level) * generator.uniform(8, 30) + 0.5, 0, 1))


def cartoon(generator: np.random.Generator, crop: Pixels) -> Pixels:
    """Flat areas of a few colours under dark lines."""
    import cv2

    levels = int(generator.integers(3, 8))
    flat = cv2.medianBlur(crop, 5).astype(np.float32)
    flat = (np.floor(flat * (levels / 256)) + 0.5) * (255 / levels)
    lines = thin_lines(generator, crop).astype(np.float32) / 255
    return np.asarray(np.clip(flat * lines, 0, 255), np.uint8)


LOOKS: Final[dict[str, Look]] = {
    "pencil": pencil,
    "thin_lines": thin_lines,
    "ink": ink,
    "masses": masses,
    "cartoon": cartoon,
}
"""Ways to draw from the crop of a photo, (H, W, 3) RGB, again as (H, W, 3)."""


def stroke_weight(generator: np.random.Generator, crop: Pixels) -> Pixels:
    """A drawing with broader or finer lines, in gray on toned paper with washed-out ink now and then."""
    import cv2

    broad, square = generator.random(), int(generator.integers(2, 4))
    kernel = np.ones((square, 2), np.uint8)
    if broad < 0.25:
        crop = np.asarray(cv2.erode(crop, kernel))
    elif broad < 0.4:
        crop = np.asarray(cv2.addWeighted(cv2.dilate(crop, kernel), 0.7, crop, 0.3, 0))
    if generator.random() < 0.35:
        light, dark = generator.uniform(170, 255, 3), generator.uniform(0, 90)
        tones = dark + np.arange(256)[:, None] * ((light - dark) / 255)
        crop = np.asarray(cv2.LUT(crop, tones[None].astype(np.uint8)))
    return crop


def photo_light(generator: np.random.Generator, crop: Pixels) -> Pixels:
    """A photo in another light: brightness, contrast, colours, gray, light from one side."""
    import cv2

    if generator.random() < 0.3:
        crop = _paper(_gray(crop))
    gain = generator.uniform(0.6, 1.35) * generator.uniform(0.9, 1.1, 3)
    bias, bend = generator.uniform(-0.18, 0.18), generator.uniform(0.6, 1.6) if generator.random() < 0.4 else 1.0
    tones = np.clip((np.arange(256)[:, None] / 255 - 0.5) * gain + 0.5 + bias, 0, 1) ** bend
    lit = np.asarray(cv2.LUT(crop, (tones[None] * 255).astype(np.uint8)), np.uint8)
    if generator.random() < 0.3:
        ramp = np.linspace(generator.uniform(0.4, 1), generator.uniform(0.7, 1), crop.shape[0], dtype=np.float32)
        lit = (lit * (ramp[:, None, None] if generator.random() < 0.5 else ramp[None, :, None])).astype(np.uint8)
    return lit


def damage(generator: np.random.Generator, crop: Pixels) -> Pixels:
    """What happens to any picture: it is blurred, reduced, noisy, partly covered, and once in a while a negative."""
    import cv2

    side = crop.shape[0]
    kind = generator.random()
    if kind < 0.2:
        crop = np.asarray(cv2.GaussianBlur(crop, (0, 0), float(generator.uniform(0.4, 1.8))))
    elif kind < 0.32:
        small = int(generator.integers(32, 80))
        crop = np.asarray(cv2.resize(cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA), (side, side)))
    if generator.random() < 0.25:
        noise = generator.standard_normal((side, side, 1), np.float32) * np.float32(generator.uniform(2, 16))
        crop = np.asarray(np.clip(crop + noise, 0, 255), np.uint8)
    if generator.random() < 0.2:
        crop = crop.copy()
        for _ in range(int(generator.integers(1, 4))):
            height, width = generator.integers(6, 36, 2)
            top, left = generator.integers(0, side - 6, 2)
            crop[top : top + height, left : left + width] = generator.integers(0, 256, 3 if kind < 0.5 else 1)
    if generator.random() < 0.015:
        crop = 255 - crop
    return crop
