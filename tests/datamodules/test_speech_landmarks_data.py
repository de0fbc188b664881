from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
import torch

from datamodules.datasets.speech_samples import SpeechSegments, between
from datamodules.datasets.speech_store import load_store
from datamodules.prepare.manifest import write_manifest
from datamodules.prepare.sources import Terms
from datamodules.prepare.speech_set import SpeechSource, read_speech, speech_entries, write_speech
from datamodules.resumable_loader import ResumableLoader
from datamodules.samplers import SampleAddress
from datamodules.speech_augmentation import SpeechAugmentation
from datamodules.speech_landmarks import SpeechLandmarksDataModule
from datamodules.speech_split import SpeechFolder, in_common, split_entries
from lightning_modules.audio.blinks import close_lids
from lightning_modules.audio.head_motion import head_motion, poses
from lightning_modules.audio.prosody import Prosody
from lightning_modules.errors import ConfigError, PreparedSetError
from lightning_modules.geometry.head_pose import apply_pose
from lightning_modules.networks.speech_windows import follow_one_another
from lightning_modules.speech_batches import SpeechBatch, stack_speech_samples


def write_set(folder, records):
    """Write records, given by id, as a prepared set."""
    for number, (name, record) in enumerate(records.items()):
        source = SpeechSource(f"{name}.wav", "", Terms("CC0"))
        write_speech(folder / "records", name, record, source=source, fingerprint=str(number), tools={})
    write_manifest(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_record):
    """Two voices, three sentences and a face for each record; one second each, one sentence of two."""
    records = {}
    for number, (voice, sentence) in enumerate(itertools.product("ab", ("one", "two", "long"))):
        record = make_record(
            seconds=2.0 if sentence == "long" else 1.0,
            seed=number,
            voice=voice,
            sentence=sentence,
            face=f"face {number}",
        )
        record.pose[:] = poses(head_motion(Prosody(), len(record), seed=number), record.static)
        lids = np.abs(np.sin(np.arange(len(record)) / 9)).astype(np.float32)
        records[f"{voice}-{sentence}"] = make_record(
            **{**vars(record), "seconds": record.duration, "seed": number, "lids": lids}
        )
    return write_set(tmp_path_factory.mktemp("speech"), records)


def data(folder, **options):
    chosen = {"windows": 5, "batch_size": 4, "samples_per_epoch": 24, "seed": 3, **options}
    source = SpeechFolder(folder, hold_out=chosen.pop("hold_out", {"sentence": ["two"]}))
    return SpeechLandmarksDataModule([source], **chosen)


def keys(batches):
    return [key for batch in batches for key in batch.keys()]  # noqa: SIM118 - a batch is no dict


def frames_of(module, batch):
    """The frame at which each window begins: what the made-up mel says in band 0, (B, N, 18)."""
    raw = batch.windows[..., 0] * module.feature_std[0] + module.feature_mean[0]
    return (1000 * raw).round()


@pytest.mark.parametrize("order", ["random", "segments"])
def test_batches_have_their_shapes_and_windows_their_landmarks(folder, order):
    module = data(folder, order=order)
    batches = list(module.train_dataloader())
    assert len(batches) == 6
    for batch in batches:
        assert isinstance(batch, SpeechBatch)
        assert batch.windows.shape == (4, 5, 18, 80)
        assert batch.static.shape == (4, 204)
        assert batch.target.shape == (4, 5, 204)
        assert batch.embedding.shape == (4, 256)
        torch.testing.assert_close(batch.embedding.norm(dim=1), torch.ones(4))
        # The chin of the made-up records moves with the frame number that is in band 0 of the mel.
        frame = frames_of(module, batch)
        chin = batch.displacement[..., 8 * 3 + 1]
        torch.testing.assert_close(1000 * chin, frame[:, :, 0], atol=0.01, rtol=0)
        inside = frame[:, :, 1:] > 0
        steps = frame.diff(dim=2)
        assert (steps[inside] == 1).all()
        if order == "segments":
            assert (frame[:, 1:, 0] - frame[:, :-1, 0] == 1).all()


