from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_modules.geometry import spline as spline_module
from lightning_modules.geometry.landmark_groups import mirror_landmarks
from lightning_modules.geometry.sampling import identity_map, sample
from lightning_modules.geometry.spline import SplineBasis, spline_flow, warp_image


def reference_flow(source, target, size, regularization=0.0):
    """Thin-plate flow in float64 NumPy, in pixel coordinates up to one scale factor: written without the module."""
    scale = size / 2
    points, values = target / scale, source - target
    squared = ((points[:, None] - points[None]) ** 2).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        kernel = np.where(squared > 0, squared * np.log(np.sqrt(squared)), 0.0)
    affine = np.concatenate((np.ones((len(points), 1)), points), axis=1)
    system = np.block([[kernel + regularization * np.eye(len(points)), affine], [affine.T, np.zeros((3, 3))]])
    solution = np.linalg.solve(system, np.concatenate((values, np.zeros((3, 2)))))
    rows, columns = np.mgrid[:size, :size].astype(float)
    pixels = np.stack((columns, rows), axis=-1).reshape(-1, 2) / scale
    squared = ((pixels[:, None] - points[None]) ** 2).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        kernel = np.where(squared > 0, squared * np.log(np.sqrt(squared)), 0.0)
    flow = kernel @ solution[:-3] + np.concatenate((np.ones((len(pixels), 1)), pixels), axis=1) @ solution[-3:]
    return flow.reshape(size, size, 2)


def small(points, size=64):
    """Landmarks of the 256 frame in a smaller one, where full references are quick."""
    return (points + 0.5) * size / 256 - 0.5


def test_published_fixture(parity):
    fixture = parity("spline_warp")
    source, target = (torch.from_numpy(fixture[f"inputs/{name}_landmarks"]) for name in ("source", "target"))
    own = identity_map(256)
    expected = own - torch.from_numpy(fixture["outputs/flow_row_col"]).flip(-1)
    found = spline_flow(source, target)
    assert (found - expected).abs().max() < 0.02  # the README grants 0.3 px
    assert (expected - own).abs().max() > 5
    warped = warp_image(torch.from_numpy(fixture["inputs/image"]), source, target)
    assert (warped - torch.from_numpy(fixture["outputs/warped"])).abs().max() < 0.01


@pytest.mark.parametrize("regularization", [0.0, 1e-3])
def test_equals_an_independent_reference(face, talking, regularization):
    source, targets = small(face), small(talking)
    found = spline_flow(source, targets, 64, regularization=regularization) - identity_map(64)
    for flow, target in zip(found, targets, strict=True):
        expected = reference_flow(source[0].numpy(), target.numpy(), 64, regularization)
        assert np.abs(flow.numpy() - expected).max() < 1e-6
        assert np.abs(expected).max() > 0.5


def test_float32_grid_is_close_to_float64(face, talking):
    exact = spline_flow(face, talking)
    assert (spline_flow(face.float(), talking.float()) - exact).abs().max() < 5e-3
    assert (spline_flow(face, talking, dtype=torch.float32) - exact).abs().max() < 5e-3


def test_passes_through_the_landmarks(face, talking):
    for anchors in (False, True):
        warp = spline_flow(face, talking.round(), anchors=anchors)
        x, y = talking.round().long().unbind(-1)
        assert (warp[torch.arange(4)[:, None], y, x] - face).abs().max() < 1e-6
    eased = spline_flow(face, talking.round(), regularization=1e-2)
    assert (eased[torch.arange(4)[:, None], y, x] - face).abs().max() > 0.1


def test_affine_motion_is_reproduced_everywhere(face):
    matrix, shift = torch.tensor([[1.05, 0.1], [-0.08, 0.95]], dtype=torch.float64), torch.tensor([3.0, -7.0])
    warp = spline_flow(face @ matrix.T + shift, face)
    assert (warp - (identity_map(256, dtype=torch.float64) @ matrix.T + shift)).abs().max() < 1e-8


def test_anchors_hold_the_border(face, talking):
    free = spline_flow(face, talking) - identity_map(256)
    held = spline_flow(face, talking, anchors=True) - identity_map(256)
    for row, column in ((0, 0), (0, 255), (255, 0), (255, 255)):
        assert held[:, row, column].abs().max() < 1e-6
        assert free[:, row, column].abs().max() > 1


