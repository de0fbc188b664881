"""What cannot be speech gets one line that names the file, what was found and what to do; nothing is written."""

from __future__ import annotations

import struct
import time

import numpy as np
import pytest
import soundfile

from lightning_modules.audio import decoding
from lightning_modules.audio.loading import probe_speech, read_speech
from lightning_modules.errors import AudioError


@pytest.fixture
def refused(tmp_path):
    """Both readers refuse ``path`` within 3 s, with one line that starts with its name; returns what was found."""

    def check(path, *, probe: bool = True) -> str:
        found = ""
        existing = path.read_bytes() if path.is_file() else None
        for read in (probe_speech, read_speech) if probe else (read_speech,):
            start = time.process_time()
            with pytest.raises(AudioError) as caught:
                read(path)
            assert time.process_time() - start < 3.0
            message = str(caught.value)
            assert message.startswith(f"{path}: ")
            assert "\n" not in message
            assert caught.value.remedy
            assert caught.value.exit_code == 2
            found = caught.value.found
        if existing is not None:
            assert path.read_bytes() == existing
        return found

    return check


@pytest.fixture
def flac(tmp_path, voice):
    """Ten seconds of FLAC, and its bytes."""
    path = tmp_path / "whole.flac"
    soundfile.write(path, voice(10.0), 16000, subtype="PCM_16")
    return path.read_bytes()


def put(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path


def test_missing(tmp_path, refused):
    assert "no such file" in refused(tmp_path / "missing.wav")


def test_folder(tmp_path, refused):
    (tmp_path / "folder.wav").mkdir()
    assert "folder" in refused(tmp_path / "folder.wav")


def test_empty(tmp_path, refused):
    assert "0 bytes" in refused(put(tmp_path, "empty.wav", b""))


def test_device(tmp_path, refused):
    (tmp_path / "endless.wav").symlink_to("/dev/zero")
    assert "not a regular file" in refused(tmp_path / "endless.wav")


@pytest.mark.parametrize(
    "text",
    [
        b"Hello, this is no sound.\n" * 300,
        b"1\n00:00:00,000 --> 00:00:02,000\nsubtitles\n",
        ("Grüße, " * 2000).encode()[:4097],
        "UTF-16 of a Windows editor".encode("utf-16"),
    ],
)
def test_text_with_the_name_of_a_recording(tmp_path, refused, text):
    assert "text, not sound" in refused(put(tmp_path, "text.wav", text))


def test_a_playlist_opens_no_other_file(tmp_path, refused, voice):
    soundfile.write(tmp_path / "other.wav", voice(1.0), 16000)
    other = str(tmp_path / "other.wav").encode()
    for number, text in enumerate(
        (
            b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n" + other + b"\n#EXT-X-ENDLIST\n",
            b"ffconcat version 1.0\nfile '" + other + b"'\n",
        )
    ):
        refused(put(tmp_path, f"list{number}.wav", text))
        refused(put(tmp_path, f"list{number}.m3u8", text + b"\x00\xff\xfe"))  # no longer looks like text


def test_random_bytes(tmp_path, refused):
    refused(put(tmp_path, "noise.wav", b"\x17" + np.random.default_rng(0).bytes(50000)))


def test_a_picture(tmp_path, refused):
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "photo.jpg")
    Image.new("RGB", (64, 64)).save(tmp_path / "photo.png")
    assert "picture" in refused(tmp_path / "photo.jpg")
    assert "picture" in refused(tmp_path / "photo.png")


def test_a_video_without_sound(tmp_path, refused):
    import av

    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for k in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), 40 * k, np.uint8))))
        container.mux(stream.encode(None))
    assert "no sound" in refused(path)


@pytest.mark.parametrize(("kind", "name"), [("WAV", "WAV"), ("FLAC", "FLAC"), ("OGG", "Ogg")])
def test_a_header_cut_off(tmp_path, refused, voice, kind, name):
    soundfile.write(tmp_path / "whole", voice(1.0), 16000, format=kind)
    whole = (tmp_path / "whole").read_bytes()
    assert f"begins like {name}" in refused(put(tmp_path, "cut.bin", whole[:20]))


