"""The mean of a figure that some frames of a clip do not have."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.errors import MetricError


def mean_of_known(values: Tensor, what: str) -> Tensor:
    """Mean of the values that are numbers.

    Args:
        values: (N,), NaN where there is none.
        what: of what, in the plural, for the error.

    Raises:
        MetricError: there is none at all.
    """
    known = values[~torch.isnan(values)]
    if not len(known):
        raise MetricError(f"none of {len(values)} {what} can be measured", "look whether the clip shows a drawn face")
    return known.mean()