def test_behind_the_end_there_is_silence(folder):
    module = data(folder, hold_out={})
    store = module._store("training")
    last = store.records[0].frames - 1
    windows = store.windows(0, torch.tensor([last]))
    assert windows[0, 0, 0] == pytest.approx(last / 1000)
    assert (windows[0, 1:] == -0.16).all()


@pytest.mark.parametrize("order", ["random", "segments"])
def test_windows_with_a_past_belong_to_the_frame_behind_it(folder, order):
    module = data(folder, order=order, past=6, future=3, augmentation=None)
    for batch in module.train_dataloader():
        assert batch.windows.shape == (4, 5, 10, 80)
        assert follow_one_another(batch.windows) == (order == "segments")
        chin = 1000 * batch.displacement[..., 8 * 3 + 1]
        frame = frames_of(module, batch)
        torch.testing.assert_close(chin, frame[:, :, 6], atol=0.01, rtol=0)
        early = frame[:, :, 0] < 0
        assert (early == (chin < 5.5)).all(), "silence before the beginning"
        assert (frame[:, :, 6] - frame[:, :, 0] == 6)[~early].all()


def test_batches_of_segments_stay_views(folder):
    batch = next(iter(data(folder, order="segments", windows=20, past=6, future=8).train_dataloader()))
    for one in (batch, batch.to("cpu"), batch.to(torch.device("meta"))):
        assert one.windows.shape == (4, 20, 15, 80)
        assert follow_one_another(one.windows)
        assert one.windows.untyped_storage().nbytes() == 4 * 4 * (20 + 14) * 80
    mixed = next(iter(data(folder, windows=20, past=6, future=8).train_dataloader()))
    assert torch.equal(mixed.to("cpu").windows, mixed.windows)


def test_sound_and_motion_keep_step_at_another_tempo(folder):
    change = SpeechAugmentation(chance=1.0, level=0, tilt=0, ripple=0, tract=0, noise=(99, 99), static=0, tempo=0.3)
    module = data(folder, order="segments", windows=12, past=4, future=4, augmentation=change)
    found = set()
    for batch in module.train_dataloader():
        raw = 1000 * (batch.windows[..., 0] * module.feature_std[0] + module.feature_mean[0])
        chin = 1000 * batch.displacement[..., 8 * 3 + 1]
        for sound, motion in zip(raw, chin, strict=True):
            inside = (sound[:, 4] > 1) & (motion > 1) & (motion < motion.max() - 1e-3)
            torch.testing.assert_close(sound[inside, 4], motion[inside], atol=0.5, rtol=0)
            steps = motion.diff()[inside[1:] & inside[:-1]]
            if len(steps) > 2:
                assert float(steps.max() - steps.min()) < 0.01
                found.add(round(float(steps.median()), 2))
    assert min(found) < 0.95
    assert max(found) > 1.05
    assert all(0.69 < step < 1.31 for step in found)


def test_rows_between_frames():
    rows = torch.arange(5.0)[:, None] ** 2
    places = torch.tensor([-2.0, 0.0, 1.5, 3.75, 4.0, 9.0])
    found = between(lambda frames: rows[frames], places, 0, 4)
    torch.testing.assert_close(found[:, 0], torch.tensor([0.0, 0.0, 2.5, 14.25, 16.0, 16.0]))
    assert between(lambda frames: rows[frames], torch.tensor([-1, 7]), 0, 4)[:, 0].tolist() == [0.0, 16.0]
    assert between(lambda frames: rows[frames], torch.tensor([0.5]), 2, 2)[:, 0].tolist() == [4.0]


