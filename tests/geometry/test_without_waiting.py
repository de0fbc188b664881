"""The forms that wait for no device give what the others give."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.geometry import lines, triangle_raster
from lightning_modules.geometry.flow_map import delaunay_triangles, interpolated_flow_map, triangulated_targets
from lightning_modules.geometry.part_masks import lip_line_mask
from lightning_modules.geometry.points import constant, picked
from lightning_modules.geometry.shapes import paint_window
from lightning_modules.geometry.spline import SplineBasis


@pytest.mark.parametrize("anchors", ["frame", "official"])
def test_triangles_made_beforehand_give_the_same_map(face, talking, anchors):
    source, target = face.expand(len(talking), -1, -1), talking
    triangles = triangulated_targets(target, 256, anchors=anchors)
    points = 68 + (40 + 8 if anchors == "frame" else 4)
    assert triangles.shape == (len(target), 2 * points - 5, 3)
    expected = interpolated_flow_map(source, target, 256, anchors=anchors)
    found = interpolated_flow_map(source, target, 256, anchors=anchors, triangles=triangles)
    assert torch.equal(found, expected)


def test_the_triangulation_is_scipys_and_filled_up(face):
    found = triangulated_targets(face[..., :2], 256, anchors="official")[0]
    corners = torch.tensor([(0.0, 0.0), (255.0, 0.0), (0.0, 255.0), (255.0, 255.0)])
    expected = delaunay_triangles(torch.cat((face[0, :, :2], corners)).numpy())
    assert found[: len(expected)].tolist() == expected.tolist()
    assert not found[len(expected) :].any()


def test_targets_that_cannot_be_triangulated_are_refused(face):
    with pytest.raises(ValueError, match="not finite"):
        triangulated_targets(torch.full((1, 68, 2), torch.nan))
    triangles = triangulated_targets(face)
    with pytest.raises(ValueError, match="triangles of 1 samples do not go with 2 targets"):
        interpolated_flow_map(face, face.repeat(2, 1, 1), triangles=triangles)


def test_looking_at_all_rows_labels_every_pixel_alike(face, talking):
    corners = torch.tensor([(0.0, 0.0), (99.0, 0.0), (0.0, 99.0), (99.0, 99.0)], dtype=torch.float64)
    points = torch.cat((talking[:3, :, :2].double() * 0.4, corners.expand(3, -1, -1)), dim=1)
    triangles = torch.zeros(3, 150, 3, dtype=torch.int64)
    for row, sample in zip(triangles, points, strict=True):
        found = torch.from_numpy(delaunay_triangles(sample.numpy()))
        row[: len(found)] = found
    tiled = points[torch.arange(3)[:, None, None], triangles]
    crossed, every = (triangle_raster.label_map(tiled, (100, 100), everywhere=choice) for choice in (False, True))
    assert torch.equal(crossed, every)
    assert len(crossed.unique()) > 100


def test_a_whole_frame_is_painted_as_its_window(talking, monkeypatch):
    expected = lip_line_mask(talking, 256)
    monkeypatch.setattr(lines, "paint_window", lambda *given, whole: paint_window(*given, whole=not whole))
    assert torch.equal(lip_line_mask(talking, 256), expected)
    assert expected.any()


def test_an_unchecked_spline_is_the_checked_one(face, talking):
    source = face.expand(len(talking), -1, -1)
    checked, unchecked = (SplineBasis(talking, 64, checked=choice).sampling_map(source) for choice in (True, False))
    assert torch.equal(checked, unchecked)
    broken = talking.clone()
    broken[0, 0, 0] = torch.nan
    found = SplineBasis(broken, 16, checked=False).sampling_map(source)
    assert found[0].isnan().any()
    assert not found[1:].isnan().any()


def test_constants_are_made_once_and_serve_training():
    like = torch.zeros(1, dtype=torch.float64)
    with torch.inference_mode():
        first = constant((1.0, 2.5), like)
    assert first.tolist() == [1.0, 2.5]
    assert first.dtype == torch.float64
    assert constant((1.0, 2.5), like) is first
    assert not first.is_inference()
    assert picked(torch.arange(6.0).view(1, 3, 2), (2, 0)).tolist() == [[[4.0, 5.0], [0.0, 1.0]]]
