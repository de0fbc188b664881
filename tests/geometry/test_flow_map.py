from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import Delaunay

from lightning_modules.geometry.flow_map import (
    TIE_DISTANCE,
    contour_points,
    delaunay_triangles,
    frame_anchors,
    interpolated_flow_map,
    merge_coincident,
    official_flow_grid,
)
from lightning_modules.geometry.landmark_groups import INNER_LIP, INNER_LIP_PAIRS, mirror_landmarks
from lightning_modules.geometry.sampling import identity_map, sample
from lightning_modules.geometry.shapes import fill_polygon


def reference(source, target, size, anchors):
    """Piecewise-linear interpolation by SciPy, (H, W, 2)."""
    border = frame_anchors(size, anchors, target).numpy()
    sites, values = np.concatenate((target.numpy(), border)), np.concatenate((source.numpy(), border))
    height, width = (size, size) if isinstance(size, int) else size
    rows, columns = np.mgrid[:height, :width].astype(float)
    return LinearNDInterpolator(Delaunay(sites[:, ::-1]), values)(np.stack((rows, columns), axis=-1))


def test_official_fixture(parity):
    fixture = parity("flow_b")
    source, target = (torch.from_numpy(fixture[f"inputs/{name}_landmarks"])[None] for name in ("source", "target"))
    grid = official_flow_grid(source, target)
    assert grid.shape == (1, 256, 256, 2)
    # the README allows misses beside triangle edges; there are none
    assert np.abs(grid.numpy() - fixture["outputs/grid"]).max() < 1e-6
    single = official_flow_grid(source.float(), target.float())
    assert np.abs(single.numpy() - fixture["outputs/grid"]).max() < 1e-5
    other = interpolated_flow_map(source, target, anchors="frame") / 127.5 - 1
    assert np.abs(other.numpy() - fixture["outputs/grid"]).max() > 1e-3


@pytest.mark.parametrize("anchors", ["frame", "official"])
@pytest.mark.parametrize("size", [256, (190, 256)])
def test_equals_scipy_at_every_pixel(face, talking, anchors, size):
    together = interpolated_flow_map(face, talking, size, anchors=anchors, contours=False)
    single = interpolated_flow_map(face.float(), talking.float(), size, anchors=anchors, contours=False)
    for mine, mine_single, target in zip(together, single, talking, strict=True):
        expected = reference(face[0], target, size, anchors)
        assert np.abs(mine.numpy() - expected).max() < 1e-9
        assert np.abs(mine_single.numpy() - expected).max() < 2e-3
    assert (together - identity_map(size)).abs().max() > 5


@pytest.mark.parametrize("seed", range(12))
def test_random_points_some_outside_the_frame(seed):
    generator = np.random.default_rng(seed)
    target = torch.from_numpy(generator.uniform(-25, 100, (30, 2)))
    source = target + torch.from_numpy(generator.normal(0, 3, (30, 2)))
    mine = interpolated_flow_map(source[None], target[None], (80, 64), anchors="official")[0].numpy()
    assert np.abs(mine - reference(source, target, (80, 64), "official")).max() < 1e-8


def test_points_on_pixels_rows_and_borders():
    """Corners of triangles exactly on pixel centres, shared rows, and the border itself: the half-open rules."""
    target = torch.tensor([[0, 10], [31, 10], [16, 10], [16, 0], [16, 31], [8, 20], [24, 20], [31, 25], [5, 5.0]])
    source = target.clone()
    source[2] += torch.tensor([2.0, 1.0])
    source[5] -= 1.5
    mine = interpolated_flow_map(source[None].double(), target[None].double(), 32)[0].numpy()
    expected = reference(source.double(), target.double(), 32, "frame")
    # cocircular points have several triangulations, but the same Qhull gets the same input
    assert np.abs(mine - expected).max() < 1e-9


def test_landmarks_go_to_landmarks_and_anchors_stay(face, talking):
    warp = interpolated_flow_map(face, talking)
    x, y = talking.round().long().unbind(-1)
    found = warp[torch.arange(4)[:, None], y, x]
    assert (found - face - (talking.round() - talking)).abs().max() < 4  # the pixel nearest to each landmark
    flow = warp - identity_map(256)
    for row, column in ((0, 0), (0, 255), (255, 0), (255, 255)):
        assert flow[:, row, column].abs().max() < 1e-9
    middles = interpolated_flow_map(face + 0.0, talking, 257) - identity_map(257)
    for row, column in ((0, 128), (256, 128), (128, 0), (128, 256)):
        assert middles[:, row, column].abs().max() < 1e-9


def test_same_landmarks_give_the_identity_map(face):
    for anchors in ("frame", "official"):
        still = interpolated_flow_map(face.float(), face.float(), anchors=anchors)
        assert (still - identity_map(256)).abs().max() < 1e-4


