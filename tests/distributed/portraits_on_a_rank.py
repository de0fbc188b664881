"""Run by two processes at once: trains on prepared portraits with DDP on gloo and writes down what came.

Arguments: folder for the results, folder of the prepared sets, number of steps of the run that is cut short.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import lightning
import torch

from datamodules.portraits import PortraitsDataModule
from lightning_modules.batches import TENSOR_FIELDS, PortraitBatch

STEPS = 6  # two epochs of three
OPTIONS: dict[str, Any] = {"image_size": 64, "workers": 0, "validation_photos": 3, "samples_per_epoch": 6}


class Recorder(lightning.LightningModule):
    """Writes down the samples that it gets; its weight depends on every number of every batch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
        self.seen: list[str] = []
        self.validated: list[str] = []

    def training_step(self, batch: PortraitBatch) -> torch.Tensor:
        self.seen += batch.keys()
        value = sum(getattr(batch, name).double().mean() * (i + 1) for i, name in enumerate(TENSOR_FIELDS))
        return (self.weight - value).square().sum()

    def validation_step(self, batch: PortraitBatch) -> None:
        self.validated += batch.keys()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.03)


def sets(root: Path) -> PortraitsDataModule:
    return PortraitsDataModule(root / "photos", root / "drawings", root / "film", **OPTIONS)


def fit(root: Path, *, steps: int = STEPS, resume: Path | None = None, save: Path | None = None) -> dict[str, Any]:
    model = Recorder()
    trainer = lightning.Trainer(
        max_epochs=-1,
        max_steps=steps,
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(model, sets(root), ckpt_path=resume, weights_only=True)
    if save is not None:
        trainer.save_checkpoint(save)
    return {"seen": model.seen, "validated": model.validated, "weight": model.weight.item().hex()}


def main() -> None:
    folder, root, cut = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    decoded: list[str] = []
    watch = logging.Handler()
    watch.emit = lambda record: decoded.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("datamodules").addHandler(watch)
    logging.getLogger("datamodules").setLevel(logging.INFO)
    results: dict[str, Any] = {"whole": fit(root), "decoded": list(decoded)}
    results["cut"] = fit(root, steps=cut, save=folder / "cut.ckpt")
    results["resumed"] = fit(root, resume=folder / "cut.ckpt")
    (folder / f"rank_{os.environ['RANK']}.json").write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main()