def test_stride_is_exact_on_its_nodes_and_near_between(face, talking):
    dense = spline_flow(face, talking, (250, 256))
    for stride in (2, 4, 8):
        coarse = spline_flow(face, talking, (250, 256), stride=stride)
        assert coarse.shape == dense.shape
        assert (coarse[:, ::stride, ::stride] - dense[:, ::stride, ::stride]).abs().max() < 1e-9
        difference = (coarse - dense).abs()
        assert float(difference.mean()) < 0.002 * stride**2
        assert float(difference.max()) > 1e-3


def test_one_basis_serves_many_sources(face, talking):
    sources = [talking[1:2], face, talking[3:4] + 2]
    for keep_kernel in (False, True):
        basis = SplineBasis(talking[:1], 128, anchors=True, keep_kernel=keep_kernel)
        for source in sources:
            assert torch.equal(basis.sampling_map(source), spline_flow(source, talking[:1], 128, anchors=True))
    many = SplineBasis(talking, 128)
    assert torch.equal(many.sampling_map(face), spline_flow(face, talking, 128))


def test_kept_kernel_still_gives_gradients(face, talking):
    target = talking[:1].clone().requires_grad_()
    basis = SplineBasis(target, 32, keep_kernel=True)
    with torch.no_grad():
        basis.flow(face)
    (grad,) = torch.autograd.grad(basis.flow(face).square().sum(), target)
    expected = talking[:1].clone().requires_grad_()
    (wanted,) = torch.autograd.grad(SplineBasis(expected, 32).flow(face).square().sum(), expected)
    assert torch.allclose(grad, wanted)
    assert grad.abs().max() > 0


def test_chunks_change_nothing(face, talking, monkeypatch):
    whole = spline_flow(face, talking, 96)
    target = talking.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(spline_flow(face, target, 96).square().mean(), target)
    monkeypatch.setattr(spline_module, "_ELEMENTS_AT_ONCE", 50_000)
    monkeypatch.setattr(spline_module, "_ELEMENTS_KEPT", 100_000)
    assert torch.allclose(spline_flow(face, talking, 96), whole, atol=1e-9)
    (grad,) = torch.autograd.grad(spline_flow(face, target, 96).square().mean(), target)
    assert (grad - wanted).abs().max() < 1e-7 * wanted.abs().max()  # round-off, raised by the solve


def test_batch_is_a_stack_of_singles(face, talking):
    for options in ({}, {"anchors": True, "stride": 4}):
        together = spline_flow(face, talking, **options)
        singles = torch.cat([spline_flow(face, one[None], **options) for one in talking])
        assert (together - singles).abs().max() < 1e-8


def test_mirror(face, talking):
    warp = spline_flow(face, talking, anchors=True)
    mirrored = spline_flow(mirror_landmarks(face, 256), mirror_landmarks(talking, 256), anchors=True)
    expected = warp.flip(2) * torch.tensor([-1.0, 1.0]) + torch.tensor([255.0, 0.0])
    assert (mirrored - expected).abs().max() < 1e-7


def test_translation_and_scale(face, talking):
    warp = spline_flow(face, talking)
    shift = torch.tensor([9.0, -4.0])
    moved = spline_flow(face + shift, talking + shift)
    assert (moved[:, :-4, 9:] - warp[:, 4:, :-9] - shift).abs().max() < 1e-7
    twice = spline_flow(2 * face, 2 * talking, 511)
    assert (twice[:, ::2, ::2] - 2 * warp).abs().max() < 1e-7


def test_condition_number_is_small(face):
    """What normalising is for: in pixels the same system is beyond float32."""
    points = face[0].numpy()

    def condition(points):
        squared = ((points[:, None] - points[None]) ** 2).sum(-1)
        kernel = 0.5 * squared * np.log(np.maximum(squared, 1e-10))
        affine = np.concatenate((points, np.ones((68, 1))), axis=1)
        return np.linalg.cond(np.block([[kernel, affine], [affine.T, np.zeros((3, 3))]]))

    assert condition(SplineBasis(face)._controls[0].numpy()) < 1e6
    assert condition(points) > 1e9


def test_coincident_points_share_the_mean_of_their_flows(face, talking):
    target, source = talking.clone(), face.repeat(4, 1, 1)
    target[:, 66] = target[:, 62]
    target[1, 67] = target[1, 61]
    warp = spline_flow(source, target)
    assert torch.isfinite(warp).all()
    merged = source.clone()
    merged[:, [62, 66]] = source[:, [62, 66]].mean(1, keepdim=True)
    merged[1, [61, 67]] = source[1, [61, 67]].mean(0, keepdim=True)
    for k in range(4):
        keep = [p for p in range(68) if p != 66 and not (k == 1 and p == 67)]
        alone = spline_flow(merged[k : k + 1, keep], target[k : k + 1, keep])
        assert (warp[k : k + 1] - alone).abs().max() < 1e-7


