"""The sheet of flow maps and masks: its cells are what the step really uses."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from tiny_gan import SIZE, TinyData, fit, make_batch, tiny_gan

from callbacks.inner_pictures import COLUMNS, InnerPictures, inner_cells
from lightning_modules.geometry.sampling import flow_of, pixel_map
from lightning_modules.pipeline.flow_colours import flow_colours


def cell(cells, row, name):
    return cells[row * len(COLUMNS) + COLUMNS.index(name)]


def test_the_cells_show_what_the_columns_say():
    module, batch = tiny_gan().eval(), make_batch(2)
    cells = inner_cells(module, batch)
    assert len(cells) == 2 * len(COLUMNS)
    assert {one.shape for one in cells} == {(SIZE, SIZE, 3)}
    inputs, _, blending = module.derive(batch)
    flow = flow_of(pixel_map(inputs.grid_b, SIZE))[1].numpy()
    np.testing.assert_array_equal(cell(cells, 1, "flow map B"), flow_colours(flow, SIZE / 10))
    mask = (blending.foreground[1, 0] * 255).round().byte().numpy()
    np.testing.assert_array_equal(cell(cells, 1, "mask carried")[..., 0], mask)
    parts = (batch.target_masks[1] * 255).round().byte().numpy().transpose(1, 2, 0)
    np.testing.assert_array_equal(cell(cells, 1, "parts"), parts)
    with torch.no_grad():
        first, second = module.draw(batch).pairs[1, :, 0]
    shown = ((first.clamp(-1, 1) / 2 + 0.5) * 255).round().byte().numpy()
    np.testing.assert_array_equal(cell(cells, 1, "blended")[..., 0], shown)
    change = cell(cells, 1, "change")[..., 0].astype(int)
    assert change.min() == 0  # black where the change is largest
    place = np.unravel_index(int((first - second).abs().argmax()), (SIZE, SIZE))
    assert change[place] == 0


def test_without_separation_nothing_is_blended():
    module, batch = tiny_gan(separate_foreground=False).eval(), make_batch(1)
    cells = inner_cells(module, batch)
    assert (cell(cells, 0, "mask carried") == 255).all()
    np.testing.assert_array_equal(cell(cells, 0, "drawn alone"), cell(cells, 0, "blended"))


def test_a_sheet_is_written_every_so_many_validations(tmp_path):
    fit(tiny_gan(), tmp_path, epochs=3, data=TinyData(), limit_val_batches=1, callbacks=[InnerPictures(1, every=2)])
    names = sorted(path.name for path in (tmp_path / "inner").iterdir())
    assert len(names) == 2
    sheet = np.asarray(Image.open(tmp_path / "inner" / names[0]))
    assert sheet.shape == (SIZE + 18 + 12, len(COLUMNS) * (SIZE + 6) + 6, 3)


def test_a_sheet_that_cannot_be_written_is_warned_of(tmp_path):
    import pytest

    (tmp_path / "inner").write_text("a file in the way")
    with pytest.warns(UserWarning, match="inner pictures at .* could not be written"):
        fit(tiny_gan(), tmp_path, epochs=1, data=TinyData(), limit_val_batches=1, callbacks=[InnerPictures(1)])
