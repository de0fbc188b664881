"""``inkspeak evaluate detector``: figures by hand, sheets, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.synthetic.face_landmarks import SyntheticFaceLandmarksDataModule
from experiments.__main__ import main
from experiments.commands.evaluate_detector import report
from experiments.detector_evaluation import held_out_faces, measured, milliseconds_a_face, write_worst
from lightning_modules.errors import ConfigError
from lightning_modules.export.network_file import save_network
from lightning_modules.metrics.lip_landmark_distance import outer_eye_distance
from lightning_modules.networks.frozen.mobilefacenet import MobileFaceNet


@pytest.fixture(scope="module")
def data() -> SyntheticFaceLandmarksDataModule:
    return SyntheticFaceLandmarksDataModule(photos=8, drawings=6, hold_out=0.4)


def test_errors_are_told_domain_by_domain(data, tmp_path):
    faces = held_out_faces(data)
    found = faces.landmarks.clone()
    photos = torch.nonzero(faces.domain == 0).flatten()
    eyes = outer_eye_distance(faces.landmarks)
    found[photos, :, 0] += 0.03 * eyes[photos, None]  # three percent, all points
    found[photos[0], 48:, 1] += 0.04 * eyes[photos[0]]  # five percent (3, 4, 5) at the lips of one
    found[photos[1], :, 0] += 0.27 * eyes[photos[1]]  # thirty percent
    figures = measured(found.numpy(), faces)
    own, others = figures["photo"], figures["static_drawing"]
    count = len(photos)
    assert own["faces"] == count >= 3
    assert own["missed"] == 1
    assert own["worst"] == pytest.approx(30, abs=1e-3)
    assert own["jaw"] == pytest.approx((3 * (count - 1) + 30) / count, abs=1e-3)
    assert own["lips"] == pytest.approx((3 * (count - 2) + 5 + 30) / count, abs=1e-3)
    assert (others["mean"], others["missed"]) == (0, 0)
    assert "cartoon" not in figures
    assert "| photo |" in report(figures, 1.0)
    write_worst(tmp_path, np.asarray(found), faces, figures, count=4)
    assert {path.name for path in tmp_path.iterdir()} == {f"worst_{name}.png" for name in figures}


def test_no_held_out_face_is_told():
    with pytest.raises(ConfigError, match="no face is held out"):
        held_out_faces(SyntheticFaceLandmarksDataModule(photos=1, drawings=0, hold_out=0.0))


def test_speed_is_measured():
    assert milliseconds_a_face(torch.nn.Identity(), crops=3) > 0


def test_the_command_reads_files_and_refuses_the_wrong_ones(tmp_path: Path, capsys, monkeypatch, data):
    monkeypatch.setattr("datamodules.face_landmarks.FaceLandmarksDataModule", lambda **_: data)
    file = tmp_path / "detector.safetensors"
    save_network("mobilefacenet", MobileFaceNet(side=32), file, {"fraction_origin": "edge"})
    figures = tmp_path / "figures.json"
    assert main(["evaluate", "detector", "--weights", str(file), "--json", str(figures)]) == 0
    assert "ms a face" in capsys.readouterr().out
    assert set(json.loads(figures.read_text())["domains"]) == {"photo", "static_drawing", "artist_drawing"}
    save_network("mobilefacenet", MobileFaceNet(), file)
    assert main(["evaluate", "detector", "--weights", str(file)]) == 2
    assert "counts fractions from the first pixel" in capsys.readouterr().err
