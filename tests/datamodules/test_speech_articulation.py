"""Parameters to landmarks, visemes in time, closures: against numbers worked out by hand and a slow twin."""

from __future__ import annotations

import math

import numpy as np
import pytest

from datamodules.synthetic.faces import template
from datamodules.synthetic.speech.articulation import HINGE, inner_gap, jaw_shares, move_face
from datamodules.synthetic.speech.coarticulation import articulate, blend, prosody_gain, raised_cosine
from datamodules.synthetic.speech.detector_errors import as_detected
from datamodules.synthetic.speech.faces import in_face_units, sample_face
from datamodules.synthetic.speech.phones import Phone, Utterance, filled_with_silence, segment_with_burst
from datamodules.synthetic.speech.visemes import DIPHTHONGS, VISEMES, Segment, VisemeTable, bare_ipa, stressed
from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS

J, W, P, U, L, C, F = range(7)


def posed(**values):
    parameters = np.zeros((1, 7))
    for name, value in values.items():
        parameters[0, "JWPULCF".index(name)] = value
    return move_face(template(), parameters)[0]


def track(*phones, duration=None):
    at, made = 0.0, []
    for label, length in phones:
        made.append(Phone(at, at + length, label, closure=segment_with_burst(label, at, at + length)))
        at += length
    return filled_with_silence(made, duration or at)


def test_at_rest_nothing_moves():
    np.testing.assert_allclose(posed(), template(), atol=1e-15)


def test_the_jaw_turns_about_its_hinge():
    """Point 57 by hand; the ears stay."""
    rest, moved = template(), posed(J=1)
    y, z = rest[57, 1] - HINGE[0], rest[57, 2] - HINGE[1]
    expected = (0, HINGE[0] + y * math.cos(0.2) + z * math.sin(0.2), HINGE[1] - y * math.sin(0.2) + z * math.cos(0.2))
    np.testing.assert_allclose(moved[57], expected, atol=1e-12)
    np.testing.assert_allclose(moved[[0, 16, 30, 51]], rest[[0, 16, 30, 51]], atol=1e-15)
    assert jaw_shares()[8] == 1
    assert jaw_shares()[48] == 0.35
    assert jaw_shares()[27] == 0


def test_width_and_thickness_by_hand():
    width = 0.66
    assert posed(W=1)[54, 0] - posed(W=1)[48, 0] == pytest.approx(width * 1.2)
    assert posed(W=-1)[54, 0] - posed(W=-1)[48, 0] == pytest.approx(width * (1 - 2 * 0.19))
    assert posed(U=1)[62, 1] - template()[62, 1] == pytest.approx(-0.045)
    assert posed(L=1)[66, 1] - template()[66, 1] == pytest.approx(0.045)
    assert posed(P=1)[57, 2] - template()[57, 2] == pytest.approx(0.09)


def test_closure_meets_at_a_quarter_of_the_gap():
    opened, closed, half = posed(J=0.8), posed(J=0.8, C=1), posed(J=0.8, C=0.5)
    gap = opened[66, 1] - opened[62, 1]
    assert gap > 0.1
    assert closed[62, 1] == closed[66, 1] == pytest.approx(opened[62, 1] + 0.25 * gap)
    assert half[66, 1] - half[62, 1] == pytest.approx(0.5 * gap)
    assert closed[57, 1] - opened[57, 1] == pytest.approx(-0.85 * 0.75 * gap)


def test_the_lip_bites_and_is_never_lowered_for_it():
    assert inner_gap(posed(J=0.6, F=1)) == pytest.approx(0.012)
    assert inner_gap(posed(J=0.6, F=1, C=1)) == pytest.approx(0.0)


def test_lips_never_cross_and_frames_are_independent():
    generator = np.random.default_rng(3)
    low, high = np.array([0, -1, 0, 0, 0, 0, 0]), np.array([1.3, 1, 1, 0.5, 0.5, 1, 1])
    parameters = generator.uniform(low, high, (200, 7))
    for number in range(6):
        face = sample_face(1, number)
        moved = move_face(face, parameters)
        gaps = [moved[:, lower, 1] - moved[:, upper, 1] for upper, lower in INNER_LIP_PAIRS]
        assert np.min(gaps) >= -1e-12
        np.testing.assert_array_equal(moved[17], move_face(face, parameters[17:18])[0])


