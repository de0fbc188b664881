"""The 478 → 68 table: weights, symmetry, places, and the error on hand-placed landmarks."""

from __future__ import annotations

import csv
import zlib

import numpy as np
import pytest

from lightning_modules.faces.landmark_map import MESH_WEIGHTS, landmarks_from_mesh, mesh_matrix
from lightning_modules.faces.mesh_mirror import mirror_permutation, mirrored_mesh
from lightning_modules.faces.photo import read_photo
from lightning_modules.geometry.landmark_groups import LID_PAIRS, MIRROR

MIRROR = np.asarray(MIRROR)


def test_every_landmark_once_and_weights_sum_to_one():
    assert list(MESH_WEIGHTS) == list(range(68))
    assert mesh_matrix().sum(1) == pytest.approx(np.ones(68), abs=1e-9)
    assert max(len(pairs) for pairs in MESH_WEIGHTS.values()) <= 3
    assert len({tuple(row) for row in mesh_matrix()}) == 68


def test_the_map_is_affine():
    rng = np.random.default_rng(0)
    mesh = rng.normal(size=(5, 478, 3))
    matrix, shift = rng.normal(size=(3, 3)), rng.normal(size=3)
    moved = landmarks_from_mesh(mesh @ matrix + shift)
    assert np.allclose(moved, landmarks_from_mesh(mesh) @ matrix + shift, atol=1e-5)
    assert moved.shape == (5, 68, 3)
    assert moved.dtype == np.float32
    with pytest.raises(ValueError, match="478"):
        landmarks_from_mesh(mesh[:, :468])


def test_the_table_is_mirror_symmetric():
    permutation = mirror_permutation()
    assert np.array_equal(permutation[permutation], np.arange(478))
    matrix = mesh_matrix()
    assert np.allclose(matrix[MIRROR], matrix[:, permutation], atol=1e-12)


def test_mirrored_mesh():
    mesh = np.random.default_rng(0).uniform(0, 191, (478, 3)).astype(np.float32)
    assert np.allclose(mirrored_mesh(mirrored_mesh(mesh, 192), 192), mesh, atol=1e-4)
    assert mirrored_mesh(mesh, 192)[33, 0] == pytest.approx(191 - mesh[263, 0])


def test_landmarks_of_a_portrait_lie_in_order(portrait_face):
    points = portrait_face.landmarks
    x, y = points[:, 0], points[:, 1]
    assert np.all(np.diff(x[0:17]) > -1)  # jaw from left to right
    assert y[8] == y[:17].max()
    assert np.all(np.diff(x[17:27]) > 0)  # brows
    assert np.all(np.diff(y[27:31]) > 0)  # bridge downward
    assert np.all(np.diff(x[31:36]) > 0)
    assert np.all(np.diff(x[48:55]) > 0)
    assert np.all(np.diff(x[54:60]) < 0)
    assert y[17:22].mean() < min(y[36:42])
    assert y[22:27].mean() < min(y[42:48])
    assert max(y[36:48]) < y[33] < min(y[48:68])
    for upper, lower in LID_PAIRS:
        assert y[upper] < y[lower]
    # the jaw is spread evenly: no gap more than twice the mean, and its ends are at the height of the eyes
    gaps = np.linalg.norm(np.diff(points[:17, :2], axis=0), axis=1)
    assert gaps.max() < 2 * gaps.mean()
    scale = np.linalg.norm(points[45] - points[36])
    assert abs(y[[0, 16]].mean() - y[36:48].mean()) < 0.25 * scale


# Hand-placed WebMorph points that mean the same as one of the 68 landmarks.
SAME_POINT = {
    "eye corners": {36: 18, 39: 22, 42: 23, 45: 27},
    "outer lip": {48: 87, 49: 88, 50: 89, 51: 90, 52: 91, 53: 92, 54: 93, 55: 108, 56: 107, 57: 106, 58: 105, 59: 104},
    "inner lip": {61: 95, 62: 96, 63: 97, 65: 102, 66: 101, 67: 100},
    "nose": {31: 64, 33: 55, 35: 69},
    "chin": {8: 129},
}
LARGEST_MEAN_ERROR = {"eye corners": 0.016, "outer lip": 0.018, "inner lip": 0.015, "nose": 0.027, "chin": 0.036}
JAW_LINE = [109, 185, 110, 186, 111, 125, 126, 127, 128, 129, 130, 131, 132, 133, 114, 188, 113, 187, 112]


def person(name: str) -> str:
    """London portraits are named by person and pose; the others show one person each."""
    return name.rsplit("/", 1)[1].rsplit("_", 1)[0] if name.startswith("london") else name


def distance_to_line(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    start, step = line[:-1], np.diff(line, axis=0)
    share = ((points[:, None] - start) * step).sum(-1) / (step**2).sum(-1)
    nearest = start + np.clip(share, 0, 1)[..., None] * step
    return np.linalg.norm(points[:, None] - nearest, axis=-1).min(1)


def test_error_on_hand_placed_landmarks(shared_data, analyzer):
    """On people whom the table was not fitted to, in shares of the distance of the outer eye corners."""
    folder = shared_data / "photos" / "webmorph"
    with (folder / "landmarks_189.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    rows = [row for row in rows if len(row) == 2 * 189 + 1 and (folder / row[0]).is_file()]
    rows = [row for row in rows if zlib.crc32(person(row[0]).encode()) % 2][::3]
    errors = {name: [] for name in SAME_POINT}
    off_jaw_line = []
    for row in rows:
        placed = np.array(row[1:], dtype=float).reshape(-1, 2)
        (face,) = analyzer.find_faces(read_photo(folder / row[0]).rgb)
        points = face.landmarks[:, :2]
        unit = np.linalg.norm(placed[27] - placed[18])
        for name, pairs in SAME_POINT.items():
            found = points[list(pairs)] - placed[list(pairs.values())]
            errors[name].append(np.linalg.norm(found, axis=1).mean() / unit)
        off_jaw_line.append(distance_to_line(points[:17], placed[JAW_LINE]).mean() / unit)
    assert len(rows) >= 20
    for name, values in errors.items():
        assert np.mean(values) < LARGEST_MEAN_ERROR[name], name
    assert np.mean(off_jaw_line) < 0.03
