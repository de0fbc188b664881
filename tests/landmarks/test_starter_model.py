"""The speech-to-landmark model that comes with the package: what it is, and that it hears."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from landmark_models import lip_gaps

from datamodules.synthetic.speech.clips import perform, plan_clip, speak_clip
from datamodules.synthetic.speech.voices import make_voice
from experiments.__main__ import main
from lightning_modules.audio.loading import Speech
from lightning_modules.audio.track import load_track
from lightning_modules.export.landmark_model_file import load_landmark_model
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.geometry.landmark_groups import LIPS
from lightning_modules.metrics.speech_motion import best_lag, closures_reached, lip_error, opening_correlation
from lightning_modules.pipeline.animation_job import MotionGains
from lightning_modules.pipeline.landmark_driver_choice import STARTER, chosen_driver, make_driver
from lightning_modules.weights.registry import load_manifest, locate, require_weight

DEMO = Path(__file__).resolve().parents[2] / "experiments" / "demo" / "speech.flac"
STILL = MotionGains(head=0.0, blink_rate=0.0)
FACE = (frontal_face() * 90.0 + [128.0, 100.0, 0.0]).astype(np.float32)


@pytest.fixture(scope="module")
def starter():
    return load_landmark_model(STARTER)


def test_the_file_is_the_known_one_and_small():
    assert chosen_driver("auto", None) == ("trained", STARTER)
    assert require_weight("starter-speech-to-landmarks") == STARTER
    (row,) = [one for one in load_manifest() if one.name == "starter-speech-to-landmarks"]
    assert row.default
    assert locate(row) == STARTER
    assert STARTER.stat().st_size <= 16e6


def test_the_model_says_what_it_is(starter):
    told = starter.training
    assert told.feature == "mel"
    assert told.averaged
    assert told.windows_seen > 1_000_000
    assert "synthetic" in told.description
    assert "not stated" not in (told.licence, told.source, told.description)
    card = STARTER.with_suffix(".md").read_text(encoding="utf-8")
    for part in ("Data", "Licence", "Training", "Figures", "Limits"):
        assert f"## {part}" in card


def test_it_follows_a_voice_that_it_has_never_heard(starter):
    """The built-in voice is no one's that it was trained on; its motion is known exactly."""
    drivers = {"trained": make_driver(starter, gains=STILL), "envelope": make_driver(None, gains=STILL)}
    errors: dict[str, list[float]] = {"trained": [], "envelope": [], "still": []}
    reached = labelled = 0
    for number, voice in enumerate(("tiny:120:1", "tiny:205:0.86", "tiny:95:1.08")):
        plan = plan_clip(1, number, (voice,), 64)
        made = perform(plan, speak_clip(plan, make_voice(voice)))
        sound = Speech((made.samples / 32768.0).astype(np.float32))
        truth = made.registered
        for name, driver in drivers.items():
            track = driver.drive(sound, made.static * 100.0, 62.5).landmarks / 100.0
            track = np.concatenate([track, track[-1:]])[: len(truth)]
            errors[name].append(lip_error(track, truth))
            if name == "trained":
                assert opening_correlation(track, truth) > 0.5
                assert abs(best_lag(track, truth, 62.5)) <= 1
                hit, count = closures_reached(track, made.articulation.closures, 62.5)
                reached, labelled = reached + hit, labelled + count
        errors["still"].append(lip_error(np.repeat(made.static[None], len(truth), axis=0), truth))
    mean = {name: float(np.mean(found)) for name, found in errors.items()}
    assert mean["trained"] < 0.85 * mean["envelope"]
    assert mean["trained"] < 0.75 * mean["still"]
    assert reached >= 0.6 * labelled


def test_silence_keeps_the_mouth_closed(starter):
    for noise in (0.0, 0.002):
        samples = (noise * np.random.default_rng(0).standard_normal(48000)).astype(np.float32)
        track = make_driver(starter, gains=STILL).drive(Speech(samples), FACE, 25.0)
        assert lip_gaps(track.landmarks).max() < 0.01 * 90


def test_two_runs_give_the_same_and_the_recording_stays_as_it_is(tmp_path):
    speech = tmp_path / "speech.flac"
    speech.write_bytes(DEMO.read_bytes())
    before = hashlib.sha256(speech.read_bytes()).hexdigest()
    tracks = []
    for name in ("one.npz", "two.npz"):
        assert main(["landmarks", str(speech), "-o", str(tmp_path / name), "--quiet"]) == 0
        tracks.append(load_track(tmp_path / name).landmarks)
    assert np.array_equal(*tracks)
    assert hashlib.sha256(speech.read_bytes()).hexdigest() == before
    lips = tracks[0][:, list(LIPS)]
    assert np.ptp(lips[..., 1], axis=0).max() > 0.05 * 90, "the mouth moves"
    assert np.isfinite(tracks[0]).all()


def test_the_default_driver_is_named(tmp_path, capsys):
    assert main(["landmarks", str(DEMO), "-o", str(tmp_path / "t.npz")]) == 0
    assert "driver: trained (starter model, preset default)" in capsys.readouterr().err