def test_the_mirrored_face_moves_like_a_mirror():
    from lightning_modules.geometry.landmark_groups import MIRROR

    moved = posed(J=0.7, W=-0.6, P=0.5, U=0.3, L=0.2, C=0.3, F=0.2)
    np.testing.assert_allclose(moved[list(MIRROR)] * (-1, 1, 1), moved, atol=1e-12)


def test_blend_equals_its_formula_written_as_loops():
    aa, uw, s = VISEMES["AA"], VISEMES["UW"], VISEMES["SZ"]
    segments = [Segment(0.0, 0.12, aa), Segment(0.12, 0.2, s), Segment(0.2, 0.5, uw)]
    times = np.array([-0.1, 0.0, 0.05, 0.13, 0.19, 0.4, 0.7])
    expected = np.zeros((7, 5))
    for i, t in enumerate(times):
        for channel in range(5):
            above = below = 0.0
            for segment in segments:
                center, length = (segment.start + segment.end) / 2, segment.end - segment.start
                k = min(max(math.sqrt(length / 0.1), 0.7), 1.5)
                reach = (0.055, 0.065)
                if segment.viseme is uw and channel in (W, P):
                    reach = (0.120, 0.100)
                beta = reach[0 if t < center else 1] * k
                alpha = segment.viseme.jaw_dominance if channel == J else segment.viseme.lip_dominance
                weight = alpha * math.exp(-max(abs(t - center) - length / 4, 0) / beta)
                above += weight * segment.viseme.targets[channel]
                below += weight
            expected[i, channel] = above / (below + 1e-6)
    np.testing.assert_allclose(blend(segments, times), expected, atol=1e-12)


def test_a_raised_cosine_by_hand():
    values = raised_cosine(np.array([0.0, 0.05, 0.075, 0.1, 0.2, 0.255, 0.3]), 0.1, 0.2, 0.05, 0.055)
    np.testing.assert_allclose(values, [0, 0, 0.5, 1, 1, 0, 0], atol=1e-12)


@pytest.mark.parametrize("stop", ["p", "b", "m"])
def test_lips_touch_in_bilabials_between_open_vowels(stop):
    said = track(("pau", 0.2), ("aa", 0.2), (stop, 0.08), ("aa", 0.2), ("pau", 0.3))
    done = articulate(said, 62)
    gap = inner_gap(move_face(template(), done.parameters))
    times = np.arange(62) / 62.5
    ((start, end),) = done.closures
    assert start == pytest.approx(0.4)
    assert end == pytest.approx(0.48 if stop == "m" else 0.46)
    assert gap[(times >= start) & (times <= end)].max() <= 0.004
    assert gap[(times > 0.2) & (times < 0.4)].max() > 0.1
    assert gap[(times > 0.52) & (times < 0.68)].max() > 0.1


def test_other_consonants_do_not_close_the_lips():
    gap = inner_gap(move_face(template(), articulate(track(("aa", 0.2), ("t", 0.08), ("aa", 0.2)), 30).parameters))
    assert gap[10:20].min() > 0.03


def test_f_v_and_round_vowels_and_sibilants():
    said = track(("aa", 0.2), ("f", 0.12), ("uw", 0.25), ("s", 0.15), ("iy", 0.2))
    parameters = articulate(said, 58).parameters
    moved = move_face(template(), parameters)
    width, gap, times = moved[:, 54, 0] - moved[:, 48, 0], inner_gap(moved), np.arange(58) / 62.5
    assert gap[(times > 0.21) & (times < 0.31)].max() <= 0.0121
    assert 0.45 < width[(times > 0.4) & (times < 0.5)].min() < 0.53
    assert width[-3] > 0.68
    assert parameters[(times > 0.59) & (times < 0.7), J].max() < 0.21
    assert parameters[:, W][(times > 0.2) & (times < 0.32)].min() < -0.3, "rounding is anticipated in f"


def test_closures_last_thirty_milliseconds_at_least():
    ((start, end),) = articulate(track(("aa", 0.1), ("b", 0.02), ("aa", 0.1)), 14).closures
    assert end - start == pytest.approx(0.03)


def test_the_mouth_closes_in_pauses_and_not_in_short_ones():
    said = track(("pau", 0.3), ("aa", 0.3), ("pau", 0.5), ("aa", 0.3), ("pau", 0.1), ("aa", 0.3), ("pau", 0.4))
    closed, times = articulate(said, 138).parameters[:, C], np.arange(138) / 62.5
    assert closed[0] == pytest.approx(0.9)
    assert closed[np.abs(times - 0.9).argmin()] == pytest.approx(0.9, abs=0.01)
    assert closed[(times > 1.1) & (times < 1.8)].max() == 0
    assert closed[-1] == pytest.approx(0.9)
    assert closed[(times > 0.31) & (times < 0.6)].max() == 0


