"""Views look where the identity loss looks; jitter moves them as it says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from datamodules.face_warp import NO_WARP, VIEW_SIZE, WarpSettings, view_map
from datamodules.synthetic.faces import in_crop, template
from lightning_modules.errors import ConfigError
from lightning_modules.losses.face_window import face_square
from lightning_modules.losses.identity import FEATURE_SIZE, identity_crop

FACE = in_crop(template(), 256)[:, :2]


def random(seed=0):
    return np.random.default_rng(seed)


def mean_map(**settings):
    """The map without its random field, with every draw at its upper end."""

    class Upper:
        def uniform(self, low, high, size):
            return np.full(size, high, np.float64)

        def normal(self, size):
            return np.zeros(size)

    return view_map(Upper(), FACE, 256, WarpSettings(**dict.fromkeys(vars(NO_WARP), 0) | settings))


def test_without_jitter_a_view_is_the_crop_of_the_identity_loss():
    assert VIEW_SIZE == FEATURE_SIZE
    plane = cv2.GaussianBlur(random().integers(0, 256, (256, 256), dtype=np.uint8), (0, 0), 2.0)
    x, y = view_map(random(), FACE, 256, NO_WARP)
    view = cv2.remap(plane.astype(np.float32), x, y, cv2.INTER_LINEAR)
    drawing = torch.from_numpy(plane.astype(np.float32))[None, None] / 127.5 - 1
    crop = identity_crop(drawing, face_square(256, drawing))[0, 0]
    assert np.abs(view / 127.5 - 1 - crop.numpy()).max() < 0.02  # OpenCV reads at 1/32 pixel
    assert (float(x[0, 0]), float(y[0, 0])) == pytest.approx((0.15 * 256, 0.20 * 256), abs=1e-4)
    assert (float(x[0, -1]), float(y[-1, 0])) == pytest.approx((0.85 * 256 - 1, 0.90 * 256 - 1), abs=1e-4)


def test_the_window_moves_by_what_was_asked():
    plain, side = mean_map(), 0.7 * 256
    x, y = mean_map(shift=0.1)
    assert np.abs(x - plain[0] - 0.1 * side).max() < 1e-4
    assert np.abs(y - plain[1] - 0.1 * side).max() < 1e-4
    wide = mean_map(scale=0.25)[0]
    assert (wide[0, -1] - wide[0, 0]) / (plain[0][0, -1] - plain[0][0, 0]) == pytest.approx(1.25, rel=1e-5)
    x, y = mean_map(turn=10.0)
    edge = np.array((x[0, -1] - x[0, 0], y[0, -1] - y[0, 0]))
    assert np.rad2deg(np.arctan2(edge[1], edge[0])) == pytest.approx(10.0, abs=1e-3)


def test_the_jaw_drops_and_the_eyes_stay():
    plain, opened = mean_map(), mean_map(mouth=0.2)
    unit = float(np.linalg.norm(FACE[45] - FACE[36]))

    def moved(point):
        """By how much what is at a point of the frame has moved down in the view, pixels of the frame."""
        distance = (plain[0] - point[0]) ** 2 + (plain[1] - point[1]) ** 2
        place = np.unravel_index(distance.argmin(), distance.shape)
        return float(plain[1][place] - opened[1][place])

    assert moved(0.5 * (FACE[57] + FACE[8])) == pytest.approx(0.2 * unit, rel=0.06)
    assert abs(moved(FACE[40])) < 0.02 * unit
    assert moved(FACE[51]) < 0.2 * unit * 0.75
    assert (np.diff(opened[1], axis=0) > 0).all()  # nothing is folded over


def test_the_same_numbers_give_the_same_view_and_nothing_folds():
    strong = WarpSettings()
    first, second = view_map(random(3), FACE, 256, strong), view_map(random(3), FACE, 256, strong)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    for seed in range(40):
        x, y = view_map(random(seed), FACE, 256, strong)
        inside = slice(8, -8)
        area = np.gradient(x, axis=1) * np.gradient(y, axis=0) - np.gradient(x, axis=0) * np.gradient(y, axis=1)
        assert (area[inside, inside] > 0.2).all()


def test_what_is_out_of_range_is_refused():
    with pytest.raises(ConfigError, match=r"shift -0\.1"):
        WarpSettings(shift=-0.1)
    with pytest.raises(ConfigError, match=r"less than 0\.5"):
        WarpSettings(scale=0.5)
