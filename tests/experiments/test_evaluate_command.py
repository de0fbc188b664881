"""``inkspeak evaluate landmarks`` on a prepared set whose truth is what one of the drivers makes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from landmark_models import model

from datamodules.prepare.manifest import write_manifest
from datamodules.prepare.sources import Terms
from datamodules.prepare.speech_record import SpeechRecord
from datamodules.prepare.speech_set import SpeechSource, write_speech
from experiments.__main__ import main
from experiments.landmark_evaluation import STILL, driven, evaluate_set, measure
from lightning_modules.audio.loading import read_speech
from lightning_modules.audio.loudness import to_int16
from lightning_modules.errors import ConfigError
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.pipeline import landmark_driver_choice
from lightning_modules.pipeline.landmark_driver import DriverGains, LandmarkDriver

DEMO = Path(__file__).resolve().parents[2] / "experiments" / "demo" / "speech.flac"


@pytest.fixture(autouse=True)
def no_starter(monkeypatch, tmp_path):
    monkeypatch.setattr(landmark_driver_choice, "STARTER", tmp_path / "none.safetensors")


@pytest.fixture(scope="module")
def right():
    return LandmarkDriver(model(), gains=DriverGains(head=0, brows=0, blink_rate=0))


def make_record(voice, start, right=None):
    samples = to_int16(read_speech(DEMO).samples)[start : start + 28000]
    count = len(samples) // 256 + 1
    static = frontal_face().astype(np.float32)
    pose = np.zeros((count, 7), np.float32)
    pose[:, 3] = 1

    def record(registered):
        return SpeechRecord(
            samples=samples,
            mel=np.zeros((count, 80), np.float32),
            pitch_bins=np.zeros(count, np.int16),
            registered=registered,
            pose=pose,
            static=static,
            voice=voice,
            face="face",
            sentence=f"take {start}",
            source="made up",
            licence="CC0",
            synthetic=True,
            closures=((0.3, 0.4), (0.9, 1.0)),
        )

    empty = record(np.repeat(static[None], count, axis=0))
    return empty if right is None else record(driven(right, empty).astype(np.float32))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, right):
    """Two voices; the truth is what ``right`` makes of them."""
    place = tmp_path_factory.mktemp("set")
    for number, (voice, start) in enumerate((("ann", 0), ("ann", 9000), ("bob", 20000))):
        source = SpeechSource(f"{number}.wav", "", Terms("CC0"))
        record = make_record(voice, start, right)
        write_speech(place / "records", f"r{number}", record, source=source, fingerprint=str(number), tools={})
    write_manifest(place)
    return place


def test_a_perfect_driver_has_no_error_and_a_still_mouth_has_one(folder, right):
    found = evaluate_set(folder, {"right": right}, patterns={}, by="voice", most=9)
    assert found["records"] == 3
    assert set(found["groups"]) == {"ann", "bob"}
    for by_driver in found["groups"].values():
        assert by_driver["right"]["lip_error"] < 1e-3
        assert by_driver["right"]["lmd"] < 1e-3
        assert by_driver["right"]["correlation"] == pytest.approx(1.0)
        assert by_driver["right"]["lag"] == 0
        assert by_driver[STILL]["lip_error"] > 1
        assert by_driver[STILL]["correlation"] is None
    assert found["groups"]["ann"]["right"]["closures"] == 4


def test_a_still_mouth_has_the_error_that_can_be_worked_out(right):
    record = make_record("ann", 0, right)
    still = np.repeat(record.static[None], len(record), axis=0)
    away = np.linalg.norm((record.registered - still)[:, 48:, :2], axis=-1)
    assert measure(still, record)["lip_error"] == pytest.approx(100 * away.mean(), rel=1e-5)
    # The closed face of the record opens by less than 0.01, so every closure is reached.
    assert measure(still, record)["closures_reached"] == 2


def test_records_are_chosen_by_patterns(folder, right):
    only = evaluate_set(folder, {}, patterns={"voice": ["b*"], "face": []}, by="set", most=9)
    assert only["records"] == 1
    assert evaluate_set(folder, {}, patterns={"voice": ["a*", "b*"]}, by="face", most=2)["records"] == 2
    with pytest.raises(ConfigError, match="no record"):
        evaluate_set(folder, {}, patterns={"voice": ["ann"], "sentence": ["take 20000"]}, by="set", most=9)


def test_the_command_prints_a_table_and_writes_the_figures(folder, tmp_path, capsys):
    words = ["evaluate", "landmarks", str(folder), "--by", "voice", "--voice", "bob", "--quiet"]
    files = ["--json", str(tmp_path / "f.json"), "--markdown", str(tmp_path / "f.md")]
    assert main([*words, *files]) == 0
    out = capsys.readouterr().out
    rows = [line.split("|")[1:-1] for line in out.splitlines() if line.startswith("| bob")]
    assert [row[1].strip() for row in rows] == ["envelope", STILL]
    figures = json.loads((tmp_path / "f.json").read_text())
    envelope = figures["sets"][str(folder)]["groups"]["bob"]["envelope"]
    assert rows[0][2].strip() == f"{envelope['lip_error']:.2f}"
    assert (tmp_path / "f.md").read_text() == out
    assert "driver: envelope" in out
    assert "synthetic" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["evaluate", "landmarks", "/no/such/set"], "no prepared set"),
        (["evaluate", "landmarks", "SET", "--most", "0"], "0 records"),
        (["evaluate", "landmarks", "SET", "--voice", "carl"], "no record"),
    ],
)
def test_wrong_choices_end_in_one_line(folder, capsys, words, told):
    assert main([str(folder) if word == "SET" else word for word in [*words, "--quiet"]]) == 2
    assert told in capsys.readouterr().err
