"""Every kind of recording becomes the same samples, nothing is shifted, and the input stays as it was."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import soundfile

from lightning_modules.audio.loading import Speech, describe_speech, probe_speech, read_speech


def lag_and_correlation(result: np.ndarray, expected: np.ndarray) -> tuple[int, float]:
    """Shift in samples at which two signals agree best, and their correlation without any shift."""
    n = min(len(result), len(expected))
    a, b = result[:n].astype(np.float64), expected[:n].astype(np.float64)
    product = np.fft.irfft(np.fft.rfft(a, 2 * n) * np.conj(np.fft.rfft(b, 2 * n)))
    best = int(np.argmax(product))
    return (best if best < n else best - 2 * n), float(np.corrcoef(a, b)[0, 1])


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_rate_becomes_16_khz_without_delay_and_with_the_exact_length(tmp_path, voice, rate, channels):
    sound = voice(1.2345, rate)
    path = tmp_path / "speech.wav"
    soundfile.write(path, np.repeat(sound[:, None], channels, 1), rate, subtype="FLOAT")
    before = path.read_bytes()
    speech = read_speech(path)
    assert len(speech.samples) == round(len(sound) * 16000 / rate)
    assert speech.samples.dtype == np.float32
    lag, correlation = lag_and_correlation(speech.samples, voice(1.2345))
    assert lag == 0
    assert correlation > 0.9999
    assert speech.notes == ()
    assert speech.source == path
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["speech.wav"]


def test_a_shift_would_be_noticed(voice):
    sound = voice(1.0)
    assert lag_and_correlation(np.roll(sound, 7), sound)[0] == 7


@pytest.mark.parametrize(
    ("name", "codec", "rate", "channels", "correlation"),
    [
        ("a.mp3", "libmp3lame", 44100, 2, 0.999),
        ("a.m4a", "aac", 44100, 2, 0.99),
        ("surround.mp4", "aac", 48000, 6, 0.99),
        ("a.opus", "libopus", 48000, 1, 0.99),
        ("a.webm", "libopus", 48000, 2, 0.99),
        ("a.flac", "flac", 44100, 2, 0.9999),
        ("a.mov", "pcm_s16le", 48000, 1, 0.9999),
        ("24bit.wav", "pcm_s24le", 44100, 2, 0.9999),
        ("phone.wav", "pcm_mulaw", 8000, 1, 0.999),
    ],
)
def test_compressed_recordings_keep_length_and_place(tmp_path, voice, encode, name, codec, rate, channels, correlation):
    sound = voice(2.0, rate)
    path = encode(tmp_path / name, codec, np.repeat(sound[:, None], channels, 1), rate)
    speech = read_speech(path)
    assert abs(speech.duration - 2.0) <= 0.03  # codecs work in blocks; the last one may be padded
    lag, found = lag_and_correlation(speech.samples, voice(2.0))
    assert lag == 0
    assert found > correlation
    header = probe_speech(path)
    assert (header.sample_rate, header.channels) == (rate, channels)
    assert header.duration == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize(("kind", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")])
def test_files_of_another_encoder(tmp_path, voice, kind, subtype):
    path = tmp_path / f"speech.{kind.lower()}"
    soundfile.write(path, voice(2.0), 16000, format=kind, subtype=subtype)
    speech = read_speech(path)
    lag, correlation = lag_and_correlation(speech.samples, voice(2.0))
    assert lag == 0
    assert correlation > 0.99
    assert abs(speech.duration - 2.0) <= 0.03


def test_the_sound_of_a_video(tmp_path, voice, encode):
    path = encode(tmp_path / "clip.mp4", "aac", voice(1.0, 44100), 44100, picture=True)
    lag, correlation = lag_and_correlation(read_speech(path).samples, voice(1.0))
    assert lag == 0
    assert correlation > 0.99


@pytest.mark.parametrize("channels", [2, 3, 6, 8, 12])
def test_channels_are_averaged(tmp_path, voice, channels):
    sound = voice(0.5)
    weights = np.linspace(0.0, 1.0, channels)
    soundfile.write(tmp_path / "many.wav", sound[:, None] * weights, 16000, subtype="FLOAT")
    np.testing.assert_allclose(read_speech(tmp_path / "many.wav").samples, sound * weights.mean(), atol=1e-6)


def test_eight_planar_channels(tmp_path, voice):
    # FLAC decodes to planar samples, where PyAV cannot be asked for more than seven channels at once.
    sound = voice(0.5)
    soundfile.write(tmp_path / "eight.flac", np.repeat(sound[:, None], 8, 1), 16000, subtype="PCM_16")
    np.testing.assert_allclose(read_speech(tmp_path / "eight.flac").samples, sound, atol=2.0 / 32768)


@pytest.mark.parametrize(("kind", "suffix"), [("MAT5", "mat"), ("HTK", "htk"), ("XI", "xi")])
def test_what_pyav_cannot_read_soundfile_reads_and_a_note_says_so(tmp_path, voice, kind, suffix):
    path = tmp_path / f"speech.{suffix}"
    subtype = "DPCM_16" if kind == "XI" else "PCM_16"
    rate = 44100 if kind == "XI" else 16000  # the XI format knows one rate only
    soundfile.write(path, voice(1.0, rate), rate, format=kind, subtype=subtype)
    speech = read_speech(path)
    assert lag_and_correlation(speech.samples, voice(1.0))[0] == 0
    assert speech.duration == pytest.approx(1.0, abs=1e-3)
    assert speech.notes == ("read with soundfile, as PyAV cannot read this file",)
    assert probe_speech(path).reader == "soundfile"


@pytest.mark.parametrize("name", ["a b.wav", "ünïcode-名前.wav", "100% %d [x].wav", "http:evil.wav", "concat:a|b.wav"])
def test_odd_names(tmp_path, voice, name):
    soundfile.write(tmp_path / "plain.wav", voice(0.1), 16000)
    path = (tmp_path / "plain.wav").rename(tmp_path / name)
    assert len(read_speech(path).samples) == 1600
    assert len(read_speech(str(path)).samples) == 1600


def test_a_relative_name(tmp_path, voice, monkeypatch):
    soundfile.write(tmp_path / "here.wav", voice(0.1), 16000)
    monkeypatch.chdir(tmp_path)
    assert len(read_speech("here.wav").samples) == 1600


def test_sound_beyond_full_scale_is_turned_down_and_a_note_says_by_how_much(tmp_path, voice):
    soundfile.write(tmp_path / "hot.wav", 8.0 * voice(1.0), 16000, subtype="FLOAT")
    speech = read_speech(tmp_path / "hot.wav")
    assert np.abs(speech.samples).max() == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(speech.samples, 2.0 * voice(1.0), atol=1e-5)
    assert len(speech.notes) == 1
    assert "12.0 dB" in speech.notes[0]


def test_silence_is_read_and_noted(tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000), 16000)
    speech = read_speech(tmp_path / "silence.wav")
    assert not speech.samples.any()
    assert "silent" in speech.notes[0]


def test_the_shortest_recording_makes_one_frame(tmp_path, voice):
    soundfile.write(tmp_path / "short.wav", voice(0.04), 16000)
    assert len(read_speech(tmp_path / "short.wav").samples) == 640


def test_rate_and_channels_may_change_on_the_way(tmp_path, voice):
    """Two MP3 of different rate and layout, one after the other, as some recorders leave them."""
    for name, rate, channels in (("1.mp3", 44100, 2), ("2.mp3", 22050, 1)):
        soundfile.write(tmp_path / name, np.repeat(voice(1.0, rate)[:, None], channels, 1), rate)
    joined = tmp_path / "joined.mp3"
    joined.write_bytes((tmp_path / "1.mp3").read_bytes() + (tmp_path / "2.mp3").read_bytes())
    speech = read_speech(joined)
    assert 2.0 <= speech.duration < 2.2  # each MP3 is padded to whole blocks
    pattern = voice(1.0)[:8000]
    for part in (speech.samples[:16000], speech.samples[16000:]):
        assert np.correlate(part, pattern).max() > 0.9 * float(pattern @ pattern)


def test_where_the_reader_gives_up_a_note_says_so(tmp_path, voice):
    """libav cannot follow an Ogg file whose second part has other channels."""
    for name, channels in (("1.ogg", 1), ("2.ogg", 2)):
        soundfile.write(tmp_path / name, np.repeat(voice(1.0)[:, None], channels, 1), 16000, subtype="VORBIS")
    joined = tmp_path / "joined.ogg"
    joined.write_bytes((tmp_path / "1.ogg").read_bytes() + (tmp_path / "2.ogg").read_bytes())
    speech = read_speech(joined)
    assert speech.duration == pytest.approx(1.0, abs=0.05)
    assert any("breaks off" in note for note in speech.notes)


def test_the_level_of_a_sine(voice):
    t = np.arange(16000) / 16000
    level = describe_speech(Speech((0.5 * np.sin(2 * np.pi * 100 * t)).astype(np.float32)))
    assert level.level_dbfs == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=1e-4)
    assert level.peak == pytest.approx(0.5, abs=1e-6)
    assert level.clipped_fraction == 0.0
    assert str(level) == "level -9.0 dBFS, peak 0.500"


def test_clipping_is_counted(voice):
    t = np.arange(16000) / 16000
    clipped = np.clip(2.0 * np.sin(2 * np.pi * 100 * t), -1, 1).astype(np.float32)
    level = describe_speech(Speech(clipped))
    # |2 sin| >= 0.99 for 1 - 2 arcsin(0.495) / pi of the time
    assert level.clipped_fraction == pytest.approx(1 - 2 * np.arcsin(0.495) / np.pi, abs=0.01)
    assert "clipped" in str(level)


def test_the_level_of_silence():
    level = describe_speech(Speech(np.zeros(100, np.float32)))
    assert level.level_dbfs == -np.inf
    assert level.peak == 0.0


@pytest.mark.parametrize("samples", [np.zeros((2, 5), np.float32), np.zeros(5)])
def test_speech_is_one_row_of_float32(samples):
    with pytest.raises(ValueError, match="float32"):
        Speech(samples)


def test_length_costs_no_memory_beyond_the_result(tmp_path):
    """Ten minutes of 48 kHz stereo: 37 MB of result, and less than 60 MB above it."""
    rng = np.random.default_rng(0)
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 48000, 2, subtype="PCM_16") as file:
        for _ in range(60):
            file.write(0.1 * rng.standard_normal((480000, 2)))
    program = """
import sys
from pathlib import Path
from lightning_modules.audio.loading import read_speech
def peak():
    line = next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
import av, numpy
before = peak()
samples = read_speech(sys.argv[1]).samples
print(len(samples), peak() - before - samples.nbytes)
assert "torch" not in sys.modules
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("reads the peak memory from /proc")
    run = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    count, above = map(int, run.stdout.split())
    assert count == 600 * 16000
    assert above < 60e6
