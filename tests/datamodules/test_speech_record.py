from __future__ import annotations

import io
import zipfile
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from datamodules.prepare.speech_record import (
    SpeechRecord,
    encode_speech_record,
    load_speech_record,
    save_speech_record,
)
from lightning_modules.errors import PreparedSetError
from lightning_modules.speech_batches import SpeechSample, stack_speech_samples


@pytest.fixture
def record(make_record):
    return make_record(
        phones=((0.0, 0.1, "pau"), (0.1, 0.3, "m")),
        closures=((0.1, 0.3),),
        parameters=np.ones((63, 7), np.float32),
        lids=np.linspace(0, 1, 63, dtype=np.float32),
        generator_version="3",
        sentence="größer",
    )


def test_a_record_comes_back_as_it_was(record, tmp_path):
    path = save_speech_record(record, tmp_path / "folder" / "one.npz")
    read = load_speech_record(path)
    assert len(read) == 63  # 16000 samples: 62 whole hops and the frame at the end
    assert read.duration == 1.0
    for field in fields(SpeechRecord):
        before, after = getattr(record, field.name), getattr(read, field.name)
        np.testing.assert_array_equal(after, before, strict=True) if isinstance(before, np.ndarray) else None
        assert isinstance(before, np.ndarray) or after == before, field.name


def test_what_is_not_known_stays_unknown(make_record, tmp_path):
    read = load_speech_record(save_speech_record(make_record(speaker_embedding=None), tmp_path / "one.npz"))
    assert read.speaker_embedding is None
    assert read.parameters is None
    assert read.phones == ()


def test_equal_records_give_equal_bytes(make_record):
    assert encode_speech_record(make_record()) == encode_speech_record(make_record())
    assert encode_speech_record(make_record()) != encode_speech_record(make_record(seed=1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mel": np.zeros((62, 80), np.float32)}, "mel must be float32 \\(63, 80\\)"),
        ({"samples": np.zeros(16000, np.float32)}, "samples must be \\(N,\\) int16"),
        ({"registered": np.full((63, 68, 3), np.nan, np.float32)}, "registered holds values that are not finite"),
        ({"pitch_bins": np.full(63, 257, np.int16)}, "pitch_bins must lie in 0..256"),
        ({"pose": np.zeros((63, 7), np.float32)}, "quaternions of pose must be of length 1"),
        ({"speaker_embedding": np.ones(256, np.float32)}, "speaker_embedding must be of length 1"),
        ({"phones": ((0.2, 0.1, "a"),)}, "phones must ascend"),
        ({"closures": ((0.2, 0.3), (0.1, 0.4))}, "closures must ascend"),
        ({"lids": np.full(63, 1.5, np.float32)}, "lids must lie in 0..1"),
        ({"voice": ""}, "voice must not be empty"),
    ],
)
def test_what_does_not_fit_is_refused(record, change, message):
    with pytest.raises(ValueError, match=message):
        replace(record, **change)


def damaged(content: bytes, name: str, replacement: bytes | None) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(stream, "w") as after:
        for entry in before.namelist():
            if entry != name:
                after.writestr(entry, before.read(entry))
            elif replacement is not None:
                after.writestr(entry, replacement)
    return stream.getvalue()


def test_a_damaged_file_is_named_in_one_line(record, tmp_path):
    path = tmp_path / "one.npz"
    whole = encode_speech_record(record)
    objects = (
        io.BytesIO()
    )  # an array of Python objects: header as NumPy writes it, then a pickle that would run a program
    np.lib.format.write_array_header_1_0(objects, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    objects.write(b"cos\nsystem\n(S'false'\ntR.")
    contents = [b"", b"no zip", whole[: len(whole) // 2], damaged(whole, "mel.npy", None)]
    contents += [damaged(whole, "mel.npy", objects.getvalue()), damaged(whole, "facts.npy", objects.getvalue())]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(PreparedSetError, match="is no speech record, or a damaged one") as caught:
            load_speech_record(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(PreparedSetError, match="cannot be read"):
        load_speech_record(tmp_path / "nowhere.npz")


def test_a_record_of_another_format_is_refused(record, tmp_path, monkeypatch):
    monkeypatch.setattr("datamodules.prepare.speech_record.FORMAT", 2)
    path = save_speech_record(record, tmp_path / "one.npz")
    monkeypatch.undo()
    with pytest.raises(PreparedSetError, match="has format 2, this version reads format 1"):
        load_speech_record(path)


def sample(value: float, count: int = 3) -> SpeechSample:
    filled = torch.full
    return SpeechSample(
        filled((count, 18, 80), value),
        filled((204,), value),
        filled((count, 204), 3 * value),
        filled((256,), value),
        "k",
    )


def test_samples_are_stacked():
    batch = stack_speech_samples([sample(1.0), sample(2.0)])
    assert len(batch) == 2
    assert batch.window_count == 3
    assert batch.windows.shape == (2, 3, 18, 80)
    assert batch.displacement[1].unique().tolist() == [4.0]
    assert batch.keys() == ("k", "k")
    assert batch.to("meta").embedding.is_meta
    assert batch.to("meta").keys() == ("k", "k")


def test_samples_of_two_lengths_are_no_batch():
    with pytest.raises(ValueError, match="windows has"):
        stack_speech_samples([sample(1.0), sample(1.0, 4)])
    with pytest.raises(ValueError, match="at least one"):
        stack_speech_samples([])
