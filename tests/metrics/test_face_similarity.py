"""Aligned faces and their cosines: a second reading of the alignment, and a network that is worked out by hand."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.transform import ProjectiveTransform

from lightning_modules.errors import MetricError, WeightsError
from lightning_modules.metrics import face_similarity as module
from lightning_modules.metrics.face_similarity import (
    TEMPLATE,
    FaceSimilarity,
    IdentityNetwork,
    aligned_faces,
    alignment_to_template,
    face_similarity,
    five_points,
)


@pytest.fixture
def network_file(tmp_path):
    path = tmp_path / "mean_colours.onnx"
    path.write_bytes(runpy.run_path(str(Path(__file__).with_name("onnx_by_hand.py")))["mean_colours"]())
    return path


def landmarks_at(points):
    """68 landmarks whose five points are these: (5, 2) to (68, 2)."""
    track = torch.zeros(68, 2)
    track[36:42], track[42:48], track[30], track[48], track[54] = (torch.tensor(point).float() for point in points)
    return track


def by_singular_values(points, wanted):
    """Umeyama's solution of the same least squares: (2, 3)."""
    mean, goal = points.mean(0), wanted.mean(0)
    covariance = (wanted - goal).T @ (points - mean) / len(points)
    left, values, right = np.linalg.svd(covariance)
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    turn = left @ np.diag(signs) @ right
    scale = (values * signs).sum() / np.square(points - mean).sum(1).mean()
    return np.column_stack([scale * turn, goal - scale * turn @ mean])


def test_the_alignment_is_umeyamas():
    points = np.array(TEMPLATE) @ np.array([[1.2, 0.9], [-0.9, 1.2]]) + [70.0, -12.0]
    noisy = points + np.random.default_rng(0).normal(0, 4, (5, 2))
    np.testing.assert_allclose(alignment_to_template(noisy), by_singular_values(noisy, np.array(TEMPLATE)), atol=1e-9)
    matrix = alignment_to_template(points)
    np.testing.assert_allclose(points @ matrix[:, :2].T + matrix[:, 2], TEMPLATE, atol=1e-9)


def test_a_face_is_brought_to_the_template():
    """A picture whose colours say where a pixel is, turned, enlarged and moved."""
    rows, columns = np.mgrid[:200, :200]
    back = np.linalg.inv(np.vstack([alignment_to_template(np.array(TEMPLATE) * 1.5 + [20, 9]), [0, 0, 1]]))
    frame = torch.from_numpy(np.stack([columns, rows, columns * 0])).to(torch.uint8)
    (face,) = aligned_faces(frame[None], landmarks_at(np.array(TEMPLATE) * 1.5 + [20, 9])[None])
    places = ProjectiveTransform(back)(np.array([[56.0, 60.0], [30.0, 80.0]]))
    for (x, y), place in zip(((56, 60), (30, 80)), places, strict=True):
        assert face[:2, y, x].double().tolist() == pytest.approx(place.tolist(), abs=1)
    (beyond,) = aligned_faces(frame[None], landmarks_at(np.array(TEMPLATE) * 1.5 - [400, 0])[None])
    assert (beyond == 255).all()  # paper


def test_five_points_of_68():
    track = landmarks_at(TEMPLATE).numpy()
    track[37] += 6
    found = five_points(track)
    np.testing.assert_allclose(found[0], np.array(TEMPLATE[0]) + 1, atol=1e-4)
    np.testing.assert_allclose(found[1:], TEMPLATE[1:], atol=1e-4)


def test_the_network_gets_rgb_as_it_was_told(network_file):
    faces = torch.zeros(2, 3, 112, 112, dtype=torch.uint8)
    faces[0, 0], faces[1, 1], faces[1, 2] = 255, 51, 255
    assert IdentityNetwork(network_file, "bytes")(faces).tolist() == [[255, 0, 0], [0, 51, 255]]
    scaled = IdentityNetwork(network_file)(faces)
    assert scaled.flatten().tolist() == pytest.approx(
        [1, -1, -1, -1, -0.6, 1], rel=1e-3
    )  # OpenCV averages in its own order


def test_cosines_by_hand(network_file):
    """Red, yellow and blue frames beside a red reference: cosines 1, 1 / sqrt(2) and 0."""
    embed = IdentityNetwork(network_file, "bytes")
    frames = torch.zeros(4, 3, 112, 112, dtype=torch.uint8)
    frames[0, 0], frames[1, :2], frames[2, 2] = 255, 255, 255
    track = landmarks_at(TEMPLATE).expand(4, -1, -1).clone()
    track[3, 7] = torch.nan
    found = face_similarity(embed, frames, track, frames[0], track[0])
    assert found[:3].tolist() == pytest.approx([1, 0.5**0.5, 0], abs=1e-6)
    assert torch.isnan(found[3])
    metric = FaceSimilarity()
    metric.update(found)
    metric.update(torch.full((2,), torch.nan))
    metric.update(torch.tensor([0.5]))
    result = metric.compute()
    assert float(result["cosine"]) == pytest.approx(((1 + 0.5**0.5) / 3 + 0.5) / 2, abs=1e-6)
    assert float(result["missing_percent"]) == pytest.approx(100 * 3 / 7)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="no such identity network"):
        IdentityNetwork(tmp_path / "missing.onnx")
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(WeightsError, match="no ONNX file"):
        IdentityNetwork(tmp_path / "text.onnx")
    assert "\n" not in module.ABSENT


def test_what_cannot_be_measured(network_file):
    nobody = torch.full((2, 68, 2), torch.nan)
    frames = torch.zeros(2, 3, 112, 112, dtype=torch.uint8)
    embed = IdentityNetwork(network_file)
    assert torch.isnan(face_similarity(embed, frames, nobody, frames[0], nobody[0])).all()
    metric = FaceSimilarity()
    metric.update(torch.full((2,), torch.nan))
    with pytest.raises(MetricError, match="0 clips with a face"):
        metric.compute()
    with pytest.raises(ValueError, match="uint8"):
        aligned_faces(frames.float(), nobody)
    with pytest.raises(ValueError, match="112"):
        embed(torch.zeros(1, 3, 50, 50, dtype=torch.uint8))
