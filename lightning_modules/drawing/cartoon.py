"""Cartoons in colour: flat colours in soft steps of light and shade, and dark lines (paper section 4.5).

No weights are needed. The lines are those of the pen drawing (:mod:`.coherent_lines`), thinner and with only eyes and
brows filled; the colours are :mod:`.flat_colour`. Behind the person there are no steps, only a smooth wash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from lightning_modules.drawing.coherent_lines import LineStyle, Sketch
from lightning_modules.drawing.flat_colour import (
    brightened,
    evened_skin,
    lab_of,
    rgb_of,
    skin_share,
    skin_tone,
    soft_steps,
    step_softness,
    without_texture,
)
from lightning_modules.drawing.guidance import LIP_SEGMENTS, Guidance, segment_band
from lightning_modules.drawing.image_filters import ramp, resized
from lightning_modules.drawing.looks import broadened, pen_scale, stroke_width
from lightning_modules.drawing.strokes import region_coverage, stroke_coverage

_SMOOTHING: Final = (5.0, 8.0, 7)
_FEATURE_SMOOTHING: Final = (2.0, 5.0, 4)
_WASH: Final = (7.0, 12.0, 4)
_SHADE_REACH: Final = 5.0
_SEAM: Final = 1.5
_LEAST_SOFTNESS: Final = 0.05
_PEN: Final = 0.12
_THIN, _THICK, _USUAL = 1.6, 3.2, 2.4

CARTOON_LINES: Final = LineStyle(detail=0.8, line_length=24.0, mass_tone=0.3)
"""Fewer lines than in a pen drawing: colour borders say much of it already."""


@dataclass(frozen=True)
class CartoonStyle:
    """What can be chosen about the colours of a cartoon.

    Attributes:
        step: height of a step of lightness, L* units (of 100).
        saturation: factor on the colourfulness.
        brightness: how much paler the skin becomes, in [0, 1].
        evenness: share of the skin's own hue that gives way to one hue, in [0, 1].
        shade: factor on the contrast of light and shade on skin.
    """

    step: float = 15.0
    saturation: float = 1.2
    brightness: float = 0.7
    evenness: float = 0.8
    shade: float = 0.8


def flat_colours(
    picture: Tensor, guidance: Guidance, style: CartoonStyle, unit: float, size: tuple[int, int]
) -> Tensor:
    """The colours of a cartoon without its lines.

    Args:
        picture: (B, 3, h, w) sRGB in [0, 1], on the board.
        guidance: maps of the same size.
        style: choices.
        unit: board pixels per reference pixel.
        size: (H, W) of the result.

    Returns:
        (B, 3, H, W) sRGB in [0, 1].
    """
    lab = lab_of(picture)
    sigma, tolerance, rounds = _SMOOTHING
    flat = without_texture(lab, sigma * unit, tolerance, rounds)
    sigma, tolerance, rounds = _WASH
    wash = without_texture(flat, sigma * unit, tolerance, rounds)
    sigma, tolerance, rounds = _FEATURE_SMOOTHING
    fine = without_texture(lab, sigma * unit, tolerance, rounds)
    flat = flat + (wash - flat) * (1.0 - ramp(guidance.person, 0.2, 0.6))
    flat = flat + (fine - flat) * ramp(guidance.features, 0.2, 0.7)
    tone = skin_tone(flat, guidance)
    skin = skin_share(flat, tone, guidance, _SEAM * unit)
    flat = evened_skin(flat, tone, skin, _SHADE_REACH * unit, style.evenness)
    stepped = guidance.person * (1.0 - 0.2 * guidance.features)
    large = resized(torch.cat((flat, skin, stepped, guidance.person), dim=1), size)
    light, hue = large[:, :1].clamp(0.0, 100.0), large[:, 1:3]
    skin, stepped, person = torch.split(large[:, 3:].clamp(0.0, 1.0), 1, dim=1)
    steps = (light - tone[:, :1]) / style.step
    height = steps + (soft_steps(steps, step_softness(steps, _LEAST_SOFTNESS)) - steps) * stepped
    light = tone[:, :1] + height * style.step * (1.0 + (style.shade - 1.0) * skin)
    light = light.clamp(0.0, 100.0)
    # What is behind must not depend on who is in front: it is drawn without the person too.
    light = light + (brightened(light, tone[:, :1], style.brightness) - light) * person
    return rgb_of(torch.cat((light, style.saturation * hue), dim=1))


def cartoon_lines(sketch: Sketch, guidance: Guidance, landmarks: Tensor | None, size: tuple[int, int]) -> Tensor:
    """The lines of a cartoon, with eyes and brows filled where they are dark.

    Args:
        sketch: strokes and masses.
        guidance: where the person is.
        landmarks: (B, 68, 2) board pixels, or None.
        size: (H, W) of the result.

    Returns:
        (B, 1, H, W) in [0, 1], 1 = ink.
    """
    scale = pen_scale(sketch, guidance)
    line = stroke_coverage(sketch.lines, scale * stroke_width(sketch.strength, _THIN, _THICK), size)
    rim = stroke_coverage(sketch.rim, scale * stroke_width(sketch.rim_strength, _THIN, _THICK), size)
    inside = guidance.fillable - 0.5
    if landmarks is not None:
        extent = (landmarks.amax(1) - landmarks.amin(1)).amax(1).clamp_min(1.0)
        board = (sketch.tone.shape[-2], sketch.tone.shape[-1])
        # A mouth shows lips and teeth, and no landmark says for sure where its dark inside ends.
        inside = torch.minimum(inside, 0.5 - segment_band(landmarks, LIP_SEGMENTS, 0.06 * extent, board))
    fill = region_coverage(torch.minimum(sketch.mass, 0.5 * inside), size)
    return torch.maximum(broadened(torch.maximum(line, rim), sketch, usual=_USUAL), fill)


def inked(colours: Tensor, ink: Tensor) -> Tensor:
    """Lines over colours: (B, 3, H, W) and (B, 1, H, W); the pen is a dark tone of the colour beneath it."""
    return colours * (1.0 - (1.0 - _PEN) * ink)
