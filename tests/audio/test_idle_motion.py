"""Sway, nods and blinks: addressed randomness with the statistics that it claims."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_modules.audio import idle_motion as idle

NONE = np.zeros(0)


def test_sway_starts_at_rest_and_has_its_deviation():
    times = np.arange(0, 600, 0.04)
    found = [idle.sway(seed, idle.YAW, 2.0, times) for seed in range(4)]
    for track in found:
        assert track[0] == 0.0
        assert abs(track[1]) < 0.2
        assert 1.6 < track.std() < 2.0
        assert np.abs(track).max() <= 2.5 * 2.0
        assert abs(track.mean()) < 0.4
        assert 3.0 < np.diff(track).std() / 0.04 < 5.0  # 2.2 rad/s times the deviation
    assert abs(np.corrcoef(found[0], found[1])[0, 1]) < 0.2


def test_sway_is_a_function_of_seed_purpose_and_time():
    long, short = np.arange(0, 20, 0.04), np.arange(0, 5, 0.04)
    np.testing.assert_array_equal(idle.sway(3, 1, 1.0, long)[: len(short)], idle.sway(3, 1, 1.0, short))
    twice = np.arange(0, 20, 0.02)
    np.testing.assert_allclose(idle.sway(3, 1, 1.0, twice)[::2], idle.sway(3, 1, 1.0, long), atol=1e-12)
    assert not np.allclose(idle.sway(3, 1, 1.0, long), idle.sway(4, 1, 1.0, long))
    assert not np.allclose(idle.sway(3, 1, 1.0, long), idle.sway(3, 2, 1.0, long))


@pytest.mark.parametrize("rate", [5.0, 15.0, 30.0, 60.0])
def test_blinks_have_the_rate_that_was_asked_for(rate):
    counts = [len(idle.blink_times(seed, rate, 60.0, NONE, NONE)) for seed in range(40)]
    assert np.mean(counts) == pytest.approx(rate, rel=0.12)
    if rate == 15.0:
        assert min(counts) >= 6
        assert max(counts) <= 26


def test_no_blinks_at_rate_zero():
    assert idle.blink_times(0, 0.0, 600.0, NONE, NONE) == []


def test_blinks_lie_within_the_recording_and_in_order():
    blinks = idle.blink_times(1, 20.0, 120.0, NONE, NONE)
    begins = [begin for begin, _ in blinks]
    assert begins == sorted(begins)
    assert begins[0] >= 0.5
    assert begins[-1] < 120.0 + 0.35
    assert all(0.85 <= amplitude <= 1.0 for _, amplitude in blinks)
    assert min(np.diff(begins)) >= 0.3


def test_blinks_gather_at_pauses():
    silences = np.arange(3.0, 300.0, 3.0)
    near = [
        min(abs(begin - silence) for silence in silences) < 0.01
        for begin, _ in idle.blink_times(0, 15.0, 300.0, NONE, silences)
    ]
    assert np.mean(near) > 0.25  # a third of the time lies within half a second of a pause


def test_one_blink():
    times = np.arange(0, 2, 0.01)
    closure = idle.lid_closure([(1.0, 0.9)], times)
    assert closure[:100].max() == 0.0
    assert closure[128:].max() == pytest.approx(0.0, abs=1e-9)
    assert closure.max() == pytest.approx(0.9)
    assert times[closure > 0.899].tolist() == pytest.approx([1.08, 1.09, 1.10, 1.11])
    assert closure[104] == pytest.approx(0.45)  # half-way after half of 80 ms
    assert (np.diff(closure[100:109]) >= 0).all()
    assert (np.diff(closure[111:129]) <= 0).all()


def test_accents_are_the_peaks_that_stand_out():
    loudness = np.zeros(500)
    for centre, height in ((100, 0.9), (115, 0.7), (200, 0.3), (300, 0.8)):
        loudness = np.maximum(loudness, height * np.exp(-0.5 * ((np.arange(500) - centre) / 4.0) ** 2))
    np.testing.assert_allclose(idle.accents(loudness), [1.0, 3.0])
    assert len(idle.accents(np.zeros(500))) == 0
    assert len(idle.accents(np.zeros(1))) == 0


def test_pauses_are_where_the_voice_ends_for_a_while():
    loudness = np.ones(300)
    loudness[100:110] = 0.0
    loudness[200:240] = 0.0
    np.testing.assert_allclose(idle.pauses(loudness), [2.0])


def test_nods_go_down_and_come_back_around_the_accent():
    times = np.arange(0, 60, 0.01)
    moments = np.arange(1.0, 59.0, 1.0)
    pitch = idle.nods(0, moments, times)
    assert pitch.min() == 0.0
    assert np.degrees(pitch.max()) < 4.0
    nodding = [pitch[round(100 * m) : round(100 * m) + 40].max() > 0 for m in moments]
    assert 0.4 < np.mean(nodding) < 0.8
    assert pitch[:90].max() == 0.0
    assert not np.array_equal(pitch, idle.nods(1, moments, times))
    raises = idle.brow_raises(0, moments, times)
    assert 0.02 < raises.max() < 0.06
