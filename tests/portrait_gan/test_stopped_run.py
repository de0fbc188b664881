"""What the loggers get from a run that is ended between two logged steps, as its time does."""

from __future__ import annotations

import csv

import pytest
from lightning.pytorch import Callback
from lightning.pytorch.loggers import CSVLogger
from tiny_gan import TinyData, fit, tiny_gan


class StopAfter(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        trainer.should_stop = pl_module.updates["generator"] >= self.step


@pytest.mark.parametrize(("stop", "photos"), [(6, [4, 8, 12]), (5, [4, 8, 10])])
def test_the_last_row_is_the_last_steps(tmp_path, stop, photos):
    module = tiny_gan()
    fit(
        module,
        tmp_path,
        data=TinyData(batches=8),
        callbacks=[StopAfter(stop)],
        logger=CSVLogger(tmp_path, name=None, version=""),
        log_every_n_steps=2,
    )
    with (tmp_path / "metrics.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["seen/photos"]]
    assert [float(row["seen/photos"]) for row in rows] == photos
    assert len({row["loss/generator"] for row in rows}) == len(rows)
    assert float(rows[-1]["loss/generator"]) == pytest.approx(float(module.report["loss/generator"]))
