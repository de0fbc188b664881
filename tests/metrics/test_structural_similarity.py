"""Structural similarity against torchmetrics, by both ways of taking the window's mean."""

from __future__ import annotations

import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from lightning_modules.metrics.structural_similarity import (
    _window_mean,
    _window_mean_anywhere,
    similarity_map,
    structural_similarity,
)


@pytest.fixture
def pictures():
    return torch.rand(3, 1, 24, 30, dtype=torch.float64)


def test_every_pixel_is_that_of_torchmetrics(pictures):
    _, expected = structural_similarity_index_measure(
        pictures[:1], pictures[1:2], data_range=1.0, return_full_image=True
    )
    found = similarity_map(pictures[:1], pictures[1:2])
    assert torch.allclose(found, expected, atol=1e-12)
    assert float(found.std()) > 0.05
    assert float(structural_similarity(pictures[:1], pictures[1:2])) == pytest.approx(float(expected.mean()), abs=1e-12)


def test_other_devices_take_the_same_mean(pictures):
    assert torch.allclose(_window_mean(pictures), _window_mean_anywhere(pictures), atol=1e-14)


def test_pairs_do_not_touch_each_other(pictures):
    found = structural_similarity(pictures, pictures.flip(0))
    assert float(found[1]) == pytest.approx(1, abs=1e-12)
    assert float(found[0]) == pytest.approx(float(found[2]), abs=1e-12)
    assert float(found[0]) < 0.5


@pytest.mark.parametrize("shape", [(1, 3, 16, 16), (1, 1, 10, 16), (16, 16)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="from 11 x 11"):
        similarity_map(torch.zeros(shape), torch.zeros(shape))
