"""The utterances of previews move a mouth as their names say, and each portrait of a film in its own place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from measured_portraits import KnownDrawer, make_batch

from callbacks.preview_utterances import RATE, UTTERANCES, spoken
from callbacks.talking_portraits import draw_track, part, pixels, track_of
from lightning_modules.audio.envelope_driver import EnvelopeDriver
from lightning_modules.audio.face_axes import average_face

FPS = 25


@pytest.fixture(scope="module")
def mouths():
    """By utterance: the gap between the lips and the width of the mouth, in eye distances, of two seconds."""
    face = (average_face() * 95 + [128, 110, 0]).astype(np.float32)
    found = {}
    for name in UTTERANCES:
        track = EnvelopeDriver(head=0.0).drive(spoken(name, 2.0), face, FPS).landmarks / 95
        found[name] = track[:, 66, 1] - track[:, 62, 1], track[:, 54, 0] - track[:, 48, 0]
    return found


def turns(values) -> int:
    """How often a curve changes from rising to falling or back, small waves left out."""
    steps = np.diff(values)[np.abs(np.diff(values)) > 0.004]
    return int((np.sign(steps[1:]) != np.sign(steps[:-1])).sum())


def test_the_fast_one_is_fast_and_the_slow_one_holds_its_vowels(mouths):
    fast, slow = (mouths[name][0][5:] for name in ("fast", "slow"))
    assert turns(fast) > 2 * turns(slow)
    held = np.abs(np.diff(slow)) < 0.004
    assert held.mean() > 0.5
    assert (np.abs(np.diff(fast)) < 0.004).mean() < 0.2


def test_slow_vowels_are_open_wide_and_round(mouths):
    gap, width = mouths["slow"]
    a, i, u = (slice(start, start + 4) for start in (6, 18, 31))  # within the first three vowels of half a second
    assert gap[a].min() > 1.5 * max(gap[i].max(), gap[u].max())
    assert width[i].min() > width[a].max() > width[u].max()


def test_pauses_close_the_mouth(mouths):
    gap, _ = mouths["pauses"]
    silence = slice(14, 24)  # 0.48 s of 0.96 are silent
    assert gap[silence].max() < 0.01
    assert gap[2:10].max() > 0.08
    assert not spoken("pauses", 2.0).samples[round(0.5 * RATE) : round(0.95 * RATE)].any()


def test_sounds_are_as_long_as_asked_for_and_the_same_each_time():
    for name in UTTERANCES:
        one, other = spoken(name, 0.7), spoken(name, 0.7)
        assert one.samples.shape == (round(0.7 * RATE),)
        assert np.array_equal(one.samples, other.samples)
        assert 0.05 < np.abs(one.samples).max() < 1


def test_portraits_speak_with_their_own_faces():
    module = KnownDrawer().eval()
    portraits = make_batch(2)
    track = track_of(portraits, spoken("slow", 0.2), FPS)
    assert track.shape == (2, 5, 68, 2)
    assert torch.allclose(track[:, 0, :27], portraits.landmarks[:, :27], atol=1e-4)  # begins at rest
    with torch.no_grad():
        drawn = draw_track(module, portraits, track)
        fields = {name: value for name, value in vars(part(portraits, slice(1, 2))).items() if value is not None}
        fields["target_landmarks"] = track[1:2, 2:4]
        alone = module(type(portraits)(**fields))
    assert drawn.shape == (2, 5, 32, 32, 3)
    assert np.array_equal(drawn[1, 2:4], pixels(alone)[0])
