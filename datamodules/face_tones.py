"""How a view of a face is lit, printed or drawn: changes of tone, and a quick sketch, that leave the face its shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from lightning_modules.errors import ConfigError

Picture = npt.NDArray[np.float32]
"""(H, W, 3) RGB or (H, W) grey, in [0, 1]."""

_LUMINANCE: Final = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class ToneSettings:
    """How much a view may change besides its place.

    Args:
        light: largest change of exposure, contrast, colour and side light, a share.
        grey: share of the colour pictures that lose their colour.
        paper: share of the pictures whose background becomes plain, white or another tone.
        line: largest growth or thinning of drawn lines, a share of a pixel.
        blur: largest standard deviation of a blur, pixels.
        noise: largest standard deviation of noise, share of the range.
        covered: share of the pictures of which a rectangle is covered.

    Raises:
        ConfigError: a number is negative or a share above 1.
    """

    light: float = 0.35
    grey: float = 0.4
    paper: float = 0.5
    line: float = 0.8
    blur: float = 0.8
    noise: float = 0.03
    covered: float = 0.2

    def __post_init__(self) -> None:
        values = vars(self)
        if not all(0 <= value <= (8 if name == "blur" else 1) for name, value in values.items()):
            told = ", ".join(f"{name} {value}" for name, value in values.items())
            raise ConfigError(f"views with {told}", "give shares from 0 to 1, and a blur of at most 8 pixels")


def relit(generator: np.random.Generator, picture: Picture, settings: ToneSettings) -> Picture:
    """Change exposure, contrast, colour and side light of a photo or cartoon (H, W, 3); some lose their colour."""
    drawn = generator.uniform(-1, 1, 8).astype(np.float32) * settings.light
    if generator.random() < settings.grey:
        picture = (picture @ _LUMINANCE)[..., None]
        drawn[5:] = 0
    height, width = picture.shape[:2]
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None, None]
    gain = 1 + 0.6 * drawn[0] + 0.8 * drawn[1] * across + 0.4 * drawn[2] * down + 0.3 * drawn[5:]
    contrast, level = 1 + drawn[3], 0.3 * drawn[4]
    return np.asarray(np.clip((contrast * picture + (0.5 - 0.5 * contrast)) * gain + level, 0, 1), np.float32)


def reinked(generator: np.random.Generator, drawing: Picture, settings: ToneSettings) -> Picture:
    """Change weight and darkness of the lines of a drawing (H, W) and the tone of its paper."""
    weight, ink, paper = generator.uniform(-1, 1, 3) * (settings.line, settings.light, settings.light)
    kernel = np.ones((2, 2), np.uint8)
    changed = cv2.erode(drawing, kernel) if weight > 0 else cv2.dilate(drawing, kernel)
    drawing = drawing + abs(float(weight)) * (changed - drawing)
    dark = 0.6 * max(float(ink), 0.0)
    light = 1 - 0.5 * max(float(paper), 0.0)
    return np.asarray(dark + (light - dark) * drawing, np.float32)


def sketched(generator: np.random.Generator, picture: Picture) -> Picture:
    """Draw a quick sketch (H, W) of a photo (H, W, 3): where it is darker than around, by a difference of Gaussians."""
    fine, sharp, low = generator.uniform((0.6, 12.0, 0.006), (1.3, 40.0, 0.03))
    grey = picture @ _LUMINANCE
    darker = cv2.GaussianBlur(grey, (0, 0), 1.6 * fine) - cv2.GaussianBlur(grey, (0, 0), fine)
    ink = np.clip((darker - low) * sharp, 0, 1)
    if generator.random() < 0.5:  # and black masses, as a brush would fill them
        ink = np.maximum(ink, np.clip((generator.uniform(0.15, 0.35) - cv2.GaussianBlur(grey, (0, 0), 1.0)) * 12, 0, 1))
    return np.asarray(1 - ink, np.float32)


def on_paper(
    generator: np.random.Generator, picture: Picture, matte: npt.NDArray[Any], settings: ToneSettings
) -> Picture:
    """Put some persons on plain paper, white for half of them. ``matte`` is (H, W) in [0, 1], 1 = person."""
    chance, white = generator.random(2)
    colour = generator.random(3).astype(np.float32)
    if chance >= settings.paper:
        return picture
    if picture.ndim == 2:  # the paper of a drawing stays light
        tone = np.float32(1.0) if white < 0.5 else 1 - 0.3 * colour[:1]
        return np.asarray(tone + (picture - tone) * matte, np.float32)
    tone = np.float32(1.0) if white < 0.5 else colour
    return np.asarray(tone + (picture - tone) * matte[..., None], np.float32)


def printed(generator: np.random.Generator, picture: Picture, settings: ToneSettings) -> Picture:
    """Blur, add noise, and cover a rectangle of some."""
    blur, noise = generator.random(2) * (settings.blur, settings.noise)
    if blur > 0.3:  # below this a kernel would be a single pixel
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), float(blur)), np.float32)
    if noise > 0:
        grain = np.float32(noise) * generator.standard_normal(picture.shape[:2], dtype=np.float32)
        picture = picture + (grain if picture.ndim == 2 else grain[..., None])
    if generator.random() < settings.covered:
        height, width = picture.shape[:2]
        tall, broad = (generator.uniform(0.15, 0.4, 2) * (height, width)).astype(int)
        top, left = generator.integers(height - tall), generator.integers(width - broad)
        picture = picture.copy()
        picture[top : top + tall, left : left + broad] = generator.random()
    return np.clip(picture, 0, 1)
