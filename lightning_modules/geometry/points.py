"""What every function on batched points shares: shape checks, frame sizes, and the precision to solve in."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

Size = int | tuple[int, int]
"""A frame size: one int for a square, or (height, width), pixels."""


def frame_size(size: Size) -> tuple[int, int]:
    """(height, width) of ``size``.

    Raises:
        ValueError: if a side is not positive.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise ValueError(f"a frame must be at least 1x1 pixel, got {height}x{width}")
    return height, width


def plane_points(points: Tensor, name: str = "landmarks") -> Tensor:
    """The (x, y) part of a batch of points, with its shape checked.

    Args:
        points: (B, N, 2) or (B, N, 3) floating point, order (x, y[, z]); z is dropped.
        name: what to call the argument in the error message.

    Returns:
        (B, N, 2), at least float32; a view where nothing had to change.

    Raises:
        ValueError: for any other shape or for integers.
    """
    if points.ndim != 3 or points.shape[-1] not in (2, 3) or not points.is_floating_point():
        raise ValueError(f"{name} must be floating point (B, N, 2|3), got {points.dtype} {tuple(points.shape)}")
    plane = points[..., :2]
    return plane.float() if plane.dtype in (torch.float16, torch.bfloat16) else plane


def paired_points(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """(x, y) of two matching point sets; a batch of one is repeated to the size of the other (no copy).

    Args:
        source: (B | 1, N, 2 | 3) floating point.
        target: (B | 1, N, 2 | 3) floating point.

    Returns:
        Two (B, N, 2) tensors.

    Raises:
        ValueError: if point counts, batch sizes or devices do not match.
    """
    source, target = plane_points(source, "source"), plane_points(target, "target")
    batch = max(len(source), len(target))
    matching = source.shape[1] == target.shape[1] and {len(source), len(target)} <= {1, batch}
    if not matching or source.device != target.device:
        raise ValueError(
            f"source {tuple(source.shape)} on {source.device} and target {tuple(target.shape)} on {target.device} "
            "do not match"
        )
    return source.expand(batch, -1, -1), target.expand(batch, -1, -1)


def require_finite(points: Tensor, name: str = "landmarks") -> None:
    """Stop before NaN or infinite points turn into a broken picture.

    Raises:
        ValueError: if any value is not finite. (Waits for the device.)
    """
    if not bool(torch.isfinite(points).all()):
        raise ValueError(f"{name} hold values that are not finite")


@functools.lru_cache(maxsize=256)
def _kept(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(mode=False):  # what is made in that mode could never take part in training
        return torch.tensor(values, dtype=dtype, device=device)


def constant(values: tuple[float, ...], like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Numbers as a tensor, made once for each device: handing numbers to a device makes the host wait for it.

    Args:
        values: n numbers.
        like: gives the device, and the dtype where none is named.
        dtype: of the result.

    Returns:
        (n,), shared between calls: not to be changed in place.
    """
    return _kept(values, dtype or like.dtype, like.device)


def picked(points: Tensor, numbers: tuple[int, ...]) -> Tensor:
    """Some points by number: (B, N, ...) to (B, n, ...). Unlike ``points[:, [...]]`` it waits for no device."""
    return points.index_select(1, constant(numbers, points, torch.int64))


def solving_dtype(device: torch.device) -> torch.dtype:
    """float64, or float32 on the one kind of device (MPS) that has no float64."""
    return torch.float32 if device.type == "mps" else torch.float64
