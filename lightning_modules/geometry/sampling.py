"""Sampling maps: what they are, how they are normalised, applied, resized, composed and inverted.

Convention: a sampling map is a tensor (B, H, W, 2), order (x, y), in pixels with pixel centres at integers. It is
backward: the value of target pixel p is read from the source picture at position ``map[p]``. The *flow* of a map is
``map - own position``, pixels. A *normalised* map holds the same positions in [-1, 1] with ``align_corners=True``:
-1 is the centre of the first pixel, +1 the centre of the last.

Dtype: positions keep the dtype they come in (float32 is enough: 1e-5 px at 256). Half precision is never used for
positions; ``sample`` computes half-precision images in float32 and casts the result back.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.geometry.points import Size, constant, frame_size

Padding = Literal["border", "zeros"]


def identity_map(size: Size, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Tensor:
    """The sampling map that changes nothing.

    Args:
        size: frame size, pixels: int or (height, width).
        device: where to make it.
        dtype: floating point type, torch's default when None.

    Returns:
        (1, H, W, 2) pixel positions: ``[0, y, x] == (x, y)``.
    """
    height, width = frame_size(size)
    dtype = dtype or torch.get_default_dtype()
    rows = torch.arange(height, device=device, dtype=dtype)
    columns = torch.arange(width, device=device, dtype=dtype)
    return torch.stack((columns.expand(height, width), rows[:, None].expand(height, width)), dim=-1)[None]


def _check_map(sampling_map: Tensor) -> None:
    if sampling_map.ndim != 4 or sampling_map.shape[-1] != 2 or not sampling_map.is_floating_point():
        raise ValueError(
            f"a sampling map must be floating point (B, H, W, 2), got {sampling_map.dtype} {tuple(sampling_map.shape)}"
        )


def _spans(size: Size, like: Tensor) -> Tensor:
    height, width = frame_size(size)
    return constant((max(width - 1, 1), max(height - 1, 1)), like)


def normalize_map(map_pixels: Tensor, size: Size) -> Tensor:
    """Pixel positions to [-1, 1], ``align_corners=True``: ``2 x / (width - 1) - 1``.

    Args:
        map_pixels: (B, H, W, 2), order (x, y), pixels of the source picture.
        size: size of the *source* picture that the positions point into.

    Returns:
        (B, H, W, 2) of the same dtype; positions outside the picture lie outside [-1, 1].

    Raises:
        ValueError: if the map is not (B, H, W, 2).
    """
    _check_map(map_pixels)
    return map_pixels * (2.0 / _spans(size, map_pixels)) - 1.0


def pixel_map(map_normalized: Tensor, size: Size) -> Tensor:
    """The inverse of :func:`normalize_map`: [-1, 1], ``align_corners=True``, to pixels of a picture of ``size``."""
    _check_map(map_normalized)
    return (map_normalized + 1.0) * (_spans(size, map_normalized) / 2.0)


def sample(image: Tensor, map_pixels: Tensor, padding: Padding = "border") -> Tensor:
    """Read an image at the positions of a sampling map, bilinear; differentiable in both.

    Args:
        image: (B, C, Hs, Ws) floating point, any range.
        map_pixels: (B, H, W, 2) positions in the image, order (x, y), pixels. Either batch may be 1.
        padding: ``"border"`` repeats the edge pixels outwards; ``"zeros"`` fades to 0 within one pixel of the edge.

    Returns:
        (B, C, H, W) in the dtype of the image.

    Raises:
        ValueError: if shapes or batch sizes do not fit.
    """
    _check_map(map_pixels)
    if image.ndim != 4 or not image.is_floating_point():
        raise ValueError(f"an image must be floating point (B, C, H, W), got {image.dtype} {tuple(image.shape)}")
    batch = max(len(image), len(map_pixels))
    if not {len(image), len(map_pixels)} <= {1, batch}:
        raise ValueError(f"{len(image)} images do not go with {len(map_pixels)} sampling maps")
    size = (image.shape[-2], image.shape[-1])
    precise = image.float() if image.dtype in (torch.float16, torch.bfloat16) else image
    grid = normalize_map(map_pixels, size).to(precise.dtype)
    with torch.autocast(image.device.type, enabled=False):
        sampled = functional.grid_sample(
            precise.expand(batch, -1, -1, -1),
            grid.expand(batch, -1, -1, -1),
            mode="bilinear",
            padding_mode=padding,
            align_corners=True,
        )
    return sampled.to(image.dtype)


def flow_of(map_pixels: Tensor) -> Tensor:
    """Flow of a sampling map, ``map - own position``: (B, H, W, 2) pixels, order (x, y)."""
    _check_map(map_pixels)
    size = (map_pixels.shape[1], map_pixels.shape[2])
    return map_pixels - identity_map(size, device=map_pixels.device, dtype=map_pixels.dtype)


def map_of(flow: Tensor) -> Tensor:
    """Sampling map of a flow, ``own position + flow``: (B, H, W, 2) pixels, order (x, y)."""
    _check_map(flow)
    return flow + identity_map((flow.shape[1], flow.shape[2]), device=flow.device, dtype=flow.dtype)


def resize_flow(flow: Tensor, size: Size, *, align_corners: bool = False) -> Tensor:
    """The flow of the same motion in a frame of another size, bilinear between the given values.

    Convention: with ``align_corners=False`` (the convention of image resizing) both frames show the same picture area,
    a position goes to ``(x + 0.5) r - 0.5`` with ``r = new / old``, and flow values grow by r. With
    ``align_corners=True`` the centres of the corner pixels stay at the corners, ``r = (new - 1) / (old - 1)``.
    x and y have their own r. Beyond the outermost old centres the outermost values are held.

    Args:
        flow: (B, H, W, 2) pixels of a frame of its own size.
        size: the new frame size.
        align_corners: which of the two conventions.

    Returns:
        (B, H', W', 2) pixels of the new frame.
    """
    _check_map(flow)
    height, width = frame_size(size)
    old_height, old_width = flow.shape[1], flow.shape[2]
    if (height, width) == (old_height, old_width):
        return flow
    if align_corners:
        ratio = (max(width - 1, 1) / max(old_width - 1, 1), max(height - 1, 1) / max(old_height - 1, 1))
    else:
        ratio = (width / old_width, height / old_height)
    resized = functional.interpolate(
        flow.movedim(-1, 1), size=(height, width), mode="bilinear", align_corners=align_corners
    )
    return resized.movedim(1, -1) * constant(ratio, flow)


def resize_map(map_pixels: Tensor, size: Size, *, align_corners: bool = False) -> Tensor:
    """The same warp for a frame (source and target alike) of another size; see :func:`resize_flow`.

    Args:
        map_pixels: (B, H, W, 2) sampling map, pixels.
        size: the new size of both the target and the source frame.
        align_corners: see :func:`resize_flow`.

    Returns:
        (B, H', W', 2) sampling map in pixels of the new frame.
    """
    return map_of(resize_flow(flow_of(map_pixels), size, align_corners=align_corners))


def compose_maps(inner: Tensor, outer: Tensor) -> Tensor:
    """One sampling map for two warps in a row: first the image is warped by ``inner``, the result by ``outer``.

    ``sample(image, compose_maps(inner, outer))`` equals ``sample(sample(image, inner), outer)`` up to one resampling:
    target p reads ``inner(outer(p))``. Where ``outer`` leaves the frame of ``inner``, the flow at its border is held.

    Args:
        inner: (B, H, W, 2) pixels; positions in the source image.
        outer: (B, H', W', 2) pixels; positions in the frame of ``inner``. Either batch may be 1.

    Returns:
        (B, H', W', 2) positions in the source image.
    """
    _check_map(outer)
    return outer + sample(flow_of(inner).movedim(-1, 1), outer, "border").movedim(1, -1)


def invert_map(map_pixels: Tensor, *, iterations: int = 20) -> Tensor:
    """Approximate inverse of a sampling map by fixed-point iteration ``g <- p - flow(g)``.

    It converges where the flow changes by less than one pixel per pixel (no fold, gentle warps); elsewhere, and where
    the inverse would have to leave the frame, it is only a best effort: check with :func:`compose_maps`.

    Args:
        map_pixels: (B, H, W, 2) sampling map, pixels.
        iterations: number of steps; each shrinks the error by the steepest slope of the flow.

    Returns:
        (B, H, W, 2) with ``compose_maps(map_pixels, inverse)`` close to the identity map.
    """
    flow = flow_of(map_pixels).movedim(-1, 1)
    own = identity_map((map_pixels.shape[1], map_pixels.shape[2]), device=map_pixels.device, dtype=map_pixels.dtype)
    inverse = own.expand_as(map_pixels)
    for _ in range(iterations):
        inverse = own - sample(flow, inverse, "border").movedim(1, -1)
    return inverse
