"""Pitch: golden values, agreement with SPTK's tracker, the choice of a range, odd recordings, quantisation.

rapt_golden.npz was written with pysptk 1.0.1 (``RaptPitch``); where that is installed the last test looks whether the
file still says what it gives.
"""

from __future__ import annotations

import importlib.util
import itertools
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from lightning_modules.audio.fundamental_frequency import (
    ANY_VOICE,
    HIGH_VOICE,
    LOW_VOICE,
    NccfPitch,
    RaptPitch,
    make_fundamental_frequency,
    mel_and_pitch,
    quantize_pitch,
)
from lightning_modules.audio.log_mel import log_mel
from lightning_modules.audio.pitch_candidates import MOST, SearchRange
from lightning_modules.errors import BackendError

GOLDEN = Path(__file__).with_name("rapt_golden.npz")
RANGES = {"F": HIGH_VOICE, "M": LOW_VOICE, "any": ANY_VOICE}
NAMES = ("demo", "slow", "published", "syllables")


def tone(hertz: float, seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * 16000)) / 16000
    return (0.1 * sum(np.sin(2 * np.pi * k * hertz * t) / k for k in range(1, 8))).astype(np.float32)


@pytest.mark.parametrize(
    ("voice", "count", "expected"),
    [
        ("F", 70, [116, 125, 165, 114, 0, 100, 164, 129, 121, 119, 0, 0, 0, 71, 77, 86, 129, 159, 0]),
        ("M", 77, [126, 133, 165, 124, 71, 114, 164, 137, 130, 128, 0, 0, 0, 90, 95, 102, 137, 160, 0]),
    ],
)
def test_golden_values(published_signal, voice, count, expected):
    bins = quantize_pitch(make_fundamental_frequency("nccf", voice)(published_signal))
    assert bins.shape == (94,)
    assert np.count_nonzero(bins) == count
    frames = [0, 1, 10, 20, 30, 40, 50, 60, 61, 62, 63, 64, 70, 78, 79, 80, 85, 90, 93]
    assert bins[frames].tolist() == expected


