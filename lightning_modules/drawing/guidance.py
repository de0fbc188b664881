"""What landmarks and matte tell the drawer: where the face is, its features, its outline, and who is in front.

Convention: landmarks (B, 68, 2 | 3), order (x, y[, z]), pixels of the picture, pixel centres at integers. All maps are
(B, 1, H, W) in [0, 1]. Guidance changes how readily lines and masses appear; nothing is drawn from landmarks directly,
so a point that is a few pixels off does no harm.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import torch
from torch import Tensor

from lightning_modules.drawing.image_filters import resized
from lightning_modules.geometry.landmark_groups import (
    CHIN,
    INNER_LIP,
    JAW,
    LEFT_BROW,
    LEFT_EYE,
    NOSE_BASE,
    NOSE_BRIDGE,
    OUTER_LIP,
    RIGHT_BROW,
    RIGHT_EYE,
)

Segments = tuple[tuple[int, int], ...]


class Guidance(NamedTuple):
    """Soft maps of one portrait, (B, 1, H, W) in [0, 1] each.

    Attributes:
        face: skin of the face from chin to hairline, an ellipse.
        features: eyes, brows, nose and lips.
        brows: the brows alone.
        outline: a band along the jaw.
        fillable: where a look that leaves hair open fills small dark areas: the features, or all of the face.
        person: the matte, 1 = person; 1 everywhere when none was given.
    """

    face: Tensor
    features: Tensor
    brows: Tensor
    outline: Tensor
    fillable: Tensor
    person: Tensor


def _open_line(points: range | tuple[int, ...]) -> Segments:
    return tuple(pairwise(points))


def _ring(points: range) -> Segments:
    return (*_open_line(points), (points[-1], points[0]))


BROW_SEGMENTS: Final = _open_line(RIGHT_BROW) + _open_line(LEFT_BROW)
EYE_SEGMENTS: Final = (*_ring(RIGHT_EYE), *_ring(LEFT_EYE), (36, 39), (42, 45))
NOSE_SEGMENTS: Final = (*_open_line(NOSE_BRIDGE), *_open_line(NOSE_BASE), (30, 31), (30, 33), (30, 35))
LIP_SEGMENTS: Final = _ring(OUTER_LIP) + _ring(INNER_LIP)
FEATURE_SEGMENTS: Final = BROW_SEGMENTS + EYE_SEGMENTS + NOSE_SEGMENTS + LIP_SEGMENTS
JAW_SEGMENTS: Final = _open_line(JAW)

_CENTRE: Final = (0.5, 0.55)
_HALF_AXES: Final = (0.33, 0.40)


def segment_band(landmarks: Tensor, segments: Segments, radius: Tensor, size: tuple[int, int]) -> Tensor:
    """A soft band around line segments between landmarks: ``exp(-(distance / radius)⁴)``.

    Args:
        landmarks: (B, 68, 2), pixels.
        segments: pairs of point numbers.
        radius: (B,) distance at which the band has fallen to 1/e, pixels.
        size: (H, W) of the map.

    Returns:
        (B, 1, H, W) in [0, 1]; computed on every fourth pixel and interpolated.
    """
    height, width = size
    rows, columns = max(2, round(height / 4)), max(2, round(width / 4))
    y = (torch.arange(rows, device=landmarks.device) + 0.5) * (height / rows) - 0.5
    x = (torch.arange(columns, device=landmarks.device) + 0.5) * (width / columns) - 0.5
    nearest = landmarks.new_full((len(landmarks), rows, columns), torch.inf)
    for start, end in segments:
        origin, along = landmarks[:, start], landmarks[:, end] - landmarks[:, start]
        from_x = x[None, None, :] - origin[:, 0, None, None]
        from_y = y[None, :, None] - origin[:, 1, None, None]
        along_x, along_y = along[:, 0, None, None], along[:, 1, None, None]
        squared = (along_x * along_x + along_y * along_y).clamp_min(1e-12)
        part = ((from_x * along_x + from_y * along_y) / squared).clamp(0.0, 1.0)
        nearest = torch.minimum(nearest, (from_x - part * along_x) ** 2 + (from_y - part * along_y) ** 2)
    band = torch.exp(-((nearest / radius[:, None, None] ** 2) ** 2))
    return resized(band[:, None], size, "bilinear")


def face_ellipse(landmarks: Tensor, size: tuple[int, int]) -> Tensor:
    """The face from chin to hairline as a soft ellipse that turns and leans with the landmarks.

    Args:
        landmarks: (B, 68, 2), pixels.
        size: (H, W) of the map.

    Returns:
        (B, 1, H, W) in [0, 1]: 0.37 on the ellipse, near 1 within nine tenths of it.
    """
    chin, brows = landmarks[:, CHIN], landmarks[:, [*RIGHT_BROW, *LEFT_BROW]].mean(1)
    rise = brows - chin
    height = rise.norm(dim=1, keepdim=True).clamp_min(1e-3)
    up = rise / height
    side = torch.stack((-up[:, 1], up[:, 0]), dim=1)
    ears = landmarks[:, JAW[-1]] - landmarks[:, JAW[0]]
    # A face in profile shows a narrow jaw; the head behind it is as wide as ever.
    half_width = 0.5 * torch.maximum((ears * side).sum(1, keepdim=True).abs(), 0.75 * height)
    centre = chin + 0.62 * rise
    between_ears = 0.5 * (landmarks[:, JAW[-1]] + landmarks[:, JAW[0]])
    centre = centre + side * ((between_ears - centre) * side).sum(1, keepdim=True)
    return _soft_ellipse(centre, up, torch.cat((half_width, 0.68 * height), dim=1), size)


def _soft_ellipse(centre: Tensor, up: Tensor, half_axes: Tensor, size: tuple[int, int]) -> Tensor:
    y = torch.arange(size[0], device=centre.device, dtype=centre.dtype)[None, :, None] - centre[:, 1, None, None]
    x = torch.arange(size[1], device=centre.device, dtype=centre.dtype)[None, None, :] - centre[:, 0, None, None]
    up_x, up_y = up[:, 0, None, None], up[:, 1, None, None]
    lengthwise = (x * up_x + y * up_y) / half_axes[:, 1, None, None]
    sideways = (y * up_x - x * up_y) / half_axes[:, 0, None, None]
    return torch.exp(-((lengthwise * lengthwise + sideways * sideways) ** 3))[:, None]


def make_guidance(picture: Tensor, landmarks: Tensor | None, matte: Tensor | None) -> Guidance:
    """Guidance for a picture.

    Args:
        picture: (B, 1, H, W), for size, device and batch.
        landmarks: (B, 68, 2), pixels of the picture; ``None`` supposes a face in the middle, as the portrait crop has
            it, and favours no feature.
        matte: (B, 1, H, W) in [0, 1], 1 = person; ``None`` counts everything as person.

    Returns:
        The maps, float32.
    """
    size = (picture.shape[-2], picture.shape[-1])
    person = torch.ones_like(picture) if matte is None else matte
    if landmarks is None:
        box = picture.new_tensor((size[1], size[0]))
        centre = (picture.new_tensor(_CENTRE) * box - 0.5).expand(len(picture), 2)
        half_axes = (picture.new_tensor(_HALF_AXES) * min(size)).expand(len(picture), 2)
        up = picture.new_tensor((0.0, -1.0)).expand(len(picture), 2)
        nothing = torch.zeros_like(picture)
        face = _soft_ellipse(centre, up, half_axes, size)
        return Guidance(face, nothing, nothing, nothing, face, person)
    extent = (landmarks.amax(1) - landmarks.amin(1)).amax(1).clamp_min(1.0)
    features = segment_band(landmarks, FEATURE_SEGMENTS, 0.055 * extent, size)
    return Guidance(
        face=face_ellipse(landmarks, size),
        features=features,
        brows=segment_band(landmarks, BROW_SEGMENTS, 0.045 * extent, size),
        outline=segment_band(landmarks, JAW_SEGMENTS, 0.05 * extent, size),
        fillable=features,
        person=person,
    )
