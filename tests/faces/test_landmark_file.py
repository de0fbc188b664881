"""Landmarks given by the user: every format, every refusal, and the faces made of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lightning_modules.audio.face_axes import average_face
from lightning_modules.errors import PhotoError
from lightning_modules.faces.face_analyzers import make_face_analyzer
from lightning_modules.faces.landmark_file import read_landmarks
from lightning_modules.geometry.landmark_groups import MIRROR

POINTS = np.round(average_face() * 90 + [200, 150, 0], 3)
PHOTO = np.zeros((400, 400, 3), np.uint8)


def lines(points: np.ndarray, separator: str = " ") -> str:
    return "".join(separator.join(f"{value:g}" for value in point) + "\n" for point in points)


def written(folder: Path, name: str, points: np.ndarray) -> Path:
    path = folder / name
    if path.suffix == ".txt":
        path.write_text(f"# by hand\n\n{lines(points)}")
    elif path.suffix == ".csv":
        path.write_text(lines(points, ","))
    elif path.suffix == ".npy":
        np.save(path, points)
    elif path.suffix == ".npz":
        np.savez(path, landmarks=points, other=np.zeros(3))
    elif path.suffix == ".json":
        path.write_text(json.dumps({"landmarks": points.tolist()}))
    else:
        path.write_text(f"version: 1\nn_points: 68\n{{\n{lines(points + 1)}}}\n")
    return path


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".npy", ".npz", ".json", ".pts"])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_formats(tmp_path, suffix, dimensions):
    points = POINTS[:, :dimensions]
    read = read_landmarks(written(tmp_path, f"face{suffix}", points))
    assert read.shape == (1, 68, dimensions)
    assert np.allclose(read[0], points, atol=1e-3)


def test_variants(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("point,y,x\n" + "".join(f"{i},{y:g},{x:g}\n" for i, (x, y) in enumerate(POINTS[:, :2])))
    assert np.allclose(read_landmarks(path)[0], POINTS[:, :2], atol=1e-3)
    path.write_text(lines(POINTS[:, :2], ";"))
    assert np.allclose(read_landmarks(path)[0], POINTS[:, :2], atol=1e-3)
    path = tmp_path / "A.TXT"
    path.write_bytes(b"\xef\xbb\xbf" + lines(POINTS[:, :2], ", ").replace("\n", "\r\n").encode())
    assert np.allclose(read_landmarks(path)[0], POINTS[:, :2], atol=1e-3)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(POINTS.tolist()))
    assert np.allclose(read_landmarks(path)[0], POINTS)
    np.savez(tmp_path / "one.npz", anything=POINTS)
    assert np.allclose(read_landmarks(tmp_path / "one.npz")[0], POINTS)


def refusal(path) -> str:
    with pytest.raises(PhotoError) as caught:
        make_face_analyzer("file", path=path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", b"", "its lines have no numbers"),
        ("a.txt", b"1 2\n3 four\n", "line 2 is not numbers: '3 four'"),
        ("a.txt", b"1 2\n3\n", "its lines have 1 and 2 numbers"),
        ("a.txt", b"1 2\n" * 67, "the file holds 67×2 numbers"),
        ("a.txt", b"1 2 3 4\n" * 68, "the file holds 68×4 numbers"),
        ("a.txt", b"1 nan\n" * 68, "landmark 0 is not a finite number"),
        ("a.txt", b"\xff\xfe1\x00 \x00", "cannot be read"),
        ("a.csv", b"", "it is empty"),
        ("a.csv", b"x,y\n1,2\n3\n", "line 3 has 1 columns"),
        ("a.json", b"{", "cannot be read"),
        ("a.json", b'{"points": []}', "no key named landmarks"),
        ("a.json", b'{"landmarks": [[1, 2], [3]]}', "cannot be read"),
        ("a.json", b'{"landmarks": "many"}', "cannot be read"),
        ("a.json", b"[" * 100000, "cannot be read"),
        ("a.npy", b"not numpy", "cannot be read"),
        ("a.npz", b"PK\x03\x04 broken", "cannot be read"),
        ("a.pts", b"1 2\n" * 68, "no { and } around the points"),
        ("a.doc", b"1 2\n" * 68, "landmarks in a .doc file"),
        ("a", b"1 2\n" * 68, "landmarks in a nameless file"),
    ],
)
def test_refused(tmp_path, name, content, expected):
    path = tmp_path / name
    path.write_bytes(content)
    assert expected in refusal(path)


def test_refused_files(tmp_path):
    assert "no such landmark file" in refusal(tmp_path / "missing.txt")
    (tmp_path / "folder.txt").mkdir()
    assert "this is a folder" in refusal(tmp_path / "folder.txt")
    np.savez(tmp_path / "two.npz", a=POINTS, b=POINTS)
    assert "no array named landmarks among a, b" in refusal(tmp_path / "two.npz")
    (tmp_path / "large.txt").write_bytes(b" " * (17 << 20))
    assert "larger than 16 MiB" in refusal(tmp_path / "large.txt")


def test_a_file_cannot_run_code(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    np.save(tmp_path / "trap.npy", np.array([Trap()] * 68, dtype=object))
    np.savez(tmp_path / "trap.npz", landmarks=np.array([Trap()], dtype=object))
    (tmp_path / "ran").unlink(missing_ok=True)
    for name in ("trap.npy", "trap.npz"):
        assert "cannot be read" in refusal(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_points_that_are_no_face(tmp_path):
    assert "do not form a face" in refusal(written(tmp_path, "dot.txt", POINTS * 0 + 7))
    line = np.stack([np.arange(68.0) * 4, np.arange(68.0) * 2], axis=1)
    assert "do not form a face" in refusal(written(tmp_path, "line.txt", line))
    assert "mirrored" in refusal(written(tmp_path, "mirrored.txt", POINTS[np.asarray(MIRROR)]))


def test_faces(tmp_path):
    two = np.stack([POINTS + np.array([100, 0, 0]), POINTS * 0.5])
    analyzer = make_face_analyzer("file", path=written(tmp_path, "two.npy", two))
    faces = analyzer.find_faces(PHOTO)
    assert [round(face.box.center[0]) for face in faces] == [100, 300]
    assert faces.tried == ("the landmarks of two.npy",)
    assert faces[1].confidence == 1
    assert np.allclose(faces[1].landmarks, two[0], atol=1e-3)
    assert faces[1].landmarks.dtype == np.float32


def test_2d_landmarks_get_the_depth_of_an_average_face(tmp_path):
    analyzer = make_face_analyzer("file", path=written(tmp_path, "flat.txt", POINTS[:, :2]))
    (face,) = analyzer.find_faces(PHOTO)
    assert np.allclose(face.landmarks, POINTS, atol=0.05)


def test_landmarks_of_another_picture(tmp_path):
    analyzer = make_face_analyzer("file", path=written(tmp_path, "far.txt", POINTS[:, :2] * 10))
    with pytest.raises(PhotoError, match="outside the photo of 400×400 pixels"):
        analyzer.find_faces(PHOTO)
