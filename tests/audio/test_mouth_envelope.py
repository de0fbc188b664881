"""The mouth opens with the voice, in step with it, and stays closed beside it."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_modules.audio.mouth_envelope import attack_release, loudness_range, mouth_envelope, smooth
from lightning_modules.audio.speech_energy import speech_energy

RNG = np.random.default_rng(0)


def buzz(seconds: float, pitch: float = 150.0) -> np.ndarray:
    """A voice-like sound of 20 harmonics, peak 1."""
    t = np.arange(round(seconds * 16000)) / 16000
    sound = sum(np.sin(2 * np.pi * k * pitch * t + k * k) / k for k in range(1, 21))
    return sound / np.abs(sound).max()


def envelope(samples):
    return mouth_envelope(speech_energy(np.asarray(samples, np.float32)))


def test_the_energy_of_a_sine_lies_in_its_band():
    t = np.arange(16000) / 16000
    for hertz, band in ((300, "low"), (800, "middle"), (2000, "high"), (5000, "top")):
        energy = speech_energy(0.5 * np.sin(2 * np.pi * hertz * t))
        assert len(energy) == 101
        inside = slice(5, 95)
        expected = 10 * np.log10(0.5**2 / 2)
        np.testing.assert_allclose(getattr(energy, band)[inside], expected, atol=0.1)
        for other in {"low", "middle", "high", "top"} - {band}:
            assert getattr(energy, other)[inside].max() < expected - 30


def test_the_energy_is_measured_where_the_sound_is():
    samples = np.zeros(16000)
    samples[8000] = 1.0
    assert speech_energy(samples).voice.argmax() == 50


def test_blocks_of_analysis_do_not_show():
    samples = 0.1 * RNG.standard_normal(16000 * 12)
    whole = speech_energy(samples).voice
    later = speech_energy(samples[160 * 900 :]).voice
    np.testing.assert_allclose(whole[910:1190], later[10:290], atol=1e-9)


def test_flatness_tells_noise_from_voice():
    assert np.median(speech_energy(0.1 * RNG.standard_normal(32000)).flatness) == pytest.approx(0.56, abs=0.05)
    assert np.median(speech_energy(0.3 * buzz(2.0)).flatness) < 0.1


@pytest.mark.parametrize(
    "noise",
    [
        np.zeros(80000),
        0.0003 * RNG.standard_normal(80000),
        0.003 * RNG.standard_normal(80000),
        0.2 * RNG.standard_normal(80000),
        1e-4 * np.cumsum(RNG.standard_normal(80000)) % 1e-3,
        0.001 * np.sin(2 * np.pi * 50 * np.arange(80000) / 16000),
        np.full(80000, 0.3),
    ],
)
def test_silence_and_noise_keep_the_mouth_closed(noise):
    mouth = envelope(noise)
    assert (mouth.jaw == 0).mean() >= 0.99
    assert np.abs(mouth.width).max() < 0.01
    assert mouth.bare.max() < 0.01


@pytest.mark.parametrize("gain", [0.02, 0.1, 1.0])
@pytest.mark.parametrize("signal_to_noise", [15.0, 60.0])
def test_loudness_and_background_noise_matter_little(demo_speech, gain, signal_to_noise):
    clean = envelope(demo_speech.samples)
    level = np.sqrt(np.mean(demo_speech.samples.astype(np.float64) ** 2))
    noise = level * 10 ** (-signal_to_noise / 20) * RNG.standard_normal(len(demo_speech.samples))
    noisy = envelope(gain * (demo_speech.samples + noise))
    assert np.corrcoef(clean.jaw, noisy.jaw)[0, 1] > 0.9
    # the pause after the first word
    assert noisy.jaw[94:98].max() < 0.05


def test_the_pauses_of_the_demo_sentence(demo_speech):
    mouth = envelope(demo_speech.samples)
    assert mouth.jaw[:20].max() == 0.0
    assert mouth.jaw[96:100].max() < 0.03
    assert mouth.jaw[352:].max() < 0.05
    assert mouth.jaw[35:72].min() > 0.2
    assert mouth.jaw.max() < 1.0


def test_a_voice_that_swells_opens_the_mouth_in_step():
    t = np.arange(16000 * 6) / 16000
    loudness = (0.5 - 0.5 * np.cos(2 * np.pi * 2.0 * t)) ** 2
    jaw = envelope(0.5 * loudness * buzz(6.0)).jaw
    at_frames = loudness[::160][: len(jaw)]
    jaw = jaw[: len(at_frames)]
    shifts = range(-8, 9)
    found = [np.corrcoef(np.roll(at_frames, k)[20:-20], jaw[20:-20])[0, 1] for k in shifts]
    assert found[8] > 0.8
    assert abs(shifts[int(np.argmax(found))]) <= 4  # 40 ms: a frame at 25 fps


def test_attack_is_faster_than_release_and_centred():
    step = np.zeros(300)
    step[100:200] = 1.0
    followed = attack_release(step)
    rises, falls = np.argmax(followed > 0.5), 100 + np.argmax(followed[100:][99:] < 0.5) + 99
    assert abs(rises - 100) <= 1
    assert 2 <= falls - 200 <= 5
    assert followed[:95].max() == 0.0


def test_rounded_and_spread_vowels():
    """Energy below 1100 Hz rounds the lips, energy at 2000 Hz spreads them."""
    t = np.arange(16000) / 16000
    fade = np.sin(np.pi * t) ** 0.5
    low, middle, high = (np.sin(2 * np.pi * hertz * t) for hertz in (300, 800, 2000))
    rounded = fade * (low + 0.8 * middle + 0.02 * high)
    spread = fade * (low + 0.05 * middle + 0.5 * high)
    width = envelope(0.3 * np.concatenate([rounded, np.zeros(8000), spread, np.zeros(8000)])).width
    assert width[30:70].max() < -0.3
    assert width[180:220].min() > 0.3
    assert np.abs(width[120:130]).max() < 0.1


def test_smooth_keeps_constants_and_sums():
    np.testing.assert_allclose(smooth(np.full(50, 0.7), 0.05), 0.7, atol=1e-12)
    impulse = np.zeros(101)
    impulse[50] = 1.0
    smoothed = smooth(impulse, 0.05)
    assert smoothed.sum() == pytest.approx(1.0)
    assert smoothed.argmax() == 50
    assert np.sqrt((smoothed * (np.arange(101) - 50) ** 2).sum()) == pytest.approx(5.0, rel=0.05)


def test_the_loudness_range_of_speech_with_pauses():
    voice = np.concatenate([np.full(100, -70.0), np.full(100, -20.0), np.full(100, -30.0)])
    quiet, loud = loudness_range(voice)
    assert loud == -20.0
    assert quiet == -50.0


def test_a_bang_does_not_set_the_loudness():
    voice = np.concatenate([np.full(200, -70.0), np.full(200, -30.0), np.full(10, 0.0)])
    assert loudness_range(voice)[1] < -25.0