def test_prosody_gain_follows_the_level():
    """Six dB more than the median opens by half of half: 1 + 0.5·6/12."""
    said = track(("aa", 1.0), ("iy", 0.5))
    sound = np.sin(np.arange(24000) * 0.3) * np.where(np.arange(24000) < 16000, 0.1, 0.1 * 10 ** (6 / 20))
    gain = prosody_gain(sound, said, 94)
    assert gain[30] == pytest.approx(1.0, abs=0.01)
    assert gain[80] == pytest.approx(1.25, abs=0.01)
    np.testing.assert_array_equal(prosody_gain(sound, track(("pau", 1.5)), 94), np.ones(94))


def test_diphthongs_and_stress():
    first, second = VisemeTable().segments(Utterance((Phone(0, 0.1, "ay", "primary"),), 0.1))
    assert first.end == pytest.approx(0.06)
    assert second.end == pytest.approx(0.1)
    assert first.viseme.targets[J] == pytest.approx(0.85 * 1.15)
    assert stressed(VISEMES["PBM"], 1.15) is VISEMES["PBM"]
    assert set(DIPHTHONGS) == {"ay", "aw", "ey", "ow", "oy"}


def test_ipa_is_looked_up_bare():
    table = VisemeTable()
    known = {"iː": "IY", "uː": "UW", "pʰ": "PBM", "m̩": "PBM", "ɜː": "ER", "ʒ": "SH", "ɑ": "AA", "a:": "AA", "ᵻ": "AX"}
    assert {label: table.names_of(label)[0][0] for label in known} == known
    assert [name for name, _ in table.names_of("eɪ")] == ["EH", "IY"]
    assert [name for name, _ in table.names_of("ɑːɹ")] == ["AA", "R"]
    assert not table.unknown
    assert table.names_of("ʘ")[0][0] == "KG"
    assert table.names_of("ɘ̃x̂q̂")[0][0] in VISEMES
    assert "ʘ" in table.unknown
    assert bare_ipa("ˈa:") == "a"


def test_phones_must_follow_each_other_and_can_be_stretched():
    with pytest.raises(ValueError, match="does not follow"):
        Utterance((Phone(0, 0.2, "aa"), Phone(0.1, 0.3, "b")), 0.3)
    slow = track(("aa", 0.2), ("b", 0.08)).scaled(1.5)
    assert slow.phones[1].start == pytest.approx(0.3)
    assert slow.duration == pytest.approx(0.42)
    assert slow.phones[1].closure == pytest.approx((0.3, 0.39))


def test_faces_are_in_face_units_and_differ():
    faces = np.stack([sample_face(0, number) for number in range(60)])
    np.testing.assert_allclose(faces[0], template(), atol=1e-12)
    across = faces[:, 45, :2] - faces[:, 36, :2]
    np.testing.assert_allclose(np.hypot(*across.T), 1.0, atol=1e-12)
    np.testing.assert_allclose((faces[:, 45] + faces[:, 36]) / 2, 0, atol=1e-12)
    np.testing.assert_array_equal(sample_face(0, 7), faces[7])
    assert np.abs(sample_face(1, 7) - faces[7]).max() > 0.01
    width = faces[:, 54, 0] - faces[:, 48, 0]
    assert width.min() < 0.6
    assert width.max() > 0.72
    opened = inner_gap(faces) > 1e-6
    assert 0.15 < opened.mean() < 0.45
    assert inner_gap(faces).max() < 0.06
    assert inner_gap(faces).min() > -1e-12
    assert in_face_units(2 * template() + 3)[33] == pytest.approx(template()[33])


def test_errors_of_a_detector_have_the_size_that_they_state():
    still = np.broadcast_to(template(), (4000, 68, 3))
    added = as_detected(still, np.random.default_rng(0)) - still
    assert np.sqrt(np.mean(added**2)) == pytest.approx(math.hypot(0.003, 0.003), rel=0.05)
    slow = added.reshape(40, 100, 68, 3).mean(axis=1)
    assert np.sqrt(np.mean(slow**2)) > 0.001, "the drift does not average out"
