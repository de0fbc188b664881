from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from lightning_modules.drawing.image_filters import (
    gaussian_blur,
    gaussian_weights,
    maximum_3x3,
    minimum_3x3,
    pixel_grid,
    pixel_steps,
    ramp,
    read_at,
    resized,
    scharr_gradient,
    wide_gaussian_blur,
)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.7])
def test_gaussian_weights_sum_to_one_over_both_halves(sigma):
    half = gaussian_weights(sigma, 6)
    assert half[0] + 2 * sum(half[1:]) == pytest.approx(1.0, abs=1e-12)
    assert half[1] / half[0] == pytest.approx(math.exp(-0.5 / sigma**2), rel=1e-12)


@pytest.mark.parametrize("sigma", [0.8, 2.0, 3.3])
def test_gaussian_blur_agrees_with_scipy(sigma):
    picture = torch.rand(2, 3, 40, 53)
    radius = max(1, math.ceil(3 * sigma))
    expected = np.stack(
        [
            [ndimage.gaussian_filter(c.astype(np.float64), sigma, mode="nearest", radius=radius) for c in image]
            for image in picture.numpy()
        ]
    )
    np.testing.assert_allclose(gaussian_blur(picture, sigma).numpy(), expected, atol=2e-6)
    assert gaussian_blur(picture, 0.0) is picture


def test_wide_blur_is_close_to_the_exact_one():
    picture = gaussian_blur(torch.rand(1, 1, 200, 160), 4.0)
    picture = (picture - picture.amin()) / (picture.amax() - picture.amin())
    difference = (wide_gaussian_blur(picture, 12.0) - gaussian_blur(picture, 12.0)).abs()
    assert difference[..., 40:-40, 40:-40].max() < 0.004
    # At the border the mean of four pixels is repeated instead of the last one.
    assert difference.max() < 0.08
    assert wide_gaussian_blur(picture, 12.0).std() > 0.02


def test_scharr_is_exact_on_a_plane():
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(31.0), indexing="ij")
    along_x, along_y = scharr_gradient((0.25 * x - 0.5 * y)[None, None])
    torch.testing.assert_close(along_x[..., 1:-1, 1:-1], torch.full((1, 1, 18, 29), 0.25))
    torch.testing.assert_close(along_y[..., 1:-1, 1:-1], torch.full((1, 1, 18, 29), -0.5))


def test_extrema_agree_with_scipy():
    picture = torch.rand(1, 1, 17, 23)
    np.testing.assert_array_equal(
        maximum_3x3(picture)[0, 0].numpy(), ndimage.maximum_filter(picture[0, 0].numpy(), 3, mode="nearest")
    )
    np.testing.assert_array_equal(
        minimum_3x3(picture)[0, 0].numpy(), ndimage.minimum_filter(picture[0, 0].numpy(), 3, mode="nearest")
    )


def test_reading_one_pixel_to_the_right():
    picture = torch.rand(1, 2, 9, 14)
    step = torch.tensor([1.0, 0.0]) * pixel_steps(picture)
    moved = read_at(picture, pixel_grid(picture) + step)
    torch.testing.assert_close(moved[..., :-1], picture[..., 1:], atol=1e-5, rtol=0)
    torch.testing.assert_close(moved[..., -1], picture[..., -1], atol=1e-5, rtol=0)


def test_resized_keeps_the_mean_and_the_same_size_is_untouched():
    picture = torch.rand(1, 1, 60, 80)
    assert resized(picture, (60, 80)) is picture
    assert resized(picture, (30, 40), "area").mean() == pytest.approx(float(picture.mean()), abs=1e-6)
    assert resized(picture, (120, 160)).shape == (1, 1, 120, 160)


def test_ramp_values():
    values = torch.tensor([-1.0, 0.2, 0.3, 0.4, 2.0])
    torch.testing.assert_close(ramp(values, 0.2, 0.4), torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0]), atol=1e-6, rtol=0)
