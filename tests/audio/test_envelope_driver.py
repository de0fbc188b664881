"""What every driver of a face must reach, asked of the simplest one."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import soundfile

from lightning_modules.audio.envelope_driver import EnvelopeDriver
from lightning_modules.audio.face_axes import average_face
from lightning_modules.audio.loading import Speech, read_speech
from lightning_modules.errors import ConfigError
from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS, LID_PAIRS
from lightning_modules.pipeline.frame_rate import frame_count

STILL = {"head": 0.0, "brows": 0.0, "blink_rate": 0.0}


def gaps(landmarks: np.ndarray, pairs=INNER_LIP_PAIRS) -> np.ndarray:
    """Signed distance of lower from upper points along the picture's y axis: (T, pairs)."""
    return np.stack([landmarks[:, lower, 1] - landmarks[:, upper, 1] for upper, lower in pairs], axis=1)


def speech(samples) -> Speech:
    return Speech(np.asarray(samples, np.float32))


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 30.0, 50.0, 60.0, 62.5])
@pytest.mark.parametrize("seconds", [0.04, 0.1, 0.99, 1.0, 2.3456, 12.0])
def test_as_many_frames_as_the_sound_lasts(face, voice, fps, seconds):
    track = EnvelopeDriver().drive(speech(voice(seconds)), face, fps)
    rate = 30000 / 1001 if fps == 29.97 else fps
    exact = max(1.0, round(seconds * 16000) / 16000 * rate)
    assert abs(len(track) - exact) <= 0.5 + 1e-9  # the nearest number; between two, either
    assert len(track) == frame_count(round(seconds * 16000) / 16000, fps)
    assert track.landmarks.shape[1:] == (68, 3)
    assert track.landmarks.dtype == np.float32
    assert np.isfinite(track.landmarks).all()
    assert track.fps == fps


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.05])
def test_silence_keeps_the_lips_together(face, noise):
    samples = noise * np.random.default_rng(0).standard_normal(16000 * 8)
    landmarks = EnvelopeDriver(seed=5, blink_rate=0.0).drive(speech(samples), face, 25).landmarks
    found = gaps(landmarks)
    assert (found < 0.45).mean() >= 0.99
    assert found.min() >= 0.34  # y alone; the head rolls a little


def test_the_lips_open_in_step_with_the_voice(face, voice):
    t = np.arange(16000 * 8) / 16000
    loudness = (0.5 - 0.5 * np.cos(2 * np.pi * 1.7 * t)) ** 2
    tone = sum(np.sin(2 * np.pi * k * 180 * t + k * k) / k for k in range(1, 16))
    landmarks = EnvelopeDriver().drive(speech(0.3 * loudness * tone), face, 25).landmarks
    opening = gaps(landmarks)[:, 1]
    at_frames = loudness[::640][: len(opening)]
    shifts = range(-4, 5)
    found = [np.corrcoef(np.roll(at_frames, k)[8:-8], opening[8:-8])[0, 1] for k in shifts]
    assert found[4] > 0.8
    assert abs(shifts[int(np.argmax(found))]) <= 1
    assert opening.max() > 8.0  # of 95 pixels between the eyes


def test_the_sentence_opens_and_closes_the_mouth(face, demo_speech):
    opening = gaps(EnvelopeDriver().drive(demo_speech, face, 25).landmarks)[:, 1]
    times = np.arange(len(opening)) / 25
    assert opening[times < 0.18].max() < 0.5
    assert opening[(times > 0.95) & (times < 1.01)].max() < 1.0
    assert opening[(times > 0.4) & (times < 0.7)].min() > 5.0
    assert 10.0 < opening.max() < 25.0


