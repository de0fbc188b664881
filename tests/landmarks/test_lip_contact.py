"""Small openings become contacts, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
from landmark_models import model

from lightning_modules.audio.loading import Speech
from lightning_modules.errors import ConfigError
from lightning_modules.export.landmark_model_file import NaturalGains
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS, OUTER_OF_INNER
from lightning_modules.metrics.speech_motion import closures_reached, mouth_opening
from lightning_modules.pipeline import landmark_driver
from lightning_modules.pipeline.landmark_driver import DriverGains, LandmarkDriver
from lightning_modules.pipeline.lip_contact import close_small_openings, contact


def talking(opening):
    """Displacements of a face whose lower lip sinks so that its opening is given."""
    moved = np.zeros((len(opening), 68, 3), np.float32)
    for upper, lower in INNER_LIP_PAIRS:
        rest = frontal_face()[lower, 1] - frontal_face()[upper, 1]
        moved[:, [lower, OUTER_OF_INNER[lower]], 1] = (np.asarray(opening) - rest)[:, None]
    return moved


def test_contact_by_hand():
    found = contact(np.array([-0.01, 0.0, 0.02, 0.025, 0.03, 0.04, 0.1]), 0.02)
    assert found.tolist() == pytest.approx([1, 1, 1, 1 - (0.0625 * 2.5), 0.5, 0, 0])
    assert not contact(np.zeros(3), 0.0).any()


def test_small_openings_close_and_the_rest_stays():
    opening = np.array([0.06, 0.05, 0.03, 0.018, 0.01, 0.04, -0.004])
    before = talking(opening)
    after = before.copy()
    close_small_openings(after, frontal_face(), 0.02)
    found = mouth_opening(after + frontal_face())
    np.testing.assert_allclose(found, [0.06, 0.05, 0.015, 0, 0, 0.04, -0.004], atol=1e-6)
    assert after[3, 62, 1] - before[3, 62, 1] == pytest.approx(0.25 * 0.018, abs=1e-6)
    assert after[3, 57, 1] - before[3, 57, 1] == pytest.approx(-0.85 * 0.75 * 0.018, abs=1e-6)
    moving = [point for pair in OUTER_OF_INNER.items() for point in pair]
    rest = [point for point in range(68) if point not in moving]
    assert np.array_equal(after[:, rest], before[:, rest])
    assert np.array_equal(after[..., [0, 2]], before[..., [0, 2]])
    still = before.copy()
    close_small_openings(still, frontal_face(), 0.0)
    assert np.array_equal(still, before)


@pytest.mark.parametrize("fps", [25.0, 30.0, 62.5])
def test_a_model_says_up_to_which_opening_its_lips_meet(monkeypatch, fps):
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
    with pytest.raises(ConfigError, match=r"contact is 0.2.*0 to 0.1"):
        NaturalGains(contact=0.2)
