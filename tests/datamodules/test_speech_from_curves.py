from __future__ import annotations

import json

import numpy as np
import pytest

from datamodules.prepare import speech_from_curves as builder
from datamodules.prepare.curve_names import FACEGOOD, shape_weights, shares_of
from datamodules.prepare.manifest import verify_manifest
from datamodules.prepare.recorded_curves import RecordedCurves, read_curves
from datamodules.prepare.shape_face import read_shape_face
from datamodules.prepare.speech_from_curves import CurveSettings, closed_lips, opening_correlation, prepare_curves
from datamodules.prepare.speech_set import read_speech, speech_entries
from lightning_modules.errors import BackendError, ConfigError, OutputError, PreparedSetError, TrackError
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.geometry.head_pose import T_SHAPE, register


@pytest.fixture(scope="module")
def small_takes():
    import small_takes

    return small_takes


@pytest.fixture
def face_file(small_takes, tmp_path):
    return small_takes.write_face(tmp_path / "face.npz")


@pytest.fixture
def source(small_takes, tmp_path):
    root = tmp_path / "performer"
    for name in ("take_1", "take_2"):
        small_takes.write_take(root / "paired", name, late=0.025)
    (root / "SOURCE.md").write_text("# Performer\nLicence: MIT\n")
    return root


@pytest.fixture
def prepared(source, face_file, tmp_path):
    report = prepare_curves(
        source, tmp_path / "set", face_file, CurveSettings(embedding=False, identities=2), workers=0
    )
    return tmp_path / "set", report


def test_takes_become_records_of_many_faces(prepared):
    folder, report = prepared
    assert (report.total, report.prepared, report.rejected) == (4, 4, ())
    assert verify_manifest(folder).ok
    entries = speech_entries(folder)
    assert [entry.sentence for entry in entries] == ["paired/take_1"] * 2 + ["paired/take_2"] * 2
    assert {entry.voice for entry in entries} == {"performer"}
    assert len({entry.face for entry in entries}) == 4
    assert all(entry.synthetic and entry.frames == 126 for entry in entries)
    assert report.licences == {"MIT": 4}
    assert "2.0 s, 2 faces, correlation 0.9" in report.findings["Mouth opening against loudness"][0].text
    assert report.findings["Curves left out"][0].text == "tongue_u"


def test_a_record_shows_what_the_curves_say(prepared, face_file):
    entry = speech_entries(prepared[0])[0]
    record = read_speech(entry.folder)
    face = read_shape_face(face_file)
    assert record.licence == "MIT"
    assert record.mel.shape == (126, 80)
    # One centimetre of jaw at a gain of 0.85, in units of this identity's eyes.
    neutral = builder.random_identity(face, record.seed, 0.9)
    unit = np.linalg.norm(neutral[45] - neutral[36])
    gap = record.registered[:, 66, 1] - record.registered[:, 62, 1]
    times = np.arange(126) / 62.5
    expected = 0.006 + 0.85 / unit * (0.5 - 0.5 * np.cos(2 * np.pi * 2.5 * times))
    np.testing.assert_allclose(gap[:110], expected[:110], atol=0.004)
    forward = record.registered[:, 51, 2] - record.static[51, 2]
    np.testing.assert_allclose(forward[:60], 0.0, atol=1e-6)
    np.testing.assert_allclose(forward[70:], 0.3 / unit, rtol=1e-4)
    assert np.linalg.norm(record.static[45] - record.static[36]) == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(record.static[[36, 45]].mean(axis=0), 0.0, atol=1e-6)


def test_head_motion_and_blinks_are_apart(prepared):
    record = read_speech(speech_entries(prepared[0])[0].folder)
    points = list(T_SHAPE)
    np.testing.assert_allclose(record.registered[:, points] - record.static[points], 0.0, atol=1e-5)
    np.testing.assert_array_equal(record.registered[:, 37], np.broadcast_to(record.registered[0, 37], (126, 3)))
    assert np.ptp(record.pose[:, :3], axis=0).min() > 0.003
    assert record.lids is not None
    # The pose of the full motion is the recorded one.
    from lightning_modules.geometry.head_pose import apply_pose

    found = register(apply_pose(record.registered, record.pose), record.static).pose
    np.testing.assert_allclose(found, record.pose, atol=1e-5)


def test_a_second_run_finds_everything_done(prepared, source, face_file, tmp_path):
    again = prepare_curves(source, tmp_path / "set", face_file, CurveSettings(embedding=False, identities=2), workers=0)
    assert (again.prepared, again.kept) == (0, 4)
    with pytest.raises(PreparedSetError, match="prepared with other settings: seed 0 there, 1 now"):
        prepare_curves(
            source, tmp_path / "set", face_file, CurveSettings(embedding=False, identities=2, seed=1), workers=0
        )
    with pytest.raises(OutputError, match="lies inside the source"):
        prepare_curves(source, source / "set", face_file, workers=0)


