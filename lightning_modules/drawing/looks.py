"""From a sketch to ink on paper: how a pen-and-brush drawing and a pencil drawing lay down the same lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from lightning_modules.drawing.coherent_lines import Sketch
from lightning_modules.drawing.guidance import Guidance
from lightning_modules.drawing.image_filters import gaussian_blur, ramp, resized
from lightning_modules.drawing.strokes import opened, region_coverage, stroke_coverage, swollen

Look = Callable[[Sketch, Guidance, tuple[int, int]], Tensor]


def stroke_width(strength: Tensor, thinnest: float, thickest: float, start: float = 0.8) -> Tensor:
    """Width of a stroke: it tapers to nothing where the line becomes unsure and swells with its strength.

    Args:
        strength: (B, 1, h, w).
        thinnest: width of a weak line.
        thickest: width at a strength of 3 or more.
        start: strength below which there is no line.

    Returns:
        (B, 1, h, w) in the unit of the widths.
    """
    return thinnest * ramp(strength, start, 1.6 * start) + (thickest - thinnest) * ramp(strength, 1.6 * start, 3.0)


def pen_scale(sketch: Sketch, guidance: Guidance) -> Tensor:
    """Board pixels per reference pixel of stroke width: all of it on the person, a little more than half behind.

    Strokes cannot be wider than the valleys they lie in, so this stops at the usual width; :func:`broadened` goes on.
    """
    return sketch.unit * min(sketch.pen, 1.0) * (0.55 + 0.45 * ramp(guidance.person, 0.2, 0.6))


def broadened(strokes: Tensor, sketch: Sketch, usual: float) -> Tensor:
    """Strokes of a pen broader than the usual.

    Args:
        strokes: (B, 1, H, W) in [0, 1], 1 = ink.
        sketch: says how broad the pen is.
        usual: width of the usual stroke, reference pixels.

    Returns:
        (B, 1, H, W): every stroke wider by ``(pen - 1) usual``.
    """
    scale = min(strokes.shape[-2:]) / min(sketch.tone.shape[-2:]) * sketch.unit
    return swollen(strokes, 0.5 * (sketch.pen - 1.0) * usual * scale)


def ink(sketch: Sketch, guidance: Guidance, size: tuple[int, int]) -> Tensor:
    """Pen and brush: black strokes, dark areas filled with black, light strands left out of dark hair.

    Args:
        sketch: strokes and masses.
        guidance: where the person is.
        size: (H, W) of the drawing.

    Returns:
        (B, 1, H, W) in [0, 1], 1 = ink.
    """
    scale = pen_scale(sketch, guidance)
    line = stroke_coverage(sketch.lines, scale * stroke_width(sketch.strength, 2.0, 3.8), size)
    strand = stroke_coverage(sketch.strands, scale * stroke_width(sketch.strand_strength, 1.2, 2.4), size)
    rim = stroke_coverage(sketch.rim, scale * stroke_width(sketch.rim_strength, 2.0, 3.8), size)
    pen = broadened(torch.maximum(torch.maximum(line, strand), rim), sketch, usual=3.0)
    glint = stroke_coverage(sketch.glints, sketch.unit * stroke_width(sketch.glint_strength, 1.4, 2.6), size)
    mass = region_coverage(sketch.mass, size)
    inside = ramp(resized(sketch.mass, size), 0.0, 0.03)
    return torch.maximum(pen * (1.0 - glint * inside), mass * (1.0 - glint))


def pencil(sketch: Sketch, guidance: Guidance, size: tuple[int, int]) -> Tensor:
    """Pencil: thin strokes whose darkness follows their strength, strands in the hair, dark eyes and brows.

    Args:
        sketch: strokes and masses.
        guidance: where the person is, and where small dark areas are filled.
        size: (H, W) of the drawing.

    Returns:
        (B, 1, H, W) in [0, 1], 1 = darkest graphite.
    """
    scale = pen_scale(sketch, guidance)
    line = stroke_coverage(sketch.lines, scale * stroke_width(sketch.strength, 1.0, 2.2, start=0.6), size)
    line = line * resized(0.5 + 0.45 * ramp(sketch.strength, 0.8, 3.0), size, "bilinear")
    strand = stroke_coverage(sketch.strands, scale * stroke_width(sketch.strand_strength, 0.9, 1.6), size)
    rim = stroke_coverage(sketch.rim, scale * stroke_width(sketch.rim_strength, 1.0, 2.2, start=0.6), size)
    # Hair stays open, also where it covers a brow: outside the middle of the face no broad area is filled.
    broad = gaussian_blur(opened(sketch.mass, round(15.0 * sketch.unit)), 4.0 * sketch.unit)
    hair = torch.minimum(broad, 0.5 * (0.6 - guidance.face))
    fill = region_coverage(torch.minimum(torch.minimum(sketch.mass, -hair), 0.5 * (guidance.fillable - 0.5)), size)
    strokes = torch.maximum(torch.maximum(line, 0.6 * strand), 0.7 * rim)
    return torch.maximum(broadened(strokes, sketch, usual=1.6), 0.93 * fill).clamp(0.0, 1.0)


LOOKS: Final[dict[str, Look]] = {"ink": ink, "pencil": pencil}
"""The looks by name."""
