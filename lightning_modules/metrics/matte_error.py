"""How far a matte is from the one wanted: the measures of the matting benchmarks, and the overlap of the cut-outs.

| measure | of one photo |
|---|---|
| ``mad`` | mean absolute difference, times 1000 |
| ``mse`` | mean squared difference, times 1000 |
| ``gradient`` | squared difference of the gradients' lengths, summed over the pixels, over 1000 (Rhemann et al. 2009) |
| ``overlap`` | pixels that both count as person over those that either does, both thresholded at 0.5 |

Gradients are first derivatives of a Gaussian of spread 1.4 px, borders repeated. The gradient error is a sum, so it
grows with the side of the photos: compare it at one size only.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.metrics.summed_metric import SummedMetric

MEASURES: Final = ("mad", "mse", "gradient", "overlap")
"""Names, in order."""

_THOUSAND: Final = 1000.0
_SPREAD: Final = 1.4  # pixels
_REACH: Final = 4  # pixels: farther off the Gaussian is below 0.01


def matte_error(made: Tensor, wanted: Tensor) -> Tensor:
    """Every measure of every photo.

    Args:
        made: (B, 1, H, W) in [0, 1].
        wanted: of the same shape.

    Returns:
        (B, 4) float64 in the order of :data:`MEASURES`. The overlap of two mattes without a person is 1.

    Raises:
        ValueError: if shapes do not fit.
    """
    if made.shape != wanted.shape or made.ndim != 4 or made.shape[1] != 1:
        raise ValueError(f"mattes must be (B, 1, H, W) of one shape, got {tuple(made.shape)} and {tuple(wanted.shape)}")
    made, wanted = made.double(), wanted.double()
    apart = made - wanted
    person, sought = made > 0.5, wanted > 0.5
    both, either = (person & sought).sum((1, 2, 3)), (person | sought).sum((1, 2, 3))
    steepness = (_gradient_length(made) - _gradient_length(wanted)).square().sum((1, 2, 3)) / _THOUSAND
    overlap = torch.where(either > 0, both / either.clamp(min=1), torch.ones_like(steepness))
    absolute, squared = apart.abs().mean((1, 2, 3)), apart.square().mean((1, 2, 3))
    return torch.stack([_THOUSAND * absolute, _THOUSAND * squared, steepness, overlap], dim=1)


def _gradient_length(matte: Tensor) -> Tensor:
    place = torch.arange(-_REACH, _REACH + 1, dtype=matte.dtype, device=matte.device)
    smooth = torch.exp(-0.5 * (place / _SPREAD) ** 2) / (_SPREAD * math.sqrt(2 * math.pi))
    slope = -place * smooth / _SPREAD**2
    kernels = torch.stack([torch.outer(smooth, slope), torch.outer(slope, smooth)])
    kernels = kernels / kernels.square().sum((1, 2), keepdim=True).sqrt()  # of length 1, as the benchmark has them
    along = functional.conv2d(functional.pad(matte, (_REACH,) * 4, mode="replicate"), kernels[:, None])
    return along.square().sum(1, keepdim=True).sqrt()


class MatteError(SummedMetric):
    """Means of all measures over all photos.

    Args:
        kwargs: see :class:`torchmetrics.Metric`.
    """

    total: Tensor
    photos: Tensor

    def __init__(self, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.add_sum("total", len(MEASURES))
        self.add_count("photos")

    def update(self, made: Tensor, wanted: Tensor) -> None:
        """Add photos; see :func:`matte_error`."""
        self.total += matte_error(made, wanted).sum(0)
        self.photos += len(made)

    def compute(self) -> dict[str, Tensor]:
        """Mean over the photos of all ranks, float64 scalars by the names of :data:`MEASURES`.

        Raises:
            MetricError: no photo was added.
        """
        self.require(self.photos, 1, "photos")
        return dict(zip(MEASURES, self.total / self.photos, strict=True))
