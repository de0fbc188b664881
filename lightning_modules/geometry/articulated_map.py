"""The sampling map of a talking face: smooth where the head moves, local where lids and lips do."""

from __future__ import annotations

from torch import Tensor

from lightning_modules.geometry.flow_map import interpolated_flow_map
from lightning_modules.geometry.sampling import flow_of, map_of, resize_flow, sample
from lightning_modules.geometry.spline import spline_flow

#: Stiffness of the smooth part, in normalised spline coordinates: the head's motion passes, a blink does not.
STIFFNESS = 0.03


def articulated_map(source: Tensor, target: Tensor, size: int, *, stride: int = 4) -> Tensor:
    """A backward map that meets every landmark exactly and never overshoots.

    A spline through all 68 points swings wildly beside a closing eye, where points ten pixels apart meet.
    Linear interpolation (flow map B) stays between its points, but kinks hair and shoulders. So a stiff spline takes
    the motion of the head, and what it leaves over at the landmarks is interpolated linearly and added:
    ``map(p) = p + spline(p) + B(p)``. Both parts vanish at the frame's corners and mid-edges.

    Args:
        source: (B, 68, 2) landmarks in the picture to read from, pixels.
        target: (B, 68, 2) landmarks in the picture to make, pixels.
        size: side of both pictures, pixels.
        stride: the spline is evaluated on every ``stride``-th pixel and interpolated between.

    Returns:
        (B, size, size, 2) sampling map, order (x, y), pixels; at ``target`` it points to ``source`` up to 0.1 px.
    """
    # Half the size is enough for the map, and a quarter of the work.
    half, source, target = size // 2, _halved(source), _halved(target)
    smooth = flow_of(
        spline_flow(source, target, half, anchors=True, regularization=STIFFNESS, stride=max(1, stride // 2))
    )
    reached = target + sample(smooth.permute(0, 3, 1, 2), target[:, None], padding="border")[:, :, 0].transpose(1, 2)
    left_over = flow_of(interpolated_flow_map(target + source - reached, target, half))
    return map_of(resize_flow(smooth + left_over, size))


def _halved(points: Tensor) -> Tensor:
    """Pixels of a picture to pixels of the same picture at half its size."""
    return (points + 0.5) / 2 - 0.5
