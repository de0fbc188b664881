from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from lightning_modules.audio.loading import read_speech
from lightning_modules.errors import AudioError
from lightning_modules.pipeline.frame_rate import exact_frame_rate
from lightning_modules.pipeline.sound_track import SoundTrack
from lightning_modules.pipeline.video_writer import VideoWriter

RATES = [24, 25, 29.97, 30, 50, 60, 62.5]


def voice(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    """Bursts of filtered noise, (N, channels): like speech it never repeats, so a lag shows clearly."""
    count = round(seconds * rate)
    noise = np.random.default_rng(7).standard_normal((count, channels))
    spectrum = np.fft.rfft(noise, axis=0)
    spectrum[np.fft.rfftfreq(count, 1 / rate) > 2500] = 0
    bursts = np.sin(2 * np.pi * 3.1 * np.arange(count) / rate)[:, None] > -0.3
    return (np.fft.irfft(spectrum, count, axis=0) * bursts * 0.15).astype(np.float32)


def film(path: Path, sound, *, frames: int = 50, fps: float = 25) -> VideoWriter:
    with VideoWriter(path, (32, 32), fps, frames=frames, sound=sound) as writer:
        writer.write(np.full((frames, 32, 32), 255, np.uint8))
    return writer


def heard(path: Path) -> tuple[np.ndarray, int]:
    """The sound that a player gives, (channels, N), and its rate."""
    with av.open(path) as container:
        stream = container.streams.audio[0]
        return np.concatenate([frame.to_ndarray() for frame in container.decode(stream)], axis=1), stream.sample_rate


def lag(reference: np.ndarray, delayed: np.ndarray, rate: int) -> tuple[float, float]:
    """By how many seconds ``delayed`` comes late, and the correlation there in [-1, 1]; found by FFT."""
    count = min(len(reference), len(delayed))
    reference, delayed = reference[:count], delayed[:count]
    spectrum = np.fft.rfft(delayed, 2 * count) * np.conj(np.fft.rfft(reference, 2 * count))
    correlation = np.fft.irfft(spectrum)
    best = int(np.argmax(correlation))
    height = correlation[best] / np.sqrt((reference**2).sum() * (delayed**2).sum())
    return (best if best < count else best - 2 * count) / rate, float(height)


def test_the_measure_of_lag_sees_a_lag():
    sound = voice(1, 16000)[:, 0]
    assert lag(sound, np.roll(sound, 80), 16000)[0] == pytest.approx(0.005, abs=1e-4)
    assert lag(sound, np.roll(sound, -80), 16000)[0] == pytest.approx(-0.005, abs=1e-4)


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("rate", [16000, 44100, 48000])
@pytest.mark.parametrize("frames", [1, 7, 61])
def test_sound_and_picture_are_equally_long_and_begin_together(tmp_path, fps, rate, frames):
    path = tmp_path / "a.mp4"
    film(path, (voice(3, rate), rate), frames=frames, fps=fps)
    duration = frames / exact_frame_rate(fps)
    with av.open(path) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert video.duration * video.time_base == duration
        assert abs(audio.duration * audio.time_base - duration) <= Fraction(1, 40000)
        assert video.start_time == audio.start_time == 0
        assert audio.sample_rate == rate
        assert next(container.decode(audio)).pts == 0
    samples = heard(path)[0].shape[1]
    assert -1 <= samples - float(duration * rate) < 1024  # a decoder fills the last AAC block


@pytest.mark.parametrize(
    ("name", "rate", "channels", "written_rate"),
    [
        ("a.wav", 44100, 2, 44100),
        ("a.wav", 48000, 1, 48000),
        ("a.flac", 16000, 1, 16000),
        ("a.flac", 22050, 1, 22050),
        ("a.wav", 10000, 1, 48000),
        ("a.wav", 50000, 2, 48000),
        ("a.ogg", 48000, 2, 48000),
        ("a.mp3", 44100, 1, 44100),
        ("a.mp3", 24000, 2, 24000),
    ],
)
def test_the_original_sound_is_heard_without_delay(tmp_path, name, rate, channels, written_rate):
    source, path = tmp_path / name, tmp_path / "out.mp4"
    sound = voice(2, rate, channels)
    soundfile.write(source, sound, rate)
    film(path, source)
    result, result_rate = heard(path)
    assert (result.shape[0], result_rate) == (channels, written_rate)
    # What the speech analysis hears is the reference: the mouth moves by it.
    analysed = read_speech(source)
    result_mono = read_speech(path).samples
    late, height = lag(analysed.samples, result_mono, 16000)
    assert abs(late) <= 0.002
    assert height > 0.98
    if written_rate == rate and not name.endswith(".mp3"):
        for channel in range(channels):
            late, height = lag(sound[:, channel], result[channel], rate)
            assert abs(late) <= 0.001
            assert height > 0.97
            assert result[channel, : len(sound)].std() == pytest.approx(sound[:, channel].std(), rel=0.05)
    if channels == 2:
        count = min(len(sound), result.shape[1])
        assert abs(np.corrcoef(result[0, :count], result[1, :count])[0, 1]) < 0.3  # still two different sides


def test_lag_does_not_grow_over_a_minute(tmp_path):
    sound = voice(60, 22050)[:, 0]
    path = tmp_path / "a.mp4"
    film(path, (sound, 22050), frames=round(60 * 30000 / 1001), fps=29.97)
    result = heard(path)[0][0]
    for start in (0, 20 * 22050, 55 * 22050):
        late, height = lag(sound[start : start + 4 * 22050], result[start : start + 4 * 22050], 22050)
        assert abs(late) <= 0.001
        assert height > 0.97


def test_sound_that_is_too_short_is_followed_by_silence(tmp_path):
    path = tmp_path / "a.mp4"
    writer = film(path, (voice(1.0, 48000), 48000), frames=50)
    assert writer.notes == ["the sound ends 1.00 s before the picture; silence follows it"]
    result, rate = heard(path)
    assert result.shape[1] >= 2 * rate
    assert np.abs(result[:, : round(0.9 * rate)]).max() > 0.1
    assert np.abs(result[:, round(1.05 * rate) :]).max() < 1e-3


def test_sound_that_is_too_long_is_cut(tmp_path):
    path = tmp_path / "a.mp4"
    writer = film(path, (voice(3.0, 48000), 48000), frames=50)
    assert writer.notes == ["the sound goes on when the picture ends; cut at 2.00 s"]
    assert heard(path)[0].shape[1] < 2 * 48000 + 1024


@pytest.mark.parametrize("seconds", [1.95, 2.0, 2.05])
def test_a_difference_that_nobody_notices_is_not_mentioned(tmp_path, seconds):
    assert film(tmp_path / "a.mp4", (voice(seconds, 48000), 48000), frames=50).notes == []


def test_sound_of_a_film_and_samples_of_16_bits(tmp_path):
    first, second = tmp_path / "first.mp4", tmp_path / "second.mkv"
    sound = voice(2, 44100, 2)
    film(first, (np.round(sound * 32767).astype(np.int16), 44100))
    film(second, first)
    for path in (first, second):
        result, rate = heard(path)
        late, height = lag(sound[:, 0], result[0], rate)
        assert abs(late) <= 0.001
        assert height > 0.96


def test_a_film_without_sound_has_no_sound_track(tmp_path):
    film(tmp_path / "a.mp4", None)
    with av.open(tmp_path / "a.mp4") as container:
        assert not container.streams.audio


@pytest.mark.parametrize(
    ("sound", "message"),
    [
        ("missing.wav", "there is no such file"),
        ("empty.wav", "the file is empty"),
        ("text.wav", "this is text"),
        ((np.zeros((10, 3), np.float32), 16000), r"samples have the shape \(10, 3\)"),
        ((np.zeros(10, np.int64), 16000), "samples are of type int64"),
        ((np.zeros(10, np.float32), 0), "rate 0 Hz"),
    ],
)
def test_sound_that_cannot_be_used_is_refused_before_any_work(tmp_path, monkeypatch, sound, message):
    monkeypatch.chdir(tmp_path)
    Path("empty.wav").touch()
    Path("text.wav").write_text("not a sound")
    with pytest.raises(AudioError, match=message):
        VideoWriter("a.mp4", (32, 32), 25, frames=5, sound=sound)
    assert not Path("a.mp4").exists()


def test_samples_that_are_not_finite_are_refused(tmp_path):
    sound = np.zeros(48000, np.float32)
    sound[20000] = np.nan
    with pytest.raises(AudioError, match="not finite"):
        film(tmp_path / "a.mp4", (sound, 48000))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pieces", [[1], [7, 4096, 1, 20000], [1024] * 40, [100000]])
def test_a_track_gives_the_same_samples_in_any_pieces(tmp_path, pieces):
    sound = voice(0.5, 48000, 2)
    soundfile.write(tmp_path / "a.wav", sound, 48000, subtype="FLOAT")
    with SoundTrack(tmp_path / "a.wav") as track:
        result = np.concatenate([track.read(count) for count in pieces], axis=1)
        assert track.heard == min(sum(pieces), len(sound))
        assert track.silence == sum(pieces) - track.heard
    assert np.array_equal(result[:, : len(sound)], sound.T[:, : sum(pieces)])
    assert not result[:, len(sound) :].any()


@pytest.mark.parametrize("channels", [3, 4, 6, 8])
def test_more_than_two_channels_become_stereo(tmp_path, channels):
    soundfile.write(tmp_path / "a.wav", voice(0.5, 48000, channels), 48000)
    with SoundTrack(tmp_path / "a.wav") as track:
        result = track.read(24000)
        assert (track.channels, track.heard) == (2, 24000)
    assert result.std(axis=1).min() > 0.02


def test_recordings_joined_into_one_file_are_read_through(tmp_path):
    """Two MP3 of different rate and layout, one after the other, as some recorders and download tools leave them."""
    for name, rate, channels in (("1.mp3", 44100, 2), ("2.mp3", 22050, 1)):
        soundfile.write(tmp_path / name, voice(1.0, rate, channels), rate)
    joined = tmp_path / "joined.mp3"
    joined.write_bytes((tmp_path / "1.mp3").read_bytes() + (tmp_path / "2.mp3").read_bytes())
    with SoundTrack(joined) as track:
        result = track.read(4 * track.rate)
        assert track.heard / track.rate == pytest.approx(read_speech(joined).duration, abs=0.01)
    assert track.heard / track.rate == pytest.approx(2.0, abs=0.15)  # MP3 adds up to two blocks to each
    for second in (0, 1):
        assert result[:, second * track.rate :][:, : track.rate].std() > 0.02


def test_a_recording_that_breaks_off_is_followed_by_silence(tmp_path):
    whole, cut = tmp_path / "whole.wav", tmp_path / "cut.wav"
    soundfile.write(whole, voice(2, 48000), 48000)
    cut.write_bytes(whole.read_bytes()[: 2 * 48000])
    writer = film(tmp_path / "a.mp4", cut, frames=50)
    assert writer.notes == ["the sound ends 1.00 s before the picture; silence follows it"]


def test_memory_does_not_hold_the_recording(tmp_path):
    import tracemalloc

    with soundfile.SoundFile(tmp_path / "long.wav", "w", 48000, 2) as file:
        for _ in range(60):
            file.write(np.zeros((48000, 2), np.float32))
    with SoundTrack(tmp_path / "long.wav") as track:
        track.read(48000)
        tracemalloc.start()
        for _ in range(1200):
            track.read(2400)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert track.heard == 60 * 48000
    assert peak < 2e6  # bytes; the recording decodes to 23 MB
