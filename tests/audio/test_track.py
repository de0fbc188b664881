"""Landmark tracks and their file."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest

from lightning_modules.audio.track import LandmarkTrack, load_track, save_track
from lightning_modules.errors import OutputError, TrackError


@pytest.fixture
def track():
    return LandmarkTrack(np.random.default_rng(0).standard_normal((7, 68, 3)).astype(np.float32), 29.97)


def test_there_and_back(tmp_path, track):
    path = save_track(track, tmp_path / "motion.npz")
    again = load_track(path)
    np.testing.assert_array_equal(again.landmarks, track.landmarks)
    assert again.landmarks.dtype == np.float32
    assert again.fps == 29.97
    assert len(again) == 7
    assert again.duration == pytest.approx(7 / 29.97)
    assert [entry.name for entry in tmp_path.iterdir()] == ["motion.npz"]


def test_the_file_says_units_and_conventions(tmp_path, track):
    with np.load(save_track(track, tmp_path / "motion"), allow_pickle=False) as stored:
        assert str(stored["units"]) == "pixels"
        assert "y down" in str(stored["conventions"])
        assert "towards the viewer" in str(stored["conventions"])


@pytest.mark.parametrize(
    ("landmarks", "fps"),
    [
        (np.zeros((0, 68, 3), np.float32), 25.0),
        (np.zeros((5, 68, 2), np.float32), 25.0),
        (np.zeros((68, 3), np.float32), 25.0),
        (np.zeros((5, 68, 3)), 25.0),
        (np.full((5, 68, 3), np.nan, np.float32), 25.0),
        (np.zeros((5, 68, 3), np.float32), 0.0),
        (np.zeros((5, 68, 3), np.float32), float("nan")),
    ],
)
def test_what_is_no_track(landmarks, fps):
    with pytest.raises(ValueError, match="landmark track"):
        LandmarkTrack(landmarks, fps)


def stored(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("loading a track ran code",))


GOOD = {"landmarks": np.zeros((2, 68, 3), np.float32), "fps": np.float64(25), "units": np.str_("pixels")}


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "damaged"),
        (b"no track at all", "damaged"),
        (pickle.dumps(Bomb()), "damaged"),
        (stored(**GOOD)[:200], "damaged"),
        (stored(a=np.zeros(3)), "holds no fps, landmarks, units"),
        (stored(**{**GOOD, "units": np.str_("metres")}), "'metres'"),
        (stored(**{**GOOD, "landmarks": np.zeros((2, 5, 3))}), "(2, 5, 3)"),
        (stored(**{**GOOD, "landmarks": np.full((2, 68, 3), np.inf)}), "finite"),
        (stored(**{**GOOD, "fps": np.float64(-1)}), "frame rate"),
        (stored(**{**GOOD, "landmarks": np.array([Bomb()], dtype=object)}), "damaged"),
        (stored(**{**GOOD, "fps": np.zeros(3)}), "damaged"),
    ],
)
def test_files_that_are_no_track(tmp_path, data, found):
    path = tmp_path / "motion.npz"
    path.write_bytes(data)
    with pytest.raises(TrackError) as caught:
        load_track(path)
    assert found in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_flipped_byte_is_noticed(tmp_path, track):
    path = save_track(track, tmp_path / "motion.npz")
    data = bytearray(path.read_bytes())
    data[300] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(TrackError, match="damaged"):
        load_track(path)


def test_missing(tmp_path):
    with pytest.raises(TrackError, match="no such file"):
        load_track(tmp_path / "motion.npz")


def test_no_place_to_write(tmp_path, track):
    with pytest.raises(OutputError, match="cannot be written"):
        save_track(track, tmp_path / "missing" / "motion.npz")
    assert list(tmp_path.iterdir()) == []
