from __future__ import annotations

import dataclasses

import pytest
import torch
from tiny_gan import SIZE, make_batch, template

from lightning_modules.geometry.flow_map import interpolated_flow_map
from lightning_modules.geometry.rasters import landmark_discs
from lightning_modules.geometry.sampling import identity_map, normalize_map
from lightning_modules.geometry.spline import spline_flow, warp_image
from lightning_modules.portrait_gan_inputs import Blending, InputRecipe, PortraitInputs, blend, regressed_flow


def still(batch):
    """The same with targets at the photo's landmarks."""
    return dataclasses.replace(batch, target_landmarks=batch.landmarks[:, None].repeat(1, 2, 1, 1))


def test_both_targets_are_stacked_target_by_target():
    batch = make_batch(3)
    inputs, _, _ = PortraitInputs().derive(batch)
    for target in (0, 1):
        for index in range(3):
            wanted = batch.target_landmarks[index, target][None]
            stacked = target * 3 + index
            discs = landmark_discs(wanted, SIZE, 1, value_range=(-1.0, 1.0))
            assert torch.equal(inputs.target_landmark_image[stacked], discs[0])
            grid = normalize_map(interpolated_flow_map(batch.landmarks[index : index + 1], wanted, SIZE), SIZE)
            assert torch.allclose(inputs.grid_b[stacked], grid[0], atol=1e-5)
    source = landmark_discs(batch.landmarks, SIZE, 1, value_range=(-1.0, 1.0))
    assert torch.equal(inputs.source_landmark_image, source)


def test_warps_are_the_splines_of_the_losses():
    batch = make_batch(2)
    _, warps, _ = PortraitInputs().derive(batch)
    first, second = batch.target_landmarks.unbind(1)
    assert torch.allclose(warps.content, spline_flow(batch.landmarks, first, SIZE), atol=2e-3)
    assert torch.allclose(warps.coherence, spline_flow(first, second, SIZE), atol=2e-3)


def test_the_person_stands_on_white_and_comes_back_by_equation_one():
    batch = still(make_batch(2))
    inputs, _, blending = PortraitInputs().derive(batch)
    assert torch.allclose(inputs.photo, batch.photo * batch.matte + 1 - batch.matte, atol=1e-6)
    assert torch.allclose(blending.foreground[:2], batch.matte, atol=1e-4)  # nothing moves, so nor does the mask
    assert torch.allclose(blending.background[2:], batch.static_drawing * (1 - batch.matte) + batch.matte, atol=1e-6)
    drawing = torch.full((4, 1, SIZE, SIZE), -1.0)
    blended = blend(drawing, blending)
    inside, outside = batch.matte.repeat(2, 1, 1, 1) == 1, batch.matte.repeat(2, 1, 1, 1) == 0
    assert torch.allclose(blended[inside], drawing[inside], atol=1e-3)
    assert torch.allclose(blended[outside], batch.static_drawing.repeat(2, 1, 1, 1)[outside], atol=1e-3)


def test_equation_one_is_the_same_in_both_ranges():
    drawing, background, mask = torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4)
    unit = drawing * mask + background * (1 - mask)
    assert torch.allclose(blend(drawing * 2 - 1, Blending(mask, background * 2 - 1)), unit * 2 - 1, atol=1e-6)


def test_without_separation_nothing_is_painted_or_blended():
    batch = make_batch(1)
    inputs, _, blending = PortraitInputs(separate_foreground=False).derive(batch)
    assert blending is None
    assert torch.equal(inputs.photo, batch.photo)


def test_the_published_recipe():
    batch = make_batch(2)
    inputs, _, blending = PortraitInputs(InputRecipe.official()).derive(batch)
    hard = (batch.matte > 0.5).float()
    assert torch.allclose(inputs.photo, batch.photo * hard + 1 - hard, atol=1e-6)
    assert torch.equal(blending.background[:2], batch.static_drawing)
    second = batch.target_landmarks[:, 1]
    assert torch.allclose(blending.foreground[2:], warp_image(hard, batch.landmarks, second), atol=1e-2)
    corners = interpolated_flow_map(batch.landmarks, batch.target_landmarks[:, 0], SIZE, anchors="official")
    assert torch.allclose(inputs.grid_b[:2], normalize_map(corners, SIZE), atol=1e-5)
    window = PortraitInputs(InputRecipe.official()).face_window(batch.landmarks, 256)
    assert window.tolist() == [pytest.approx([38.4, 51.2, 179.2])]


def test_without_flow_regression_map_b_takes_its_place():
    batch = make_batch(1)
    inputs, _, _ = PortraitInputs().derive(batch)
    position = inputs.flow_a.movedim(1, -1) + identity_map(SIZE)
    assert torch.allclose(normalize_map(position, SIZE), inputs.grid_b, atol=1e-5)
    assert inputs.validity_a.min() == inputs.validity_a.max() == 1


def test_a_flow_network_of_256_pixels_serves_other_sizes():
    """A network that scales the picture by 2 about its corner: the same flow, in other pixels."""
    seen = []

    def network(source, target):
        seen.append(source)
        own = identity_map(256).movedim(-1, 1)
        return (own + 0.5).expand(len(source), -1, -1, -1), torch.ones(len(source), 1, 256, 256)

    points = template()[None]
    flow, validity = regressed_flow(network, points, points, SIZE)
    assert torch.allclose(seen[0], (points + 0.5) * 8 - 0.5)
    assert flow.shape == (1, 2, SIZE, SIZE)
    assert validity.shape == (1, 1, SIZE, SIZE)
    assert torch.allclose(flow, identity_map(SIZE).movedim(-1, 1) + 0.5, atol=1e-3)


def test_inputs_are_float32_without_gradient_also_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        inputs, warps, blending = PortraitInputs().derive(make_batch(1))
    for value in (*inputs.arguments, *warps, *blending):
        assert value.dtype == torch.float32
        assert not value.requires_grad