def test_features_are_normalised_by_the_training_part(folder):
    module = data(folder)
    frames = np.concatenate([read_speech(e.folder).mel for e in module.splits[0].training])
    np.testing.assert_allclose(module.feature_mean, frames.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(module.feature_std, frames.std(axis=0, ddof=1), rtol=1e-4)
    given = data(folder, feature_mean=[0.5] * 80, feature_std=[2.0] * 80)
    one, other = next(iter(module.train_dataloader())), next(iter(given.train_dataloader()))
    torch.testing.assert_close(one.windows * module.feature_std + module.feature_mean, other.windows * 2.0 + 0.5)


def test_full_landmarks_are_those_of_the_records(folder):
    store = load_store(speech_entries(folder))
    for number, stored in enumerate(store.records):
        record = read_speech(stored.entry.folder)
        expected = apply_pose(close_lids(record.registered, record.lids), record.pose)
        found = store.full(number, torch.arange(stored.frames)).reshape(-1, 68, 3)
        np.testing.assert_allclose(found, expected, atol=2e-6)
        registered = store.registered(number, torch.arange(stored.frames)).reshape(-1, 68, 3)
        np.testing.assert_allclose(registered, record.registered, atol=1e-6)


def test_half_precision_halves_the_landmarks_and_hardly_moves_them(folder):
    whole, half = (load_store(speech_entries(folder), half_precision=half) for half in (False, True))
    rows = torch.arange(60)
    assert half.displacement.dtype == torch.float16
    assert 0 < (whole.registered(1, rows) - half.registered(1, rows)).abs().max() < 2e-4
    assert half.bytes < whole.bytes


def test_a_sound_that_many_faces_share_is_kept_once(tmp_path, make_record):
    records = {f"face-{k}": make_record(seconds=1.0, face=str(k)) for k in range(3)}
    store = load_store(speech_entries(write_set(tmp_path / "set", {**records, "other": make_record(seed=1)})))
    assert store.features.shape == (2 * (63 + 17), 80)
    assert [record.features for record in store.records] == [0, 0, 0, 80]


def test_another_content_feature_is_computed_from_the_sound(folder):
    def content(samples):
        return np.full((len(samples) // 256 + 1, 80), len(samples) / 1e6, np.float32)

    module = data(folder, content=content, hold_out={})
    store = module._store("training")
    assert store.features.shape == (sum(r.frames + 17 for r in store.records), 80)
    assert store.features.max() == pytest.approx((32000 + 17 * 256) / 1e6)
    with pytest.raises(ConfigError, match="augmentation works on the log-mel"):
        data(folder, content=content, augmentation=SpeechAugmentation())
    with pytest.raises(ValueError, match="content features must be"):
        data(folder, content=log_mel_of_nothing)._store("training")


def log_mel_of_nothing(samples):
    return np.zeros((3, 80), np.float32)


def test_samples_are_a_function_of_their_address(folder):
    changes = SpeechAugmentation()
    one, other = (data(folder, augmentation=changes).samples() for _ in range(2))
    for address in (SampleAddress(0, 5), SampleAddress(2, 5), SampleAddress(0, 6)):
        first, second = one[address], other[address]
        assert first.key == second.key
        assert torch.equal(first.windows, second.windows)
        assert torch.equal(first.target, second.target)
    assert not torch.equal(one[SampleAddress(0, 5)].windows, one[SampleAddress(1, 5)].windows)
    assert not torch.equal(
        one[SampleAddress(0, 5)].windows, data(folder, seed=4).samples()[SampleAddress(0, 5)].windows
    )


def test_two_ranks_share_one_stream(folder):
    samples = data(folder).samples()

    def loader(rank, world):
        return ResumableLoader(
            samples, stack_speech_samples, size=24, batch_size=2, batches=24 // (2 * world), seed=3, rank=rank,
            world_size=world,
        )  # fmt: skip

    alone = keys(loader(0, 1))
    both = [keys(loader(rank, 2)) for rank in (0, 1)]
    assert [both[k % 2][k // 2] for k in range(24)] == alone
    assert len(set(alone)) == 24


def test_a_run_goes_on_with_the_next_sample(folder):
    whole = data(folder)
    first, second = keys(whole.train_dataloader()), keys(whole.train_dataloader())  # the second loader begins anew
    assert first == second
    passes = whole.train_dataloader()
    expected = keys(passes) + keys(passes)
    assert len(set(expected)) == 48
    broken = data(folder)
    loader = broken.train_dataloader()
    stream = iter(loader)
    seen = keys(next(stream) for _ in range(4))
    state = broken.state_dict()
    assert state == {"seed": 3, "size": 24, "samples": 16}
    resumed = data(folder)
    resumed.load_state_dict(state)
    again = resumed.train_dataloader()
    assert seen + keys(again)[:8] == expected[:24]
    with pytest.raises(ConfigError, match="trained with seed 3 and 24 samples"):
        data(folder, seed=4).load_state_dict(state)
    with pytest.raises(ConfigError, match="trained with seed 3 and 24 samples"):
        data(folder, samples_per_epoch=25).load_state_dict(state)


def test_a_cycle_goes_evenly_through_everything(folder):
    module = data(folder, samples_per_epoch=240, hold_out={})
    counts = Counter(key.split(": ")[1] for key in keys(module.train_dataloader()))
    # Four records of 63 frames and two of 126 are 504 frames.
    for name, count in counts.items():
        assert count == pytest.approx(240 * (126 if "long" in name else 63) / 504, abs=1.5)


def test_sets_are_mixed_by_weight(folder, tmp_path, make_record):
    other = write_set(tmp_path / "other", {"only": make_record(seed=9, voice="c")})
    folders = [SpeechFolder(folder, weight=1.0), SpeechFolder(other, weight=3.0)]
    module = SpeechLandmarksDataModule(folders, windows=2, batch_size=8, samples_per_epoch=160)
    counts = Counter("only" in key for key in keys(module.train_dataloader()))
    assert counts[True] == pytest.approx(120, abs=1)


def test_nothing_that_is_held_out_is_trained_on(folder):
    module = data(folder, hold_out={"sentence": ["t*"], "voice": ["b"]})
    split = module.splits[0]
    assert [entry.id for entry in split.training] == ["a-long", "a-one"]
    assert [entry.id for entry in split.validation] == ["b-two"]
    assert sorted(entry.id for entry in split.left_out) == ["a-two", "b-long", "b-one"]
    assert in_common(split.training, split.validation) == {"voice": (), "face": (), "sentence": ()}
    trained = {key.split(": ")[1] for key in keys(module.train_dataloader())}
    validated = {key.split(" from")[0] for key in keys(module.val_dataloader())}
    assert trained == {"a-long", "a-one"}
    assert validated == {"b-two"}


def test_shares_are_held_out_by_name(folder):
    entries = speech_entries(folder) * 1
    split = split_entries(entries, SpeechFolder(folder, hold_out={"face": ["50%"]}))
    assert in_common(split.training, split.validation)["face"] == ()
    assert len(split.training) + len(split.validation) == 6
    again = split_entries(entries[:4], SpeechFolder(folder, hold_out={"face": ["50%"]}))
    assert set(again.training) <= set(split.training)  # a name keeps its side when others come and go


@pytest.mark.parametrize(
    ("hold_out", "message"),
    [
        ({"sentence": ["nobody"]}, "none of 6 records of .* to validate on"),
        ({"voice": ["*"]}, "none of 6 records of .* to train on"),
        ({"take": ["one"]}, "take: \\['one'\\]"),
        ({"voice": "ab"}, "voice: 'ab'"),
        ({"voice": ["0%"]}, "out of range"),
        ({"voice": ["ten%"]}, "is no share"),
    ],
)
def test_a_hold_out_that_cannot_be_is_refused(folder, hold_out, message):
    with pytest.raises(ConfigError, match=message):
        _ = data(folder, hold_out=hold_out).splits


def test_a_set_can_be_for_validation_only(folder, tmp_path, make_record):
    other = write_set(tmp_path / "other", {"real": make_record(seed=9)})
    folders = [SpeechFolder(folder), SpeechFolder(other, validate_only=True)]
    module = SpeechLandmarksDataModule(folders, windows=2, batch_size=8, samples_per_epoch=16)
    assert {key.split(" from")[0] for key in keys(module.val_dataloader())} == {"real"}
    with pytest.raises(ConfigError, match="no set is left to train on"):
        _ = SpeechLandmarksDataModule(folders[1:]).splits


def test_validation_walks_through_the_records(folder):
    module = data(folder, hold_out={"sentence": ["long"]}, validation_windows=50, batch_size=16)
    batches = list(module.val_dataloader())
    assert keys(batches) == [f"{voice}-long from frame {first}" for voice in "ab" for first in (0, 50, 76)]
    frame = torch.cat([frames_of(module, batch)[:, :, 0] for batch in batches])
    np.testing.assert_array_equal(frame[:3], [range(50), range(50, 100), range(76, 126)])
    assert keys(module.val_dataloader()) == keys(batches)
    few = data(folder, hold_out={"sentence": ["long"]}, validation_windows=50, validation_segments=2)
    assert keys(few.val_dataloader()) == ["a-long from frame 0", "b-long from frame 76"]
    assert data(folder, hold_out={}).val_dataloader() == []


def test_segments_longer_than_a_record_go_on_in_silence(folder):
    store = load_store(speech_entries(folder)[1:2])
    statistics = {"mean": torch.zeros(80), "deviation": torch.ones(80)}
    segments = SpeechSegments(store, windows=100, target="registered", most=9, **statistics)
    assert len(segments) == 1
    sample = segments[SampleAddress(0, 0)]
    assert torch.equal(sample.target[62], sample.target[99])
    assert sample.windows[62, 0, 0] != -0.16
    assert (sample.windows[62, 1:] == -0.16).all()
    assert (sample.windows[63:] == -0.16).all()
    long = data(folder, order="segments", windows=100, hold_out={"sentence": ["long"]}).samples()[SampleAddress(0, 0)]
    assert long.target.shape == (100, 204)


def test_embeddings_are_needed_for_segments(tmp_path, make_record):
    bare = write_set(tmp_path / "bare", {"one": make_record(speaker_embedding=None)})
    with pytest.raises(PreparedSetError, match="has no speaker embedding"):
        data(bare, order="segments", hold_out={}).setup()
    batch = next(iter(data(bare, hold_out={}).train_dataloader()))
    assert (batch.embedding == 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"windows": 0}, "windows is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"past": -1}, "past is -1"),
        ({"order": "sorted"}, "order is 'sorted'"),
        ({"feature_mean": [0.0] * 80}, "only one of"),
        ({"feature_mean": [0.0] * 3, "feature_std": [1.0] * 3}, "not 80 numbers"),
        ({"feature_mean": [0.0] * 80, "feature_std": [0.0] * 80}, "not 80 numbers"),
    ],
)
def test_wrong_choices_are_refused(folder, options, message):
    with pytest.raises(ConfigError, match=message):
        data(folder, **options)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(PreparedSetError, match="is missing"):
        _ = data(tmp_path).splits
    with pytest.raises(ConfigError, match="no folder"):
        SpeechLandmarksDataModule([])


def test_augmented_windows_of_a_segment_share_their_frames(folder):
    sample = data(folder, order="segments", augmentation=SpeechAugmentation(chance=1.0)).samples()[SampleAddress(0, 1)]
    assert torch.equal(sample.windows[1:, 0], sample.windows[:-1, 1])
    plain = data(folder, order="segments").samples()[SampleAddress(0, 1)]
    assert not torch.equal(sample.windows, plain.windows)
    torch.testing.assert_close(sample.target - sample.static, plain.target - plain.static)


def test_the_mean_speaker_is_that_of_the_training_records(folder, tmp_path, make_record):
    data = SpeechLandmarksDataModule([SpeechFolder(folder, hold_out={"voice": ["b"]})])
    known = [read_speech(entry.folder).speaker_embedding for entry in speech_entries(folder) if entry.voice == "a"]
    np.testing.assert_allclose(data.mean_embedding, np.mean(known, axis=0), atol=1e-6)
    mute = write_set(tmp_path / "mute", {"only": make_record(speaker_embedding=None)})
    assert SpeechLandmarksDataModule([SpeechFolder(mute)]).mean_embedding is None
