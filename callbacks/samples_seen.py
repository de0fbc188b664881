"""How much training has seen: the axis of everything, which means the same for every batch size and number of GPUs."""

from __future__ import annotations

from typing import Final

from lightning.pytorch import LightningModule, Trainer

COUNTERS: Final = ("photos_seen", "samples_seen", "windows_seen")
"""Where modules keep their count: photos, crops or windows, on all processes together."""


def samples_seen(trainer: Trainer, module: LightningModule) -> int:
    """The module's own count; of a module that keeps none, the number of batches.

    Args:
        trainer: of the run.
        module: that is trained.
    """
    for name in COUNTERS:
        if (count := getattr(module, name, None)) is not None:
            return int(count)
    return int(trainer.fit_loop.total_batch_idx) + 1
