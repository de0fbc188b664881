"""What our metrics have in common: states are sums and counts, so any split over batches and ranks gives one result."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_modules.errors import MetricError


class SummedMetric(Metric):
    """A metric that says by a typed error, not by a warning and a NaN, that it has nothing to report.

    Subclasses add their states with :meth:`add_sum` and begin ``compute`` with :meth:`require`, which looks at counts
    that torchmetrics has already added up over the ranks: a rank without data neither hangs nor spoils the others.
    """

    full_state_update = False
    is_differentiable = False

    def add_sum(self, name: str, *shape: int) -> None:
        """Add a float64 state that starts at zero and is added up over ranks."""
        self.add_state(name, torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")

    def add_count(self, name: str) -> None:
        """Add a whole-number state that starts at zero and is added up over ranks."""
        self.add_state(name, torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def require(self, count: Tensor, least: int, what: str) -> None:
        """Refuse to compute from too little.

        Args:
            count: how many there are, over all ranks.
            least: how many are needed.
            what: of what, in the plural.

        Raises:
            MetricError: there are fewer.
        """
        if int(count) < least:
            raise MetricError(
                f"{type(self).__name__} has {int(count)} {what} and needs {least}", "feed it more before it computes"
            )

    def _wrap_compute(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        """As torchmetrics does, without its warning before an empty ``compute``: :meth:`require` raises there."""
        wrapped = super()._wrap_compute(compute)

        @functools.wraps(wrapped)
        def without_warning(*args: Any, **kwargs: Any) -> Any:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="The ``compute`` method of metric", category=UserWarning)
                return wrapped(*args, **kwargs)

        return without_warning