@pytest.mark.parametrize(("name", "voice"), list(itertools.product(NAMES, RANGES)))
def test_it_is_what_sptk_gives(pitch_signals, name, voice):
    with np.load(GOLDEN, allow_pickle=False) as stored:
        published = stored[f"{name}_{voice}"]
    samples = pitch_signals[name]
    before = samples.copy()
    ours = NccfPitch(RANGES[voice])(samples)
    np.testing.assert_array_equal(samples, before)
    assert ours.dtype == np.float32
    assert ours.shape == published.shape == (len(samples) // 256 + 1,)
    assert published.any()
    different = np.count_nonzero((ours > 0) != (published > 0))
    assert different <= 1, "a decision on the brink may fall otherwise by rounding"
    both = (ours > 0) & (published > 0)
    np.testing.assert_allclose(ours[both], published[both], rtol=1e-4)


@pytest.mark.parametrize("count", [640, 1000, 3200, 4096, 255999, 256000, 300001])
def test_blocks_change_nothing(count, monkeypatch):
    """The frames do not depend on how the signal came, nor on how many are looked at together."""
    rng = np.random.default_rng(count)
    sound = (np.resize(tone(140.0, 3.0), count) + 0.01 * rng.standard_normal(count)).astype(np.float32)
    whole = NccfPitch(LOW_VOICE)(sound)
    monkeypatch.setattr("lightning_modules.audio.conditioning._BLOCK", 16384)
    monkeypatch.setattr("lightning_modules.audio.pitch_tracker._FRAMES_AT_ONCE", 37)
    pieces = NccfPitch(LOW_VOICE)(sound)
    assert len(whole) == count // 256 + 1
    np.testing.assert_array_equal(whole > 0, pieces > 0)
    np.testing.assert_allclose(whole, pieces, rtol=1e-5)


@pytest.mark.parametrize("hertz", [60.0, 97.3, 155.0, 190.0, 220.0])
def test_a_steady_tone_has_its_pitch(hertz):
    pitch = NccfPitch(LOW_VOICE)(tone(hertz, 1.0))[2:-4]
    np.testing.assert_allclose(pitch, hertz, rtol=0.02)
    assert np.median(pitch) == pytest.approx(hertz, rel=2e-3)


@pytest.mark.parametrize("name", ["demo", "slow"])
def test_the_range_follows_the_voice(pitch_signals, name):
    """A low voice is looked for where it is: among the high ones most of it would be missed."""
    samples = pitch_signals[name]
    chosen = {"demo": HIGH_VOICE, "slow": LOW_VOICE}[name]
    pitch = make_fundamental_frequency()(samples)
    np.testing.assert_array_equal(pitch, NccfPitch(chosen)(samples))
    high = NccfPitch(HIGH_VOICE)(samples)
    assert np.count_nonzero(pitch) > {"demo": 0.99, "slow": 5.0}[name] * np.count_nonzero(high)


def test_mel_and_pitch_come_from_one_pass(pitch_signals, monkeypatch):
    samples = pitch_signals["syllables"]
    for pitch in (make_fundamental_frequency("nccf", "M"), make_fundamental_frequency()):
        mel, hertz = mel_and_pitch(samples, pitch)
        np.testing.assert_array_equal(mel, log_mel(samples))
        np.testing.assert_array_equal(hertz, pitch(samples))
    passes = []
    from lightning_modules.audio import conditioning

    condition = conditioning.condition
    monkeypatch.setattr(conditioning, "condition", lambda x: passes.append(1) or condition(x))
    mel_and_pitch(samples, make_fundamental_frequency("nccf", "F"))
    assert len(passes) == 1


@pytest.mark.parametrize("voice", ["auto", "F", "M"])
def test_silence_and_noise_have_no_voice(voice):
    pitch = make_fundamental_frequency("nccf", voice)
    assert not pitch(np.zeros(16000, np.float32)).any()
    assert not pitch(np.full(16000, 0.25, np.float32)).any(), "an offset is no voice"
    noise = (0.1 * np.random.default_rng(0).standard_normal(48000)).astype(np.float32)
    assert np.count_nonzero(pitch(noise)) < 0.15 * 188


@pytest.mark.parametrize("count", [513, 640, 700, 800, 1000, 3200])
def test_short_recordings(count):
    for voice in ("auto", "F", "M"):
        pitch = make_fundamental_frequency("nccf", voice)(tone(150.0, 0.3)[:count])
        assert pitch.shape == (count // 256 + 1,)
        assert np.isfinite(pitch).all()
        bins = quantize_pitch(pitch)
        assert ((bins >= 0) & (bins < 257)).all()


def test_a_clipped_voice_keeps_its_pitch():
    pitch = make_fundamental_frequency()(np.clip(20.0 * tone(120.0, 1.0), -1.0, 1.0))
    np.testing.assert_allclose(pitch[2:-4], 120.0, rtol=0.02)


@pytest.mark.parametrize("bad", [np.zeros(512), np.zeros((2, 1000)), np.zeros(1000, np.int16), np.full(1000, np.nan)])
def test_what_is_no_recording(bad):
    for make in (make_fundamental_frequency("nccf", "F"), log_mel):
        with pytest.raises(ValueError, match="speech"):
            make(bad)


def test_memory_does_not_grow_with_the_length():
    import scipy.signal  # noqa: F401  its own memory is not what is measured

    def beside_the_path(seconds: int) -> int:
        samples = np.random.default_rng(0).standard_normal(seconds * 16000, dtype=np.float32)
        tracemalloc.start()
        result = NccfPitch(LOW_VOICE)(samples)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak - len(result) * (4 * MOST + MOST + 1 + 8)

    short, long = beside_the_path(40), beside_the_path(160)
    assert long < 60e6
    assert long < 1.1 * short


def test_quantisation_by_hand():
    # Logarithms 1, 2, 3: mean 2, spread √(2/3); v = 0.5 ∓ 1/(8·0.816497) = 0.346907, 0.5, 0.653093.
    hertz = np.array([0.0, np.exp(1.0), np.exp(2.0), 0.0, np.exp(3.0)])
    before = hertz.copy()
    assert quantize_pitch(hertz).tolist() == [0, 89, 129, 0, 168]
    np.testing.assert_array_equal(hertz, before)
    # 1 + 255·v: 88.46 -> 88 above 1, 127.5 -> 128 (to even), 166.5 -> 167
    assert quantize_pitch(10.0 * hertz).tolist() == [0, 89, 129, 0, 168]


def test_quantisation_at_its_ends():
    far = np.concatenate([np.full(99, 100.0), [100.0 * np.exp(20.0)]])
    # Mean ln 100 + 0.2, spread 1.99: the outlier is 9.9 spreads above, which saturates; the others 0.1005 below.
    assert quantize_pitch(far).tolist() == [1 + 124] * 99 + [256]
    assert quantize_pitch(np.concatenate([np.full(99, 100.0), [100.0 * np.exp(-20.0)]]))[-1] == 1


def test_one_voiced_frame_and_none():
    assert quantize_pitch(np.array([0.0, 120.0, 0.0])).tolist() == [0, 129, 0]
    assert quantize_pitch(np.full(5, 120.0, np.float32)).tolist() == [129] * 5
    assert quantize_pitch(np.zeros(4, np.float32)).tolist() == [0] * 4
    assert quantize_pitch(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("bad", [np.array([-1.0]), np.array([np.nan]), np.array([np.inf, 1.0]), np.zeros((2, 2))])
def test_what_is_no_pitch(bad):
    with pytest.raises(ValueError, match="pitch"):
        quantize_pitch(bad)


@pytest.mark.parametrize("ends", [(30.0, 600.0), (200.0, 200.0), (300.0, 100.0), (50.0, 2000.0)])
def test_ranges_that_cannot_be_searched(ends):
    with pytest.raises(ValueError, match="between 40 and 1000"):
        SearchRange(*ends)


@pytest.mark.parametrize(("backend", "voice"), [("yin", "F"), ("nccf", "X")])
def test_names_that_are_not_known(backend, voice):
    with pytest.raises(ValueError, match="pitch is measured by"):
        make_fundamental_frequency(backend, voice)


@pytest.mark.parametrize("missing", ["pysptk", "pkg_resources"])
def test_a_missing_package_is_named(missing, monkeypatch):
    class Hidden:
        def find_spec(self, name, path=None, target=None):
            if name == "pysptk":
                raise ModuleNotFoundError(f"No module named '{missing}'", name=missing)

    monkeypatch.delitem(sys.modules, "pysptk", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Hidden(), *sys.meta_path])
    with pytest.raises(BackendError, match=r"nccf") as caught:
        make_fundamental_frequency("rapt", "F")
    assert {"pysptk": "inkspeak[paper]", "pkg_resources": "setuptools<81"}[missing] in str(caught.value)


@pytest.mark.skipif(importlib.util.find_spec("pysptk") is None, reason="pysptk is not installed (extra paper)")
def test_the_stored_values_are_those_of_sptk(pitch_signals):
    short = np.zeros(640, np.float32)
    assert not RaptPitch(HIGH_VOICE)(short).any()
    with np.load(GOLDEN, allow_pickle=False) as stored:
        for name, voice in itertools.product(NAMES, RANGES):
            for _ in range(2):  # its noise must not go on from call to call
                published = RaptPitch(RANGES[voice])(pitch_signals[name])
                np.testing.assert_allclose(published, stored[f"{name}_{voice}"], rtol=1e-5)
