from __future__ import annotations

import numpy as np
import pytest

from lightning_modules.geometry.alignment import PortraitFrame, crop, paste_back, portrait_frame, to_crop, to_photo


def blob(height, width, x, y, sigma):
    """White dot of width sigma, float32 in [0, 1], on black."""
    rows, columns = np.mgrid[:height, :width]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)).astype(np.float32)


def centroid(image):
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    weight = image.astype(np.float64)
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


def test_box_arithmetic_by_hand():
    # 101 x 121 pixels; int(1.2 * 101) = 121; round(121 / 0.7) = 173; centre (150, 160)
    assert PortraitFrame.from_box(100, 100, 200, 220) == PortraitFrame(left=150 - 86, top=160 - 95, side=173)
    # 200 x 180; 216; 309 (308.57); centre (110, 120) from odd left; 11 * 309 // 20 = 169
    assert PortraitFrame.from_box(10, 30, 209, 209) == PortraitFrame(left=110 - 154, top=120 - 169, side=309)
    with pytest.raises(ValueError, match="empty"):
        PortraitFrame.from_box(10, 10, 5, 20)


def test_box_puts_the_face_square_where_the_paper_says():
    frame = PortraitFrame.from_box(1000, 1000, 1999, 1999)  # 1000 px, face square 1200 px around the centre
    assert (1500 - 600 - frame.left) / frame.side == pytest.approx(0.15, abs=1e-3)
    assert (1500 + 600 - frame.left) / frame.side == pytest.approx(0.85, abs=1e-3)
    assert (1500 - 600 - frame.top) / frame.side == pytest.approx(0.20, abs=1e-3)
    assert (1500 + 600 - frame.top) / frame.side == pytest.approx(0.90, abs=1e-3)


def test_frame_of_a_frontal_face(symmetric_face):
    photo = symmetric_face * 3.7 + (413, 222)
    inside = to_crop(photo, portrait_frame(photo), 1000)
    assert np.ptp(inside[:, 0]) == pytest.approx(550, abs=3)
    assert inside[:, 1].max() == pytest.approx(870, abs=3)
    assert (inside[:, 0].min() + inside[:, 0].max()) / 2 == pytest.approx(499.5, abs=2)


def test_frame_does_not_shrink_with_yaw(symmetric_face):
    def side(width_share):
        turned = symmetric_face * (width_share * 8, 8)
        return portrait_frame(turned).side

    straight = side(1.0)
    assert side(0.95) == pytest.approx(straight, rel=0.06)
    assert side(0.5) == side(0.3)  # the height decides: a profile keeps the size of the head
    assert side(0.3) > 0.85 * straight
    assert 0.3 * straight < 0.5 * side(0.3)  # the width alone would have shrunk it


def test_frame_follows_translation_exactly(symmetric_face):
    at = portrait_frame(symmetric_face)
    assert portrait_frame(symmetric_face + np.array((31, -17))) == PortraitFrame(at.left + 31, at.top - 17, at.side)
    with_depth = np.concatenate((symmetric_face, np.full((68, 1), 1e4)), axis=1)
    assert portrait_frame(with_depth) == at


@pytest.mark.parametrize(
    "points", [np.zeros((68, 2)), np.zeros((67, 2)), np.full((68, 3), np.nan), np.zeros((1, 68, 2))]
)
def test_frame_rejects_what_is_no_face(points):
    with pytest.raises(ValueError, match="landmarks"):
        portrait_frame(points)


@pytest.mark.parametrize(("side", "size"), [(200, 256), (200, 512), (256, 256), (400, 256), (512, 256), (777, 256)])
def test_a_dot_lands_where_its_landmark_lands(side, size):
    frame = PortraitFrame(-20, 37, side)
    spot = np.array([[0.43 * side - 20 + 0.3, 0.61 * side + 37 - 0.2]], np.float32)
    photo = blob(900, 800, *spot[0], sigma=max(2.0, 3 * side / size))
    seen = centroid(crop(photo, frame, size, fill=0))
    assert np.abs(seen - to_crop(spot, frame, size)[0]).max() < 0.1
    if side != size:  # the convention without half pixels would miss by more than the tolerance
        assert np.abs(seen - (spot[0] - (frame.left, frame.top)) * size / side).max() > 0.1