def test_batch_is_a_stack_of_singles(face, talking):
    many = talking.repeat(3, 1, 1)[:9] + torch.arange(9)[:, None, None] * 0.37
    together = interpolated_flow_map(face, many)
    assert torch.equal(together, torch.cat([interpolated_flow_map(face, one[None]) for one in many]))


def test_mirror(face, talking):
    warp = interpolated_flow_map(face, talking)
    mirrored = interpolated_flow_map(mirror_landmarks(face, 256), mirror_landmarks(talking, 256))
    expected = warp.flip(2) * torch.tensor([-1.0, 1.0]) + torch.tensor([255.0, 0.0])
    assert (mirrored - expected).abs().max() < 1e-9


def test_translation_where_no_anchor_reaches():
    """Inside the hull of the landmarks the map moves with them; anchors only act between hull and frame."""
    generator = np.random.default_rng(5)
    ring = np.stack((np.cos(np.linspace(0, 6.2, 24)), np.sin(np.linspace(0, 6.2, 24))), axis=-1) * 40 + 100
    target = torch.from_numpy(np.concatenate((ring, generator.uniform(75, 125, (20, 2)))))[None]
    source = target + torch.from_numpy(generator.normal(0, 1, (1, 44, 2)))
    shift = torch.tensor([6.0, -9.0])
    before = interpolated_flow_map(source, target)[:, 75:126, 75:126]
    after = interpolated_flow_map(source + shift, target + shift)[:, 66:117, 81:132]
    assert (after - before - shift).abs().max() < 1e-9


def test_closing_mouth_hides_the_cavity(face):
    """Source mouth open, target lips touching: no pixel of the result may read the inside of the mouth."""
    source, target = face.clone(), face.clone()
    source[:, [*range(4, 13), *range(55, 60)], 1] += 12  # jaw and lower lip of an open mouth
    for upper, lower in INNER_LIP_PAIRS:
        source[:, lower, 1] = source[:, upper, 1] + 14
        target[:, lower] = target[:, upper]
    warp = interpolated_flow_map(source, target)
    assert torch.isfinite(warp).all()
    inside = torch.zeros(1, 1, 256, 256, dtype=torch.float64)
    top, bottom = source[0, 61:64, 1].max() + 1.5, source[0, 65:68, 1].min() - 1.5
    rows = torch.arange(256)
    inside[..., (rows > top) & (rows < bottom), 119:137] = 1
    assert inside.sum() > 100
    assert sample(inside, warp).sum() < 4
    left_to_qhull = interpolated_flow_map(source, target, anchors="official")
    assert sample(inside, left_to_qhull).sum() > 20  # what the tie rule is for


def test_contour_points_divide_lids_and_inner_lips(face):
    points = contour_points(face)
    assert points.shape == (1, 40, 2)
    assert torch.allclose(points[0, 0], face[0, 36] * 2 / 3 + face[0, 37] / 3)
    assert torch.allclose(points[0, 11], face[0, 41] / 3 + face[0, 36] * 2 / 3)
    assert torch.allclose(points[0, 24], face[0, 60] * 2 / 3 + face[0, 61] / 3)
    assert torch.allclose(points[0, 39], face[0, 67] / 3 + face[0, 60] * 2 / 3)


def test_contours_equal_scipy_with_the_same_points(face, talking):
    source = torch.cat((face, contour_points(face)), dim=1)
    for target in talking[:2]:
        refined = torch.cat((target[None], contour_points(target[None])), dim=1)
        mine = interpolated_flow_map(face, target[None])[0].numpy()
        assert np.abs(mine - reference(source[0], refined[0], 256, "frame")).max() < 1e-9


def test_thin_closing_lips_stay_whole(face):
    """Lips so thin that triangles would cross the lip line: with contours no tooth shows, without some do."""
    source, target = face.clone(), face.clone()
    source[:, [*range(4, 13), *range(55, 60)], 1] += 8
    source[:, [65, 66, 67], 1] = source[:, [63, 62, 61], 1] + 10
    for points in (source, target):
        points[:, [49, 50, 51, 52, 53], 1] = points[:, [61, 61, 62, 63, 63], 1] - 2.5
    target[:, [65, 66, 67]] = target[:, [63, 62, 61]]
    target[:, [55, 56, 57, 58, 59], 1] = target[:, [65, 65, 66, 67, 67], 1] + 2.5
    source[:, [55, 56, 57, 58, 59], 1] = source[:, [65, 65, 66, 67, 67], 1] + 2.5
    teeth = fill_polygon(source[:, list(INNER_LIP)], 256, oriented=True)
    teeth = 1 - torch.nn.functional.max_pool2d(1 - teeth, 3, 1, 1)  # a pixel away from the lips
    assert teeth.sum() > 100
    whole = sample(teeth, interpolated_flow_map(source, target)).sum()
    torn = sample(teeth, interpolated_flow_map(source, target, contours=False)).sum()
    assert whole < 2
    assert torn > 5 * whole
    assert torn > 5