def test_the_video_begins_in_the_pose_of_the_photo(face, demo_speech):
    samples = demo_speech.samples[8000:]  # in the middle of a word
    landmarks = EnvelopeDriver(seed=2).drive(speech(samples), face, 25).landmarks
    inner = [point for pair in INNER_LIP_PAIRS for point in pair]
    others = [k for k in range(68) if k not in inner]
    np.testing.assert_allclose(landmarks[0, others], face[others], atol=1e-4)
    np.testing.assert_allclose(landmarks[0], face, atol=0.2)  # closed lips are drawn 0.35 pixels apart
    assert np.abs(landmarks[1] - landmarks[0]).max() < 4.0


def test_an_open_smile_comes_together_in_silence(face):
    smile = face.copy()
    smile[61:64, 1] -= 4.0
    smile[65:68, 1] += 6.0
    landmarks = EnvelopeDriver(**STILL).drive(speech(np.zeros(32000)), smile, 25).landmarks
    found = gaps(landmarks)
    np.testing.assert_allclose(found[0], 10.0, atol=1e-4)
    assert (np.diff(found[:, 1]) <= 1e-5).all()
    np.testing.assert_allclose(found[6:], 0.35, atol=0.01)
    assert landmarks[10, 62, 1] > smile[62, 1]
    assert landmarks[10, 66, 1] < smile[66, 1]


@pytest.mark.parametrize("jaw", [0.0, 1.0, 3.0])
def test_lips_and_lids_never_cross(face, demo_speech, jaw):
    crossed = face.copy()
    crossed[65:68, 1] -= 2.0  # as detectors see closed lips
    tilt = np.radians(30.0)
    tilted = (face - face[30]) @ np.array(
        [[np.cos(tilt), np.sin(tilt), 0], [-np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]]
    )
    for some_face, down in ((face, (0.0, 1.0)), (crossed, (0.0, 1.0)), (tilted, (-np.sin(tilt), np.cos(tilt)))):
        driver = EnvelopeDriver(seed=1, jaw=jaw, lips=3.0, blink_rate=40.0)
        landmarks = driver.drive(demo_speech, some_face.astype(np.float32), 50).landmarks
        for upper, lower in (*INNER_LIP_PAIRS, *LID_PAIRS):
            apart = (landmarks[:, lower, :2] - landmarks[:, upper, :2]) @ np.array(down)
            assert apart.min() > 0.3  # 0.35 along the face's own axis, which sways by a few degrees


def test_the_least_gap_grows_with_the_picture(face):
    large = 16.0 * face
    found = gaps(EnvelopeDriver(**STILL).drive(speech(np.zeros(16000)), large, 25).landmarks)
    np.testing.assert_allclose(found[10:], 0.0035 * 16 * 95, rtol=0.02)


def test_motion_scales_and_moves_with_the_face(face, demo_speech):
    small = EnvelopeDriver(seed=4).drive(demo_speech, 4.0 * face, 25).landmarks
    large = EnvelopeDriver(seed=4).drive(demo_speech, 8.0 * face + np.float32([100, -30, 7]), 25).landmarks
    np.testing.assert_allclose(large, 2.0 * small + [100, -30, 7], atol=2e-2)


def test_motion_turns_with_the_face(face, demo_speech):
    """A photo on its side gives the same video on its side."""
    quarter = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    upright = EnvelopeDriver(seed=4).drive(demo_speech, face, 25).landmarks
    lying = EnvelopeDriver(seed=4).drive(demo_speech, face @ quarter, 25).landmarks
    np.testing.assert_allclose(lying, upright @ quarter, atol=1e-3)


def test_the_skull_is_rigid(face, demo_speech):
    """Nose, eye corners and temples keep their distances in 3D while the head moves."""
    rigid = [0, 16, *range(27, 36), 36, 39, 42, 45]
    landmarks = EnvelopeDriver(seed=1, head=2.0).drive(demo_speech, face, 25).landmarks.astype(np.float64)[:, rigid]
    found = np.linalg.norm(landmarks[:, :, None] - landmarks[:, None], axis=-1)
    np.testing.assert_allclose(found, np.broadcast_to(found[0], found.shape), atol=1e-4)
    assert np.ptp(landmarks[:, 4, 0]) > 3.0  # and it does move


