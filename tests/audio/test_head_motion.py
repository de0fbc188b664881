"""Prosody, head motion and speaker style: the figures that they state, and addressed randomness."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest

from lightning_modules.audio import head_motion as head
from lightning_modules.audio.face_axes import average_face
from lightning_modules.audio.prosody import Prosody, melody_of, prosody_of, silences
from lightning_modules.audio.speaker_style import SpeakerStyle, average_embedding, speaker_style
from lightning_modules.geometry.head_pose import apply_pose

FPS = 62.5
SILENT = Prosody()


@pytest.mark.parametrize(("name", "deviation", "speed"), [("pitch", 2.0, 4.3), ("yaw", 3.0, 7.3), ("roll", 1.5, 3.2)])
def test_sway_has_the_stated_size_and_speed(name, deviation, speed):
    tracks = [np.degrees(getattr(head.head_motion(SILENT, 30_000, seed=seed), name)) for seed in range(4)]
    found = np.sqrt(np.mean(np.square(tracks)))
    found_speed = np.sqrt(np.mean(np.square(np.diff(tracks)))) * FPS
    assert found == pytest.approx(deviation, rel=0.06)
    assert found_speed == pytest.approx(2 * math.pi * 0.35 * deviation, rel=0.04)  # what the equation says
    assert found_speed == pytest.approx(speed, rel=0.12)  # what one simulation gave
    assert abs(np.corrcoef(tracks[0], tracks[1])[0, 1]) < 0.15


def test_sway_is_the_damped_oscillator():
    track = np.concatenate([head.sway(seed, 0, 1.0, 60_000) for seed in range(3)])
    centred = track - track.mean()
    omega, damping = 2 * math.pi * 0.35, 0.9
    damped = omega * math.sqrt(1 - damping**2)
    for lag in (10, 40, 80, 120):
        t = lag / FPS
        phase = math.cos(damped * t) + damping / math.sqrt(1 - damping**2) * math.sin(damped * t)
        expected = math.exp(-damping * omega * t) * phase
        assert np.mean(centred[lag:] * centred[:-lag]) / centred.var() == pytest.approx(expected, abs=0.05)


def test_shifts_have_their_size():
    shift = np.concatenate([head.head_motion(SILENT, 40_000, seed=seed).shift for seed in range(3)])
    np.testing.assert_allclose(shift.std(axis=0), [0.015, 0.010, 0.010], rtol=0.08)


def test_motion_is_a_function_of_seed_and_time():
    prosody = Prosody(accents=(0.5, 1.3, 2.2), pauses=((2.6, 3.4),), phrase_ends=(2.6,))
    long, short = head.head_motion(prosody, 400, seed=3), head.head_motion(prosody, 150, seed=3)
    np.testing.assert_allclose(long.yaw[:150], short.yaw, atol=1e-12)
    np.testing.assert_allclose(long.pitch[:150], short.pitch, atol=1e-12)
    other = head.head_motion(prosody, 400, seed=4)
    assert not np.allclose(long.yaw, other.yaw)


def test_from_rest_the_head_begins_where_it_is():
    motion = head.head_motion(SILENT, 200, seed=1, from_rest=True)
    assert motion.yaw[0] == 0.0
    assert abs(np.degrees(motion.yaw[1])) < 0.1
    assert head.head_motion(SILENT, 200, seed=1).yaw[0] != 0.0


def test_nods_go_down_and_begin_before_the_accent():
    times = np.arange(0, 6, 1 / FPS)
    accents = tuple(range(1, 500))
    many = head.nods(0, Prosody(accents=accents), np.arange(0, 505, 1 / FPS))
    peaks = np.degrees([many[round(a * FPS) - 7 : round(a * FPS) + 26].max() for a in accents])
    assert np.mean(peaks > 0.1) == pytest.approx(0.6, abs=0.07)
    assert peaks[peaks > 0.1].mean() == pytest.approx(2.5, abs=0.15)
    assert peaks[peaks > 0.1].std() == pytest.approx(0.8, abs=0.12)
    assert many.min() >= 0.0
    one = head.nods(5, Prosody(accents=(2.0,)), times, SpeakerStyle(nods=2.0))
    moving = times[one > 0]
    assert moving[0] == pytest.approx(1.9, abs=0.04)
    assert 0.3 < moving[-1] - moving[0] < 0.5


def test_a_phrase_ends_with_a_drop_and_a_question_with_a_tilt():
    still = head.head_motion(SILENT, 500, seed=2)
    ended = head.head_motion(Prosody(phrase_ends=(4.0,), questions=(4.0,)), 500, seed=2)
    drop, tilt = np.degrees(ended.pitch - still.pitch), np.degrees(ended.roll - still.roll)
    assert drop[250] == pytest.approx(1.5)
    assert tilt[250] == pytest.approx(2.0)
    assert drop[250 - 32] == pytest.approx(0.0, abs=1e-3)
    assert drop[250 + 50] == pytest.approx(0.0, abs=1e-9)


def test_a_rising_voice_lifts_the_head():
    melody = np.sin(2 * np.pi * 0.25 * np.arange(500) / FPS)
    lifted = head.head_motion(Prosody(melody=melody), 500, seed=2).pitch - head.head_motion(SILENT, 500, seed=2).pitch
    np.testing.assert_allclose(np.degrees(lifted)[50:-50], -1.2 * melody[50:-50], atol=0.03)


def test_in_a_long_pause_the_head_drifts_back():
    pause = ((4.0, 8.0),)
    moving, still = (head.head_motion(Prosody(pauses=p), 700, seed=0).yaw for p in ((), pause))
    np.testing.assert_array_equal(moving[:250], still[:250])
    assert still[250 + 50] / moving[250 + 50] == pytest.approx(math.exp(-1.0), rel=0.03)  # 0.8 s later
    assert still[250 + 249] / moving[250 + 249] == pytest.approx(math.exp(-5.0), rel=0.1)
    short = head.head_motion(Prosody(pauses=((4.0, 4.3),)), 700, seed=0).yaw
    np.testing.assert_array_equal(short, moving)


def test_poses_turn_about_the_neck():
    face = average_face()
    neck = face[2] + face[14] - face[33]
    motion = head.head_motion(SILENT, 300, seed=1)
    still = head.HeadMotion(motion.pitch, motion.yaw, motion.roll, np.zeros((300, 3)))
    pose = head.poses(still, face)
    around = np.broadcast_to(neck, (300, 68, 3))
    np.testing.assert_allclose(apply_pose(around, pose), around, atol=1e-12)
    full = apply_pose(np.broadcast_to(face, (300, 68, 3)), head.poses(motion, face))
    np.testing.assert_allclose(
        full - apply_pose(np.broadcast_to(face, (300, 68, 3)), pose), motion.shift[:, None] + 0 * full
    )


@pytest.mark.parametrize(("name", "axis", "point"), [("pitch", 1, 30), ("yaw", 0, 30), ("roll", 0, 27)])
def test_signs_are_those_the_viewer_sees(name, axis, point):
    zero = np.zeros(1)
    angles = {"pitch": zero, "yaw": zero, "roll": zero, name: np.array([0.1])}
    face = average_face()
    moved = apply_pose(face[None], head.poses(head.HeadMotion(**angles, shift=np.zeros((1, 3))), face))[0]
    assert moved[point, axis] > face[point, axis]  # the nose goes down, to the right; the head's top to the right


def test_the_style_of_a_voice_is_fixed_and_bounded():
    random = np.random.default_rng(0)
    voices = np.abs(random.standard_normal((300, 256))) * (random.random((300, 256)) < 0.7)
    voices /= np.linalg.norm(voices, axis=1, keepdims=True)
    gains = np.array([astuple(speaker_style(voice, voices.mean(axis=0))) for voice in voices])
    assert gains.shape == (300, 8)
    assert gains.min() > 0.5
    assert gains.max() < 1.5
    assert np.all(gains.std(axis=0) > 0.2)
    assert np.abs(gains.mean(axis=0) - 1.0).max() < 0.08
    assert speaker_style(voices[0]) == speaker_style(voices[0].astype(np.float64))
    assert astuple(speaker_style(average_embedding())) == (1.0,) * 8
    with pytest.raises(ValueError, match="speaker embedding"):
        speaker_style(np.ones(3))


def test_the_style_shapes_the_motion():
    wild = head.head_motion(SILENT, 500, seed=1, style=SpeakerStyle(yaw=1.5)).yaw
    np.testing.assert_allclose(wild, 1.5 * head.head_motion(SILENT, 500, seed=1).yaw)


def test_prosody_is_read_from_the_sound():
    n = np.arange(16000 * 3)
    loud = np.isin(n // 8000, (0, 1, 3, 5))  # silent from 1.0 to 1.5 and from 2.0 to 2.5 s
    voice = sum(np.sin(2 * np.pi * 120 * k * n / 16000) / k for k in range(1, 20))
    found = prosody_of((0.1 * voice * loud).astype(np.float32), np.where(np.arange(188) % 20 < 15, 120.0, 0.0))
    assert [round(start, 1) for start, _ in found.pauses] == pytest.approx([1.1, 2.1], abs=0.11)
    assert [round(end, 1) for _, end in found.pauses] == pytest.approx([1.5, 2.5], abs=0.11)
    assert len(found.phrase_ends) == 2
    assert found.melody is None  # one pitch is no melody
    assert found.accents
    assert prosody_of(np.zeros(16000, np.float32)).accents == ()


def test_silences_and_melody_by_hand():
    loudness = np.ones(100)
    loudness[10:29] = loudness[40:70] = loudness[95:] = 0.0
    assert silences(loudness) == ((0.4, 0.7),)
    melody = melody_of(np.array([0.0, 100.0, 0.0, 100.0 * math.e, 0.0]))
    np.testing.assert_allclose(melody, [-1.0, -1.0, 0.0, 1.0, 1.0], atol=1e-12)
    assert melody_of(np.array([0.0, 100.0, 0.0])) is None


@pytest.mark.parametrize("keep", [0.9, 0.97 + 0.03j])
def test_what_is_kept_is_the_filter_of_order_one(keep):
    from scipy.signal import lfilter

    values = np.random.default_rng(0).standard_normal(500) * (1.0 if isinstance(keep, float) else 1.0 + 0.5j)
    assert np.abs(head._decaying(values, keep) - lfilter([1.0], [1.0, -keep], values)).max() < 1e-12
    assert head._decaying(values[:0], keep).shape == (0,)