def test_an_mp4_cut_off_before_its_index(tmp_path, refused, voice, encode):
    whole = encode(tmp_path / "whole.m4a", "aac", voice(2.0), 16000).read_bytes()
    assert "begins like MP4" in refused(put(tmp_path, "cut.m4a", whole[: len(whole) // 2]))


def test_a_header_and_nothing_else(tmp_path, refused, voice):
    soundfile.write(tmp_path / "whole.wav", voice(1.0), 16000)
    path = put(tmp_path, "header.wav", (tmp_path / "whole.wav").read_bytes()[:44])
    assert "0.000 s" in refused(path, probe=False)


def test_too_short(tmp_path, refused, voice):
    soundfile.write(tmp_path / "short.wav", voice(0.039), 16000)
    assert "0.039 s" in refused(tmp_path / "short.wav")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(tmp_path, refused, voice, bad):
    sound = voice(2.0)
    sound[20000] = bad
    soundfile.write(tmp_path / "bad.wav", sound, 16000, subtype="FLOAT")
    assert "1.25 s is not a finite number" in refused(tmp_path / "bad.wav", probe=False)


def test_absurd_length_is_refused_from_the_header(tmp_path, refused):
    count = int(6.2 * 3600 * 8000)
    path = tmp_path / "day.wav"
    with path.open("wb") as file:  # a sparse file: 179 MB that take no room
        file.write(b"RIFF" + struct.pack("<I", 36 + count) + b"WAVEfmt ")
        file.write(struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8) + b"data" + struct.pack("<I", count))
        file.truncate(44 + count)
    for read in (probe_speech, read_speech):
        start = time.process_time()
        with pytest.raises(AudioError, match=r"more than 6 hours of sound \(6 h 12 min\)"):
            read(path)
        assert time.process_time() - start < 3.0


def test_absurd_length_that_no_header_tells(tmp_path, voice, monkeypatch, encode):
    monkeypatch.setattr(decoding, "MAXIMUM_HOURS", 1.0 / 3600)
    path = encode(tmp_path / "long.aac", "aac", voice(3.0), 16000)
    with pytest.raises(AudioError, match="hours"):
        read_speech(path)


def test_a_recording_cut_in_the_middle_is_used_and_noted(tmp_path, voice):
    soundfile.write(tmp_path / "whole.wav", voice(4.0), 16000, subtype="PCM_16")
    path = put(tmp_path, "cut.wav", (tmp_path / "whole.wav").read_bytes()[: 44 + 32000])
    speech = read_speech(path)
    assert speech.duration == pytest.approx(1.0, abs=0.01)
    assert any("promises 4.0" in note and "1.00 s" in note for note in speech.notes)


def test_a_flac_cut_in_the_middle_is_used_and_noted(tmp_path, flac):
    speech = read_speech(put(tmp_path, "cut.flac", flac[: len(flac) // 2]))
    assert 3.0 < speech.duration < 7.0
    assert any("promises 10.00 s" in note for note in speech.notes)


def test_damage_in_the_middle_is_left_out_and_noted(tmp_path, flac, voice):
    middle = len(flac) // 2
    damaged = flac[:middle] + np.random.default_rng(0).bytes(8000) + flac[middle + 8000 :]
    speech = read_speech(put(tmp_path, "damaged.flac", damaged))
    assert 8.0 < speech.duration < 10.0
    assert speech.notes
    np.testing.assert_allclose(speech.samples[:48000], voice(10.0)[:48000], atol=2.0 / 32768)


def test_damage_nearly_everywhere_is_an_error(tmp_path, refused, voice, encode):
    whole = encode(tmp_path / "whole.mp3", "libmp3lame", voice(4.0), 16000).read_bytes()
    rng = np.random.default_rng(0)
    pieces = bytearray(whole)
    for start in range(600, len(pieces) - 300, 300):
        pieces[start : start + 250] = rng.bytes(250)
    path = put(tmp_path, "ruined.mp3", bytes(pieces))
    refused(path, probe=False)


def test_an_unreadable_file(tmp_path, voice, monkeypatch):
    from pathlib import Path

    soundfile.write(tmp_path / "locked.wav", voice(0.1), 16000)

    def denied(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(AudioError, match=r"cannot be read \(Permission denied\)"):
        probe_speech(tmp_path / "locked.wav")
