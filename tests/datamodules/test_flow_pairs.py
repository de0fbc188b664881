"""Pairs of views of a 3D face: what is seen, where it lies in the other view, and what is hidden."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.flow_pairs import FlowPairsDataModule
from datamodules.synthetic.face3d.expressions import expression_pairs, random_weights
from datamodules.synthetic.face3d.mesh import BlendShapeMesh, read_face_mesh
from datamodules.synthetic.face3d.parametric_mesh import parametric_mesh
from datamodules.synthetic.face3d.rasteriser import corresponding_flow, shown_triangles
from datamodules.synthetic.face3d.views import ViewSettings, posed, random_pair, rotation, seen_landmarks
from lightning_modules.errors import BackendError, ConfigError
from lightning_modules.networks.landmark_flow import NETWORK_SIZE

SQUARE = np.array([[0, 1, 2], [0, 2, 3]], np.int32)  # clockwise as seen, y down


def square(left: float, top: float, side: float, z: float = 0.0) -> NDArray[np.float32]:
    """Corners of a square, clockwise from the upper left."""
    return np.array(
        [[left, top, z], [left + side, top, z], [left + side, top + side, z], [left, top + side, z]], np.float32
    )


def test_the_nearest_triangle_that_faces_the_viewer_is_shown() -> None:
    vertices = np.vstack([square(2, 2, 10, z=1), square(6, 6, 10, z=5), square(0, 0, 15, z=9)])
    triangles = np.vstack([SQUARE, SQUARE + 4, (SQUARE + 8)[:, ::-1]]).astype(np.int32)  # the last is turned away
    shown, depth = shown_triangles(vertices, triangles, 20)
    assert set(np.unique(shown)) == {-1, 0, 1, 2, 3}
    assert (shown[4, 4], depth[4, 4]) in {(0, 1.0), (1, 1.0)}
    assert depth[8, 8] == 5.0
    assert (shown >= 0).sum() == 11 * 11 + 11 * 11 - 7 * 7


def test_flow_leads_to_the_same_point_of_the_surface() -> None:
    source, target = square(20.5, 8.25, 40), square(6, 12, 20)
    flow, visibility = corresponding_flow(source, target, SQUARE, np.array([True, True]), 64, 1.0)
    assert (visibility[12:33, 6:27] == 0).all()
    assert (visibility == 2).sum() == 64 * 64 - 21 * 21
    y, x = np.mgrid[12:33, 6:27]
    assert np.allclose(flow[0, 12:33, 6:27], 20.5 + 2 * (x - 6) - x, atol=1e-4)
    assert np.allclose(flow[1, 12:33, 6:27], 8.25 + 2 * (y - 12) - y, atol=1e-4)
    assert not flow[:, visibility == 2].any()


def test_what_another_surface_hides_in_the_source_is_occluded() -> None:
    wall, screen = square(4, 4, 40, z=0), square(4, 4, 20, z=9)
    aside = square(100, 4, 20, z=9)
    triangles = np.vstack([SQUARE, SQUARE + 4]).astype(np.int32)
    is_face = np.array([True, True, False, False])
    _, visibility = corresponding_flow(np.vstack([wall, screen]), np.vstack([wall, aside]), triangles, is_face, 64, 1.0)
    assert (visibility[8:20, 8:20] == 1).all()
    assert (visibility[30:40, 30:40] == 0).all()
    _, open_view = corresponding_flow(np.vstack([wall, aside]), np.vstack([wall, aside]), triangles, is_face, 64, 1.0)
    assert not (open_view == 1).any()


def test_a_turned_head_hides_what_faces_away() -> None:
    mesh = parametric_mesh()
    face = mesh.identity(np.random.default_rng(0))
    straight = ViewSettings(yaw=0, pitch=0, roll=0, scale=0, shift=0)
    front = posed(face, mesh, np.random.default_rng(1), straight, NETWORK_SIZE)
    turned = front.copy()
    turned[:, [0, 2]] = (front - front.mean(0))[:, [0, 2]] @ rotation(60, 0, 0).astype(np.float32)[[0, 2]][:, [0, 2]].T
    turned[:, 0] += front[:, 0].mean()
    _, visibility = corresponding_flow(turned, front, mesh.triangles, mesh.is_face, NETWORK_SIZE, 2.5)
    hidden = (visibility == 1).sum(axis=0)
    left, right = hidden[: NETWORK_SIZE // 2].sum(), hidden[NETWORK_SIZE // 2 :].sum()
    assert max(left, right) > 20 * max(min(left, right), 1)


def test_flow_at_the_target_landmarks_leads_to_the_sources() -> None:
    mesh, exact = parametric_mesh(), ViewSettings(noise=0, other_person=0, yaw=15)
    pair = random_pair(mesh, np.random.default_rng(3), exact)
    scale = NETWORK_SIZE / 256
    source, target = ((points + 0.5) * scale - 0.5 for points in (pair.source, pair.target))
    column, row = np.rint(target).astype(int).T
    seen = pair.visibility[row, column] == 0
    assert seen.sum() > 45
    reached = target[seen] + pair.flow[:, row[seen], column[seen]].T
    assert np.median(np.linalg.norm(reached - source[seen], axis=1)) < 0.2  # positions are rounded to pixels


def test_jaw_points_slide_outwards_only() -> None:
    mesh = parametric_mesh()
    view = np.zeros((80, 3), np.float32)
    view[:17, 0], view[:17, 1] = np.linspace(-40, 40, 17), 50 - np.abs(np.linspace(-40, 40, 17))
    view[70:74, 0], view[70:74, 1] = (-60, -60, -55, 10), (12, 14, 16, 18)
    with_line = mesh.__class__(
        mesh.triangles,
        mesh.is_face,
        mesh.landmarks,
        np.array([[70, 71, 72, 73], [0, 0, 0, 0]], np.int32),
        mesh.spread,
        mesh.offset,
    )
    plain = seen_landmarks(view, with_line, contour=False)
    slid = seen_landmarks(view, with_line, contour=True)
    assert np.array_equal(plain, view[:68, :2])
    assert (slid[:8, 0] <= plain[:8, 0]).all()
    assert slid[0, 0] == -60
    assert np.array_equal(slid[17:], plain[17:])


def test_a_pair_is_decided_by_its_address(tmp_path: Path) -> None:
    data = [FlowPairsDataModule(pairs=4, validation_pairs=2, batch_size=2, seed=seed, workers=0) for seed in (1, 1, 2)]
    first, again, other = (next(iter(one.train_dataloader())) for one in data)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not (first.source == other.source).all()
    fixed = [next(iter(one.val_dataloader())) for one in data]  # the same pairs for every seed
    assert (fixed[0].flow == fixed[2].flow).all()
    assert not (fixed[0].source == first.source).all()
    with pytest.raises(ConfigError, match="at least 1"):
        FlowPairsDataModule(pairs=0)
    with pytest.raises(BackendError, match="there is no such face model"):
        FlowPairsDataModule(tmp_path / "none.npz").setup()


def test_a_packed_model_is_read(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    names = ["jawOpen", "mouthClose", "eyeBlink_L", "eyeBlink_R", "mouthSmile_L", "mouthSmile_R"]
    neutral = generator.standard_normal((26000, 3)).astype(np.float32)
    landmarks = np.arange(68, dtype=np.int32)
    neutral[36], neutral[45] = (-4, 1, 0), (4, 1, 0)
    quads = np.array([[0, 1, 2, 3], [5, 6, 7, -1], [24999, 25000, 25001, 25002], [9500, 9501, 9502, 9503]], np.int32)
    shapes = generator.standard_normal((2, 26000, 3)).astype(np.float16)
    stored = {"neutral": neutral, "quads": quads, "id_delta": shapes, "landmarks68": landmarks}
    stored |= {"expr_delta": np.repeat(shapes, 3, axis=0), "expr_names": np.array(names)}
    np.savez(tmp_path / "model.npz", **stored)
    mesh = read_face_mesh(tmp_path / "model.npz")
    assert isinstance(mesh, BlendShapeMesh)
    assert sorted(map(tuple, mesh.triangles.tolist())) == [
        (0, 2, 1),
        (0, 3, 2),
        (5, 7, 6),
        (9500, 9502, 9501),
        (9500, 9503, 9502),
    ]
    assert mesh.is_face.sum() == 3  # what can only hide is no face
    assert np.allclose(mesh.neutral[45] - mesh.neutral[36], (1, 0, 0), atol=1e-6)
    assert np.allclose(mesh.expressions[0, 5], shapes[0, 5] * np.array([1, -1, 1]) / 8, atol=1e-3)
    del stored["quads"]
    np.savez(tmp_path / "less.npz", **stored)
    with pytest.raises(BackendError, match="holds no quads"):
        read_face_mesh(tmp_path / "less.npz")


def test_lips_close_by_no_more_than_the_jaw_is_open() -> None:
    pairs = expression_pairs(["jawOpen", "mouthClose", "mouthSmile_L", "mouthSmile_R", "eyeLookUp_L", "browInnerUp"])
    assert (pairs.jaw_open, pairs.mouth_close, pairs.blink) == (0, 1, None)
    assert (2, 3) in pairs.speech
    assert (5,) in pairs.others
    assert all(4 not in group for group in pairs.others)
    generator = np.random.default_rng(0)
    drawn = [random_weights(pairs, generator) for _ in range(300)]
    assert any(1 in weights for weights in drawn)
    assert all(weights.get(1, 0) <= weights.get(0, 0) for weights in drawn)
    assert all(0 <= weight <= 1 for weights in drawn for weight in weights.values())