def test_everything_that_neither_speaks_nor_blinks_is_rigid_with_still_brows(face, demo_speech):
    still = [*range(17, 36), 36, 39, 42, 45]
    landmarks = EnvelopeDriver(seed=1, brows=0.0).drive(demo_speech, face, 25).landmarks.astype(np.float64)[:, still]
    found = np.linalg.norm(landmarks[:, :, None] - landmarks[:, None], axis=-1)
    np.testing.assert_allclose(found, np.broadcast_to(found[0], found.shape), atol=1e-4)


def test_same_seed_same_motion_other_seed_other_motion(face, demo_speech):
    first = EnvelopeDriver(seed=7).drive(demo_speech, face, 25).landmarks
    np.testing.assert_array_equal(EnvelopeDriver(seed=7).drive(demo_speech, face, 25).landmarks, first)
    other = EnvelopeDriver(seed=8).drive(demo_speech, face, 25).landmarks
    assert np.abs(other - first)[:, 30].max() > 1.0
    # what the voice says is the same
    np.testing.assert_allclose(gaps(other)[:, 1], gaps(first)[:, 1], atol=1.5)


def test_another_frame_rate_shows_the_same_motion(face, demo_speech):
    slow = EnvelopeDriver(seed=7).drive(demo_speech, face, 25).landmarks
    quick = EnvelopeDriver(seed=7).drive(demo_speech, face, 50).landmarks
    np.testing.assert_allclose(quick[::2][: len(slow)], slow, atol=1e-3)


def test_inputs_stay_as_they_are(face, demo_speech):
    face_before, samples_before = face.copy(), demo_speech.samples.copy()
    EnvelopeDriver().drive(demo_speech, face, 25)
    np.testing.assert_array_equal(face, face_before)
    np.testing.assert_array_equal(demo_speech.samples, samples_before)


def long_speech(demo_speech) -> Speech:
    return speech(np.tile(demo_speech.samples, 34))


def test_gains(face, demo_speech):
    def drive(**gains):
        return EnvelopeDriver(seed=1, **gains).drive(demo_speech, face, 25).landmarks

    still = drive(jaw=0.0, lips=0.0, **STILL)
    np.testing.assert_allclose(still, np.broadcast_to(face, still.shape), atol=0.2)
    assert gaps(drive(jaw=2.0))[:, 1].max() > 1.5 * gaps(drive())[:, 1].max()
    width = np.ptp(drive(jaw=0.0, lips=1.0, **STILL)[:, 54, 0] - drive(jaw=0.0, lips=0.0, **STILL)[:, 54, 0])
    assert width > 2.0
    nose = [np.ptp(drive(head=head)[:, 30, 0]) for head in (0.0, 1.0, 2.0)]
    assert nose[0] < 1e-3
    assert nose[2] == pytest.approx(2 * nose[1], rel=0.05)
    brows = [drive(brows=brows, head=0.0, blink_rate=0.0)[:, 19, 1].std() for brows in (0.0, 1.0, 2.0)]
    assert brows[0] < 1e-4
    assert brows[2] == pytest.approx(2 * brows[1], rel=0.01)


def test_two_minutes_of_head_and_lids(face, demo_speech):
    landmarks = EnvelopeDriver(seed=0).drive(long_speech(demo_speech), face, 25).landmarks.astype(np.float64)
    # the angles of the head, from the rigid points
    rigid = [0, 16, *range(27, 36), 36, 39, 42, 45]
    centred = landmarks[:, rigid] - landmarks[:, rigid].mean(axis=1, keepdims=True)
    model = centred[0]
    u, _, vt = np.linalg.svd(centred.transpose(0, 2, 1) @ model)
    turn = u @ vt
    yaw, pitch = np.degrees(np.arcsin(turn[:, 0, 2])), np.degrees(np.arctan2(turn[:, 1, 2], turn[:, 2, 2]))
    assert 1.8 < np.sqrt(np.mean(yaw**2 + pitch**2)) < 3.2
    assert np.abs(yaw).max() < 6.0
    lids = gaps(landmarks, LID_PAIRS).mean(axis=1)
    closed = lids < 0.5 * np.median(lids)
    blinks = np.count_nonzero(closed[1:] & ~closed[:-1])
    minutes = len(landmarks) / 25 / 60
    assert 10 * minutes <= blinks <= 20 * minutes