def test_closing_mouth_gives_gradients_not_nan(face):
    target = face.clone()
    target[:, [65, 66, 67]] = face[:, [63, 62, 61]]
    target.requires_grad_()
    image = torch.rand(1, 1, 256, 256, dtype=torch.float64)
    (grad,) = torch.autograd.grad(warp_image(image, face, target, stride=4).square().mean(), target)
    assert torch.isfinite(grad).all()


@pytest.mark.parametrize(
    "points", [[[10.0, 10.0]] * 5, [[10.0, 10.0], [20.0, 20.0], [30.0, 30.0], [45.0, 45.0]], [[1.0, 2.0], [30.0, 5.0]]]
)
def test_points_without_area_are_refused(points):
    target = torch.tensor([points])
    with pytest.raises(ValueError, match="no spline"):
        spline_flow(target + 1, target, 64)
    assert torch.isfinite(spline_flow(target + 1, target, 64, anchors=True)).all()


def test_wrong_input_is_refused(face):
    with pytest.raises(ValueError, match="finite"):
        spline_flow(face, face * float("nan"))
    with pytest.raises(ValueError, match="finite"):
        SplineBasis(face).flow(face * float("nan"))
    with pytest.raises(ValueError, match="stride"):
        spline_flow(face, face, stride=0)
    with pytest.raises(ValueError, match="match"):
        SplineBasis(face).flow(face[:, :20])
    with pytest.raises(ValueError, match="basis"):
        SplineBasis(face).flow(face.repeat(3, 1, 1))


def test_dtype_policy(face, talking):
    assert spline_flow(face, talking).dtype == torch.float64
    single = spline_flow(face.float(), talking.float())
    assert single.dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(spline_flow(face.float(), talking.float()), single)
    assert spline_flow(face, talking.bfloat16()).dtype == torch.float32
    image = torch.rand(1, 1, 256, 256, dtype=torch.bfloat16)
    assert warp_image(image, face.float(), talking.float()).dtype == torch.bfloat16


def _few_points():
    generator = torch.Generator().manual_seed(3)
    target = torch.rand(2, 6, 2, generator=generator, dtype=torch.float64) * 9 + 1
    return target + torch.randn(2, 6, 2, generator=generator, dtype=torch.float64) * 0.4, target, generator


@pytest.mark.parametrize("options", [{}, {"anchors": True, "stride": 3}, {"regularization": 1e-2}])
def test_gradcheck_of_the_map(options):
    source, target, generator = _few_points()
    weights = torch.randn(2, 11, 11, 2, generator=generator, dtype=torch.float64)

    def weighted(source, target):
        return (spline_flow(source, target, 11, **options) * weights).sum()

    assert torch.autograd.gradcheck(weighted, (source.requires_grad_(), target.requires_grad_()))


def test_gradcheck_through_sampling():
    source, target, generator = _few_points()
    image = torch.randn(2, 1, 11, 11, generator=generator, dtype=torch.float64)
    weights = torch.randn(2, 1, 11, 11, generator=generator, dtype=torch.float64)

    def weighted(image, source, target):
        return (warp_image(image, source, target) * weights).sum()

    inputs = (image.requires_grad_(), source.requires_grad_(), target.requires_grad_())
    assert torch.autograd.gradcheck(weighted, inputs)


def test_direction_by_a_moved_dot(face, talking):
    """A dot drawn at a landmark of the source picture must appear at that landmark of the target."""
    own = identity_map(256, dtype=torch.float64)
    for point in (30, 8, 57):
        image = torch.exp(-(own - face[:, point]).square().sum(-1) / 18)[:, None]
        warped = warp_image(image, face, talking[2:3])
        weight = warped[0, 0] / warped.sum()
        center = (weight[..., None] * own[0]).sum((0, 1))
        assert (center - talking[2, point]).abs().max() < 1.2  # the warp also bends the dot
    assert (talking[2, 57] - face[0, 57]).abs().max() > 8


def test_warp_image_is_the_map_sampled(face, talking):
    image = torch.rand(1, 3, 200, 256, dtype=torch.float64)
    warped = warp_image(image, face, talking, anchors=True, stride=2, padding="zeros")
    assert warped.shape == (4, 3, 200, 256)
    warp = spline_flow(face, talking, (200, 256), anchors=True, stride=2)
    assert torch.equal(warped, sample(image, warp, "zeros"))
