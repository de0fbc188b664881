"""The inside of an opening mouth, drawn: a warp can only stretch the line between closed lips."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lightning_modules.geometry.landmark_groups import INNER_LIP
from lightning_modules.geometry.nose_offset import nose_offset
from lightning_modules.geometry.shapes import fill_polygon, stroke_segments

#: Tone of the mouth cavity in [0, 1]; not quite black, so that it does not outweigh the eyes.
CAVITY_TONE = 0.12
#: Its colour in a drawing in colour, a dark red; red, green and blue in [0, 1].
CAVITY_COLOUR = (0.34, 0.08, 0.08)
#: The upper teeth show as a white band of at most this height, in outer-eye distances ...
TEETH_HEIGHT = 0.075
#: ... and at most this share of the opening.
TEETH_SHARE = 0.42
#: Opening beyond the photo's own, in outer-eye distances, at which the interior begins to show and shows fully.
OPENING_RAMP = (0.008, 0.045)
#: Opening of the photo's own mouth, in outer-eye distances, above which its inside is its own, and below which drawn.
OPEN_IN_PHOTO = (0.03, 0.06)
#: How far the nose tip of a head in profile lies from the middle of the outer eye corners, in their distances.
PROFILE = 0.9
#: Width of the line along the inner lips, in outer-eye distances.
LIP_LINE_WIDTH = 0.014


def smooth_chain(points: Tensor, pieces: int = 3) -> Tensor:
    """Catmull–Rom curve through a chain of points.

    Args:
        points: (B, N, 2).
        pieces: segments per span.

    Returns:
        (B, (N−1)·pieces + 1, 2), both ends included.
    """
    before = torch.cat([2 * points[:, :1] - points[:, 1:2], points[:, :-2]], 1)
    after = torch.cat([points[:, 2:], 2 * points[:, -1:] - points[:, -2:-1]], 1)
    start, end = points[:, :-1], points[:, 1:]
    t = torch.linspace(0.0, 1.0, pieces + 1, device=points.device, dtype=points.dtype)[:-1].view(1, 1, -1, 1)
    start_, end_, before_, after_ = (p[:, :, None] for p in (start, end, before, after))
    curve = 0.5 * (
        2 * start_
        + (end_ - before_) * t
        + (2 * before_ - 5 * start_ + 4 * end_ - after_) * t**2
        + (3 * start_ - before_ - 3 * end_ + after_) * t**3
    )
    return torch.cat([curve.flatten(1, 2), points[:, -1:]], 1)


def mouth_opening(landmarks: Tensor) -> Tensor:
    """Mean gap between the upper and lower inner lip.

    Args:
        landmarks: (B, 68, 2), pixels.

    Returns:
        (B,), outer-eye distances.
    """
    gaps = torch.linalg.vector_norm(landmarks[:, [67, 66, 65]] - landmarks[:, [61, 62, 63]], dim=-1)
    opening: Tensor = gaps.mean(-1) / outer_eye_distance(landmarks)
    return opening


def open_in_photo(rest: Tensor) -> Tensor:
    """How much the inside of the mouth is to be seen in the photo already, (B,): 0 closed lips, 1 teeth or cavity.

    Args:
        rest: (B, 68, 2), the photo's landmarks, pixels.
    """
    shown = (mouth_opening(rest) - OPEN_IN_PHOTO[0]) / (OPEN_IN_PHOTO[1] - OPEN_IN_PHOTO[0])
    return shown.clamp(0.0, 1.0)


def outer_eye_distance(landmarks: Tensor) -> Tensor:
    """Distance of the outer eye corners, (B,), pixels, of landmarks (B, 68, 2)."""
    distance: Tensor = torch.linalg.vector_norm(landmarks[:, 45] - landmarks[:, 36], dim=-1)
    return distance


class MouthPicture(NamedTuple):
    """An opened mouth as a pen would fill it in, in the part of the picture that holds it."""

    rows: slice
    """Of the picture."""
    columns: slice
    """Of the picture."""
    interior: Tensor
    """(B, C, h, w) in [0, 1]: cavity and upper teeth."""
    inside: Tensor
    """(B, 1, h, w) in [0, 1]: between the inner lips; 0 everywhere where they are turned inside out."""
    line: Tensor
    """(B, 1, h, w) in [0, 1]: the line along the inner lips."""


def mouth_picture(landmarks: Tensor, channels: int, height: int, width: int) -> MouthPicture:
    """Cavity, teeth and lip line at the given inner lips.

    Args:
        landmarks: (B, 68, 2), pixels.
        channels: 1 or 3, of the drawing.
        height: of the drawing, pixels.
        width: of the drawing, pixels.
    """
    unit = outer_eye_distance(landmarks)
    inner = landmarks[:, list(INNER_LIP)]
    upper = smooth_chain(inner[:, :5])
    lower = smooth_chain(torch.cat([inner[:, 4:], inner[:, :1]], 1)).flip(1)
    opening = torch.cat([upper, lower.flip(1)[:, 1:-1]], 1)
    half_width = (0.5 * LIP_LINE_WIDTH * unit).clamp_min(0.5)
    rows, columns = picture_window(opening, float(half_width.max()) + 2.0, height, width)
    origin = opening.new_tensor((columns.start, rows.start))
    size = (rows.stop - rows.start, columns.stop - columns.start)
    gap = torch.linalg.vector_norm(lower - upper, dim=-1).clamp_min(1e-6)
    share = torch.minimum(gap.new_tensor(TEETH_SHARE), (TEETH_HEIGHT * unit)[:, None] / gap)[..., None]
    edge_of_teeth = upper + share * (lower - upper)
    inside = fill_polygon(opening - origin, size, oriented=True)
    teeth = fill_polygon(torch.cat([upper, edge_of_teeth.flip(1)[:, 1:-1]], 1) - origin, size, oriented=True)
    line = stroke_segments(opening - origin, opening.roll(-1, dims=1) - origin, size, half_width)
    cavity = teeth.new_tensor(CAVITY_COLOUR if channels == 3 else (CAVITY_TONE,)).view(1, -1, 1, 1)
    return MouthPicture(rows, columns, cavity + (1.0 - cavity) * teeth, inside, line)


def in_profile(rest: Tensor) -> Tensor:
    """Whether a head is turned so far that its lips are seen from the side, (B,): there is no inside to look into.

    Args:
        rest: (B, 68, 2), the photo's landmarks, pixels.
    """
    return nose_offset(rest).abs() > PROFILE


def draw_mouth_interior(drawing: Tensor, landmarks: Tensor, rest: Tensor) -> Tensor:
    """Draw cavity, upper teeth and the inner lip line into mouths that are closed in the photo and open now.

    Args:
        drawing: (B, C, H, W) in [0, 1], already warped to ``landmarks``.
        landmarks: (B, 68, 2), pixels of ``drawing``.
        rest: (B or 1, 68, 2), the photo's own landmarks in the same pixels.

    Returns:
        (B, C, H, W) in [0, 1]; unchanged where the mouth is not opened beyond the photo's own opening, where it is
        open in the photo (that is :mod:`.open_mouth`'s), and in profile.
    """
    extra = mouth_opening(landmarks) - mouth_opening(rest)
    shown = ((extra - OPENING_RAMP[0]) / (OPENING_RAMP[1] - OPENING_RAMP[0])).clamp(0.0, 1.0)
    shown = shown * (1.0 - open_in_photo(rest)) * ~in_profile(rest)
    if not bool((shown > 0).any()):
        return drawing
    picture = mouth_picture(landmarks, *drawing.shape[1:])
    strength = shown.view(-1, 1, 1, 1)
    mouth = drawing[..., picture.rows, picture.columns]
    filled = mouth + (picture.interior - mouth) * (picture.inside * strength)
    result = drawing.clone()
    result[..., picture.rows, picture.columns] = filled * (1.0 - picture.line * strength)
    return result


def picture_window(points: Tensor, margin: float, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of a picture that hold all points of the batch and a margin; never empty."""
    low, high = (points.amin((0, 1)) - margin).floor().tolist(), (points.amax((0, 1)) + margin).ceil().tolist()
    left, top = (min(max(0, int(value)), limit - 1) for value, limit in zip(low, (width, height), strict=True))
    right, bottom = (min(int(value) + 1, limit) for value, limit in zip(high, (width, height), strict=True))
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))
