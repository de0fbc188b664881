"""``inkspeak landmarks``, the choice of a driver, and the way of a model from a checkpoint into both commands."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from landmark_models import model

from experiments.__main__ import main
from lightning_modules.audio.envelope_driver import EnvelopeDriver
from lightning_modules.audio.track import load_track
from lightning_modules.errors import ConfigError
from lightning_modules.export.landmark_checkpoint import networks_record, statistics_record
from lightning_modules.export.landmark_model_file import save_landmark_model
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.networks.content_branch import ContentBranch
from lightning_modules.pipeline import landmark_driver_choice
from lightning_modules.pipeline.animation_job import AnimationJob, MotionGains
from lightning_modules.pipeline.backends import Backends
from lightning_modules.pipeline.landmark_driver import LandmarkDriver
from lightning_modules.pipeline.landmark_driver_choice import chosen_driver, driver_note, make_driver
from lightning_modules.pipeline.landmark_driver_published import PublishedLandmarkDriver

DEMO = Path(__file__).resolve().parents[2] / "experiments" / "demo"
SPEECH = str(DEMO / "speech.flac")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    small = ContentBranch(prior_width=8, prior_features=6, hidden=8, layers=1, head_width=8)
    return save_landmark_model(model(content=small), tmp_path / "mine.safetensors", half=True)


@pytest.fixture(autouse=True)
def no_starter(monkeypatch, tmp_path):
    monkeypatch.setattr(landmark_driver_choice, "STARTER", tmp_path / "starter" / "speech_to_landmarks.safetensors")


def test_the_track_says_what_it_is(tmp_path, weights, capsys):
    before = hashlib.sha256(Path(SPEECH).read_bytes()).hexdigest()
    words = ["landmarks", SPEECH, "--weights", str(weights), "--fps", "62.5", "--seed", "3"]
    assert main([*words, "-o", str(tmp_path / "a.npz")]) == 0
    out, err = capsys.readouterr()
    assert "a.npz: 226 frames at 62.5 per second" in out
    assert "driver: trained (mine.safetensors, preset default)" in err
    track = load_track(tmp_path / "a.npz")
    assert track.landmarks.shape == (226, 68, 3)
    assert track.fps == 62.5
    eyes = np.linalg.norm(track.landmarks[:, 45] - track.landmarks[:, 36], axis=1)
    np.testing.assert_allclose(eyes, 90, atol=1.5)
    assert main([*words, "-o", str(tmp_path / "b.npz"), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    np.testing.assert_array_equal(load_track(tmp_path / "b.npz").landmarks, track.landmarks)
    assert hashlib.sha256(Path(SPEECH).read_bytes()).hexdigest() == before


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_the_face_of_a_file_moves(tmp_path, weights, preset):
    points = frontal_face() * 150 + [400, 300, 0]
    np.save(tmp_path / "face.npy", points[:, :2])
    words = ["landmarks", SPEECH, "--face", str(tmp_path / "face.npy"), "--weights", str(weights), "--preset", preset]
    still = ["--mouth-x", "0", "--mouth-y", "0", "--head", "0", "--brows", "0", "--blink-rate", "0"]
    assert main([*words, *still, "-o", str(tmp_path / "t.npz"), "--quiet"]) == 0
    track = load_track(tmp_path / "t.npz")
    assert len(track) == 90
    tolerance = 3 if preset == "paper" else 1.0  # the published chain moves lids and lips by up to two pixels
    np.testing.assert_allclose(track.landmarks[40, :, :2], points[:, :2], atol=tolerance)


def test_without_a_model_the_envelope_drives_and_is_named(tmp_path, capsys):
    assert main(["landmarks", SPEECH, "-o", str(tmp_path / "t.npz")]) == 0
    assert "driver: envelope" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--driver", "trained"], "no speech-to-landmark model"),
        (["--driver", "envelope", "--weights", "x.safetensors"], "envelope driver reads none"),
        (["--weights", "absent.safetensors"], "no such weight file"),
        (["--photo", "a.jpg", "--face", "b.txt"], "both a photo and a file"),
        (["--finder", "face-alignment"], "there is no photo"),
        (["--preset", "paper"], "no preset 'paper'"),
        (["--mouth-x", "4"], "lips"),
        (["--seed", "-1"], "seed"),
        (["--fps", "0"], "frame rate"),
    ],
)
def test_wrong_choices_end_in_one_line(tmp_path, capsys, words, told):
    assert main(["landmarks", SPEECH, "-o", str(tmp_path / "t.npz"), "--quiet", *words]) == 2
    assert told in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "t.npz").exists()


def test_who_is_chosen(tmp_path, monkeypatch):
    assert chosen_driver("auto", None) == ("envelope", None)
    assert chosen_driver("auto", Path("m")) == ("trained", Path("m"))
    starter = tmp_path / "starter.safetensors"
    starter.touch()
    monkeypatch.setattr(landmark_driver_choice, "STARTER", starter)
    assert chosen_driver("auto", None) == chosen_driver("trained", None) == ("trained", starter)
    assert chosen_driver("trained", Path("m")) == ("trained", Path("m"))
    assert chosen_driver("envelope", None) == ("envelope", None)
    assert driver_note(starter, "default") == "driver: trained (starter model, preset default)"


def test_gains_reach_their_driver():
    gains = MotionGains(jaw=0.5, lips=0.25, head=2.0, brows=0.75, blink_rate=9.0)
    envelope = make_driver(None, seed=3, gains=gains)
    assert isinstance(envelope, EnvelopeDriver)
    found = (envelope.seed, envelope.jaw, envelope.lips, envelope.head, envelope.brows, envelope.blink_rate)
    assert found == (3, 0.5, 0.25, 2.0, 0.75, 9.0)
    for preset, kind in (("default", LandmarkDriver), ("paper", PublishedLandmarkDriver)):
        trained = make_driver(model(), preset=preset, seed=3, gains=gains)
        assert type(trained) is kind
        strengths = trained.gains
        assert (strengths.mouth_y, strengths.mouth_x, strengths.head) == (0.5, 0.25, 2.0)
        assert (strengths.brows, strengths.blink_rate) == (0.75, 9.0)
    with pytest.raises(ConfigError, match="preset"):
        make_driver(None, preset="paper")


def test_jobs_of_a_batch_share_the_model(tmp_path, weights):
    backends = Backends()
    job = AnimationJob(Path("p.jpg"), Path("s.wav"), tmp_path / "o.mp4", driver_weights=weights, seed=1)
    (first, told), (second, _) = backends.driver(job), backends.driver(job)
    assert first.model is second.model
    assert told == ("driver: trained (mine.safetensors, preset default)",)
    assert isinstance(first, LandmarkDriver)
    assert first.seed == 1


def test_weights_export_knows_checkpoints_of_the_first_stage(tmp_path, capsys):
    held = model(content=ContentBranch(prior_width=8, prior_features=6, hidden=8, layers=1, head_width=8))
    branch = held.content_branch.state_dict()
    state = {"windows_seen": 5, "updates": {}, "stage": "content", "statistics": statistics_record(held)}
    state |= networks_record(held.content_branch, None)
    stored = {f"content_branch.{key}": value for key, value in branch.items()}
    torch.save({"state_dict": stored, "audio_to_landmark": state, "callbacks": {}}, tmp_path / "last.ckpt")
    words = [
        "weights",
        "export",
        str(tmp_path / "last.ckpt"),
        str(tmp_path / "out.safetensors"),
        "--licence",
        "CC0-1.0",
    ]
    assert main([*words, "--json"]) == 0
    out = capsys.readouterr().out
    facts = json.loads(out[: out.rindex("}") + 1])
    assert facts["windows_seen"] == 5
    assert facts["licence"] == "CC0-1.0"
    assert facts["parameters"]["content_branch"] == sum(p.numel() for p in held.content_branch.parameters())
    assert "no moving average" in out
    assert (
        main(["landmarks", SPEECH, "--weights", str(tmp_path / "out.safetensors"), "-o", str(tmp_path / "t.npz")]) == 0
    )