def test_only_points_of_one_place_are_merged(talking):
    merged, near = merge_coincident(talking)
    assert torch.equal(merged, talking)
    assert torch.equal(near, torch.eye(68, dtype=torch.bool).expand(4, -1, -1))
    tied = talking.clone()
    tied[1, 66] = tied[1, 62] + 0.8 * TIE_DISTANCE * torch.tensor([0.6, 0.8])
    merged, near = merge_coincident(tied)
    assert (merged != tied).any(-1).nonzero().tolist() == [[1, 62], [1, 66]]
    assert torch.equal(merged[1, 62], merged[1, 66])
    assert torch.allclose(merged[1, 62], tied[1, [62, 66]].mean(0))
    assert near[1, 62].nonzero().flatten().tolist() == [62, 66]


def test_each_lip_keeps_its_own_source(face):
    """Just above the closed lip line the map reads the upper lip's source, just below it the lower one's."""
    source, target = face.clone(), face.clone()
    for upper, lower in INNER_LIP_PAIRS:
        target[:, lower] = target[:, upper]
    target[:, [61, 62, 63, 65, 66, 67], 1] = 180.5  # between two pixel rows
    warp = interpolated_flow_map(source, target)
    column = round(float(target[0, 62, 0]))
    assert float(warp[0, 180, column, 1]) == pytest.approx(float(source[0, 62, 1]), abs=0.8)
    assert float(warp[0, 181, column, 1]) == pytest.approx(float(source[0, 66, 1]), abs=0.8)
    assert float(source[0, 66, 1] - source[0, 62, 1]) > 3


def test_duplicates_of_source_and_target_change_nothing(face, talking):
    source, target = face.clone(), talking[:1].clone()
    source[:, 66], target[:, 66] = source[:, 62], target[:, 62]
    keep = [k for k in range(68) if k != 66]
    warp = interpolated_flow_map(source, target, contours=False)
    assert (warp - interpolated_flow_map(source[:, keep], target[:, keep])).abs().max() < 1e-6


def test_all_landmarks_in_one_place():
    target = torch.full((1, 68, 2), 40.0)
    warp = interpolated_flow_map(target + 2, target, 64)
    assert torch.isfinite(warp).all()
    assert warp[0, 40, 40].tolist() == pytest.approx([42.0, 42.0], abs=1e-3)


def test_gradcheck():
    generator = torch.Generator().manual_seed(2)
    target = torch.rand(2, 7, 2, generator=generator, dtype=torch.float64) * 9 + 1
    source = target + torch.randn(2, 7, 2, generator=generator, dtype=torch.float64) * 0.5
    weights = torch.randn(2, 12, 12, 2, generator=generator, dtype=torch.float64)

    def weighted(source, target):
        return (interpolated_flow_map(source, target, 12) * weights).sum()

    assert torch.autograd.gradcheck(weighted, (source.requires_grad_(), target.requires_grad_()))


def test_triangulation_is_of_row_and_column(face):
    triangles = delaunay_triangles(face[0].numpy())
    assert np.array_equal(triangles, Delaunay(face[0].numpy()[:, ::-1]).simplices)


def test_dtype_follows_the_target_and_autocast_changes_nothing(face, talking):
    plain = interpolated_flow_map(face.float(), talking.float())
    assert plain.dtype == torch.float32
    assert interpolated_flow_map(face, talking.half()).dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(interpolated_flow_map(face.float(), talking.float()), plain)


def test_wrong_input_is_refused(face):
    with pytest.raises(ValueError, match="match"):
        interpolated_flow_map(face[:, :60], face)
    with pytest.raises(ValueError, match="finite"):
        interpolated_flow_map(face, face * float("inf"))
    with pytest.raises(ValueError, match="anchors"):
        interpolated_flow_map(face, face, anchors="none")
    with pytest.raises(ValueError, match="corners"):
        interpolated_flow_map(face, face, (1, 9))


def test_a_moved_triangle_by_hand():
    """One inner point pulled from (3, 2) to (2, 2) in a 5 x 5 frame: flow is linear from it to the border."""
    target, source = torch.tensor([[[2.0, 2.0]]]), torch.tensor([[[3.0, 2.0]]])
    flow = (interpolated_flow_map(source, target, 5, anchors="official") - identity_map(5))[0]
    distance = (identity_map(5)[0] - 2).abs().amax(-1)
    assert torch.allclose(flow[..., 0], 1 - distance / 2, atol=1e-5)
    assert flow[..., 1].abs().max() < 1e-5
