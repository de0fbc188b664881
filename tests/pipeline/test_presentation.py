from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightning_modules.errors import OutputError
from lightning_modules.pipeline.contact_sheet import ContactSheet, evenly_spaced, save_image
from lightning_modules.pipeline.presentation import (
    SideBySide,
    as_batch,
    as_rgb,
    captioned,
    draw_landmarks,
    grid,
    letterbox,
    side_by_side,
)

MODULES = """
video_writer video_reader sound_track frame_folder frame_rate atomic_files output_checks contact_sheet presentation
"""


def shades(count: int, size: int = 40) -> np.ndarray:
    """Frames of one grey level each, its number times two."""
    return np.repeat(np.arange(count, dtype=np.uint8) * 2, size * size).reshape(count, size, size)


def test_these_modules_are_light():
    """They are imported before torch and without it, so that a wrong output is refused at once."""
    imports = "; ".join(f"import lightning_modules.pipeline.{name}" for name in MODULES.split())
    check = f"{imports}; import sys; print([name for name in ('torch', 'av', 'cv2', 'scipy') if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert result.stdout == "[]\n"


@pytest.mark.parametrize(
    ("shape", "size", "inside"),
    [
        ((100, 50), (80, 80), (0, 80, 20, 60)),  # rows from, to, columns from, to
        ((50, 100), (80, 80), (20, 60, 0, 80)),
        ((40, 40), (80, 80), (0, 80, 0, 80)),
        ((300, 300), (90, 60), (0, 60, 15, 75)),
        ((1, 1000), (100, 20), (9, 10, 0, 100)),
    ],
)
def test_a_letterbox_keeps_proportions_and_centres(shape, size, inside):
    box = letterbox(np.zeros(shape, np.uint8), size)
    assert box.shape == (size[1], size[0], 3)
    wanted = np.full(box.shape, 255, np.uint8)
    wanted[inside[0] : inside[1], inside[2] : inside[3]] = 0
    assert np.array_equal(box, wanted)


def test_a_letterbox_of_the_same_size_changes_nothing(astronaut):
    result = letterbox(astronaut, (512, 512))
    assert np.array_equal(result, astronaut)
    assert not np.shares_memory(result, astronaut)
    assert letterbox(astronaut[:100], (512, 512), fill=7)[0, 0].tolist() == [7, 7, 7]


def test_mirrored_in_mirrored_out(astronaut):
    picture = astronaut[:300]
    left, right = letterbox(picture, (128, 128)), letterbox(picture[:, ::-1], (128, 128))[:, ::-1]
    assert np.abs(left.astype(int) - right).max() <= 1


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_photo_and_frames_stand_side_by_side(astronaut, channels):
    frames = shades(3, 64)
    frames = frames if channels is None else np.repeat(frames[..., None], channels, axis=3)
    sheet = SideBySide(astronaut, (64, 64))
    shown = sheet.show(frames)
    width, height = sheet.size
    assert shown.shape == (3, height, width, 3)
    assert (width, height) == (64 + 2 + 64, 64)
    assert np.array_equal(shown[0, :, :64], letterbox(astronaut, (64, 64)))
    assert (shown[:, :, 64:66] == 255).all()
    for number in range(3):
        assert (shown[number, :, 66:] == 2 * number).all()
    assert np.array_equal(sheet.show(frames[1])[0], shown[1])
    assert np.array_equal(side_by_side(astronaut, frames[1]), shown[1])


@pytest.mark.parametrize("size", [(256, 256), (128, 200), (640, 480), (264, 264)])
def test_side_by_side_stays_even(astronaut, size):
    width, height = SideBySide(astronaut, size).size
    assert width % 2 == height % 2 == 0


