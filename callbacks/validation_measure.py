"""What callbacks that measure in validation share: when they listen, where their metrics live, how they report.

Every process feeds its own share and all compute; torchmetrics adds the states up. The metrics and their networks
belong to the callback, so nothing of them enters the module's parameters, its checkpoints or its gradient exchange.
The sanity check before training is not listened to.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor, nn
from torchmetrics import Metric

from lightning_modules.batches import PortraitBatch
from lightning_modules.errors import MetricError


class ValidationMeasure(Callback, abc.ABC):
    """Feeds metrics with the batches of validation and test, and logs each of their numbers once at the end.

    It listens to modules whose ``validation_step`` and ``test_step`` return ``{"frames": (B, 2, C, S, S)}``, what they
    drew for a :class:`~lightning_modules.batches.PortraitBatch`, in [-1, 1]. Names are logged as they are in validation
    and with ``test/`` before them in test. Subclasses fill :attr:`metrics` and write :meth:`feed`.
    """

    def __init__(self) -> None:
        self.metrics: dict[str, Metric] = {}
        """By where their numbers are logged: ``"a/b"`` for one number, ``"a/b/"`` before the names of several."""
        self.networks: list[nn.Module] = []
        """Networks to bring to the module's device."""
        self._said: set[str] = set()

    @abc.abstractmethod
    def feed(self, trainer: Trainer, pl_module: LightningModule, frames: Tensor, batch: PortraitBatch) -> None:
        """Add one batch.

        Args:
            trainer: the trainer.
            pl_module: the module, in eval mode.
            frames: (B, 2, C, S, S) in [-1, 1]: what it drew for l_t1 and l_t2.
            batch: what it drew them for.
        """

    def say_once(self, message: str) -> None:
        """Tell something on process 0, the first time only."""
        if message not in self._said:
            self._said.add(message)
            rank_zero_info(message)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start from nothing, on the module's device."""
        for metric in self.metrics.values():
            metric.reset()
            metric.to(pl_module.device)
        for network in self.networks:
            network.to(pl_module.device)

    @torch.no_grad()
    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Feed the metrics."""
        if trainer.sanity_checking:
            return
        if not isinstance(outputs, Mapping) or "frames" not in outputs or not isinstance(batch, PortraitBatch):
            name = f"{type(pl_module).__name__}.validation_step"
            raise TypeError(f'{type(self).__name__} needs PortraitBatch and {{"frames": ...}} returned by {name}')
        self.feed(trainer, pl_module, outputs["frames"].detach(), batch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log, in test under names of its own."""
        if trainer.sanity_checking:
            return
        stage = "test/" if trainer.testing else ""
        for name, metric in self.metrics.items():
            try:  # what is missing is missing on all processes: counts are added up before they are looked at
                found = metric.compute()
            except MetricError as error:
                self.say_once(f"{name.removesuffix('/')} is not logged: {error.found}")
                continue
            numbers = {name + key: value for key, value in found.items()} if name.endswith("/") else {name: found}
            for key, value in numbers.items():
                # All processes hold the same number; their mean is that number, and Lightning has nothing to remark.
                pl_module.log(stage + key, value.float(), sync_dist=True, batch_size=1)
            metric.reset()

    on_test_epoch_start = on_validation_epoch_start
    on_test_batch_end = on_validation_batch_end
    on_test_epoch_end = on_validation_epoch_end
