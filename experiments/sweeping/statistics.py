"""What several runs of an overlay say together: mean, spread over seeds, and the difference from the baseline."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """Numbers of one overlay in one column.

    Attributes:
        values: one for each seed that gave one, in the order of the seeds.
        mean: their mean; None where there is none.
        spread: their standard deviation with n - 1; None below two values.
        difference: mean difference from the baseline over the seeds that both have; None without such seeds.
        difference_error: standard error of that mean; None below two such seeds.
    """

    values: tuple[float, ...] = ()
    mean: float | None = None
    spread: float | None = None
    difference: float | None = None
    difference_error: float | None = None

    @property
    def clear(self) -> bool:
        """Whether the difference is above two of its standard errors, of at least three seeds."""
        if self.difference is None or self.difference_error is None or len(self.values) < 3:
            return False
        return abs(self.difference) > 2 * self.difference_error


def summarise(own: Mapping[int, float], baseline: Mapping[int, float]) -> Summary:
    """Put the values of an overlay together.

    Args:
        own: by seed.
        baseline: of the overlay to compare with, by seed; the seeds that both have are compared in pairs.
    """
    if not own:
        return Summary()
    values = tuple(own.values())
    pairs = [own[seed] - baseline[seed] for seed in own if seed in baseline]
    return Summary(
        values=values,
        mean=statistics.fmean(values),
        spread=_deviation(values),
        difference=statistics.fmean(pairs) if pairs else None,
        difference_error=_error(pairs),
    )


def _deviation(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def _error(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
