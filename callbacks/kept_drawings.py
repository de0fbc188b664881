"""Drawings of fixed portraits as single pictures, for contact sheets that compare several runs.

In the folder that is named, for each of the first portraits of validation: ``000_photo.png``, ``000_landmarks.png``
(the target), ``000_drawing.png``, and ``000_change.png``: where that differs from the drawing of the sample's second
target, which is nearly the same; white: not at all, black: from black to white. The same portraits and targets in every
run whose data are the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_modules.batches import PortraitBatch
from lightning_modules.errors import ConfigError
from lightning_modules.metrics.drawing_pixels import as_rgb_bytes
from lightning_modules.pipeline.contact_sheet import save_image
from lightning_modules.pipeline.presentation import draw_landmarks

PHOTO: Final = "photo"
LANDMARKS: Final = "landmarks"
DRAWING: Final = "drawing"
CHANGE: Final = "change"


class KeptDrawings(Callback):
    """Writes them during validation, on process 0 alone; not in the sanity check.

    It needs a module whose ``validation_step`` returns ``frames``, (B, 2, C, S, S) in [-1, 1].

    Args:
        folder: of the pictures; made where it is missing.
        portraits: how many, at least 1; fewer where validation has fewer.

    Raises:
        ConfigError: the number is below 1.
    """

    def __init__(self, folder: str, portraits: int = 4) -> None:
        if portraits < 1:
            raise ConfigError(f"drawings of {portraits} portraits are to be kept", "give 1 or more")
        self.folder, self.portraits = Path(folder), portraits
        self._kept = 0

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start from the first portrait."""
        self._kept = 0

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the portraits of this batch that are still wanted.

        Raises:
            TypeError: the module draws no portraits.
            OutputError: a picture cannot be written.
        """
        if trainer.sanity_checking or not trainer.is_global_zero or self._kept >= self.portraits:
            return
        if not isinstance(batch, PortraitBatch):
            raise TypeError(f"KeptDrawings needs batches of PortraitBatch, got {type(batch).__name__}")
        drawn = outputs["frames"].detach()
        for index in range(min(len(batch), self.portraits - self._kept)):
            number = f"{self._kept:03d}"
            photo, drawing, moved = map(_pixels, (batch.photo[index], *drawn[index]))
            target = batch.target_landmarks[index, 0].float().cpu().numpy()
            pictures = {PHOTO: photo, LANDMARKS: draw_landmarks(np.full_like(photo, 255), target), DRAWING: drawing}
            pictures[CHANGE] = (255 - np.abs(drawing.astype(np.int16) - moved)).astype(np.uint8)
            for name, picture in pictures.items():
                save_image(self.folder / f"{number}_{name}.png", picture)
            self._kept += 1


def _pixels(image: torch.Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(C, S, S) in [-1, 1] to (S, S, 3) bytes."""
    picture: np.ndarray[Any, np.dtype[np.uint8]] = as_rgb_bytes(image[None].float())[0].permute(1, 2, 0).cpu().numpy()
    return picture
