"""Coherent line drawing: a flow-based difference of Gaussians, read as pen strokes and black masses.

The drawing is worked out on a *board* of fixed size, whatever the size of the photo, so that 256 and 1024 pixels get
the same drawing; strokes and masses are inked from there at the size of the output. Lengths below are in parts of a
board whose shorter side is 512; ``unit`` converts them to pixels of the board at hand.

Source:
    Kang, Lee, Chui 2007 (coherent line drawing) and 2009 (flow-based abstraction); Winnemöller, Kyprianidis, Olsen 2012
    (extended difference of Gaussians). The strokes along valleys, the paper white and the guidance are our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from torch import Tensor

from lightning_modules.drawing.guidance import Guidance
from lightning_modules.drawing.image_filters import gaussian_blur, ramp, scharr_gradient
from lightning_modules.drawing.steadying import Steadier, alone
from lightning_modules.drawing.streamlines import Streamlines
from lightning_modules.drawing.strokes import FLATTEST_RIM, Valley, profiles, valley, without_islands
from lightning_modules.drawing.tangent_field import (
    TangentField,
    field_of_tensor,
    flow_bilateral,
    structure_tensor,
)
from lightning_modules.drawing.tone import exposure, paper_white, relight

REFERENCE_SIDE: Final = 512
"""Shorter side of the board that all lengths in this room refer to."""

SURROUND: Final = 1.6
"""Width of the surround of a difference of Gaussians over its centre (Kang 2007)."""

_FINE, _COARSE, _STRAND, _STRAND_SURROUND = 1.2, 2.4, 1.3, 3.0
_FINE_CONTRAST, _COARSE_CONTRAST = 0.0167, 0.025
_DARK_FLOOR, _STRAND_FLOOR = 0.2, 0.05
_STRAND_CONTRAST = 0.05


@dataclass(frozen=True)
class LineStyle:
    """What can be chosen about the lines and masses of a drawing.

    Attributes:
        detail: sensitivity; 2 finds lines of half the contrast.
        coherence: how far along a line contrast is gathered; 1 = sigma of 5 (fine) and 7 (soft) reference pixels.
        line_weight: factor on the width of all strokes.
        line_length: length below which a stroke away from the features is dropped, reference pixels.
        mass_tone: tone below which an area is filled with black; 0 fills nothing.
        background: sensitivity to lines where the matte shows no person, relative to the person.
    """

    detail: float = 1.0
    coherence: float = 1.0
    line_weight: float = 1.0
    line_length: float = 20.0
    mass_tone: float = 0.42
    background: float = 0.55


class Sketch(NamedTuple):
    """All that is known on the board before anything is inked; every map is (B, 1, h, w) unless said otherwise.

    Attributes:
        unit: board pixels per reference pixel.
        pen: factor on the width of strokes.
        tone: tone relative to the paper white.
        lines: valleys of the line response.
        strength: how sure a line is; drawn from about 0.8, full weight at 3.
        strands: valleys of fine dark strands along the flow (hair).
        strand_strength: drawn from about 0.8.
        glints: valleys of fine light strands inside dark hair.
        glint_strength: drawn from about 0.8.
        rim: valleys along the edge of the matte.
        rim_strength: drawn from about 0.8; 0 where the photo itself gave a line, or when there is no matte.
        mass: height field, positive where the area is filled with black.
    """

    unit: float
    pen: float
    tone: Tensor
    lines: Valley
    strength: Tensor
    strands: Valley
    strand_strength: Tensor
    glints: Valley
    glint_strength: Tensor
    rim: Valley
    rim_strength: Tensor
    mass: Tensor


def sketch(light: Tensor, guidance: Guidance, style: LineStyle, span: float = 1.0) -> Sketch:
    """Find strokes and masses of pictures that have nothing to do with each other.

    Args:
        light: (B, 1, h, w) luminance on the board.
        guidance: maps of the same size.
        style: choices.
        span: factor on all lengths: the share of the shorter side that a portrait crop around the face would take.

    Returns:
        The sketch; nothing is inked yet.
    """
    return next(sketch_shot([(light, guidance)], style, span))


def sketch_shot(
    frames: Iterable[tuple[Tensor, Guidance]], style: LineStyle, span: float = 1.0, steady: Steadier = alone
) -> Iterator[Sketch]:
    """Find strokes and masses of consecutive frames, whose tangents hold still where the frames do.

    Args:
        frames: luminance and guidance of each, as :func:`sketch` takes them.
        style: choices.
        span: as :func:`sketch` takes it.
        steady: what averages structure tensors and line responses of frames over time; the default leaves each frame
            by itself.

    Yields:
        The sketch of each frame; as many frames are kept in mind as ``steady`` asks for ahead, three times over.
    """
    for traced, smoothed in steady(_traced(steady(_seen(frames, style, span, steady)), style)):
        yield _sketch(traced, smoothed, style)


class _Seen(NamedTuple):
    """A picture before and after smoothing away texture, its tone in relation to the paper white."""

    guidance: Guidance
    unit: float
    plain: Tensor
    tone: Tensor


class _Traced(NamedTuple):
    """What is seen, with its texture and its streamlines."""

    seen: _Seen
    texture: Tensor
    field: TangentField
    streamlines: Streamlines


def _seen(
    frames: Iterable[tuple[Tensor, Guidance]], style: LineStyle, span: float, steady: Steadier
) -> Iterator[tuple[_Seen, Tensor]]:
    """What is seen in each frame, with the structure tensor of its tone."""

    def exposures() -> Iterator[tuple[tuple[Tensor, Guidance, float], Tensor]]:
        for light, guidance in frames:
            unit = span * min(light.shape[-2:]) / REFERENCE_SIDE
            start = gaussian_blur(exposure(light, guidance.face), 1.0 * unit)
            yield (start, guidance, unit), structure_tensor(start)

    tolerance = 0.08 / min(max(style.detail, 0.5), 4.0)
    for (start, guidance, unit), tensor in steady(exposures()):
        field = field_of_tensor(gaussian_blur(tensor, 3.0 * unit))
        smooth = flow_bilateral(start, field, 2.5 * unit, tolerance, rounds=2)
        white = paper_white(smooth, guidance.face, 0.07 * REFERENCE_SIDE * unit)
        tone = relight(smooth, white)
        yield _Seen(guidance, unit, start / white, tone), structure_tensor(tone)


def _traced(seen: Iterable[tuple[_Seen, Tensor]], style: LineStyle) -> Iterator[tuple[_Traced, Tensor]]:
    """What is seen in each frame and, gathered along its streamlines, (B, 4, h, w): line responses, tone, strands."""
    for one, tensor in seen:
        guidance, unit, plain, tone = one
        texture = _texture(plain, tone, unit)
        field = _follow(tensor, guidance, texture, unit)
        streamlines = Streamlines(field.tangent, 18.0 * unit, step=1.25)

        widths = [_FINE, SURROUND * _FINE, _COARSE, SURROUND * _COARSE]
        means = profiles(tone, field.normal, [width * unit for width in widths])
        fine = (means[:, 0:1] - means[:, 1:2]) / (means[:, 1:2] + _DARK_FLOOR)
        coarse = (means[:, 2:3] - means[:, 3:4]) / (means[:, 3:4] + _DARK_FLOOR)
        # Strands of hair are finer than what smoothing leaves; gathering along the flow sorts them from noise instead.
        strands = profiles(plain, field.normal, [_STRAND * unit, _STRAND_SURROUND * unit])
        strand = strands[:, :1] - strands[:, 1:]
        reach = style.coherence * unit
        smoothed = streamlines.smoothed(
            torch.cat((fine, coarse, tone, strand), dim=1), [5.0 * reach, 7.0 * reach, 5.0 * unit, 7.0 * reach]
        )
        yield _Traced(one, texture, field, streamlines), smoothed


def _sketch(traced: _Traced, smoothed: Tensor, style: LineStyle) -> Sketch:
    """Strokes and masses from what was gathered along the streamlines."""
    (guidance, unit, _, tone), texture, field, streamlines = traced
    response = smoothed[:, 0:1] / _FINE_CONTRAST + smoothed[:, 1:2] / _COARSE_CONTRAST
    around = gaussian_blur(tone, 3.0 * unit)
    strand = smoothed[:, 3:4] / (around + _STRAND_FLOOR)
    hardness = _hardness(guidance, texture, style)
    raw = -response / hardness

    runs = streamlines.run_length(
        torch.cat((ramp(raw, 0.4, 0.9), ramp(strand, 0.02, 0.05), ramp(-strand, 0.02, 0.05)), dim=1)
    )
    runs = runs / unit
    strength = _confident(raw, runs[:, :1], guidance, streamlines, style, unit)
    skin = guidance.face * (1.0 - guidance.features) * (1.0 - ramp(texture, 0.04, 0.08))
    glint = strand * ramp(runs[:, 1:2], 14.0, 30.0) * (1.0 - guidance.features) / _STRAND_CONTRAST
    hair = (1.0 - skin) * guidance.person
    dark = -strand * ramp(runs[:, 2:3] / style.line_length, 0.5, 1.1) * hair / _STRAND_CONTRAST

    sharpened = smoothed[:, 2:3] + 0.25 * smoothed[:, 3:4] / (around + 0.1)
    mass = torch.minimum(_fill_limit(tone, guidance, skin, style, unit) - sharpened, 0.5 * (guidance.person - 0.5))
    # A little below the rim, so that an area exactly at the limit stays white.
    mass = mass - FLATTEST_RIM
    rim, rim_strength = _silhouette(guidance.person, strength, mass, unit)
    mass = without_islands(mass, radius=max(1, round(2.0 * unit)), reach=round(24.0 * unit))
    return Sketch(
        unit=unit,
        pen=style.line_weight,
        tone=tone,
        lines=valley(response, field.normal),
        strength=strength,
        strands=valley(strand, field.normal),
        strand_strength=dark,
        glints=valley(-strand, field.normal),
        glint_strength=glint,
        rim=rim,
        rim_strength=rim_strength,
        mass=mass,
    )


def _texture(plain: Tensor, tone: Tensor, unit: float) -> Tensor:
    """How much fine contrast there is around each pixel, relative to its tone: high in hair, beards and cloth."""
    fine = (plain - gaussian_blur(plain, 2.5 * unit)).abs()
    return gaussian_blur(fine / (gaussian_blur(tone, 3.0 * unit) + 0.1), 5.0 * unit)


def _follow(tensor: Tensor, guidance: Guidance, texture: Tensor, unit: float) -> TangentField:
    """Tangent field of the tone; where there is texture, neighbours are asked over a longer distance."""
    near = gaussian_blur(tensor, 3.0 * unit)
    far = gaussian_blur(near, 5.0 * unit)
    loose = ramp(texture, 0.03, 0.09) * (1.0 - guidance.features)
    return field_of_tensor(near + loose * (far - near))


def _hardness(guidance: Guidance, texture: Tensor, style: LineStyle) -> Tensor:
    """Contrast that a line must have, relative to the usual: less at features and jaw, more on skin and behind."""
    plain = 1.0 - guidance.features
    loose = ramp(texture, 0.03, 0.09) * plain
    hardness = 1.0 + 0.5 * guidance.face * plain - 0.35 * guidance.features - 0.35 * guidance.outline * plain
    behind = (1.0 - ramp(guidance.person, 0.2, 0.6)) * (1.0 / max(style.background, 1e-3) - 1.0)
    return (hardness + 0.4 * loose + behind) / style.detail


def _fill_limit(tone: Tensor, guidance: Guidance, skin: Tensor, style: LineStyle, unit: float) -> Tensor:
    """The tone below which an area is filled: low on plain skin, so that shade on a cheek is not."""
    if style.mass_tone <= 0:
        return torch.zeros_like(tone)
    limit = style.mass_tone * (1.0 - 0.75 * skin)
    # Features are compared with their surroundings: a light brow is filled, a shaded eye socket is not.
    nearby = gaussian_blur(tone, 18.0 * unit)
    feature = torch.minimum(0.62 * nearby, limit)
    limit = limit + (guidance.features - guidance.brows).clamp_min(0.0) * (feature - limit)
    return limit + guidance.brows * (0.85 * nearby - limit)


def _silhouette(person: Tensor, strength: Tensor, mass: Tensor, unit: float) -> tuple[Valley, Tensor]:
    """The edge of the matte, as a stroke that fills in where the photo shows no line and no mass ends."""
    soft = gaussian_blur(ramp(person, 0.3, 0.7), 4.0 * unit)
    along_x, along_y = scharr_gradient(soft)
    steep = torch.sqrt(along_x * along_x + along_y * along_y)
    normal = torch.cat((along_x, along_y), dim=1) / steep.clamp_min(1e-6)
    # A blurred step of height 1 rises by 0.1 per reference pixel at its middle.
    edge = steep * (10.0 * unit)
    drawn = torch.maximum(ramp(strength, 0.8, 1.4), ramp(mass, -0.02, 0.02))
    missing = 1.0 - ramp(gaussian_blur(drawn, 5.0 * unit), 0.06, 0.18)
    return valley(-edge, normal.permute(0, 2, 3, 1)), 2.0 * ramp(edge, 0.35, 0.75) * missing


def _confident(
    raw: Tensor, runs: Tensor, guidance: Guidance, streamlines: Streamlines, style: LineStyle, unit: float
) -> Tensor:
    """Strengthen what continues a sure line, drop what is short: hysteresis along the flow."""
    sure = ramp(raw, 1.0, 2.0) * ramp(runs, 8.0, 20.0)
    carried = ramp(streamlines.smoothed(sure, [8.0 * style.coherence * unit]), 0.1, 0.6)
    least = style.line_length * (0.6 - 0.35 * guidance.features)
    most = style.line_length * (1.4 - 0.8 * guidance.features)
    long_enough = ((runs - least) / (most - least).clamp_min(1e-3)).clamp(0.0, 1.0)
    return raw * (1.0 + 0.45 * carried) * ramp(long_enough, 0.0, 1.0)
