"""The head is taken out of the photo smoothly, and what is known stays as it is."""

from __future__ import annotations

import torch

from lightning_modules.pipeline.inpainting import covered_region, dilate, fill_smoothly, without_foreground


def test_known_pixels_are_untouched() -> None:
    image = torch.rand(2, 3, 37, 50, generator=torch.Generator().manual_seed(0))
    known = (torch.rand(2, 1, 37, 50, generator=torch.Generator().manual_seed(1)) > 0.3).float()
    filled = fill_smoothly(image, known)
    assert torch.equal(filled * known, image * known)


def test_a_constant_photo_is_filled_with_its_constant() -> None:
    known = torch.ones(1, 1, 33, 47)
    known[..., 5:30, 10:40] = 0
    filled = fill_smoothly(torch.full((1, 3, 33, 47), 0.37) * known, known)
    assert torch.allclose(filled, torch.full_like(filled, 0.37), atol=1e-6)


def test_filling_stays_within_the_range_of_what_is_known() -> None:
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(2)) * 0.5 + 0.25
    known = torch.ones(1, 1, 64, 64)
    known[..., 16:48, 16:48] = 0
    filled = fill_smoothly(image * known, known)
    assert filled.min() >= 0.25 - 1e-6
    assert filled.max() <= 0.75 + 1e-6


def test_filling_is_smooth() -> None:
    # Left half black, right half white, a hole over the border: the step across the hole is spread over it.
    image = torch.zeros(1, 1, 64, 64)
    image[..., 32:] = 1.0
    known = torch.ones(1, 1, 64, 64)
    known[..., 16:48, 16:48] = 0
    row = fill_smoothly(image * known, known)[0, 0, 32]
    assert (row[1:] - row[:-1]).abs().max() < 0.2
    assert (image[0, 0, 32, 1:] - image[0, 0, 32, :-1]).abs().max() == 1.0


def test_nothing_known_gives_zero() -> None:
    assert torch.equal(fill_smoothly(torch.rand(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)), torch.zeros(1, 3, 8, 8))


def test_dilate_by_hand() -> None:
    mask = torch.zeros(1, 1, 7, 7)
    mask[..., 3, 3] = 1
    assert dilate(mask, 2).sum() == 25
    assert torch.equal(dilate(mask, 0), mask)
    grey = torch.rand(1, 2, 9, 12)
    assert torch.equal(dilate(grey, 3), torch.nn.functional.max_pool2d(grey, 7, stride=1, padding=3))


def test_the_person_leaves_no_trace() -> None:
    photo = torch.full((1, 3, 100, 100), 0.8)
    matte = torch.zeros(1, 1, 100, 100)
    matte[..., 30:70, 30:70] = 1
    photo[..., 29:71, 29:71] = 0.1  # the dark person is a pixel larger than the matte
    empty = without_foreground(photo, covered_region(matte))
    assert torch.allclose(empty, torch.full_like(empty, 0.8), atol=1e-5)
