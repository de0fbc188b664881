from __future__ import annotations

import numpy as np
import pytest

from lightning_modules.audio import blinks
from lightning_modules.audio.face_axes import average_face
from lightning_modules.audio.prosody import Prosody
from lightning_modules.audio.speaker_style import SpeakerStyle

SILENT = Prosody()


def times(prosody, seconds, **options):
    return np.array([moment for moment, _ in blinks.blink_times(prosody, seconds, **options)])


def test_intervals_and_rate_are_those_stated():
    found = [times(SILENT, 600.0, seed=seed) for seed in range(12)]
    gaps = np.concatenate([np.diff(one) for one in found])
    double = np.abs(gaps - 0.35) < 1e-6
    assert double.sum() / (~double).sum() == pytest.approx(0.10, abs=0.02)
    assert gaps[~double].mean() == pytest.approx(3.22, rel=0.05)  # 0.35 + 2.4 exp(0.18)
    np.testing.assert_allclose(np.percentile(gaps[~double], [5, 95]), [1.24, 6.79], rtol=0.08)
    assert (~double).sum() / 120.0 == pytest.approx(19.0, abs=1.0)  # a minute
    assert gaps.min() >= 0.35 - 1e-9


def test_every_moment_of_a_recording_is_alike():
    first = np.concatenate([times(SILENT, 10.0, seed=seed) for seed in range(300)])
    counts = np.histogram(first, bins=5, range=(0, 10))[0] / 300 * 30  # a minute
    np.testing.assert_allclose(counts, 20.3, rtol=0.15)


@pytest.mark.parametrize("rate", [0.5, 2.0])
def test_the_rate_multiplies(rate):
    for options in ({"rate": rate}, {"style": SpeakerStyle(blinks=rate)}):
        counts = [len(times(SILENT, 120.0, seed=seed, **options)) for seed in range(40)]
        assert np.mean(counts) / 2 == pytest.approx(20.3 * rate, rel=0.1)
    assert blinks.blink_times(SILENT, 100.0, seed=0, rate=0.0) == []
    with pytest.raises(ValueError, match="rate of blinks"):
        blinks.blink_times(SILENT, 100.0, seed=0, rate=-1.0)


def share(prosody, seed_count, inside):
    found = np.concatenate([times(prosody, 300.0, seed=seed) for seed in range(seed_count)])
    return np.mean(inside(found))


def test_blinks_gather_at_pauses_and_avoid_accents():
    marks = np.arange(1.0, 300.0, 2.0)

    def near(found):  # within 0.15 s of a mark: 15 % of the time
        return np.abs((found - 1.0 + 1.0) % 2.0 - 1.0) <= 0.15

    def within(found):
        return (found - 1.0) % 2.0 < 0.2  # 10 % of the time

    assert share(SILENT, 20, near) == pytest.approx(0.15, abs=0.03)
    assert share(Prosody(phrase_ends=tuple(marks)), 20, near) == pytest.approx(0.34, abs=0.05)  # 3 · 15 / (3 · 15 + 85)
    assert share(SILENT, 20, within) == pytest.approx(0.10, abs=0.025)
    assert share(Prosody(accents=tuple(marks)), 20, within) == pytest.approx(0.032, abs=0.015)  # 0.3 · 10 / 93


def test_blinks_are_a_function_of_the_seed():
    np.testing.assert_array_equal(times(SILENT, 60.0, seed=1), times(SILENT, 60.0, seed=1))
    assert not np.array_equal(times(SILENT, 60.0, seed=1), times(SILENT, 60.0, seed=2))
    long = times(SILENT, 60.0, seed=1)
    np.testing.assert_allclose(times(SILENT, 20.0, seed=1), long[long < 20.0])


def test_the_profile_of_a_blink():
    track = blinks.blink_track(SILENT, 2000, seed=1)
    moment, amplitude = blinks.blink_times(SILENT, 32.0, seed=1)[1]
    inside = (np.arange(2000) / 62.5 >= moment + 0.08) & (np.arange(2000) / 62.5 <= moment + 0.11)
    np.testing.assert_allclose(track[inside], amplitude)
    assert track.min() >= 0.0
    assert track.max() <= 1.0
    assert 0.04 < np.mean(track > 0) < 0.12


def test_lids_meet_where_they_should():
    face = average_face()
    moved = blinks.close_lids(face, np.array([0.0, 0.5, 1.0]))
    np.testing.assert_array_equal(moved[0], face)
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        meeting = face[upper] + 0.8 * (face[lower] - face[upper])
        np.testing.assert_allclose(moved[2, [upper, lower]], [meeting, meeting], atol=1e-12)
        np.testing.assert_allclose(moved[1, lower] - moved[1, upper], 0.5 * (face[lower] - face[upper]))
    others = [point for point in range(68) if point not in (37, 38, 40, 41, 43, 44, 46, 47)]
    np.testing.assert_array_equal(moved[:, others], np.broadcast_to(face[others], (3, 60, 3)))
    turning = np.stack([face, face + 0.1])
    np.testing.assert_array_equal(blinks.close_lids(turning, np.zeros(2)), turning)
