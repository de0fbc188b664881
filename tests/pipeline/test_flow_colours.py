"""Colours of flow maps: hue is direction, strength is length."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from lightning_modules.pipeline.flow_colours import flow_colours


def test_directions_have_the_colours_that_are_promised():
    flow = np.array([[[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0], [0.0, 0.0]]])
    right, down, left, up, still = flow_colours(flow)[0].tolist()
    assert right == [255, 0, 0]
    assert down == [128, 255, 0]
    assert left == [0, 255, 255]
    assert up == [128, 0, 255]
    assert still == [255, 255, 255]


def test_strength_is_length_over_the_longest():
    flow = np.array([[[1.0, 0.0], [4.0, 0.0], [9.0, 0.0]]])
    assert flow_colours(flow, longest=4.0)[0, :, 1].tolist() == [191, 0, 0]  # 255 (1 - 1/4), then full
    assert flow_colours(flow)[0, :, 1].tolist() == [227, 142, 0]


def test_it_agrees_with_the_standard_library():
    flow = np.random.default_rng(0).normal(size=(5, 7, 2))
    found = flow_colours(flow, longest=2.0)
    for (y, x), length in np.ndenumerate(np.hypot(flow[..., 0], flow[..., 1])):
        hue = np.arctan2(flow[y, x, 1], flow[y, x, 0]) / (2 * np.pi) % 1
        wanted = np.array(colorsys.hsv_to_rgb(hue, min(length / 2, 1), 1)) * 255
        np.testing.assert_allclose(found[y, x], wanted, atol=0.51)


def test_a_still_map_is_white_and_what_is_not_known_is_grey():
    assert (flow_colours(np.zeros((3, 4, 2))) == 255).all()
    flow = np.zeros((1, 2, 2))
    flow[0, 0, 1] = np.nan
    assert flow_colours(flow)[0].tolist() == [[128, 128, 128], [255, 255, 255]]
    with pytest.raises(ValueError, match=r"is \(H, W, 2\)"):
        flow_colours(np.zeros((3, 4)))
