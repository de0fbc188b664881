"""The paper's detector without its weights: one sentence, at once, no torch. With untrained ones: the whole way."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from lightning_modules.errors import BackendError, ConfigError, WeightsError
from lightning_modules.faces import face_alignment_analyzer as module
from lightning_modules.faces.face_analyzers import make_face_analyzer

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("face_alignment") is None, reason="face-alignment is not installed"
)


def test_missing_weights_in_a_given_folder(tmp_path):
    with pytest.raises(BackendError) as caught:
        make_face_analyzer("face-alignment", weights=tmp_path)
    assert str(caught.value) == (
        "face-alignment needs weights that are not there (3DFAN4-7835d9f11d.pth.tar, depth-2a464da4ea.pth.tar); fetch"
        " them from https://www.adrianbulat.com/downloads/python-fan/ and put them into"
        f" {tmp_path}, or use the analyzer mediapipe"
    )
    with pytest.raises(BackendError, match=r"s3fd-619a316812\.pth"):
        make_face_analyzer("face-alignment", weights=tmp_path, boxes="s3fd")


def test_offline_it_says_so_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(BackendError) as caught:
        make_face_analyzer("face-alignment")
    message = str(caught.value)
    assert "the site that has them cannot be reached" in message
    assert str(tmp_path / "hub" / "checkpoints") in message
    assert not list(tmp_path.iterdir())


def test_torch_is_not_loaded_to_say_that(tmp_path):
    script = (
        "import sys\n"
        "from lightning_modules.errors import BackendError\n"
        "from lightning_modules.faces.face_analyzers import make_face_analyzer\n"
        "try:\n"
        "    make_face_analyzer('face-alignment', weights=sys.argv[1])\n"
        "except BackendError:\n"
        "    print('torch' in sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"


def test_a_failed_download_is_one_sentence(tmp_path, monkeypatch):
    """The site answers, then names stop resolving."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(module, "_reachable", lambda: True)
    with pytest.raises(BackendError, match=r"3DFAN4-7835d9f11d\.pth\.tar could not be downloaded"):
        make_face_analyzer("face-alignment")
    assert not list((tmp_path / "hub" / "checkpoints").iterdir())


def test_other_refusals(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="boxes cannot come from 'haar'"):
        make_face_analyzer("face-alignment", boxes="haar")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(BackendError, match=r"run: pip install --no-deps face-alignment==1\.5\.0"):
        make_face_analyzer("face-alignment", weights=tmp_path)


def test_damaged_and_foreign_weights(tmp_path):
    torch = pytest.importorskip("torch")
    (tmp_path / module.DEPTH_FILE).write_bytes(b"")
    for content in (b"", b"no weights at all", b"PK\x03\x04 cut off"):
        (tmp_path / module.LANDMARK_FILE).write_bytes(content)
        with pytest.raises(WeightsError, match="damaged"):
            make_face_analyzer("face-alignment", weights=tmp_path)
    torch.save({"some": torch.zeros(3)}, tmp_path / module.LANDMARK_FILE)
    with pytest.raises(WeightsError, match="do not fit its networks"):
        make_face_analyzer("face-alignment", weights=tmp_path)


def test_weights_cannot_run_code(tmp_path):
    torch = pytest.importorskip("torch")

    class Trap:
        def __reduce__(self):
            return (type(tmp_path).touch, (tmp_path / "ran",))

    torch.save({"state_dict": Trap()}, tmp_path / module.LANDMARK_FILE)
    (tmp_path / module.DEPTH_FILE).write_bytes(b"")
    (tmp_path / "ran").unlink(missing_ok=True)
    with pytest.raises(WeightsError, match="holds more than numbers"):
        make_face_analyzer("face-alignment", weights=tmp_path)
    assert not (tmp_path / "ran").exists()


def test_numbers_beside_tensors_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"epoch": 3, "best": np.float64(0.25), "state_dict": {"a": torch.ones(2)}}, tmp_path / "a.pth.tar")
    stored = module._numbers_of(tmp_path / "a.pth.tar")
    assert stored["best"] == 0.25
    assert stored["state_dict"]["a"].tolist() == [1, 1]


def test_depth_points_towards_the_viewer(portrait_face):
    points = portrait_face.landmarks
    behind = points * np.array([1, 1, -1], dtype=np.float32)
    assert np.array_equal(module._towards_viewer(points), points)
    assert np.array_equal(module._towards_viewer(behind), points)


@pytest.mark.slow
def test_the_whole_way_with_untrained_weights(tmp_path, portrait):
    """Shapes, order and types; the places mean nothing without the real weights."""
    torch = pytest.importorskip("torch")
    from face_alignment.models import FAN, ResNetDepth

    torch.save(FAN(4).state_dict(), tmp_path / module.LANDMARK_FILE)
    depth = {f"module.{name}": value for name, value in ResNetDepth().state_dict().items()}
    torch.save({"state_dict": depth, "best": np.float64(1)}, tmp_path / module.DEPTH_FILE)
    faces = make_face_analyzer("face-alignment", weights=tmp_path).find_faces(portrait)
    assert len(faces) == 1
    assert faces[0].landmarks.shape == (68, 3)
    assert faces.tried == ("mediapipe: the whole photo",)
