from __future__ import annotations

import numpy as np
import pytest
import torch

from datamodules.speech_augmentation import SpeechAugmentation, _centres
from lightning_modules.audio.log_mel import log_mel
from lightning_modules.errors import ConfigError

OFF = {"chance": 0.0, "static": 0.0}


def speech_like(seed=0):
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.uniform(0.1, 0.9, (6, 18, 80)).astype(np.float32))


def test_without_changes_nothing_changes():
    still = SpeechAugmentation(**OFF)
    assert torch.equal(still.speech(speech_like(), np.random.default_rng(0)), speech_like())
    assert not still.move_static(np.random.default_rng(0)).any()


def only(**size):
    none = {"level": 0.0, "tilt": 0.0, "ripple": 0.0, "tract": 0.0, "noise": (200.0, 200.0), "static": 0.0}
    return SpeechAugmentation(chance=1.0, **{**none, **size})


def test_a_change_of_level_is_that_of_the_sound():
    """Against the log-mel of the louder sound itself."""
    n = np.arange(16000)
    sound = 0.02 * sum(np.sin(2 * np.pi * 130 * k * n / 16000) for k in range(1, 40))
    mel = torch.from_numpy(log_mel(sound))
    changed = only(level=8.0).speech(mel, np.random.default_rng(1))
    decibel = 100.0 * (changed - mel)[20, 10].item()
    assert 0.5 < abs(decibel) <= 8.0
    expected = torch.from_numpy(log_mel(sound * 10 ** (decibel / 20)))
    loud = mel > 0.2
    torch.testing.assert_close(changed[loud], expected[loud], atol=2e-3, rtol=0)


def test_a_shorter_tract_moves_the_spectrum_up():
    peak = torch.exp(-0.5 * ((torch.arange(80) - 40.0) / 3.0) ** 2).expand(2, 18, 80)
    centres = _centres().numpy()
    for seed in range(4):
        changed = only(tract=0.12).speech(peak, np.random.default_rng(seed))[0, 0]
        random = np.random.default_rng(seed)
        random.random(5)
        random.uniform(0, 0), random.uniform(0, 0)
        factor = 1.0 + random.uniform(-0.12, 0.12)
        place = float((changed * torch.arange(80)).sum() / changed.sum())
        assert np.interp(place, np.arange(80), centres) == pytest.approx(centres[40] * factor, rel=0.01)


def test_noise_fills_the_silence_and_leaves_the_loud():
    frames = torch.full((200, 80), 0.8)
    frames[100:] = -0.16
    noisy = only(noise=(20.0, 20.0)).speech(frames, np.random.default_rng(2))
    assert (noisy[:100] - 0.8).abs().mean() < 0.01
    low = noisy[100:, _centres().numpy().searchsorted(1000)]
    assert low.mean().item() == pytest.approx(0.8 - 0.20 - 0.025, abs=0.01)  # mean dB of exponential power: -2.5
    assert only(noise=(20.0, 20.0)).speech(frames, np.random.default_rng(2)).equal(noisy)


def test_colour_is_smooth_and_static_faces_move():
    frames = torch.full((3, 18, 80), 0.5)
    tilted = only(tilt=4.0).speech(frames, np.random.default_rng(3))[0, 0] - 0.5
    slopes = tilted.diff() / torch.log2(_centres()).diff()
    torch.testing.assert_close(slopes, slopes.mean().expand(79), atol=2e-3, rtol=0)
    assert 0.0 < abs(slopes.mean().item()) * 100 <= 4.0
    moved = only(static=0.01).move_static(np.random.default_rng(0))
    assert moved.std().item() == pytest.approx(0.01, rel=0.15)
    with pytest.raises(ConfigError, match="out of range"):
        SpeechAugmentation(chance=2.0)
