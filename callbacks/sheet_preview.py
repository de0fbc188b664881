"""What a supporting network makes, to be looked at: the same samples at every validation, as one sheet of pictures.

In the run's folder, ``previews/samples_000012800.png``, numbered by the samples seen. The columns are those that the
module names. Where a dashboard is there, the sheet is shown by its path as ``preview/sheet``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.data import extract_batch_size

from callbacks.dashboard_logger import Picture
from callbacks.dashboard_media import show_media
from lightning_modules.errors import ConfigError, OutputError
from lightning_modules.pipeline.contact_sheet import save_image
from lightning_modules.pipeline.presentation import captioned, grid

_NAME: Final = "preview/sheet"


class SheetPreview(Callback):
    """Writes a sheet of the first samples of validation, on process 0 alone; a sheet that fails is warned of.

    It needs a module with ``preview_columns`` and ``preview(batch)``, as
    :class:`~lightning_modules.supporting_network.SupportingNetwork` has them.

    Args:
        rows: of the sheet at most; fewer where the first batch of validation has fewer samples.

    Raises:
        ConfigError: the number is below 1.
    """

    def __init__(self, rows: int = 8) -> None:
        if rows < 1:
            raise ConfigError(f"previews of {rows} samples", "give at least 1")
        self.rows = rows
        self._batch: Any = None
        self._folder = Path()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Choose the folder, on all processes: the trainer exchanges it between them each time it is asked."""
        self._folder = Path(trainer.log_dir or trainer.default_root_dir) / "previews"

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first batch."""
        if batch_idx == 0 and dataloader_idx == 0 and trainer.is_global_zero:
            self._batch = batch

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write, here where validation's weights (averaged ones, with the EMA callback) are in place."""
        batch, self._batch = self._batch, None
        if batch is None or trainer.sanity_checking:
            return
        module: Any = pl_module
        seen = int(getattr(module, "samples_seen", trainer.global_step))
        path = self._folder / f"samples_{seen:09d}.png"
        columns = module.preview_columns
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            cells = list(module.preview(batch))[: self.rows * len(columns)]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            captions = [captioned(cell, columns[index % len(columns)]) for index, cell in enumerate(cells)]
            save_image(path, grid(captions, len(columns)))
        except (OSError, OutputError) as error:
            rank_zero_warn(f"the preview at {seen} samples could not be written: {error}")
            return
        caption = f"after {seen:,} samples of {extract_batch_size(batch)} a batch"
        show_media(trainer, {_NAME: Picture(path, caption)}, seen)
