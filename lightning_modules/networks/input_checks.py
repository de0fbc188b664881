"""Shape checks at the doors of the networks: cheap, and they name the argument."""

from __future__ import annotations

import torch
from torch import Tensor


def check_pictures(
    name: str,
    pictures: Tensor,
    channels: int,
    *,
    size: tuple[int, int] | None = None,
    multiple: int = 1,
    smallest: int = 1,
) -> tuple[int, int]:
    """Require a batch of pictures (B, C, H, W).

    Args:
        name: what to call the argument in the message.
        pictures: the tensor to check.
        channels: the required C.
        size: the required (H, W); any when None.
        multiple: both sides must be multiples of this.
        smallest: both sides must be at least this.

    Returns:
        (H, W).

    Raises:
        ValueError: if the shape is another one or the values are integers.
    """
    shape = tuple(pictures.shape)
    if pictures.ndim != 4 or shape[1] != channels or not shape[0] or not pictures.is_floating_point():
        raise ValueError(f"{name} must be floating point (B, {channels}, H, W), got {pictures.dtype} {shape}")
    height, width = shape[-2:]
    if size is not None and (height, width) != size:
        raise ValueError(f"{name} must be {size[0]}x{size[1]} like the other inputs, got {height}x{width}")
    if height % multiple or width % multiple or min(height, width) < smallest:
        raise ValueError(
            f"the sides of {name} must be multiples of {multiple} and at least {smallest}, got {height}x{width}"
        )
    return height, width


def check_grid(name: str, grid: Tensor, size: tuple[int, int]) -> None:
    """Require a sampling grid (B, H, W, 2) with (H, W) == ``size``.

    Raises:
        ValueError: if the shape is another one or the values are integers.
    """
    shape = tuple(grid.shape)
    if grid.ndim != 4 or shape[1:] != (*size, 2) or not shape[0] or not grid.is_floating_point():
        raise ValueError(f"{name} must be floating point (B, {size[0]}, {size[1]}, 2), got {grid.dtype} {shape}")


def fill_batch(name: str, values: Tensor, batch: int) -> Tensor:
    """Repeat a batch until it holds ``batch`` entries; what is constant per photo goes with many frames this way.

    The order is that of ``torch.cat``: entry i of the result is entry ``i % len(values)``. A batch of one is only
    viewed, never copied.

    Args:
        name: what to call the argument in the message.
        values: (b, ...) of any further shape.
        batch: the required batch size, a multiple of b.

    Returns:
        (batch, ...).

    Raises:
        ValueError: if ``batch`` is not a multiple of b.
    """
    times, rest = divmod(batch, len(values))
    if rest:
        raise ValueError(f"{name} has a batch of {len(values)}, which does not go into {batch} frames")
    if times == 1:
        return values
    repeated = values.expand(times, *values.shape).flatten(0, 1)
    if not values.is_contiguous() and values.is_contiguous(memory_format=torch.channels_last):
        return repeated.contiguous(memory_format=torch.channels_last)
    return repeated
