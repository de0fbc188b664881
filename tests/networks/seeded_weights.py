"""Weights made by rule, for tests of networks whose published files are not at hand."""

from __future__ import annotations

import numpy as np
import torch

from lightning_modules.weights.published_frozen import KINDS


def seeded_weights(shapes: dict[str, tuple[int, ...]], seed: int, scale: float) -> dict[str, torch.Tensor]:
    """Weights by the rule of the parity fixtures: sorted keys, one draw for each."""
    draws = np.random.Generator(np.random.Philox(seed))
    weights = {}
    for key in sorted(shapes):
        if key.endswith("num_batches_tracked"):
            weights[key] = torch.zeros((), dtype=torch.int64)
            continue
        value = draws.standard_normal(shapes[key]).astype(np.float32)
        if key.endswith("running_var"):
            value = np.abs(value) + np.float32(0.5)
        elif value.ndim >= 2:
            value = value * np.float32(scale)
        elif key.endswith("weight"):
            value = np.float32(0.5) + np.float32(0.1) * value
        else:
            value = np.float32(0.1) * value
        weights[key] = torch.from_numpy(value)
    return weights


def lively_weights(kind: str) -> dict[str, torch.Tensor]:
    """Weights through which a crop reaches the last layer by every way; the published fixtures' do not let it."""
    weights = seeded_weights(KINDS[kind].shapes({}), seed=3, scale=1.0)
    for key, value in weights.items():
        if value.ndim >= 2:
            weights[key] = value * (2 / value[0].numel()) ** 0.5
        elif key.endswith(".weight") and "prelu" not in key:
            weights[key] = value * 2
    return weights
