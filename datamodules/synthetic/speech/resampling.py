"""Sound at another rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def resampled(samples: npt.NDArray[np.float32], before: float, after: float) -> npt.NDArray[np.float32]:
    """Return a sound at another rate, filtered against aliases.

    Args:
        samples: (N,) float32.
        before: rate of the samples, Hz.
        after: rate wanted, Hz.

    Returns:
        (about N · after / before,) float32.
    """
    import soxr

    if before == after:
        return samples
    return np.asarray(soxr.resample(samples, before, after), np.float32)
