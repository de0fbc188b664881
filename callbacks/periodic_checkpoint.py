"""Checkpoints by the number of photos seen, and by wall time.

Lightning's own checkpoints count optimiser steps, of which there are three a batch, and ignore wall time in manual
optimisation. Here everything is counted in photos, which means the same for every batch size and number of processes.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from lightning_modules.errors import ConfigError

LAST: Final = "last.ckpt"
"""Another name of the newest checkpoint."""


class PeriodicCheckpoint(Checkpoint):
    """Saves ``photos_000012800.ckpt`` and so on, and ``last.ckpt``, another name of the newest one.

    A checkpoint that falls due at the last batch of an epoch is saved when the epoch has ended, after the learning rate
    schedules were stepped. Wall time is decided on process 0 and told to the others, every ``look_every`` batches.

    Args:
        every_photos: save when the number of photos seen passes a multiple of this; None: not by photos.
        every_minutes: save when this much time has passed since the last checkpoint; None: not by time.
        every_epoch: save at the end of every epoch.
        keep: number of checkpoints to keep, the newest ones; None: all.
        dirpath: folder; None: ``checkpoints`` in the run's folder.
        look_every: batches between two looks at the clock.

    Raises:
        ConfigError: a number is out of range.
    """

    def __init__(
        self,
        every_photos: int | None = None,
        every_minutes: float | None = None,
        *,
        every_epoch: bool = True,
        keep: int | None = 3,
        dirpath: str | None = None,
        look_every: int = 20,
    ) -> None:
        given = {"every_photos": every_photos, "every_minutes": every_minutes, "keep": keep, "look_every": look_every}
        wrong = {name: value for name, value in given.items() if value is not None and value <= 0}
        if wrong:
            raise ConfigError(f"checkpoints are asked for with {wrong}", "give numbers above 0, or leave them out")
        self.every_photos = every_photos
        self.every_minutes = every_minutes
        self.every_epoch = every_epoch
        self.keep = keep
        self.dirpath = dirpath
        self.look_every = look_every
        self.saved_at = 0
        self._clock = time.monotonic()
        self._looked = 0
        self._due = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Choose the folder, the same on all processes."""
        if self.dirpath is None:
            folder = trainer.log_dir or trainer.default_root_dir
            self.dirpath = str(Path(trainer.strategy.broadcast(folder)) / "checkpoints")
        if not hasattr(pl_module, "photos_seen"):
            found = f"{type(pl_module).__name__} does not count the photos that it has seen"
            raise ConfigError(found, "give it an attribute photos_seen, or use Lightning's ModelCheckpoint")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._clock = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is time; at the last batch leave it to the end of the epoch."""
        self._due = self._due or self._by_photos(_photos(pl_module)) or self._by_time(trainer)
        if self._due and not trainer.is_last_batch:
            self._save(trainer, _photos(pl_module))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save what fell due at the last batch, and every epoch where that was asked for."""
        if self._due or self.every_epoch:
            self._save(trainer, _photos(pl_module))

    def _by_photos(self, photos: int) -> bool:
        return self.every_photos is not None and photos // self.every_photos > self.saved_at // self.every_photos

    def _by_time(self, trainer: Trainer) -> bool:
        self._looked += 1
        if self.every_minutes is None or self._looked % self.look_every:
            return False
        return bool(trainer.strategy.broadcast(time.monotonic() - self._clock >= 60.0 * self.every_minutes))

    def _save(self, trainer: Trainer, photos: int) -> None:
        self._due = False
        self.saved_at = photos
        self._clock = time.monotonic()
        folder = Path(self.dirpath or ".")
        path = folder / f"photos_{photos:09d}.ckpt"
        trainer.save_checkpoint(path, weights_only=False)  # with the optimisers; it is no question of pickle here
        if trainer.is_global_zero:
            point_at(folder / LAST, path)
            self._forget(folder)
        trainer.strategy.barrier("PeriodicCheckpoint")

    def _forget(self, folder: Path) -> None:
        if self.keep is not None:
            for old in sorted(folder.glob("photos_*.ckpt"))[: -self.keep]:
                old.unlink()

    def state_dict(self) -> dict[str, Any]:
        """How many photos the newest checkpoint has seen."""
        return {"saved_at": self.saved_at}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` gave."""
        self.saved_at = int(state_dict["saved_at"])


def point_at(name: Path, target: Path) -> None:
    """Make ``name`` a relative symbolic link to ``target`` in the same folder, in one move.

    Args:
        name: the link; replaced where there is one.
        target: a file of the same folder.
    """
    aside = name.with_name(f".{name.name}.tmp")
    aside.unlink(missing_ok=True)
    aside.symlink_to(target.name)
    os.replace(aside, name)  # noqa: PTH105  replace() of a Path would say the same


def _photos(module: LightningModule) -> int:
    return int(module.photos_seen)  # type: ignore[arg-type]  # checked in setup
