"""The double feature warp (paper §3.3, Fig. 3): features are moved by flow map B and by flow map A, side by side.

Convention: level L means features at 1/2^L of the frame's size. Both maps are given for the whole frame (H, W):

* flow map B: ``grid_b`` (B, H, W, 2), order (x, y), backward sampling positions in [-1, 1], ``align_corners=True``
  (-1 is the centre of the first pixel, +1 of the last);
* flow map A: ``flow_a`` (B, 2, H, W), channels (x, y), pixels of the frame: target pixel p reads p + flow(p);
  ``validity_a`` (B, 1, H, W) in [0, 1], where flow A means anything.

There are two ways to apply them.

**Corrected** (default, ``compat=None``). Pixel i at level L lies at frame pixel 2^L i: so it is with the convolutions
of stride 2 that make the features. The maps are therefore read at exactly these pixels, their positions divided by 2^L,
and sampled with ``align_corners=True``: an identity map changes nothing, and moving the frame by 2^L pixels moves the
features by one. Positions outside the frame read its nearest border (zeros would draw a seam, because the crop cuts
through hair and shoulders). The A half is multiplied by the validity: what is unknown is 0, the value of a silent
feature after a ReLU, and the soft edge of the validity stays soft. It is not filled with the B half, so that a
generator with flow A only differs from the full one in nothing else.

**Published** (``compat="official"``, reference stage2 §1.2 and §13.2), which published weights were trained with: maps
resized with ``align_corners=True`` but sampled with ``align_corners=False`` (even an identity map moves features by
half a pixel outwards at the borders and mixes them with zeros there), zeros outside, and -1 wherever the resized
validity is at most 0.5.

Dtype: positions and sampling are float32 (or float64), and autocast lowers none of the operations here; the result has
the dtype of the features.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Compat = Literal["official"] | None
"""``None``: the corrected numerics; ``"official"``: those of the published weights."""


def _spans(size: tuple[int, int]) -> tuple[int, int]:
    """(width - 1, height - 1), at least 1: what positions in pixels are divided by."""
    return max(size[1] - 1, 1), max(size[0] - 1, 1)


def _times(xy: Tensor, factors: tuple[float, float]) -> Tensor:
    """Scale x and y, the last dimension. The factors stay Python numbers: a tensor of them would halt a GPU's queue."""
    if factors[0] == factors[1]:
        return xy * factors[0]
    return torch.stack((xy[..., 0] * factors[0], xy[..., 1] * factors[1]), dim=-1)


def _own_positions(size: tuple[int, int], like: Tensor) -> Tensor:
    """(H, W, 2) pixel positions (x, y) of the pixels themselves."""
    rows = torch.arange(size[0], device=like.device, dtype=like.dtype)
    columns = torch.arange(size[1], device=like.device, dtype=like.dtype)
    return torch.stack((columns.expand(size), rows[:, None].expand(size)), dim=-1)


def _precise(values: Tensor) -> Tensor:
    """At least float32."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def _sample(features: Tensor, grid: Tensor, compat: Compat) -> Tensor:
    """Bilinear; half precision is computed in float32."""
    precise = _precise(features)
    sampled = functional.grid_sample(
        precise,
        grid.to(precise.dtype),
        mode="bilinear",
        padding_mode="zeros" if compat == "official" else "border",
        align_corners=compat != "official",
    )
    return sampled.to(features.dtype)


def _resized(values: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, C, H, W) to another size as published: bilinear, ``align_corners=True``."""
    if values.shape[-2:] == size:
        return values
    return functional.interpolate(values, size=size, mode="bilinear", align_corners=True)


def warp_by_grid(features: Tensor, grid_b: Tensor, level: int, compat: Compat = None) -> Tensor:
    """Move features by flow map B.

    Args:
        features: (B, C, H / 2^level, W / 2^level).
        grid_b: (B, H, W, 2), [-1, 1]; see the head of this file.
        level: how often the features were halved.
        compat: which numerics.

    Returns:
        (B, C, H / 2^level, W / 2^level).
    """
    size = (features.shape[-2], features.shape[-1])
    grid_b = _precise(grid_b)
    if compat == "official":
        return _sample(features, _resized(grid_b.movedim(-1, 1), size).movedim(1, -1), compat)
    frame_width, frame_height = _spans((grid_b.shape[1], grid_b.shape[2]))
    width, height = (span * 2**level for span in _spans(size))
    at_level = grid_b[:, :: 2**level, :: 2**level]
    return _sample(features, _times(at_level + 1.0, (frame_width / width, frame_height / height)) - 1.0, compat)


def warp_by_flow(features: Tensor, flow_a: Tensor, validity_a: Tensor, level: int, compat: Compat = None) -> Tensor:
    """Move features by flow map A, and mark where it is unknown.

    Args:
        features: (B, C, H / 2^level, W / 2^level).
        flow_a: (B, 2, H, W), channels (x, y), pixels of the frame.
        validity_a: (B, 1, H, W) in [0, 1].
        level: how often the features were halved.
        compat: which numerics.

    Returns:
        (B, C, H / 2^level, W / 2^level); 0 (corrected) or -1 (published) where invalid.
    """
    size = (features.shape[-2], features.shape[-1])
    flow_a, validity_a = _precise(flow_a), _precise(validity_a)
    if compat == "official":
        flow, validity = _resized(flow_a / 2**level, size), _resized(validity_a, size)
    else:
        flow, validity = (values[..., :: 2**level, :: 2**level] for values in (flow_a / 2**level, validity_a))
    positions = _own_positions(size, flow) + flow.movedim(1, -1)
    width, height = _spans(size)
    warped = _sample(features, _times(positions, (2.0 / width, 2.0 / height)) - 1.0, compat)
    if compat == "official":
        return warped.masked_fill(validity <= 0.5, -1.0)
    return warped * validity.to(warped.dtype)


def double_feature_warp(
    features: Tensor,
    grid_b: Tensor | None,
    flow_a: Tensor | None,
    validity_a: Tensor | None,
    level: int,
    compat: Compat = None,
) -> Tensor:
    """Both warps of the same features, concatenated along the channels: [by B, by A].

    Args:
        features: (B, C, H / 2^level, W / 2^level).
        grid_b: flow map B, or None to leave its half out.
        flow_a: flow map A, or None to leave its half out.
        validity_a: goes with ``flow_a``.
        level: how often the features were halved.
        compat: which numerics.

    Returns:
        (B, 2C, H / 2^level, W / 2^level); (B, C, ...) with one map.

    Raises:
        ValueError: if neither map is given, or only one of ``flow_a`` and ``validity_a``.
    """
    if (flow_a is None) != (validity_a is None):
        raise ValueError("flow_a and validity_a go together, got only one of them")
    warped = []
    if grid_b is not None:
        warped.append(warp_by_grid(features, grid_b, level, compat))
    if flow_a is not None and validity_a is not None:
        warped.append(warp_by_flow(features, flow_a, validity_a, level, compat))
    if not warped:
        raise ValueError("a feature warp needs flow map A or flow map B, got neither")
    return torch.cat(warped, dim=1) if len(warped) > 1 else warped[0]
