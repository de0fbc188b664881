"""dlib's identity network: what happens without it, and where it is installed, that it knows people in drawings."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.demo import DEMO_PHOTO
from lightning_modules.drawing.drawer import make_drawer
from lightning_modules.errors import BackendError
from lightning_modules.faces.mediapipe_analyzer import MediaPipeAnalyzer
from lightning_modules.metrics.dlib_identity import DlibIdentity
from lightning_modules.metrics.face_similarity import IdentityNetwork, face_similarity, make_face_embedder

needs_dlib = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("dlib", "face_recognition_models")),
    reason="dlib's network is not installed (extra identity)",
)


@pytest.mark.parametrize("missing", ["dlib", "face_recognition_models"])
def test_without_the_extra_it_is_named(monkeypatch, missing):
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else there(name))
    with pytest.raises(BackendError, match=r"inkspeak\[identity\]"):
        make_face_embedder("dlib")


def test_anything_else_is_a_file(tmp_path):
    import runpy

    path = tmp_path / "dlib.onnx"
    path.write_bytes(runpy.run_path(str(Path(__file__).with_name("onnx_by_hand.py")))["mean_colours"]())
    assert isinstance(make_face_embedder(path, "bytes"), IdentityNetwork)


@needs_dlib
def test_a_drawing_is_like_its_photo_and_unlike_another_face():
    rgb = np.asarray(Image.open(DEMO_PHOTO).convert("RGB"))
    (face, *_) = MediaPipeAnalyzer().find_faces(rgb)
    points = torch.from_numpy(face.landmarks)[None]
    photo = torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None]
    drawn = make_drawer("ink").draw(photo.float() / 255, landmarks=points)
    drawing = (drawn * 255).round().to(torch.uint8).expand(-1, 3, -1, -1)
    embed = DlibIdentity()
    aligned = embed.aligned(torch.cat((photo, drawing)), points.expand(2, -1, -1))
    assert aligned.shape == (2, 3, 150, 150)
    assert embed(aligned).shape == (2, 128)
    # Another face: the same wider by a third, as no head's motion makes it.
    wide = torch.nn.functional.interpolate(drawing.float(), scale_factor=(1.0, 1.33), mode="bilinear").to(torch.uint8)
    wide_points = (points[..., :2] + 0.5) * torch.tensor([1.33, 1.0]) - 0.5
    shifted = torch.roll(drawing, (4, 6), (2, 3))
    moved = points[..., :2] + torch.tensor([6.0, 4.0])
    same = face_similarity(embed, shifted, moved, photo[0], points[0])
    other = face_similarity(embed, wide, wide_points, photo[0], points[0])
    assert float(face_similarity(embed, drawing, points, drawing[0], points[0])) == pytest.approx(1, abs=1e-6)
    assert float(same) > float(other) + 0.01


@needs_dlib
def test_other_types_are_refused():
    embed = DlibIdentity()
    with pytest.raises(ValueError, match="150"):
        embed(torch.zeros(1, 3, 112, 112, dtype=torch.uint8))
    with pytest.raises(ValueError, match="uint8"):
        embed.aligned(torch.zeros(1, 3, 64, 64), torch.zeros(1, 68, 2))
    assert embed(embed.aligned(torch.zeros(0, 3, 64, 64, dtype=torch.uint8), torch.zeros(0, 68, 2))).shape == (0, 128)
