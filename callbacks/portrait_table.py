"""One row for each held-out portrait, so that the worst ones can be sorted out and looked at.

After validation, in the run's folder ``tables/samples_000012800.csv``; on the dashboard ``table/portraits`` with the
picture photo | static drawing | drawn 1 | drawn 2 in each row. Columns:

- ``portrait``: address of the sample.
- ``similarity``, ``compensated_similarity``: SSIM of its two drawings, as they are and with the landmarks' motion taken
  out; -1 to 1, higher is steadier.
- ``motion``: mean absolute change of grey between them, 0 to 1; ``asked_motion``: mean way of a landmark, pixels.
- ``ink``: mean darkness of drawing 1, 0 to 1; ``static_ink``: of the static drawing.
- ``remark``: ``blank`` below a quarter of the static drawing's ink, ``black`` above four times as much, ``still`` where
  the landmarks moved and the drawing did not, ``not finite``; else empty.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from callbacks.dashboard_logger import Picture, Rows, dashboards
from callbacks.samples_seen import samples_seen
from lightning_modules.batches import PortraitBatch
from lightning_modules.errors import ConfigError, OutputError
from lightning_modules.metrics.drawing_pixels import as_grey, as_rgb_bytes
from lightning_modules.metrics.inter_frame_ssim import compensated_ssim, frame_motion, inter_frame_ssim
from lightning_modules.pipeline.atomic_files import atomic_path
from lightning_modules.pipeline.contact_sheet import save_image

COLUMNS: Final = (
    "portrait",
    "similarity",
    "compensated_similarity",
    "motion",
    "asked_motion",
    "ink",
    "static_ink",
    "remark",
)


class PortraitTable(Callback):
    """See the module's docstring. Process 0 writes the rows of its own share; what fails is warned of.

    Args:
        portraits: rows at most, the first ones of validation.

    Raises:
        ConfigError: the number is below 1.
    """

    def __init__(self, portraits: int = 16) -> None:
        if portraits < 1:
            raise ConfigError(f"a table of {portraits} portraits", "give at least 1")
        self.portraits = portraits
        self._folder = Path()
        self._rows: list[dict[str, str | float]] = []
        self._strips: list[Tensor] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Choose the folder, the same on all processes."""
        self._folder = Path(trainer.strategy.broadcast(trainer.log_dir or trainer.default_root_dir)) / "tables"

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start from nothing."""
        self._rows.clear()
        self._strips.clear()

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
        """Measure every sample of the batch, as long as there is room."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        frames = outputs["frames"].detach().float()
        for index in range(min(len(batch), self.portraits - len(self._rows))):
            self._rows.append(portrait_row(frames[index], batch, index))
            static = batch.static_drawing[index, None].float().expand(-1, frames.shape[2], -1, -1)
            drawings = as_rgb_bytes(torch.cat([static, frames[index].nan_to_num(nan=-1.0)]))
            self._strips.append(torch.cat([as_rgb_bytes(batch.photo[index, None].float()), drawings]).cpu())

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write and show the table."""
        if not self._rows:
            return
        seen = samples_seen(trainer, pl_module)
        table = self._folder / f"samples_{seen:09d}.csv"
        strips = [table.with_suffix("") / f"{number:03d}.png" for number in range(len(self._rows))]
        shown = dashboards(trainer)
        try:
            with atomic_path(table) as aside, aside.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(self._rows)
            for path, strip in zip(strips, self._strips, strict=True) if shown else ():
                save_image(path, np.concatenate(list(strip.permute(0, 2, 3, 1).numpy()), axis=1))
        except (OSError, OutputError) as error:
            rank_zero_warn(f"the table of portraits at {seen} samples could not be written: {error}")
            return
        rows = [[*(row[name] for name in COLUMNS), Picture(path)] for row, path in zip(self._rows, strips, strict=True)]
        for dashboard in shown:
            dashboard.show({"table/portraits": Rows((*COLUMNS, "picture"), rows)}, seen)


def portrait_row(frames: Tensor, batch: PortraitBatch, index: int) -> dict[str, str | float]:
    """One row of the table, by the names of :data:`COLUMNS`.

    Args:
        frames: (2, C, S, S) in [-1, 1], what was drawn for the sample's two targets.
        batch: that the sample belongs to.
        index: of the sample.
    """
    targets = batch.target_landmarks[index].float()
    if not bool(torch.isfinite(frames).all()):
        unknown: dict[str, str | float] = dict.fromkeys(COLUMNS[1:-1], math.nan)
        return {"portrait": batch.keys()[index], **unknown, "remark": "not finite"}
    ink = 1 - float(as_grey(frames[:1]).mean())
    static_ink = 1 - float(as_grey(batch.static_drawing[index, None].float()).mean())
    motion = float(frame_motion(frames)[0])
    asked = float((targets[1] - targets[0]).norm(dim=-1).mean())
    row: dict[str, str | float] = {
        "portrait": batch.keys()[index],
        "similarity": float(inter_frame_ssim(frames)[0]),
        "compensated_similarity": float(compensated_ssim(frames, targets)[0]),
        "motion": motion,
        "asked_motion": asked,
        "ink": ink,
        "static_ink": static_ink,
        "remark": remark(ink, static_ink, motion, asked),
    }
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()}


def remark(ink: float, static_ink: float, motion: float, asked: float) -> str:
    """What is wrong with a drawing at first sight; empty where nothing is. Arguments as in :data:`COLUMNS`."""
    if ink < static_ink / 4:
        return "blank"
    if ink > 4 * static_ink:
        return "black"
    return "still" if asked > 0.25 and motion < 1e-4 else ""
