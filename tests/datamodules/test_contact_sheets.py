from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from datamodules.prepare.contact_sheets import ACROSS, CAPTION, CELL, DOWN, GAP, plan_pages, write_contact_sheets
from datamodules.prepare.photos import prepare_photos
from datamodules.prepare.record import read_record


@pytest.fixture
def prepared(photo_folder, tmp_path, tools):
    prepare_photos(photo_folder, tmp_path / "set", size=64, workers=0, make_tools=tools, contact_sheets=False)
    return tmp_path / "set"


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(float)


def is_line(cell):
    """Where a cell is nearly the yellow of the landmark lines."""
    return np.abs(cell - (255, 240, 0)).max(-1) < 90


def test_a_page_shows_photo_landmarks_matte_and_drawing(prepared):
    (path,) = write_contact_sheets(prepared)
    assert path == prepared / "sheets" / "page_001.png"
    page = pixels(path)
    assert page.shape == (3 * (CELL + CAPTION), ACROSS * (4 * CELL + GAP) - GAP, 3)
    (plan,) = plan_pages(prepared)
    record = read_record(prepared / "records" / plan.ids[1])
    cells = page[:CELL, 4 * CELL + GAP : 8 * CELL + GAP].reshape(CELL, 4, CELL, 3).transpose(1, 0, 2, 3)
    small = np.asarray(Image.fromarray(record.photo).resize((CELL, CELL), Image.Resampling.NEAREST), float)
    assert np.array_equal(cells[0], small)
    assert is_line(cells[1]).sum() > 200
    assert is_line(cells[0]).sum() < 20
    assert np.array_equal(cells[2][0, 0], (70, 190, 110))  # background taken out
    center = CELL // 2
    assert np.array_equal(cells[2][center, center], small[center, center])
    assert np.array_equal(cells[3][..., 0], cells[3][..., 1])
    assert np.abs(cells[3][..., 0] - small.mean(-1)).max() <= 1


def test_the_tint_and_the_lines_lie_on_the_face(prepared):
    write_contact_sheets(prepared)
    page = pixels(prepared / "sheets" / "page_001.png")
    record = read_record(prepared / "records" / plan_pages(prepared)[0].ids[0])
    scale = CELL / record.size
    cell = page[:CELL, CELL : 2 * CELL]
    chin = (record.landmarks[8, :2] + 0.5) * scale
    x, y = np.nonzero(is_line(cell))[::-1]
    assert abs(y.max() - chin[1]) < 3
    assert abs((x.min() + x.max()) / 2 - chin[0]) < 3


def test_current_pages_stay_and_changed_ones_are_drawn_again(prepared, photo_folder, tools):
    (path,) = write_contact_sheets(prepared)
    before = path.stat().st_mtime_ns
    write_contact_sheets(prepared)
    assert path.stat().st_mtime_ns == before
    picture = Image.fromarray(pixels(photo_folder / "loose.PNG").astype(np.uint8))
    for number in range(ACROSS * DOWN - 6):
        picture.rotate(number).save(photo_folder / f"more {number}.png")
    prepare_photos(photo_folder, prepared, size=64, workers=0, make_tools=tools)
    assert path.stat().st_mtime_ns != before
    assert sorted(page.name for page in path.parent.iterdir()) == ["page_001.png", "page_002.png"]
    assert [len(page.ids) for page in plan_pages(prepared)] == [ACROSS * DOWN, 1]
    (photo_folder / "more 3.png").write_bytes(b"no photo any more")
    prepare_photos(photo_folder, prepared, size=64, workers=0, make_tools=tools)
    assert [page.name for page in path.parent.iterdir()] == ["page_001.png"]


def test_a_damaged_page_is_drawn_again(prepared):
    (path,) = write_contact_sheets(prepared)
    content = path.read_bytes()
    path.write_bytes(content[:25])
    write_contact_sheets(prepared)
    assert path.read_bytes() == content


def test_a_set_without_drawings_has_three_cells_a_record(photo_folder, tmp_path, tools):
    prepare_photos(photo_folder, tmp_path / "set", size=64, workers=0, make_tools=tools, drawing=False)
    assert pixels(tmp_path / "set" / "sheets" / "page_001.png").shape[1] == ACROSS * (3 * CELL + GAP) - GAP


def test_pages_can_show_a_choice_of_records(prepared):
    (page,) = plan_pages(prepared)
    (chosen,) = plan_pages(prepared, page.ids[2:4])
    assert chosen.ids == page.ids[2:4]
    assert chosen.key != page.key
