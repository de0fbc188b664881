"""Sets of synthetic speech with the built-in voice: what is in a record, resuming, growing, refusing."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict

import numpy as np
import pytest

from datamodules.prepare.manifest import verify_manifest
from datamodules.prepare.speech_record import SpeechRecord
from datamodules.prepare.speech_set import read_speech, speech_entries
from datamodules.prepare.speech_synthetic import (
    SyntheticSpeechSettings,
    clip_count,
    prepare_synthetic_speech,
)
from datamodules.synthetic.speech.articulation import inner_gap, move_face
from datamodules.synthetic.speech.clips import CASTS, brows, cast_of, perform, plan_clip, speak_clip
from datamodules.synthetic.speech.faces import sample_face, turned_to_the_front
from datamodules.synthetic.speech.voices import make_voice
from lightning_modules.audio.prosody import Prosody
from lightning_modules.audio.speaker_style import SpeakerStyle
from lightning_modules.errors import BackendError, ConfigError, PreparedSetError

VOICES = ("flite:slt", "flite:slt@0.94", "flite:rms", "espeak:en+m1", "espeak:en-us+f2", "tiny:120:1")


def make(folder, clips=3, **options):
    chosen = {"voices": ("tiny",), "embedding": False, "workers": 0, **options}
    return prepare_synthetic_speech(folder, clips=clips, **chosen)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "set"
    return folder, make(folder)


def test_a_set_is_whole_and_labelled(toy):
    folder, report = toy
    assert report.accepted == report.total == 3
    assert verify_manifest(folder).ok
    entries = speech_entries(folder)
    assert len(entries) == 3
    assert all(entry.synthetic for entry in entries)
    card = (folder / "DATA_CARD.md").read_text(encoding="utf-8")
    assert "Everything here is synthetic" in card
    assert "3 clips" in card
    assert "{" not in card


def test_a_record_holds_what_was_made(toy):
    folder, _ = toy
    for entry in speech_entries(folder):
        record = read_speech(entry.folder)
        assert isinstance(record, SpeechRecord)
        assert record.synthetic
        assert record.source == record.generator_version == "synthetic speech 2"
        assert record.sentence.startswith("nonsense: pau ")
        assert record.phones[0][0] == 0
        assert record.phones[-1][1] == pytest.approx(record.duration)
        assert record.lids is not None
        assert record.parameters is not None
        times = np.arange(len(record)) / 62.5
        gap = inner_gap(record.registered)
        for start, end in record.closures:
            assert gap[(times >= start - 0.008) & (times <= end + 0.008)].min() < 0.004
        assert len(record.closures) == sum(label in {"p", "b", "m"} for _, _, label in record.phones)
        assert gap.min() > -1e-6
        assert 0.05 < gap.max() < 0.25
        assert gap[times > record.phones[-1][0] + 0.25].max() < 0.02, "silence closes the mouth"
        flat = sample_face(0, int(record.face.rpartition("-")[2]))
        _, moved = turned_to_the_front(flat, move_face(flat, record.parameters))
        lips = slice(48, 68)
        np.testing.assert_allclose(moved[:, lips], record.registered[:, lips], atol=1e-5)


def test_nothing_is_made_twice_and_more_clips_are_added(toy, tmp_path):
    folder, _ = toy
    again = make(folder)
    assert again.kept == 3
    small = tmp_path / "one"
    make(small, clips=1)
    grown = make(small, clips=2)
    assert (grown.kept, grown.prepared) == (1, 1)
    names = sorted(path.name for path in (small / "records").iterdir())
    for name in names:
        for file in ("speech.npz", "record.json"):
            assert (small / "records" / name / file).read_bytes() == (folder / "records" / name / file).read_bytes()
    with pytest.raises(PreparedSetError, match="other settings"):
        make(small, clips=1, seed=1)


def test_a_lost_record_is_made_again_alike(tmp_path):
    make(tmp_path / "set", clips=1)
    (record,) = (tmp_path / "set" / "records").iterdir()
    before = (record / "speech.npz").read_bytes()
    (record / "speech.npz").write_bytes(before[:-10])
    make(tmp_path / "set", clips=1)
    assert (record / "speech.npz").read_bytes() == before


def test_bad_wishes_cost_one_line(tmp_path):
    for options in ({"clips": 0}, {"faces": 3}, {"seed": -1}, {"voices": ()}, {"voices": ("nobody:x",)}):
        with pytest.raises(ConfigError):
            make(tmp_path / "set", **{"clips": 1, **options})
    with pytest.raises(ConfigError, match="one of them"):
        clip_count(3, 1.0)
    assert clip_count(None, 1.0) == clip_count(None, None) == round(3600 / 5.9)
    assert not (tmp_path / "set").exists()


def test_embeddings_need_the_extra_and_say_so(tmp_path, monkeypatch):
    def absent(*_):
        raise BackendError("the weights are not here", "install the extra")

    monkeypatch.setattr("lightning_modules.audio.speaker_embedding.embed_speaker", absent)
    with pytest.raises(BackendError, match="--no-embedding"):
        make(tmp_path / "set", embedding=True)
    assert not (tmp_path / "set" / "set.json").exists()


def test_style_follows_from_the_voice_and_is_stored(tmp_path, monkeypatch):
    made_up = np.zeros(256, np.float32)
    made_up[:4] = 0.5
    monkeypatch.setattr("lightning_modules.audio.speaker_embedding.embed_speaker", lambda _: made_up)
    make(tmp_path / "set", clips=1, embedding=True)
    (entry,) = speech_entries(tmp_path / "set")
    np.testing.assert_array_equal(read_speech(entry.folder).speaker_embedding, made_up)


def test_a_plan_depends_on_seed_and_number_alone():
    plan = plan_clip(4, 17, VOICES, 32)
    assert plan == plan_clip(4, 17, VOICES, 32)
    assert plan != plan_clip(5, 17, VOICES, 32)
    assert json.loads(json.dumps(plan.facts()))["voice"] == plan.voice


def test_casts_share_neither_voices_nor_faces():
    voices, faces, engines = defaultdict(set), defaultdict(set), defaultdict(int)
    for number in range(600):
        plan = plan_clip(0, number, VOICES, 21)
        voices[plan.voice].add(plan.cast)
        faces[plan.face].add(plan.cast)
        engines[plan.voice.partition(":")[0]] += 1
        assert 0 <= plan.face < 21
        assert plan.face_name == f"cast-{plan.cast}/face-{plan.face}"
    assert all(len(casts) == 1 for casts in (*voices.values(), *faces.values()))
    assert cast_of("flite:slt") == cast_of("flite:slt@0.94") == 0 != cast_of("flite:rms") == 1
    assert {cast_of(voice) for voice in VOICES} <= set(range(CASTS))
    assert min(engines.values()) > 150, "engines get the same share"


def test_speaking_keeps_phones_and_sound_together():
    plan = plan_clip(0, 2, ("tiny:120:1",), 8)
    spoken = speak_clip(plan, make_voice(plan.voice))
    phones = spoken.utterance.phones
    assert phones[0].label == phones[-1].label == "pau"
    assert phones[-1].end == spoken.utterance.duration == len(spoken.samples) / 16000
    assert not any(a.label == b.label == "pau" for a, b in itertools.pairwise(phones))
    assert np.abs(spoken.samples[: round(plan.pauses[0] * 16000)]).max() == 0


def test_style_moves_the_mouth_by_a_tenth_at_most():
    plan = plan_clip(0, 1, ("tiny:120:1",), 8)
    spoken = speak_clip(plan, make_voice(plan.voice))
    usual, wide = perform(plan, spoken), perform(plan, spoken, style=SpeakerStyle(jaw=1.5, width=1.5))
    ratio = wide.articulation.parameters[:, 0].max() / usual.articulation.parameters[:, 0].max()
    assert ratio == pytest.approx(1.1)
    noisy = perform(plan, spoken, detector_errors=True)
    assert 0.003 < np.std(noisy.registered - usual.registered) < 0.02


def test_faces_look_to_the_front_and_move_as_they_did_before_they_had_depth():
    from lightning_modules.pipeline.landmark_driver_face import RestFace

    plan = plan_clip(0, 1, ("tiny:120:1",), 8)
    made = perform(plan, speak_clip(plan, make_voice(plan.voice)))
    flat = sample_face(0, plan.face)
    assert np.abs(made.static[:, :2] - flat[:, :2]).max() < 0.12
    assert made.static[30, 2] > 0.35, "the nose"
    rest = RestFace.of(made.static * 100)
    np.testing.assert_allclose(rest.local, made.static, atol=1e-9)
    moved, static = turned_to_the_front(flat, flat + np.array([[[0.0, 0.1, 0.0]]] * 3))[::-1]
    np.testing.assert_allclose(np.linalg.norm(moved - static, axis=-1), 0.1, rtol=0.05)
    assert (moved - static)[..., 1].min() > 0.09


def test_brows_rise_at_some_accents():
    raised = np.array([brows(Prosody(accents=(1.0,)), 200, seed, SpeakerStyle()) for seed in range(60)])
    still = np.array([brows(Prosody(), 200, seed, SpeakerStyle()) for seed in range(60)])
    lift = (raised - still).max(axis=1)
    assert set(np.round(lift, 3)) == {0.0, 0.03}
    assert 15 < np.count_nonzero(lift) < 45
    assert np.std(still) == pytest.approx(0.008, rel=0.2)


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="no voice"):
        SyntheticSpeechSettings(())


def test_the_command_makes_a_set(tmp_path, capsys):
    from experiments.commands.prepare_speech import speech_synthetic

    code = speech_synthetic(
        tmp_path / "set", clips=1, voices="tiny:120:1, tiny:205:0.86", embedding=False, workers=0, quiet=True
    )
    assert code == 0
    assert "1 of 1 speech prepared" in capsys.readouterr().out
    (entry,) = speech_entries(tmp_path / "set")
    assert entry.voice in {"tiny:120:1", "tiny:205:0.86"}
