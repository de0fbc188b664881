"""How fast training runs and how much of it is waiting for data.

Logged every ``log_every_n_steps`` batches, over the batches since the last report:

- ``throughput/images_per_second``: photos of all processes a second, validation left out; higher is better.
- ``throughput/data_wait_percent``: wall time between the end of a batch and the start of the next, 0 to 100, lower is
  better, below 5 is fine. Time in validation is left out. On a GPU this is the host's wait, an upper bound: the device
  may still be at work on the batch before.
- ``throughput/step_ms_median``, ``…_p90``, ``…_p99``: milliseconds from batch start to batch start, without
  validation; lower is better. A p99 far above the median tells of stalls: disk, checkpoints, other work on the machine.
- ``throughput/gpu_memory_gib``: largest memory in use on process 0's GPU since the start, GiB; only with a GPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.data import extract_batch_size

from callbacks.log_interval import is_logged_now
from lightning_modules.batches import PortraitBatch
from lightning_modules.errors import ConfigError


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least ``percent`` percent of the values do not exceed (nearest rank).

    Args:
        values: at least one.
        percent: above 0, up to 100.
    """
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1]


class Throughput(Callback):
    """Measures by the wall clock of each process and never waits for the device; see the module's docstring.

    Args:
        warm_up: batches at the start that are not counted: the first ones compile, allocate and start workers.
        clock: seconds; for tests.

    Raises:
        ConfigError: the warm-up is negative.
    """

    def __init__(self, warm_up: int = 5, clock: Callable[[], float] = time.perf_counter) -> None:
        if warm_up < 0:
            raise ConfigError(f"throughput is measured after {warm_up} batches", "give at least 0")
        self.warm_up = warm_up
        self._clock = clock
        self._forget()

    def _forget(self) -> None:
        self._seen = 0
        self._steps: list[float] = []
        self._waited = 0.0
        self._images = 0
        self._started: float | None = None
        self._ended: float | None = None
        self._size = 0
        self._paused = 0.0
        self._pause: float | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start anew, with the warm-up ahead."""
        self._forget()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """The batch before is over, wait included."""
        now = self._clock()
        if self._started is not None and self._ended is not None and self._seen > self.warm_up:
            self._steps.append(now - self._started - self._paused)
            self._waited += now - self._ended - self._paused
            self._images += self._size
        self._started, self._paused = now, 0.0
        if self._steps and is_logged_now(trainer):
            pl_module.log_dict(self._report(trainer, pl_module), batch_size=1)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """From here on the process waits for data."""
        self._size = len(batch) if isinstance(batch, PortraitBatch) else extract_batch_size(batch)
        self._seen += 1
        self._ended = self._clock()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Validation is not waiting for data."""
        self._pause = self._clock()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the time of validation out."""
        if self._pause is not None:
            self._paused += self._clock() - self._pause
            self._pause = None

    def _report(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, float]:
        total = max(sum(self._steps), 1e-9)
        found = {
            "throughput/images_per_second": self._images * trainer.world_size / total,
            "throughput/data_wait_percent": 100 * self._waited / total,
            "throughput/step_ms_median": 1e3 * percentile(self._steps, 50),
            "throughput/step_ms_p90": 1e3 * percentile(self._steps, 90),
            "throughput/step_ms_p99": 1e3 * percentile(self._steps, 99),
        }
        if pl_module.device.type == "cuda":
            found["throughput/gpu_memory_gib"] = torch.cuda.max_memory_allocated(pl_module.device) / 2**30
        self._steps, self._waited, self._images = [], 0.0, 0
        return found
