"""The light flow network: without what it learns it is a spline; its answer has the shape of the published ones."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.errors import ConfigError
from lightning_modules.export.network_file import load_network, save_network
from lightning_modules.geometry.spline import SplineBasis
from lightning_modules.networks.flow_spline_unet import FieldsOnAFace, pose_numbers
from lightning_modules.networks.landmark_flow import FLOW_UNIT, LandmarkFlow

SCATTERED = torch.rand(2, 68, 2, generator=torch.Generator().manual_seed(0)) * 180 + 38


def network() -> LandmarkFlow:
    """A network whose learned parts say nothing."""
    torch.manual_seed(0)
    made = LandmarkFlow("spline_unet", width=4, levels=3, widest=8).eval()
    silent = [made.network.fields.fields, *(part for level in made.network.levels for part in level.flow.parameters())]  # type: ignore[union-attr]
    for parameter in silent:
        torch.nn.init.zeros_(parameter)
    return made


def test_without_corrections_it_is_a_smooth_spline() -> None:
    moved = SCATTERED + torch.tensor([6.0, -2.0])
    flows, visibility = network().predict(SCATTERED, moved)
    assert [tuple(flow.shape) for flow in flows] == [(2, 2, 112, 112), (2, 2, 56, 56), (2, 2, 28, 28)]
    assert visibility.shape == (2, 3, 112, 112)
    expected = torch.tensor([-6.0, 2.0]) * 224 / 256 / FLOW_UNIT
    for flow in flows:
        assert torch.allclose(flow, expected.view(1, 2, 1, 1).expand_as(flow), atol=1e-4)


def test_the_spline_is_that_of_the_landmarks_at_224() -> None:
    moved = SCATTERED + torch.randn(SCATTERED.shape, generator=torch.Generator().manual_seed(1))
    (flow, *_), _ = network().predict(SCATTERED, moved)
    at = [(points + 0.5) * 224 / 256 - 0.5 for points in (SCATTERED, moved)]
    exact = SplineBasis(at[1], 224, regularization=0.02).flow(at[0]).movedim(-1, 1)
    mean = torch.nn.functional.avg_pool2d(exact, 2) / FLOW_UNIT
    assert (flow - mean).abs().mean() < 2e-3  # evaluated on every fourth pixel


def test_fields_are_looked_up_where_the_face_says() -> None:
    fields = FieldsOnAFace(channels=1, coefficients=1, hidden=1)
    ramp = torch.arange(32, dtype=torch.float32).view(1, 32).expand(32, 32)  # grows with x
    fields.fields.data = ramp.reshape(1, -1).contiguous()
    fields.weights.weight.data.fill_(1.0)
    fields.weights.bias.data.zero_()  # type: ignore[union-attr]
    place = torch.tensor([[0.0, 0.35], [0.55, -0.5], [-0.55, 1.2], [9.0, 0.0]]).T.reshape(1, 2, 1, 4)
    shown = fields(torch.tensor([[2.0]]), place).flatten()
    # x = -1.1 and 1.1 are the outer borders of the first and the last of 32 cells.
    expected = 2 * torch.tensor([15.5, 15.5 + 8, 15.5 - 8, 31.0])
    assert torch.allclose(shown, expected, atol=1e-4)


def test_numbers_of_a_pose_know_no_place_and_no_unit() -> None:
    other = SCATTERED.flip(1) * 0.7
    numbers = pose_numbers(SCATTERED, other)
    assert torch.allclose(pose_numbers(3 * SCATTERED + 5, 3 * other + 5), numbers, atol=1e-4)
    moved = pose_numbers(SCATTERED + 10, other)
    assert torch.allclose(moved[:, :272], numbers[:, :272], atol=1e-4)
    assert not torch.allclose(moved[:, 272:274], numbers[:, 272:274])
    doubled = pose_numbers(2 * SCATTERED, other)
    assert torch.allclose(doubled[:, 274] - numbers[:, 274], torch.full((2,), 2.0).log(), atol=1e-5)
    assert torch.allclose(doubled[:, 274], -doubled[:, 275])


def test_it_learns_and_is_kept(tmp_path: object) -> None:
    flow = LandmarkFlow("spline_unet", width=4, levels=2, widest=8).train()
    flows, visibility = flow.predict(SCATTERED, SCATTERED + 1)
    (sum(one.square().mean() for one in flows) + visibility.square().mean()).backward()
    silent = [name for name, one in flow.named_parameters() if one.grad is None]
    assert not silent
    path = save_network("flow_regression", flow, f"{tmp_path}/flow.safetensors")
    stored = load_network(path).network
    with torch.no_grad():
        expected, found = flow.eval()(SCATTERED, SCATTERED + 1), stored(SCATTERED, SCATTERED + 1)
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    with pytest.raises(ConfigError, match="architecture"):
        LandmarkFlow("fast")  # type: ignore[arg-type]