def test_landmarks_are_drawn_where_they_are():
    """Dots of radius 1 at whole pixels, no lines: each point is red, and nothing is red 2 px away from every point."""
    points = np.stack([20 + 17 * (np.arange(68) % 12), 30 + 25 * (np.arange(68) // 12)], axis=1).astype(np.float32)
    image = np.full((200, 240), 255, np.uint8)
    result = draw_landmarks(image, points, lines=False, radius=1)
    red = (result == (220, 30, 60)).all(axis=2)
    rows, columns = np.nonzero(red)
    distance = np.hypot(columns[:, None] - points[:, 0], rows[:, None] - points[:, 1])
    assert distance.min(axis=1).max() < 2
    assert red[points[:, 1].astype(int), points[:, 0].astype(int)].all()
    assert red.sum() >= 68 * 5
    moments = [(columns[distance[:, k] < 2].mean(), rows[distance[:, k] < 2].mean()) for k in range(68)]
    assert np.abs(np.array(moments) - points).max() < 1e-6  # no half-pixel shift
    assert (image == 255).all()


def test_landmarks_are_drawn_in_an_enlarged_picture_too():
    points = np.full((68, 3), 10.0, np.float32)
    red = (draw_landmarks(np.full((20, 24, 3), 255, np.uint8), points, scale=4, radius=2) == (220, 30, 60)).all(axis=2)
    rows, columns = np.nonzero(red)
    assert red.shape == (80, 96)
    assert (columns.mean(), rows.mean()) == pytest.approx((41.5, 41.5), abs=0.51)  # the centre of pixel 10, 4 × larger


def test_lines_join_the_points_of_a_contour():
    """A square of four points at the place of the right eye: its lines close."""
    points = np.full((68, 2), -50.0, np.float32)
    points[36:42] = [(10, 10), (30, 10), (50, 10), (50, 40), (30, 40), (10, 40)]
    red = (draw_landmarks(np.full((60, 60), 255, np.uint8), points, radius=1) == (220, 30, 60)).all(axis=2)
    assert red[10, 10:51].all()
    assert red[40, 10:51].all()
    assert red[10:41, 10].all()
    assert red[10:41, 50].all()
    assert not red[12:38, 12:48].any()


def test_numbers_can_be_written_beside_the_points():
    points = np.full((68, 2), 20.0, np.float32)
    image = np.full((64, 64), 255, np.uint8)
    assert (draw_landmarks(image, points, numbers=True) != draw_landmarks(image, points)).any()


@pytest.mark.parametrize("shape", [(67, 2), (68, 4), (1, 68, 2)])
def test_other_landmarks_are_refused(shape):
    with pytest.raises(ValueError, match="landmarks are"):
        draw_landmarks(np.zeros((9, 9), np.uint8), np.zeros(shape, np.float32))


def test_a_caption_stands_below_the_picture(astronaut):
    result = captioned(astronaut, "0.40 s", height=24)
    assert result.shape == (536, 512, 3)
    assert np.array_equal(result[:512], astronaut)
    ink = np.flatnonzero((result[512:] < 128).all(axis=2).any(axis=0))
    assert abs((ink[0] + ink[-1]) / 2 - 256) < 4
    assert 20 < np.ptp(ink) < 100


def test_a_long_caption_is_cut_and_stays_inside():
    result = captioned(np.full((10, 80), 255, np.uint8), "a very long name of a photo\nüber zwei Zeilen 表情.jpg")
    ink = np.flatnonzero((result < 200).any(axis=(0, 2)))
    assert ink[0] > 0
    assert ink[-1] < 79
    assert (captioned(np.full((10, 80), 255, np.uint8), "") == 255).all()


def test_a_grid_is_filled_row_by_row():
    sheet = grid([*shades(5, 10)[1:], np.zeros((6, 4, 3), np.uint8)], 3, gap=2)
    assert sheet.shape == (2 * 12 + 2, 3 * 12 + 2, 3)
    assert [sheet[7, 7 + 12 * column, 0] for column in range(3)] == [2, 4, 6]
    assert sheet[19, 7, 0] == 8
    black = np.argwhere((sheet == 0).all(axis=2))
    assert black.min(axis=0).tolist() == [14 + 2, 14 + 3]  # centred in its cell
    assert black.max(axis=0).tolist() == [14 + 2 + 5, 14 + 3 + 3]
    assert (sheet[14:24, 26:36] == 255).all()


def test_forms_of_pictures():
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert (
        as_rgb(grey).tolist() == as_rgb(grey[..., None]).tolist() == [[[v] * 3 for v in row] for row in grey.tolist()]
    )
    assert as_batch(np.zeros((8, 9), np.uint8)).shape == (1, 8, 9)
    assert as_batch(np.zeros((8, 9, 3), np.uint8)).shape == (1, 8, 9, 3)
    assert as_batch(np.zeros((4, 8, 9), np.uint8)).shape == (4, 8, 9)
    assert as_batch(np.zeros((4, 8, 9, 1), np.uint8)).shape == (4, 8, 9, 1)
    for wrong in (np.zeros((4, 8, 9, 2), np.uint8), np.zeros((8, 9)), np.zeros(4, np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            as_batch(wrong)
    with pytest.raises(ValueError, match="uint8"):
        as_rgb(np.zeros((4, 4, 4), np.uint8))


@pytest.mark.parametrize(
    ("frames", "count", "picked"),
    [
        (101, 5, (0, 25, 50, 75, 100)),
        (5, 12, (0, 1, 2, 3, 4)),
        (1, 12, (0,)),
        (100, 1, (0,)),
        (10, 4, (0, 3, 6, 9)),
        (2, 2, (0, 1)),
    ],
)
def test_evenly_spaced_frames(frames, count, picked):
    assert evenly_spaced(frames, count) == picked


def test_spacing_is_even_for_every_length():
    for frames in range(12, 200):
        picked = evenly_spaced(frames, 12)
        steps = np.diff(picked)
        assert (len(picked), picked[0], picked[-1]) == (12, 0, frames - 1)
        assert steps.max() - steps.min() <= 1


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_a_sheet_shows_the_frames_of_its_moments(tmp_path, batch):
    path = tmp_path / "new folder" / "sheet.png"
    lead = [("photo", np.full((30, 60, 3), 222, np.uint8)), ("drawing", np.full((50, 50), 111, np.uint8))]
    with ContactSheet(path, frames=100, fps=25, cells=10, cell=40, lead=lead) as sheet:
        for start in range(0, 100, batch):
            sheet.write(shades(100)[start : start + batch])
        assert not path.exists()
    with Image.open(path) as picture:
        result = np.asarray(picture)
    assert result.shape == (2 * (40 + 18 + 6) + 6, 6 * 46 + 6, 3)
    centres = [int(result[26 + 64 * (cell // 6), 26 + 46 * (cell % 6), 0]) for cell in range(12)]
    assert centres == [222, 111, *(2 * number for number in (0, 11, 22, 33, 44, 55, 66, 77, 88, 99))]
    assert [path.name for path in path.parent.iterdir()] == ["sheet.png"]


def test_captions_tell_the_second(tmp_path, monkeypatch):
    texts = []
    monkeypatch.setattr(
        "lightning_modules.pipeline.contact_sheet.captioned", lambda image, text: texts.append(text) or image
    )
    with ContactSheet(tmp_path / "a.jpg", frames=60, fps=29.97, indices=[59, 0, 30]) as sheet:
        sheet.write(shades(60))
    assert texts == ["0.00 s", "1.00 s", "1.97 s"]


def test_a_sheet_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "sheet.png"
    path.write_bytes(b"an earlier sheet")

    def break_off() -> None:
        with ContactSheet(path, frames=10, fps=25) as sheet:
            sheet.write(shades(10))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert path.read_bytes() == b"an earlier sheet"
    assert list(tmp_path.iterdir()) == [path]


def test_a_sheet_keeps_only_what_it_shows(tmp_path):
    frames = np.zeros((50, 256, 256, 1), np.uint8)
    with ContactSheet(tmp_path / "a.png", frames=2000, fps=25, cells=8, cell=64) as sheet:
        sheet.write(frames)
        tracemalloc.start()
        for _ in range(39):
            sheet.write(frames)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    assert held < 8 * 3 * 64 * (64 + 18) * 2


@pytest.mark.parametrize(
    ("name", "found"), [("a.gif", "cannot be written"), ("a", "no ending"), ("input.png", "also an input")]
)
def test_a_sheet_that_cannot_be_written_is_refused_at_once(tmp_path, monkeypatch, name, found):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match=found):
        ContactSheet(name, frames=10, fps=25, inputs=["input.png"])


def test_pictures_are_saved_as_they_are(tmp_path, astronaut):
    for number, picture in enumerate([astronaut, astronaut[..., 0], astronaut[..., :1]]):
        path = tmp_path / f"{number}.png"
        save_image(path, picture)
        with Image.open(path) as saved:
            assert np.array_equal(np.asarray(saved), picture if number == 0 else astronaut[..., 0])
    save_image(tmp_path / "a.jpg", astronaut)
    with Image.open(tmp_path / "a.jpg") as saved:
        assert np.abs(np.asarray(saved).astype(int) - astronaut).mean() < 4
    with pytest.raises(OutputError, match="this kind of image"):
        save_image(tmp_path / "a.bmp", astronaut)
