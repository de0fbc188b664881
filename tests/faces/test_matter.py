"""Mattes: range, size, symmetry, agreement with a known outline, and what the guided filter does."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_modules.errors import ConfigError
from lightning_modules.faces.guided_filter import guided_filter
from lightning_modules.faces.matter import face_coverage, make_matter, without_specks_and_holes


@pytest.fixture(scope="module")
def matter():
    return make_matter("selfie")


def test_none_is_all_ones():
    matte = make_matter("none").matte(np.zeros((30, 50, 3), np.uint8))
    assert matte.shape == (30, 50)
    assert matte.dtype == np.float32
    assert np.all(matte == 1)


@pytest.mark.parametrize("size", [(240, 240), (90, 140), (700, 500), (1300, 900)])
def test_range_and_size(matter, portrait, size):
    import cv2

    matte = matter.matte(cv2.resize(portrait, size[::-1], interpolation=cv2.INTER_CUBIC))
    assert matte.shape == size
    assert matte.dtype == np.float32
    assert matte.min() >= 0
    assert matte.max() <= 1
    height, width = size
    assert matte[int(0.55 * height), int(0.48 * width)] > 0.95  # nose
    assert matte[int(0.95 * height), int(0.45 * width)] > 0.95  # suit


def test_the_face_is_covered_and_plain_background_is_not(matter, astronaut, portrait_face):
    matte = matter.matte(astronaut)
    landmarks = portrait_face.landmarks + np.array([105, 0, 0], dtype=np.float32)
    assert face_coverage(matte, landmarks) > 0.97
    assert matte[5:60, 5:60].mean() < 0.05  # the flag is farther off, left above
    assert face_coverage(np.zeros_like(matte), landmarks) == 0
    assert face_coverage(np.ones_like(matte), landmarks) == 1


def test_a_known_outline(matter, astronaut):
    """The matted person on a flat colour, matted again: the same outline comes back."""
    first = matter.matte(astronaut)
    flat = (astronaut * first[..., None] + np.array([40, 90, 160]) * (1 - first[..., None])).astype(np.uint8)
    second = matter.matte(flat)
    both, either = ((first > 0.5) & (second > 0.5)).sum(), ((first > 0.5) | (second > 0.5)).sum()
    assert both / either > 0.94


def test_mirror_symmetry(matter, portrait):
    direct, mirrored = matter.matte(portrait), matter.matte(np.ascontiguousarray(portrait[:, ::-1]))
    assert np.abs(direct - mirrored[:, ::-1]).mean() < 0.004


def test_a_small_person_is_looked_at_again(matter, portrait):
    """In the lower middle of a wide grey picture, the person is outlined as sharply as alone."""
    wide = np.full((600, 1000, 3), 150, np.uint8)
    wide[360:600, 380:620] = portrait
    alone, inside = matter.matte(portrait), matter.matte(wide)[360:600, 380:620]
    assert np.abs((alone > 0.5).astype(float) - (inside > 0.5)).mean() < 0.08


def test_nobody_there(matter):
    matte = matter.matte(np.full((200, 300, 3), 120, np.uint8))
    assert matte.max() < 0.5


def test_unknown_matters():
    with pytest.raises(ConfigError, match="choose one of selfie, none, modnet, modnet-256"):
        make_matter("sketch")
    with pytest.raises(ConfigError, match="no option speed"):
        make_matter("none", speed=1)


def test_specks_go_and_holes_close():
    matte = np.zeros((100, 100), np.float32)
    matte[20:80, 20:80] = 0.9  # the person, 3600 px
    matte[18:20, 20:80] = 0.3  # a soft rim
    matte[40:45, 40:45] = 0.2  # a hole, 25 px
    matte[60:75, 30:60] = 0.1  # a large gap, as between arm and body
    matte[5:9, 5:9] = 0.8  # a speck
    matte[4, 4:9] = 0.3  # its rim
    matte[85:99, 85:99] = 0.7  # another person, 196 px
    cleaned = without_specks_and_holes(matte)
    assert np.all(cleaned[40:45, 40:45] == 1)
    assert np.all(cleaned[:15, :15] == 0)
    untouched = np.ones_like(matte, dtype=bool)
    untouched[40:45, 40:45] = untouched[:15, :15] = False
    assert np.array_equal(cleaned[untouched], matte[untouched])
    assert matte[5, 5] == np.float32(0.8)  # the argument is left alone
    assert not without_specks_and_holes(np.zeros((9, 9), np.float32)).any()


def windows_mean(values: np.ndarray, radius: int) -> np.ndarray:
    around = ((radius, radius), (radius, radius)) + ((0, 0),) * (values.ndim - 2)
    padded = np.pad(values, around, mode="symmetric")
    total = np.zeros_like(values)
    for row in range(2 * radius + 1):
        for column in range(2 * radius + 1):
            total += padded[row : row + values.shape[0], column : column + values.shape[1]]
    return total / (2 * radius + 1) ** 2


def test_guided_filter_against_the_formula():
    """Equations 19 to 21 of the paper written out in float64, with a solver in place of cofactors."""
    rng = np.random.default_rng(0)
    guide = windows_mean(rng.random((40, 30, 3)), 2)
    values = (guide[..., 0] > 0.5).astype(float)
    radius, ridge = 3, 1e-3
    mean_guide, mean_values = windows_mean(guide, radius), windows_mean(values, radius)
    outer = (guide[..., :, None] * guide[..., None, :]).reshape(40, 30, 9)
    covariance = windows_mean(outer, radius).reshape(40, 30, 3, 3) - mean_guide[..., :, None] * mean_guide[..., None, :]
    with_values = windows_mean(guide * values[..., None], radius) - mean_guide * mean_values[..., None]
    slope = np.linalg.solve(covariance + ridge * np.eye(3), with_values[..., None])[..., 0]
    offset = mean_values - (slope * mean_guide).sum(-1)
    expected = (windows_mean(slope, radius) * guide).sum(-1) + windows_mean(offset, radius)
    found = guided_filter(guide.astype(np.float32), values.astype(np.float32), radius, ridge)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 2e-5


def test_guided_filter_moves_an_edge_to_the_guide():
    guide = np.zeros((64, 64, 3), np.float32)
    guide[:, 30:] = (0.9, 0.2, 0.4)
    ramp = np.tile(np.clip((np.arange(64) - 22) / 16, 0, 1), (64, 1)).astype(np.float32)
    found = guided_filter(guide, ramp, 10, 1e-4)
    before, after = ramp[32, 30] - ramp[32, 29], found[32, 30] - found[32, 29]
    assert after > 5 * before
    large = guided_filter(guide, ramp, 10, 1e-4, np.repeat(np.repeat(guide, 2, axis=0), 2, axis=1))
    assert large.shape == (128, 128)
    assert large[64, 60] - large[64, 59] > 5 * before
    with pytest.raises(ValueError, match="does not fit"):
        guided_filter(guide, ramp[:10], 3, 1e-3)