def test_records_are_the_same_in_another_place_and_order(prepared, source, face_file, tmp_path):
    prepare_curves(source, tmp_path / "other", face_file, CurveSettings(embedding=False, identities=3), workers=0)
    first = {entry.id: read_speech(entry.folder) for entry in speech_entries(prepared[0])}
    other = {entry.id: read_speech(entry.folder) for entry in speech_entries(tmp_path / "other")}
    assert len(other) == 6
    for name, record in first.items():
        np.testing.assert_array_equal(record.registered, other[name].registered)
        np.testing.assert_array_equal(record.pose, other[name].pose)


def test_takes_that_cannot_be_used_are_reported(source, face_file, tmp_path, small_takes):
    (source / "paired" / "take_1.flac").unlink()
    np.savez(source / "paired" / "take_2.npz", weights=np.zeros((60, 3)), fps=30.0)
    np.savez(source / "paired" / "take_3.npz", something=1)
    for name in ("take_3", "take_4"):
        small_takes.write_take(source / "more", name)
        (source / "more" / f"{name}.npz").rename(source / "paired" / f"{name}.tmp")
        (source / "more" / f"{name}.flac").rename(source / "paired" / f"{name}.flac")
    np.savez(source / "paired" / "take_4.npz", weights=np.zeros((600, 4)), fps=30.0)
    report = prepare_curves(
        source, tmp_path / "set", face_file, CurveSettings(embedding=False, identities=1), workers=0
    )
    reasons = {entry.source.split("/")[1]: entry.text for entry in report.rejected}
    assert "no sound of the same name" in reasons["take_1.npz"]
    assert "has 3 curves, but 4 names" in reasons["take_2.npz"]
    assert "there is no fps, weights" in reasons["take_3.npz"]
    assert "lasts 20.0 s, its sound 2.0 s" in reasons["take_4.npz"]


def test_a_folder_without_takes_or_a_wrong_model_is_refused_at_once(source, tmp_path):
    (tmp_path / "empty").mkdir()
    model = tmp_path / "model.npz"
    np.savez(model, neutral=np.zeros((3, 3)))
    with pytest.raises(TrackError, match="holds no takes"):
        prepare_curves(tmp_path / "empty", tmp_path / "set", model)
    published = tmp_path / "autovc_retrain_mel_train_fl.pickle"
    published.write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(TrackError, match="is a pickle, which can run any program"):
        prepare_curves(published, tmp_path / "set", model)
    with pytest.raises(BackendError, match="no face model: it holds no expr_delta"):
        prepare_curves(source, tmp_path / "set", model, workers=0)
    with pytest.raises(BackendError, match="there is no such face model"):
        prepare_curves(source, tmp_path / "set", tmp_path / "nowhere.npz", workers=0)
    with pytest.raises(ConfigError, match="0 identities"):
        CurveSettings(identities=0)
    assert not (tmp_path / "set").exists() or not list((tmp_path / "set").glob("*.json"))


def test_an_embedding_that_cannot_be_made_is_told_at_once(source, face_file, tmp_path, monkeypatch):
    from lightning_modules.audio import speaker_embedding

    def missing():
        raise BackendError("the weights are not here", "install them")

    monkeypatch.setattr(speaker_embedding, "load_speaker_encoder", missing)
    with pytest.raises(BackendError, match=r"install them, or do without \(--no-embedding\)"):
        prepare_curves(source, tmp_path / "set", face_file, workers=0)
    assert not (tmp_path / "set" / "set.json").exists()


def test_the_embedding_shapes_the_head_motion(source, small_takes, face_file, tmp_path, monkeypatch):
    from lightning_modules.audio import speaker_embedding

    voice = np.zeros(256, np.float32)
    voice[3] = 1.0
    monkeypatch.setattr(speaker_embedding, "load_speaker_encoder", lambda: None)
    monkeypatch.setattr(speaker_embedding, "embed_speaker", lambda _: voice)
    prepare_curves(source, tmp_path / "with", face_file, CurveSettings(identities=1), workers=0, limit=1)
    prepare_curves(source, tmp_path / "bare", face_file, CurveSettings(1, embedding=False), workers=0, limit=1)
    full, bare = (read_speech(speech_entries(tmp_path / name)[0].folder) for name in ("with", "bare"))
    np.testing.assert_array_equal(full.speaker_embedding, voice)
    np.testing.assert_array_equal(full.registered, bare.registered)
    assert not np.allclose(full.pose, bare.pose, atol=1e-4)


