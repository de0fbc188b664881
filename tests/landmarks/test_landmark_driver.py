"""The trained driver, with networks whose answers are known."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from landmark_models import LoudMouth, Nodder, lip_gaps, model, seeded_model

from lightning_modules.audio.loading import Speech, read_speech
from lightning_modules.errors import ConfigError
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.geometry.landmark_groups import LID_PAIRS
from lightning_modules.pipeline.frame_rate import frame_count
from lightning_modules.pipeline.landmark_driver import DriverGains, LandmarkDriver
from lightning_modules.pipeline.landmark_driver_face import RestFace
from lightning_modules.pipeline.landmark_driver_hearing import hear
from lightning_modules.pipeline.landmark_driver_motion import (
    closed_reference,
    content_at,
    content_motion,
    merge_lips,
    segments_faded,
    speaker_motion,
    speaking,
)

DEMO = Path(__file__).resolve().parents[2] / "experiments" / "demo" / "speech.flac"
STILL = DriverGains(head=0, brows=0, blink_rate=0)


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return (frontal_face() * 90.0 + [128.0, 100.0, 0.0]).astype(np.float32)


@pytest.fixture(scope="module")
def demo() -> Speech:
    return read_speech(DEMO)


def syllables(seconds: float, rate: int = 16000) -> np.ndarray:
    """A buzzing voice of four syllables a second with a pause of 0.8 s from 1.2 s on."""
    t = np.arange(round(seconds * rate)) / rate
    sound = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 20)) * (0.55 - 0.45 * np.cos(8 * np.pi * t))
    sound *= (t < 1.2) | (t > 2.0)
    return (0.2 * sound).astype(np.float32)


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 30.0, 50.0, 60.0, 62.5])
@pytest.mark.parametrize("seconds", [0.04, 0.2, 1.0, 2.3456])
def test_as_many_frames_as_the_sound_lasts(face, fps, seconds):
    speech = Speech(syllables(seconds))
    track = LandmarkDriver(model()).drive(speech, face, fps)
    assert len(track) == frame_count(speech.duration, fps)
    exact = speech.duration * (30000 / 1001 if fps == 29.97 else fps)
    assert abs(len(track) - max(exact, 1.0)) <= 0.5 + 1e-9
    assert track.landmarks.shape[1:] == (68, 3)
    assert np.isfinite(track.landmarks).all()
    assert track.fps == fps


def test_motion_is_that_of_the_networks_at_the_times_of_the_frames(face):
    # LoudMouth answers with the mean of a feature frame, so every frame can be worked out from the features alone.
    speech = Speech(syllables(1.1))
    heard = hear(speech, model())
    for fps in (25.0, 29.97, 62.5):
        times = np.arange(20) / fps
        moved = content_motion(model(), heard, frontal_face(), times)
        level = heard.features.mean(axis=1)
        around = np.concatenate([level[:1], level[:1], level])  # the first answer is held
        smoothed = np.convolve(around, np.array([1, 4, 6, 4, 1]) / 16, mode="valid")
        wanted = 0.05 * (np.interp(times * 62.5, np.arange(len(smoothed)), smoothed) - heard.silence.mean())
        free = speaking(heard.prosody.pauses, times, 1.1)
        np.testing.assert_allclose(moved[:, 66, 1], wanted * free, atol=2e-5)
        np.testing.assert_allclose(moved[:, 48, 0], -0.4 * wanted * free, atol=2e-5)
        assert not moved[:, :48].any()


def test_the_content_branch_is_asked_once_for_every_feature_frame(face):
    for fps in (25, 100):
        branch = LoudMouth()
        LandmarkDriver(model(content=branch)).drive(Speech(syllables(4.0)), face, fps)
        assert branch.asked <= 4.0 * 62.5 + 1 + 64


def test_lips_do_not_tremble_at_a_low_frame_rate(face):
    """What a branch says at 21 Hz would come back at 4 Hz in a film of 25 frames a second."""
    heard = hear(Speech(syllables(1.0)), model())
    trembling = np.zeros_like(heard.features)
    clock = np.arange(len(trembling)) / 62.5
    times = np.arange(5, 20) / 25
    for hertz, least, most in ((21.0, 0.0, 0.06), (4.0, 0.88, 0.93)):
        trembling[:] = np.sin(2 * np.pi * hertz * clock)[:, None]
        said = replace(heard, features=trembling, prosody=replace(heard.prosody, pauses=()))
        moved = content_motion(model(), said, frontal_face(), times)[:, 66, 1]
        alone = content_at(model(), said, np_to_tensor(frontal_face()), times)[:, 66 * 3 + 1]
        assert float(alone.std()) > 0.02  # the frames of the film alone show it all
        assert least <= moved.std(ddof=1) / float(alone.std()) <= most


def test_pauses_are_what_the_mouth_is_measured_against():
    speech = Speech(syllables(4.0) + 0.002 * np.random.default_rng(0).standard_normal(64000).astype(np.float32))
    heard = hear(speech, model())
    inner = [span for span in heard.prosody.pauses if 1.1 < span[0] < 1.5]
    assert inner
    reference = closed_reference(model(), heard, np_to_tensor(frontal_face()))
    hissing = heard.features[round(1.5 * 62.5) : round(1.7 * 62.5)].mean()  # the noise, not digital silence
    assert float(reference[66 * 3 + 1]) == pytest.approx(0.1 + 0.05 * hissing, abs=0.005)
    assert abs(hissing - heard.silence.mean()) > 0.5


def test_a_model_whose_answers_are_places_is_not_measured_against_pauses(face):
    speech = Speech(syllables(1.1))
    times = np.arange(20) / 25
    moved = {
        share: content_motion(model(pauses=share), hear(speech, model()), frontal_face(), times) for share in (0, 1)
    }
    reference = closed_reference(model(), hear(speech, model()), np_to_tensor(frontal_face())).numpy().reshape(68, 3)
    free = speaking(hear(speech, model()).prosody.pauses, times, 1.1)[:, None, None]
    np.testing.assert_allclose(moved[0] - moved[1], free * reference, atol=1e-5)


def np_to_tensor(points):
    import torch

    return torch.from_numpy(np.ascontiguousarray(points, np.float32)).reshape(-1)


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.05])
def test_silence_and_noise_keep_the_mouth_closed(face, noise):
    samples = noise * np.random.default_rng(1).standard_normal(16000 * 4)
    for one in (model(), seeded_model()):
        track = LandmarkDriver(one, gains=STILL).drive(Speech(samples.astype(np.float32)), face, 25)
        assert lip_gaps(track.landmarks).max() < 0.01 * 90
        assert np.abs(track.landmarks - face)[:, :48].max() < 0.01


def test_speech_opens_the_mouth_and_a_pause_closes_it(face):
    landmarks = LandmarkDriver(model(), gains=STILL).drive(Speech(syllables(4.0)), face, 25).landmarks
    gap = lip_gaps(landmarks)[:, 1] / 90
    assert gap[5:28].max() > 0.05
    assert gap[38:46].max() < 0.01  # 1.52 to 1.84 s


def test_parted_lips_of_the_photo_meet_in_silence(face):
    smiling = face.copy()
    smiling[[65, 66, 67, 56, 57, 58], 1] += 8
    track = LandmarkDriver(model(), gains=STILL).drive(Speech(np.zeros(32000, np.float32)), smiling, 25)
    np.testing.assert_allclose(track.landmarks[0], smiling, atol=1e-3)
    assert lip_gaps(track.landmarks)[6:].max() < 0.01 * 90


@pytest.mark.parametrize("kind", ["telephone", "stereo", "tiny", "clipped", "one voiced frame"])
def test_odd_recordings_give_finite_landmarks_and_stay_as_they_are(tmp_path, face, kind):
    path = tmp_path / "speech.wav"
    if kind == "telephone":
        soundfile.write(path, syllables(2.0, 8000), 8000, "PCM_16")
    elif kind == "stereo":
        soundfile.write(path, np.stack([syllables(2.0, 48000)] * 2, 1), 48000, "PCM_24")
    elif kind == "tiny":
        soundfile.write(path, syllables(0.2), 16000)
    elif kind == "clipped":
        soundfile.write(path, np.clip(20 * syllables(2.0), -1, 1), 16000)
    else:
        sound = np.zeros(16000, np.float32)
        sound[8000:8256] = syllables(1.0)[8000:8256]
        soundfile.write(path, sound, 16000)
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    driver = LandmarkDriver(seeded_model(), seed=2)
    first, second = (driver.drive(read_speech(path), face, 30).landmarks for _ in range(2))
    assert np.isfinite(first).all()
    assert np.abs(first - face).max() < 90
    np.testing.assert_array_equal(first, second)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


@pytest.mark.parametrize("gain", [0.0, 1.0, 3.0])
def test_lips_and_lids_never_cross(face, demo, gain):
    gains = DriverGains(mouth_x=gain, mouth_y=gain, head=0, brows=gain, blink_rate=30)
    landmarks = LandmarkDriver(seeded_model(), gains=gains).drive(demo, face, 25).landmarks
    assert lip_gaps(landmarks).min() >= 0.35
    lids = np.stack([landmarks[:, low, 1] - landmarks[:, up, 1] for up, low in LID_PAIRS])
    assert lids.min() >= 0.35
    assert lids.min() < 0.2 * (face[41, 1] - face[37, 1])  # it blinks


def test_each_gain_moves_its_own_part(face, demo):
    def drive(**gains):
        still = {"mouth_x": 0, "mouth_y": 0, "head": 0, "brows": 0, "blink_rate": 0}
        driver = LandmarkDriver(seeded_model(), gains=DriverGains(**{**still, **gains}))
        return driver.drive(demo, face, 25).landmarks.astype(np.float64)

    rest = drive()
    wide, wider = drive(mouth_x=1) - rest, drive(mouth_x=2) - rest
    np.testing.assert_allclose(wider, 2 * wide, atol=1e-3)
    assert np.abs(wide[:, 48:]).max() > 0.3
    assert np.abs(wide[:, :48]).max() < 1e-3
    brows = drive(brows=1) - rest
    assert np.abs(brows[:, 17:27]).max() > 0.3
    assert np.abs(np.delete(brows, range(17, 27), axis=1)).max() < 1e-3
    lids = [point for pair in LID_PAIRS for point in pair]
    blinks = drive(blink_rate=30) - rest
    assert np.abs(blinks[:, lids]).max() > 2
    assert np.abs(np.delete(blinks, lids, axis=1)).max() < 1e-3
    turned = drive(head=1, blink_rate=30) - rest
    assert np.abs(turned[:, 30]).max() > 1


def test_a_video_begins_in_the_pose_of_the_photo(face, demo):
    track = LandmarkDriver(model(), seed=3, gains=DriverGains(mouth_x=0, mouth_y=0, brows=0, blink_rate=0)).drive(
        demo, face, 25
    )
    upper = track.landmarks[:, :48] - face[:48]
    assert np.abs(upper[0]).max() < 1e-3
    assert np.abs(upper[1]).max() < 0.3
    assert np.abs(upper[30:]).max() > 1


def test_blinks_do_not_depend_on_the_head(face, demo):
    def openness(head):
        gains = DriverGains(head=head, brows=0)
        landmarks = LandmarkDriver(model(), seed=4, gains=gains).drive(demo, face, 25).landmarks
        gap = np.linalg.norm(landmarks[:, 41] - landmarks[:, 37], axis=1)
        return gap / np.linalg.norm(landmarks[:, 45] - landmarks[:, 36], axis=1)

    still, lively = openness(0.0), openness(1.0)
    np.testing.assert_allclose(still, lively, atol=0.005)
    assert still.min() < 0.5 * still.max()


def test_a_tilted_face_of_another_size_moves_alike(face, demo):
    driver = LandmarkDriver(seeded_model(), gains=DriverGains(mouth_x=1, mouth_y=1))
    upright = driver.drive(demo, face, 25).landmarks
    c, s = np.cos(0.4), np.sin(0.4)
    turn = 1.7 * np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    tilted = driver.drive(demo, (face @ turn.T + [20, -30, 5]).astype(np.float32), 25).landmarks
    np.testing.assert_allclose(tilted, upright @ turn.T + [20, -30, 5], atol=0.4)  # the least gap is in pixels


def test_flat_landmarks_get_depth_and_keep_their_place(face):
    flat = face * [1, 1, 0]
    rest = RestFace.of(flat)
    np.testing.assert_allclose(rest.local, frontal_face(), atol=1e-6)
    np.testing.assert_allclose(rest.to_pixels(rest.local[None])[0], flat, atol=1e-9)
    with pytest.raises(ValueError, match="finite"):
        RestFace.of(flat * np.nan)
    with pytest.raises(ValueError, match="coincide"):
        RestFace.of(flat * 0)


def test_segments_leave_no_seam():
    # Nodder's answer depends on the frame alone, so whatever the segments, fading must give it back.
    features = np.random.default_rng(0).standard_normal((1700, 80)).astype(np.float32)
    said = segments_faded(Nodder().eval(), features, np_to_tensor(np.ones(256)))
    assert len(said) == 841
    wanted = 0.1 * features[: 2 * 841 : 2].mean(axis=1)
    np.testing.assert_allclose(said[:, 30, 1], wanted, atol=1e-5)
    np.testing.assert_allclose(said[:, 66, 1], wanted + 0.2, atol=1e-5)


def test_a_cut_around_a_seam_gives_the_same_motion(face):
    """The content branch knows no segments: a part of a long recording moves as it does alone."""
    rng = np.random.default_rng(3)
    long = hear(Speech((syllables(20.0) + 0.001 * rng.standard_normal(320000)).astype(np.float32)), seeded_model())
    times = np.arange(180, 240) / 25  # 7.2 to 9.6 s, around 8.192 s
    whole = content_motion(seeded_model(), long, frontal_face(), times)
    shift = 400  # frames: 6.4 s
    pauses = tuple((start - 6.4, end - 6.4) for start, end in long.prosody.pauses)
    short = replace(long, features=long.features[shift:], prosody=replace(long.prosody, pauses=pauses))
    # The same reference: pauses before the cut are not heard in it.
    cut = content_motion(seeded_model(), short, frontal_face(), times - 6.4)
    offset = (whole - cut)[np.abs(cut).max(axis=(1, 2)) > 1e-6]
    assert np.abs(np.diff(whole, axis=0)).max() > 1e-3
    assert np.ptp(offset, axis=0).max() < 0.02 * np.abs(whole).max()


def test_the_speaker_branch_moves_the_head_and_not_the_mouth(face):
    speech = Speech(syllables(20.0))
    heard = hear(speech, model(speaker=Nodder()))
    times = np.arange(500) / 25
    moved = np.zeros((500, 68, 3), np.float32)
    speaker_motion(moved, model(speaker=Nodder()), heard, times, 2.0)
    assert np.abs(moved[:, 30, 1]).max() > 0.02
    assert abs(moved[:, 30, 1].mean()) < 0.01
    opening = lip_gaps(moved)
    assert np.abs(opening - opening[0]).max() < 1e-6
    halved = np.zeros((500, 68, 3), np.float32)
    speaker_motion(halved, model(speaker=Nodder()), heard, times, 1.0)
    np.testing.assert_allclose(moved, 2 * halved, atol=1e-6)


def test_lips_are_merged_to_a_hundredth():
    moved = np.random.default_rng(0).standard_normal((5, 68, 3))
    merged = moved.copy()
    merge_lips(merged)
    for up, low in ((50, 58), (62, 66)):
        np.testing.assert_allclose(merged[:, up] - merged[:, low], 0.01 * (moved[:, up] - moved[:, low]))
        np.testing.assert_allclose(merged[:, up] + merged[:, low], moved[:, up] + moved[:, low])
    np.testing.assert_array_equal(merged[:, [48, 54, 60, 64, 8]], moved[:, [48, 54, 60, 64, 8]])


def test_with_a_speaker_branch_the_track_is_smooth_and_repeatable(face, demo):
    driver = LandmarkDriver(seeded_model(speaker=True), gains=DriverGains(blink_rate=0))
    first, second = (driver.drive(demo, face, 25).landmarks for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first[:, 30] - face[30]).max() > 0.01


def test_wrong_choices_are_refused(face):
    with pytest.raises(ConfigError, match="seed"):
        LandmarkDriver(model(), seed=-1)
    with pytest.raises(ConfigError, match="mouth_x"):
        DriverGains(mouth_x=-1.0)
    from lightning_modules.export.landmark_model_file import LandmarkTraining

    autovc = replace(model(), training=LandmarkTraining(feature="autovc"))
    with pytest.raises(ConfigError, match="autovc"):
        LandmarkDriver(autovc).drive(Speech(syllables(0.5)), face, 25)
    with pytest.raises(ConfigError, match="frame rate"):
        LandmarkDriver(model()).drive(Speech(syllables(0.5)), face, 0)
    with pytest.raises(ValueError, match="finite"):
        LandmarkDriver(model()).drive(Speech(np.full(16000, np.nan, np.float32)), face, 25)
