"""What happens inside a drawing, to be looked at: flow maps, masks and the change from frame to frame.

In the run's folder, ``inner/samples_000012800.png``, after validation. A row is one portrait, the same ones every time:
photo as G sees it | matte m_p | flow map B | flow map A | parts (nose red, eyes green, lips blue) | mask carried to the
target | what G drew alone | blended (Eq. 1) | change to the next frame (black: the most). Flow maps go from the target
back into the photo, in the colours of :func:`~lightning_modules.pipeline.flow_colours.flow_colours`, full colour at a
tenth of the picture's side. Without foreground separation the mask is white, and nothing is blended.

Shown on the dashboard as ``inner/pictures``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn

from callbacks.dashboard_logger import Picture, dashboards
from callbacks.samples_seen import samples_seen
from lightning_modules.batches import PortraitBatch
from lightning_modules.errors import ConfigError, OutputError
from lightning_modules.geometry.sampling import flow_of, pixel_map
from lightning_modules.pipeline.contact_sheet import save_image
from lightning_modules.pipeline.flow_colours import flow_colours
from lightning_modules.pipeline.presentation import as_rgb, captioned, grid
from lightning_modules.portrait_gan_inputs import blend

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

COLUMNS: Final = (
    "photo",
    "matte",
    "flow map B",
    "flow map A",
    "parts",
    "mask carried",
    "drawn alone",
    "blended",
    "change",
)
"""What the columns of the sheet show."""


class InnerPictures(Callback):
    """See the module's docstring. It draws and writes on process 0 alone; a sheet that fails is warned of.

    Args:
        portraits: rows of the sheet, at least 1; fewer where the first batch of validation has fewer.
        every: validations between two sheets.

    Raises:
        ConfigError: a number is below 1.
    """

    def __init__(self, portraits: int = 3, every: int = 1) -> None:
        if portraits < 1 or every < 1:
            raise ConfigError(f"inner pictures of {portraits} portraits every {every} validations", "give at least 1")
        self.portraits, self.every = portraits, every
        self._fixed: PortraitBatch | None = None
        self._folder = Path()
        self._validations = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Choose the folder, the same on all processes."""
        self._folder = Path(trainer.strategy.broadcast(trainer.log_dir or trainer.default_root_dir)) / "inner"

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first portraits of the first validation."""
        if self._fixed is None and trainer.is_global_zero and not trainer.sanity_checking:
            if not isinstance(batch, PortraitBatch):
                raise TypeError(f"InnerPictures needs batches of PortraitBatch, got {type(batch).__name__}")
            self._fixed = batch.split(-(-len(batch) // self.portraits))[0].to("cpu")

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, here where validation's weights (averaged ones, with the EMA callback) are in place."""
        if trainer.sanity_checking or self._fixed is None:
            return
        self._validations += 1
        if (self._validations - 1) % self.every:
            return
        seen = samples_seen(trainer, pl_module)
        path = self._folder / f"samples_{seen:09d}.png"
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            cells = inner_cells(pl_module, self._fixed.to(pl_module.device))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            named = [captioned(cell, COLUMNS[index % len(COLUMNS)]) for index, cell in enumerate(cells)]
            save_image(path, grid(named, len(COLUMNS)))
        except (OSError, OutputError) as error:
            rank_zero_warn(f"the inner pictures at {seen} samples could not be written: {error}")
            return
        for dashboard in dashboards(trainer):
            dashboard.show({"inner/pictures": Picture(path, f"after {seen:,} samples")}, seen)


def inner_cells(module: Any, batch: PortraitBatch) -> list[NDArray[np.uint8]]:
    """Cells of the sheet, row by row, in the order of :data:`COLUMNS`; no gradient.

    Args:
        module: with ``derive``, ``generator`` and ``inputs``, as ``PortraitGAN``.
        batch: B portraits, on the module's device.

    Returns:
        9 B pictures (S, S, 3).
    """
    count, size = len(batch), batch.size
    with torch.no_grad():
        inputs, _, blending = module.derive(batch)
        alone = module.generator(*inputs.arguments).float()
        blended = alone if blending is None else blend(alone, blending)
    flow_b = flow_of(pixel_map(inputs.grid_b[:count], size)).cpu().numpy()
    flow_a = inputs.flow_a[:count].movedim(1, -1).float().cpu().numpy()
    mask = torch.ones_like(batch.matte) if blending is None else blending.foreground[:count]
    change = (blended[:count] - blended[count:]).abs().mean(1, keepdim=True) / 2
    rows = zip(
        _bytes(inputs.photo / 2 + 0.5),
        _bytes(module.inputs.matte(batch)),
        [flow_colours(one, size / 10) for one in flow_b],
        [flow_colours(one, size / 10) for one in flow_a],
        _bytes(batch.target_masks),
        _bytes(mask),
        _bytes(alone[:count] / 2 + 0.5),
        _bytes(blended[:count] / 2 + 0.5),
        _bytes(1.0 - change / change.amax((1, 2, 3), keepdim=True).clamp_min(1e-6)),
        strict=True,
    )
    return [as_rgb(cell) for row in rows for cell in row]


def _bytes(pictures: Tensor) -> list[NDArray[np.uint8]]:
    """(B, 1 | 3, S, S) in [0, 1] on any device to B pictures (S, S, 1 | 3)."""
    levels = (pictures.float().clamp(0, 1) * 255).round().byte().movedim(1, -1).contiguous().cpu().numpy()
    return list(np.asarray(levels, dtype=np.uint8))
