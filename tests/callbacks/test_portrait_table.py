"""The table of held-out portraits: figures by hand, remarks, the file."""

from __future__ import annotations

import csv

import pytest
import torch
from measured_portraits import SIZE, KnownDrawer, loader, make_batch, trainer

from callbacks.portrait_table import COLUMNS, PortraitTable, portrait_row, remark
from lightning_modules.errors import ConfigError
from lightning_modules.metrics.inter_frame_ssim import inter_frame_ssim


def test_a_row_by_hand():
    batch = make_batch(2)
    frames = torch.full((2, 1, SIZE, SIZE), 0.5)  # grey 0.75
    frames[1] -= 0.2  # 0.1 darker in [0, 1]
    row = portrait_row(frames, batch, 1)
    assert tuple(row) == COLUMNS
    assert row["ink"] == pytest.approx(0.25, abs=1e-6)
    assert row["motion"] == pytest.approx(0.1, abs=1e-6)
    assert row["asked_motion"] == pytest.approx(0.3 * 2**0.5, abs=1e-4)
    assert row["static_ink"] == pytest.approx(float((1 - batch.static_drawing[1].mean()) / 2), abs=1e-5)
    assert row["similarity"] == pytest.approx(float(inter_frame_ssim(frames)[0]), abs=1e-6)
    frames[0, 0, 0, 0] = float("nan")
    assert portrait_row(frames, batch, 1)["remark"] == "not finite"


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ((0.1, 0.1, 0.01, 1.0), ""),
        ((0.02, 0.1, 0.01, 1.0), "blank"),
        ((0.5, 0.1, 0.01, 1.0), "black"),
        ((0.1, 0.1, 0.0, 1.0), "still"),
        ((0.1, 0.1, 0.0, 0.0), ""),
    ],
)
def test_remarks(figures, said):
    assert remark(*figures) == said


def test_the_file_has_as_many_rows_as_were_asked_for(tmp_path):
    runner = trainer(tmp_path, PortraitTable(3), num_sanity_val_steps=1)
    runner.fit(KnownDrawer(), loader([make_batch(2, 9)] * 2), loader([make_batch(2, seed) for seed in range(3)]))
    (path,) = (tmp_path / "tables").iterdir()
    assert path.name == "samples_000000004.csv"
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert all(float(row["motion"]) > 0 for row in rows)
    with pytest.raises(ConfigError, match="0 portraits"):
        PortraitTable(0)
