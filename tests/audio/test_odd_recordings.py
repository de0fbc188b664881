"""Silence, noise, telephone sound, stereo, shreds and clipping: finite features, or a line that says what to do."""

from __future__ import annotations

import hashlib
import importlib.util

import numpy as np
import pytest
import torch

from lightning_modules.audio.content_features import AutoVCContent, MelContent, Standardization
from lightning_modules.audio.fundamental_frequency import make_fundamental_frequency, mel_and_pitch, quantize_pitch
from lightning_modules.audio.loading import read_speech
from lightning_modules.audio.loudness import normalize_loudness
from lightning_modules.audio.speaker_embedding import embed_speaker
from lightning_modules.errors import AudioError
from lightning_modules.networks.autovc import AutoVC

PLAIN = Standardization(np.zeros(80), np.ones(80))


def burst(voice) -> np.ndarray:
    """Silence with 45 ms of voice."""
    sound = np.zeros(16000)
    sound[8000:8720] = voice(1.0)[:720]
    return sound


RECORDINGS = {
    "silence": (16000, lambda _: np.zeros(16000)),
    "noise": (16000, lambda _: 0.1 * np.random.default_rng(0).standard_normal(16000)),
    "telephone": (8000, lambda voice: voice(1.0, 8000)),
    "stereo": (48000, lambda voice: np.stack([voice(1.0, 48000), 0.2 * voice(1.0, 48000)], axis=1)),
    "fifth of a second": (16000, lambda voice: voice(0.2)),
    "shortest": (16000, lambda voice: voice(0.04)),
    "clipped": (16000, lambda voice: np.clip(30.0 * voice(1.0), -1.0, 0.99997)),
    "burst": (16000, burst),
    "one step": (16000, lambda _: np.full(16000, 1 / 32768)),
    "offset": (16000, lambda voice: 0.5 + 0.1 * voice(1.0)),
    "whole hops": (16000, lambda voice: voice(1.024)),
}


@pytest.mark.parametrize("name", RECORDINGS)
def test_features_are_finite(name, voice, encode, tmp_path):
    rate, make = RECORDINGS[name]
    path = encode(tmp_path / "speech.wav", "pcm_s16le", make(voice), rate)
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    samples = read_speech(path).samples
    kept = samples.copy()
    frames = len(samples) // 256 + 1
    torch.manual_seed(0)
    has_weights = importlib.util.find_spec("resemblyzer") is not None
    embed = embed_speaker if has_weights else lambda _: np.zeros(256, np.float32)
    revoiced = AutoVCContent(
        AutoVC(width=32, decoder_width=32).eval(), PLAIN, np.eye(256)[0], make_fundamental_frequency(), embed
    )
    for feature in (MelContent(PLAIN), revoiced):
        made = feature(samples)
        assert made.shape == (frames, 80)
        assert made.dtype == np.float32
        assert np.isfinite(made).all()
        np.testing.assert_array_equal(feature(samples), made)
    mel, hertz = mel_and_pitch(normalize_loudness(samples), make_fundamental_frequency())
    assert mel.shape == (frames, 80)
    assert hertz.shape == (frames,)
    bins = quantize_pitch(hertz)
    assert ((bins >= 0) & (bins <= 256)).all()
    voiced = {"silence": False, "one step": False, "telephone": True, "stereo": True, "clipped": True, "offset": True}
    if name in voiced:
        assert (np.count_nonzero(bins) > 0.5 * frames) == voiced[name]
    if has_weights:
        speaker = embed(samples)
        assert np.linalg.norm(speaker) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_array_equal(samples, kept)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_one_voiced_frame(voice):
    """The published code divides by the spread of one value here; the bin is the middle one."""
    pitch = np.zeros(63, np.float32)
    pitch[31] = 155.0
    bins = quantize_pitch(pitch)
    assert np.flatnonzero(bins).tolist() == [31]
    assert bins[31] == 129


def test_less_than_a_frame_is_refused(voice, encode, tmp_path):
    path = encode(tmp_path / "speech.wav", "pcm_s16le", voice(0.03), 16000)
    with pytest.raises(AudioError, match=r"0\.04"):
        read_speech(path)