def test_recordings_of_other_make(tmp_path, face, voice, demo_speech):
    import scipy.signal

    expected = gaps(EnvelopeDriver().drive(demo_speech, face, 25).landmarks)[:, 1]
    samples = demo_speech.samples.astype(np.float64)
    kinds = {
        "8k.wav": (scipy.signal.resample_poly(samples, 1, 2), 8000),
        "48k.wav": (scipy.signal.resample_poly(samples, 3, 1), 48000),
        "stereo.wav": (np.stack([samples, 0.3 * samples], 1), 16000),
        "clipped.wav": (np.clip(6.0 * samples, -1, 1), 16000),
        "quiet.wav": (0.02 * samples, 16000),
        "noisy.wav": (samples + 0.01 * np.random.default_rng(0).standard_normal(len(samples)), 16000),
    }
    for name, (sound, rate) in kinds.items():
        soundfile.write(tmp_path / name, sound, rate, subtype="PCM_24")
        found = gaps(EnvelopeDriver().drive(read_speech(tmp_path / name), face, 25).landmarks)[:, 1]
        assert len(found) == len(expected)
        assert np.corrcoef(found, expected)[0, 1] > 0.9, name


def test_landmarks_without_depth_move_too(face, demo_speech):
    flat = face * np.float32([1, 1, 0])
    landmarks = EnvelopeDriver(seed=1).drive(demo_speech, flat, 25).landmarks
    full = EnvelopeDriver(seed=1).drive(demo_speech, face, 25).landmarks
    np.testing.assert_allclose(landmarks[..., :2], full[..., :2], atol=1e-2)


@pytest.mark.parametrize("arguments", [{"seed": -1}, {"jaw": -0.1}, {"head": float("nan")}, {"blink_rate": -1.0}])
def test_gains_out_of_range(arguments):
    with pytest.raises(ValueError, match="not negative"):
        EnvelopeDriver(**arguments)


def test_a_frame_rate_that_is_none(face, demo_speech):
    with pytest.raises(ConfigError):
        EnvelopeDriver().drive(demo_speech, face, 0.0)


def test_ten_minutes_cost_little_memory(tmp_path):
    """Above the recording and its landmarks, which are 38 and 12 MB, driving needs less than 60 MB."""
    if not sys.platform.startswith("linux"):
        pytest.skip("reads the peak memory from /proc")
    program = """
from pathlib import Path
import numpy as np
from lightning_modules.audio.envelope_driver import EnvelopeDriver
from lightning_modules.audio.face_axes import average_face
from lightning_modules.audio.loading import Speech
def peak():
    line = next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
face = 100 * average_face()
rng = np.random.default_rng(0)
EnvelopeDriver().drive(Speech(rng.standard_normal(32000, np.float32)), face, 25)
speech = Speech(rng.standard_normal(600 * 16000, np.float32) * np.float32(0.1))
speech.samples[::2] *= np.repeat(np.float32([0, 1] * 1200), 2000)
before = peak()
track = EnvelopeDriver().drive(speech, face, 25)
print(len(track), peak() - before - track.landmarks.nbytes)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    count, above = map(int, run.stdout.split())
    assert count == 15000
    assert above < 60e6


def test_the_average_face_fits_its_fixture(face):
    np.testing.assert_allclose((face - np.float32([128, 110, 0])) / 95, average_face(), atol=1e-6)
