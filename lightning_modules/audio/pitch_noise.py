"""The noise under which the published pitch tracker listens, number for number.

SPTK adds Gaussian noise to what it tracks and always starts it from the same seed, so that its voicing decisions near
the noise depend on these very numbers. They come from the generator of the C standard's example (a linear congruence)
by the polar method. With them our tracker gives what SPTK's gives, where any other noise would differ in 1 % of frames.

Source: G. Marsaglia, T. A. Bray, "A convenient method for generating normal variables", SIAM Review 6(3), 1964; the
constants of ISO/IEC 9899, the example of ``rand``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FACTOR, _TERM, _BITS = 1103515245, 12345, 31  # higher bits of the state never reach the numbers that are drawn
_SEED = 1
_AT_ONCE = 1 << 16


class PublishedNoise:
    """Gaussian numbers of mean 0 and standard deviation 1, the same sequence from every instance."""

    def __init__(self) -> None:
        self._state = np.uint64(_SEED)
        self._factor, self._term = _steps(_AT_ONCE)
        self._left = np.empty(0)

    def draw(self, count: int) -> NDArray[np.float64]:
        """The next ``count`` numbers (count,)."""
        drawn, have = [self._left], len(self._left)
        while have < count:
            drawn.append(self._more())
            have += len(drawn[-1])
        numbers = np.concatenate(drawn)
        self._left = numbers[count:]
        return numbers[:count]

    def _more(self) -> NDArray[np.float64]:
        state = (self._factor * self._state + self._term) & np.uint64((1 << _BITS) - 1)
        self._state = state[-1]
        points = (2.0 * ((state >> np.uint64(16)) / 32767.0) - 1.0).reshape(-1, 2)
        square = (points**2).sum(axis=1)
        inside = (square <= 1.0) & (square > 0.0)
        points, square = points[inside], square[inside]
        numbers: NDArray[np.float64] = (points * np.sqrt(-2.0 * np.log(square) / square)[:, None]).reshape(-1)
        return numbers


def _steps(count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Factors and terms (count,) that lead from a state to the 1st, 2nd, ... after it; ``count`` a power of two."""
    mask = np.uint64((1 << _BITS) - 1)
    factor, term = np.array([_FACTOR], np.uint64), np.array([_TERM], np.uint64)
    while len(factor) < count:
        factor, term = (
            np.concatenate([factor, (factor * factor[-1]) & mask]),
            np.concatenate([term, (factor * term[-1] + term) & mask]),
        )
    return factor, term
