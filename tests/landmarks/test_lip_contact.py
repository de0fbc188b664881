"""Dips of the opening become contacts, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
from landmark_models import model

from lightning_modules.audio.loading import Speech
from lightning_modules.errors import ConfigError
from lightning_modules.export.landmark_model_file import NaturalGains
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS
from lightning_modules.metrics.speech_motion import closures_reached, mouth_opening
from lightning_modules.pipeline import landmark_driver
from lightning_modules.pipeline.landmark_driver import DriverGains, LandmarkDriver
from lightning_modules.pipeline.lip_contact import OUTER_OF_INNER, contact, dips, meet_in_dips

FPS = 62.5


def talking(opening):
    """Displacements of a face whose lower lip sinks so that its opening is given."""
    moved = np.zeros((len(opening), 68, 3), np.float32)
    for upper, lower in INNER_LIP_PAIRS:
        rest = frontal_face()[lower, 1] - frontal_face()[upper, 1]
        moved[:, [lower, OUTER_OF_INNER[lower]], 1] = (np.asarray(opening) - rest)[:, None]
    return moved


def test_dips_by_hand():
    opening = np.array([0.05, 0.02, 0.05, 0.05, 0.012, 0.012, 0.03, 0.03, 0.028, 0.03, 0.001])
    assert dips(opening, FPS, 0.03).tolist() == [1, 5]
    assert dips(opening, FPS, 0.015).tolist() == [5]
    assert dips(opening, FPS, 0.0).tolist() == []
    assert dips(opening[:2], FPS, 0.03).tolist() == []
    # 0.028 is a dip too shallow, the last frame is none: the mouth may go on closing.
    assert dips(opening - 0.02, FPS, 0.03).tolist() == [1, 5]


def test_contact_is_half_a_cosine_in_and_out():
    closed = contact(np.array([10]), 20, 100.0)
    assert closed[10] == 1.0
    assert closed[8] == pytest.approx(0.5 + 0.5 * np.cos(np.pi * 0.02 / 0.05))
    assert closed[12] == pytest.approx(0.5 + 0.5 * np.cos(np.pi * 0.02 / 0.055))
    assert not closed[:6].any()
    assert not closed[16:].any()
    late = 0.5 + 0.5 * np.cos(np.pi * 0.04 / 0.055)
    early = 0.5 + 0.5 * np.cos(np.pi * 0.04 / 0.05)
    assert contact(np.array([0, 3]), 4, 25.0).tolist() == pytest.approx([1, late, early, 1])


def test_lips_meet_in_the_dip_and_the_rest_stays():
    opening = np.full(40, 0.06)
    opening[18:23] = (0.04, 0.03, 0.018, 0.03, 0.04)
    before = talking(opening)
    after = before.copy()
    assert meet_in_dips(after, frontal_face(), FPS, 0.02).tolist() == [20]
    found = mouth_opening(after + frontal_face())
    assert found[20] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(found[[10, 30]], 0.06, atol=1e-6)
    assert (np.diff(found[14:21]) <= 1e-7).all()
    gap = 0.018
    assert after[20, 62, 1] - before[20, 62, 1] == pytest.approx(0.25 * gap, abs=1e-4)
    assert after[20, 57, 1] - before[20, 57, 1] == pytest.approx(-0.85 * 0.75 * gap, abs=1e-4)
    moving = [point for pair in OUTER_OF_INNER.items() for point in pair]
    rest = [point for point in range(68) if point not in moving]
    assert np.array_equal(after[:, rest], before[:, rest])
    assert np.array_equal(after[..., [0, 2]], before[..., [0, 2]])
    still = before.copy()
    assert not len(meet_in_dips(still, frontal_face(), FPS, 0.01))
    assert np.array_equal(still, before)


@pytest.mark.parametrize("fps", [25.0, 30.0, 62.5])
def test_a_model_says_from_which_opening_on_its_lips_meet(monkeypatch, fps):
    """A mouth that opens and nearly closes four times a second."""

    def babble(_model, _heard, _static, times):
        return talking(0.06 - 0.035 * np.cos(8 * np.pi * times))

    monkeypatch.setattr(landmark_driver, "content_motion", babble)
    face = (frontal_face() * 90 + [128, 100, 0]).astype(np.float32)
    voice = Speech((0.3 * np.sin(2 * np.pi * 200 * np.arange(48000) / 16000)).astype(np.float32))
    still = DriverGains(head=0, brows=0, blink_rate=0)
    spans = [(k / 4 - 0.02, k / 4 + 0.02) for k in range(2, 10)]
    reached = {}
    for threshold in (0.0, 0.03):
        track = LandmarkDriver(model(contact=threshold), gains=still).drive(voice, face, fps).landmarks
        reached[threshold] = closures_reached((track - face) / 90 + frontal_face(), spans, fps)[0]
    assert reached == {0.0: 0, 0.03: 8}


def test_the_threshold_has_a_range():
    assert NaturalGains(contact=0.02).contact == 0.02
    with pytest.raises(ConfigError, match=r"contact is 0.2.*\n?.*0 to 0.1"):
        NaturalGains(contact=0.2)
