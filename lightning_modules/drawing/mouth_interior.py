"""The inside of an opening mouth, drawn: a warp can only stretch the line between closed lips."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.geometry.landmark_groups import INNER_LIP
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
    opening: Tensor = gaps.mean(-1) / _unit(landmarks)
    return opening


def _unit(landmarks: Tensor) -> Tensor:
    distance: Tensor = torch.linalg.vector_norm(landmarks[:, 45] - landmarks[:, 36], dim=-1)
    return distance


def draw_mouth_interior(drawing: Tensor, landmarks: Tensor, rest: Tensor) -> Tensor:
    """Draw cavity, upper teeth and the inner lip line into mouths that are wider open than in the photo.

    Args:
        drawing: (B, C, H, W) in [0, 1], already warped to ``landmarks``.
        landmarks: (B, 68, 2), pixels of ``drawing``.
        rest: (1, 68, 2), the photo's own landmarks in the same pixels.

    Returns:
        (B, C, H, W) in [0, 1]; unchanged where the mouth is not opened beyond the photo's own opening.
    """
    extra = mouth_opening(landmarks) - mouth_opening(rest)
    shown = ((extra - OPENING_RAMP[0]) / (OPENING_RAMP[1] - OPENING_RAMP[0])).clamp(0.0, 1.0)
    if not bool((shown > 0).any()):
        return drawing
    unit = _unit(landmarks)
    inner = landmarks[:, list(INNER_LIP)]
    upper = smooth_chain(inner[:, :5])
    lower = smooth_chain(torch.cat([inner[:, 4:], inner[:, :1]], 1)).flip(1)
    opening = torch.cat([upper, lower.flip(1)[:, 1:-1]], 1)
    half_width = (0.5 * LIP_LINE_WIDTH * unit).clamp_min(0.5)
    rows, columns = picture_window(opening, float(half_width.max()) + 2.0, drawing.shape[-2], drawing.shape[-1])
    origin = opening.new_tensor((columns.start, rows.start))
    size = (rows.stop - rows.start, columns.stop - columns.start)
    gap = torch.linalg.vector_norm(lower - upper, dim=-1).clamp_min(1e-6)
    share = torch.minimum(gap.new_tensor(TEETH_SHARE), (TEETH_HEIGHT * unit)[:, None] / gap)[..., None]
    edge_of_teeth = upper + share * (lower - upper)
    inside = fill_polygon(opening - origin, size, oriented=True)
    teeth = fill_polygon(torch.cat([upper, edge_of_teeth.flip(1)[:, 1:-1]], 1) - origin, size, oriented=True)
    line = stroke_segments(opening - origin, opening.roll(-1, dims=1) - origin, size, half_width)
    cavity = teeth.new_tensor(CAVITY_COLOUR if drawing.shape[1] == 3 else (CAVITY_TONE,)).view(1, -1, 1, 1)
    interior = cavity + (1.0 - cavity) * teeth
    strength = shown.view(-1, 1, 1, 1)
    mouth = drawing[..., rows, columns]
    filled = mouth + (interior - mouth) * (inside * strength)
    result = drawing.clone()
    result[..., rows, columns] = filled * (1.0 - line * strength)
    return result


def picture_window(points: Tensor, margin: float, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of a picture that hold all points of the batch and a margin; never empty."""
    low, high = (points.amin((0, 1)) - margin).floor().tolist(), (points.amax((0, 1)) + margin).ceil().tolist()
    left, top = (min(max(0, int(value)), limit - 1) for value, limit in zip(low, (width, height), strict=True))
    right, bottom = (min(int(value) + 1, limit) for value, limit in zip(high, (width, height), strict=True))
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))