def test_landmarks_there_and_back_and_by_hand():
    frame = PortraitFrame(10, 20, 100)
    points = np.array([[9.5, 19.5, 4.0], [109.5, 119.5, -2.0], [59.5, 69.5, 0.0]])  # frame corners and centre
    inside = to_crop(points, frame, 50)
    assert np.array_equal(inside, [[-0.5, -0.5, 2.0], [49.5, 49.5, -1.0], [24.5, 24.5, 0.0]])
    assert np.array_equal(to_photo(inside, frame, 50), points)
    track = np.random.default_rng(0).uniform(0, 256, (7, 68, 3)).astype(np.float32)
    back = to_crop(to_photo(track, frame, 256), frame, 256)
    assert back.dtype == np.float32
    assert np.abs(back - track).max() < 1e-4


def test_crop_fills_outside_with_white_or_any_colour(astronaut):
    frame = PortraitFrame(-40, 450, 100)
    cut = crop(astronaut, frame, 100)
    assert (cut[:, :40] == 255).all()
    assert (cut[62:] == 255).all()
    assert np.array_equal(cut[:62, 40:], astronaut[450:512, :60])
    tinted = crop(astronaut, frame, 100, fill=(1, 2, 3))
    assert (tinted[0, 0] == (1, 2, 3)).all()
    assert (crop(astronaut, PortraitFrame(600, -900, 30), 20) == 255).all()


def test_crop_keeps_type_and_range(astronaut):
    grey = astronaut[..., 0].astype(np.float32) / 255
    large = crop(grey, PortraitFrame(150, 30, 90), 256, fill=1.0)
    assert large.shape == (256, 256)
    assert large.dtype == np.float32
    assert large.min() >= grey.min()
    assert large.max() <= 1.0
    assert crop(grey[..., None], PortraitFrame(0, 0, 512), 64).shape == (64, 64, 1)
    # area average: the mean of the picture survives an exact reduction
    assert crop(grey, PortraitFrame(0, 0, 512), 64).mean() == pytest.approx(grey.mean(), abs=1e-5)
    with pytest.raises(ValueError, match="uint8 or float"):
        crop(grey.astype(np.int32), PortraitFrame(0, 0, 9), 9)


@pytest.mark.parametrize("feather", [0.0, 7.5])
@pytest.mark.parametrize(
    "frame", [PortraitFrame(130, 20, 256), PortraitFrame(-60, -30, 300), PortraitFrame(400, 380, 256)]
)
def test_unchanged_crop_pastes_back_bit_for_bit(astronaut, frame, feather):
    for photo in (astronaut, astronaut[..., 1], astronaut.astype(np.float32) / 255):
        original = photo.copy()
        pasted = paste_back(photo, crop(photo, frame, frame.side), frame, feather)
        assert np.array_equal(pasted, photo)
        assert pasted is not photo
        assert np.array_equal(photo, original)


def test_changed_crop_replaces_only_its_frame(astronaut):
    frame = PortraitFrame(450, 470, 100)
    pasted = paste_back(astronaut, np.zeros((100, 100), np.uint8), frame)
    assert (pasted[470:, 450:] == 0).all()
    pasted[470:, 450:] = astronaut[470:, 450:]
    assert np.array_equal(pasted, astronaut)
    aside = PortraitFrame(900, 900, 50)
    assert np.array_equal(paste_back(astronaut, np.zeros((10, 10, 3), np.uint8), aside), astronaut)


def test_resized_patch_and_channels(astronaut):
    frame = PortraitFrame(100, 50, 128)
    patch = np.full((64, 64, 1), 77, np.uint8)
    assert (paste_back(astronaut, patch, frame)[50:178, 100:228] == 77).all()
    grey = astronaut[..., 0]
    assert (paste_back(grey, patch, frame)[50:178, 100:228] == 77).all()
    with pytest.raises(ValueError, match="paste"):
        paste_back(grey, np.zeros((64, 64, 3), np.uint8), frame)
    with pytest.raises(ValueError, match="paste"):
        paste_back(astronaut, np.zeros((64, 64, 3), np.float32), frame)


def test_feather_ramps_by_hand_and_not_at_the_border_of_the_photo():
    canvas = np.zeros((40, 40), np.float64)
    inner = paste_back(canvas, np.ones((20, 20)), PortraitFrame(10, 10, 20), feather=4)
    assert inner[20, 10:15].tolist() == [0.125, 0.375, 0.625, 0.875, 1.0]
    assert inner[20, 29] == 0.125
    assert inner[10, 10] == 0.125**2
    at_border = paste_back(canvas, np.ones((20, 20)), PortraitFrame(0, 10, 20), feather=4)
    assert at_border[20, 0] == 1.0
    assert at_border[20, 19] == 0.125