def test_names_of_both_vocabularies():
    shapes = ("jawOpen", "mouthSmile_L", "mouthSmile_R", "cheekPuff_L", "cheekPuff_R", "mouthFunnel")
    assert shares_of("jawOpen", shapes) == {"jawOpen": 1.0}
    assert shares_of("mouthSmileLeft", shapes) == {"mouthSmile_L": 1.0}
    assert shares_of("cheekPuff", shapes) == {"cheekPuff_L": 1.0, "cheekPuff_R": 1.0}
    assert shares_of("tongue_u", shapes) is None
    curves = np.array([[1.0, 0.5, 0.0, 2.0]])
    weights, unknown = shape_weights(curves, ["mouth_oh_c", "jawOpen", "nobody", "tongue_u"], shapes)
    assert {name: values.item() for name, values in weights.items()} == {"jawOpen": 0.67, "mouthFunnel": 0.4}
    assert unknown == ("tongue_u",)


def test_curves_are_read_between_frames_without_overshoot(tmp_path):
    step = RecordedCurves(np.array([[0.0], [0.0], [1.0], [1.0]]), 30.0, ("a",))
    found = step.at(np.linspace(-0.1, 0.2, 301))
    assert found.min() == 0.0
    assert found.max() == 1.0
    assert step.at(np.array([1.5 / 30])).item() == pytest.approx(0.5)
    np.savez(tmp_path / "own.npz", weights=np.zeros((5, 2)), fps=25, names=np.array(["a", "b"]))
    assert read_curves(tmp_path / "own.npz", tmp_path).names == ("a", "b")
    np.savez(tmp_path / "bare.npz", weights=np.zeros((5, 2)), fps=25)
    with pytest.raises(TrackError, match="says no names"):
        read_curves(tmp_path / "bare.npz", tmp_path)
    (tmp_path / "blendshape_names.json").write_text(json.dumps(["c", "d"]))
    assert read_curves(tmp_path / "bare.npz", tmp_path).names == ("c", "d")


def test_lips_at_rest_are_closed():
    face = frontal_face()
    face[[65, 66, 67], 1] += 0.05
    closed = closed_lips(face)
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        assert closed[lower, 1] - closed[upper, 1] == pytest.approx(0.006)
    assert closed[57, 1] < face[57, 1]
    others = [point for point in range(68) if point not in (50, 51, 52, 56, 57, 58, 61, 62, 63, 65, 66, 67)]
    np.testing.assert_array_equal(closed[others], face[others])


def test_the_lag_of_a_mouth_is_measured(make_record):
    n = np.arange(32000)
    level = 0.5 - 0.5 * np.cos(2 * np.pi * 2.0 * n / 16000)
    samples = (8000 * level * np.sin(2 * np.pi * 200 * n / 16000)).astype(np.int16)
    record = make_record(seconds=2.0)
    for frames in (0, 3):
        registered = np.repeat(record.static[None], 126, axis=0)
        registered[:, 66, 1] += 0.1 * (0.5 - 0.5 * np.cos(2 * np.pi * 2.0 * (np.arange(126) - frames) / 62.5))
        moved = make_record(seconds=2.0, samples=samples, registered=registered)
        correlation, lag = opening_correlation(moved)
        assert correlation > 0.8
        assert lag == pytest.approx(16 * frames, abs=16)


def test_the_real_face_and_takes(shared_data):
    """Every name of FACEGOOD's that moves is known, and every shape that it moves is there."""
    face = read_shape_face(shared_data / "face3d/ict_facekit/ict_facekit.npz")
    assert len(face.expression_names) == 57
    assert {shape for shares in FACEGOOD.values() for shape in shares} <= set(face.expression_names)
    frontal = face.neutral - face.neutral[[36, 45]].mean(axis=0)
    np.testing.assert_allclose(frontal / np.linalg.norm(face.neutral[45] - face.neutral[36]), frontal_face(), atol=6e-4)
    root = shared_data / "motion/facegood"
    for path in sorted((root / "paired").glob("*.npz"))[:1]:
        curves = read_curves(path, root)
        weights, unknown = shape_weights(curves.weights, curves.names, face.expression_names)
        assert all(name.startswith(("tongue", "tooth", "mouth_stretch_u")) for name in unknown)
        track = face.neutral + face.displacement(weights)
        gap = (track[:, 66, 1] - track[:, 62, 1]) / np.linalg.norm(face.neutral[45] - face.neutral[36])
        assert np.percentile(gap, 5) < 0.012
        assert 0.10 < np.percentile(gap, 95) < 0.2
