"""Silence, closed mouths and the share of both, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_modules.errors import MetricError
from lightning_modules.metrics.silent_mouth import (
    SilentMouth,
    mouth_openings,
    silent_frames,
    silent_mouth,
    sound_levels,
)

FPS = 25.0


def mouths(openings, eye_distance=80.0):
    """Faces (T, 68, 2) whose inner lips are this far apart, pixels."""
    track = torch.zeros(len(openings), 68, 2)
    track[:, 36] = torch.tensor([60.0, 50.0])
    track[:, 45] = torch.tensor([60.0 + eye_distance, 50.0])
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        track[:, upper] = track[:, lower] = torch.tensor([100.0, 90.0])
        track[:, lower, 1] += torch.tensor(openings, dtype=torch.float32)
    return track


def test_the_opening_by_hand():
    track = mouths([0.0, 4.0])
    track[1, 65, 1] += 3  # one pair of three opens by 7
    assert mouth_openings(track).tolist() == pytest.approx([0, 100 * (4 + 4 + 7) / 3 / 80])


def test_the_opening_does_not_depend_on_the_tilt_or_the_size():
    track = mouths([3.0])
    turn = torch.tensor([[0.8, 0.6], [-0.6, 0.8]])
    assert mouth_openings(track @ turn * 2.5).tolist() == pytest.approx(mouth_openings(track).tolist(), rel=1e-4)


def test_levels_of_a_tone_that_stops():
    """A sine of amplitude a has a power of a² / 2; within one of its frames it is that, and later it is gone."""
    time = np.arange(16000) / 16000
    samples = 0.1 * np.sin(2 * np.pi * 1000 * time) * (time < 0.5)
    levels = sound_levels(samples.astype(np.float32), 30, FPS)
    assert levels.shape == (30,)
    assert levels[2:11].tolist() == pytest.approx([10 * np.log10(0.1**2 / 2)] * 9, abs=0.1)
    assert (levels[14:24] < -100).all()
    assert levels[26:].tolist() == [-120] * 4  # beyond the end of the recording


def test_a_video_faster_than_the_sound_is_measured_has_levels():
    assert torch.isfinite(sound_levels(np.full(1600, 0.1), 24, 240.0)).all()


def test_silence_by_hand():
    levels = torch.full((40,), -70.0)
    levels[10:20] = -20  # speech
    levels[23:30] = -20  # after a pause of three frames, which is too short
    levels[30:33] = -45  # its end: not yet 30 dB below
    expected = torch.zeros(40, dtype=torch.bool)
    expected[:7] = True  # three frames of margin before the speech, none at the start of the clip
    expected[36:] = True
    assert torch.equal(silent_frames(levels, FPS), expected)
    # At twice the rate a margin lasts six frames.
    assert torch.equal(silent_frames(levels.repeat_interleave(2), 2 * FPS), expected.repeat_interleave(2))


def test_speech_that_never_pauses_and_sound_that_never_comes():
    assert not silent_frames(torch.full((30,), -20.0), FPS).any()
    assert silent_frames(torch.full((30,), -120.0), FPS).all()


def test_the_share_by_hand():
    track = mouths([0.0, 2.0, 3.0, 0.0, 9.0, 0.0])  # 3 % of 80 px is 2.4 px
    track[3, 20] = torch.nan
    silent = torch.tensor([True, True, True, True, False, False])
    assert [int(count) for count in silent_mouth(track, silent)] == [2, 3]
    metric = SilentMouth()
    metric.update(track, silent)
    metric.update(mouths([0.0, 9.0]), torch.tensor([True, False]))
    metric.update(mouths([9.0]), torch.tensor([False]))
    assert float(metric.compute()) == pytest.approx(100 * 3 / 4)


def test_what_cannot_be_measured():
    with pytest.raises(MetricError, match="0 silent frames"):
        SilentMouth().compute()
    metric = SilentMouth()
    metric.update(torch.full((2, 68, 2), torch.nan), torch.tensor([True, True]))
    with pytest.raises(MetricError, match="0 silent frames"):
        metric.compute()
    with pytest.raises(MetricError, match="not a number"):
        silent_frames(torch.tensor([0.0, torch.nan]), FPS)
    for samples in (np.zeros(0), np.array([0.0, np.nan])):
        with pytest.raises(MetricError, match="empty or not finite"):
            sound_levels(samples, 3, FPS)
    with pytest.raises(ValueError, match="T frames"):
        silent_mouth(mouths([1.0]), torch.tensor([True, False]))
    with pytest.raises(ValueError, match="levels are"):
        silent_frames(torch.zeros(0), FPS)
