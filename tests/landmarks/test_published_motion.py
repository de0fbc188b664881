"""The published post-processing against a second telling of it, written with loops and SciPy from its description."""

from __future__ import annotations

import numpy as np
import pytest
from landmark_models import model, seeded_model
from scipy.signal import savgol_filter

from lightning_modules.audio import published_motion as published
from lightning_modules.audio.content_features import MelContent, Standardization
from lightning_modules.audio.face_axes import average_face
from lightning_modules.audio.loading import Speech
from lightning_modules.errors import AudioError, ConfigError
from lightning_modules.pipeline import landmark_driver_published
from lightning_modules.pipeline.landmark_driver import DriverGains
from lightning_modules.pipeline.landmark_driver_published import PublishedLandmarkDriver


@pytest.fixture
def wild():
    """A track whose lips are often inverted: (60, 68, 3)."""
    random = np.random.default_rng(5)
    return average_face() + 0.06 * random.standard_normal((60, 68, 3))


def told_area(points):
    """Fan of triangles from point 60; positive for the upper lip above the lower one."""
    total = 0.0
    for j in range(61, 67):
        a, b = points[j, :2] - points[60, :2], points[j + 1, :2] - points[60, :2]
        total += 0.5 * (a[0] * b[1] - a[1] * b[0])
    return total


def told_repair(track):
    track = track.copy()
    for j in range(len(track)):
        if told_area(track[j]) >= 0:
            continue
        p, previous = track[j], track[max(j - 1, 0)].copy()
        for one, other in ((63, 65), (62, 66), (61, 67)):
            p[one] = p[other] = (p[one] + p[other]) / 2
        for k in range(4):
            p[55 + k, 1] = p[64 + k, 1] + (previous[55 + k, 1] - previous[64 + k, 1])
        p[59, 1] = p[60, 1] + (previous[59, 1] - previous[60, 1])
        for k in range(5):
            p[49 + k, 1] = p[60 + k, 1] + (previous[49 + k, 1] - previous[60 + k, 1])
    return track


def told_calibration(values):
    return values - np.sort(values, axis=0)[: int(len(values) * 0.5)].mean(axis=0)


def told_blinks(track, frames):
    pairs = ((37, 41), (38, 40), (43, 47), (44, 46))
    track = track.copy()
    for up, low in pairs:
        u, w = track[:, up].copy(), track[:, low].copy()
        track[:, up], track[:, low] = 0.95 * u + 0.05 * w, 0.95 * w + 0.05 * u
    for t in frames:
        for up, low in pairs:
            closed = 0.25 * track[t, up] + 0.75 * track[t, low]
            for lid in (up, low):
                track[t, lid] = closed
                start = track[t - 10, lid]
                for k in range(1, 10):
                    track[t - 10 + k, lid] = start + (closed - start) * k / 10
                for k in range(t + 1, t + 15):
                    weight = (t + 14 - k) / 15
                    track[k, lid] = closed * weight + track[t + 15, lid] * (1 - weight)
    return track


def test_lips_are_repaired_as_told(wild):
    areas = published.inner_lip_area(wild)
    np.testing.assert_allclose(areas, [told_area(points) for points in wild], atol=1e-12)
    assert 5 < (areas < 0).sum() < 55
    repaired = wild.copy()
    assert published.repair_inverted_lips(repaired) == (areas < 0).sum()
    np.testing.assert_allclose(repaired, told_repair(wild), atol=1e-15, rtol=0)
    right = areas >= 0
    np.testing.assert_array_equal(repaired[right], wild[right])


@pytest.mark.parametrize("count", [2, 11, 64])
def test_calibration_takes_the_mean_of_the_lower_half_off(count):
    values = np.random.default_rng(count).standard_normal((count, 204))
    np.testing.assert_allclose(published.calibrate(values), told_calibration(values), atol=1e-14)


def test_calibration_by_hand():
    np.testing.assert_allclose(
        published.calibrate(np.array([[5.0], [1.0], [2.0], [9.0], [3.0]]))[:, 0], [3.5, -0.5, 0.5, 7.5, 1.5]
    )


@pytest.mark.parametrize("count", [10, 31, 32, 100])
def test_the_head_is_smoothed_merged_and_scaled(count):
    said = np.random.default_rng(1).standard_normal((count, 68, 3))
    window = min(count - 1, 31) // 2 * 2 + 1
    wanted = savgol_filter(said, window, 3, axis=0)
    for up, low in ((49, 59), (50, 58), (51, 57), (52, 56), (53, 55), (61, 67), (62, 66), (63, 65)):
        mean = (wanted[:, up] + wanted[:, low]) / 2
        wanted[:, up], wanted[:, low] = 0.99 * mean + 0.01 * wanted[:, up], 0.99 * mean + 0.01 * wanted[:, low]
    np.testing.assert_allclose(published.head_part(said, 0.5), 0.5 * wanted, atol=1e-12)


def test_blinks_come_at_the_published_frames():
    assert published.blink_frames(1400) == [30, 164, 301, 444, 534, 627, 776, 869, 998, 1097, 1206, 1317]
    assert published.blink_frames(46) == [30]
    assert published.blink_frames(164 + 16) == [30]
    assert published.blink_frames(164 + 17) == [30, 164]
    assert published.blink_frames(1400, seed=1) != published.blink_frames(1400)


@pytest.mark.parametrize("count", [46, 200])
def test_eyes_close_as_told(count):
    track = average_face() + 0.02 * np.random.default_rng(2).standard_normal((count, 68, 3))
    blinked = track.copy()
    published.add_blinks(blinked, published.blink_frames(count))
    np.testing.assert_allclose(blinked, told_blinks(track, published.blink_frames(count)), atol=1e-14)
    np.testing.assert_allclose(blinked[30, 37], blinked[30, 41])
    np.testing.assert_allclose(blinked[44, 37], blinked[45, 37])  # fully open a frame early


def test_faces_are_normalised_as_told():
    pixels = average_face() * 100 + [150, 120, 7]
    face = published.published_face(pixels)
    assert face.local[16, 0] - face.local[0, 0] == pytest.approx(1.6)
    np.testing.assert_allclose(face.local[0, :2] + face.local[16, :2], 0, atol=1e-12)
    np.testing.assert_allclose(face.local[:, 2], 0.1 * average_face()[:, 2])
    back = face.to_pixels(face.local[None])[0, :, :2] - pixels[:, :2]
    wanted = np.zeros((68, 2))
    wanted[49:54, 1], wanted[55:60, 1] = 1, -1
    wanted[[37, 38, 43, 44], 1], wanted[[40, 41, 46, 47], 1] = -2, 2
    np.testing.assert_allclose(back, wanted, atol=1e-9)
    with pytest.raises(ValueError, match="frontal face"):
        published.published_face(np.zeros((68, 3)))


@pytest.fixture
def speech():
    random = np.random.default_rng(0)
    t = np.arange(16000 * 9) / 16000
    voice = np.sin(2 * np.pi * 150 * t) * (0.5 + 0.5 * np.sin(2 * np.pi * 3 * t)) + 0.01 * random.standard_normal(
        len(t)
    )
    return Speech((0.2 * voice).astype(np.float32))


@pytest.mark.parametrize("with_speaker", [True, False])
def test_the_whole_chain_is_as_told(monkeypatch, speech, with_speaker):
    """9 s: segments of 512 and 33 windows."""
    embedding = np.random.default_rng(3).random(256).astype(np.float32)
    heard = []

    def embed(samples, manner):
        heard.append((samples, manner))
        return embedding

    monkeypatch.setattr(landmark_driver_published, "embed_speaker", embed)
    networks = seeded_model(speaker=with_speaker)
    pixels = average_face() * 100 + [128, 110, 0]
    track = PublishedLandmarkDriver(networks).drive(speech, pixels, 62.5).landmarks

    import torch

    features = MelContent(Standardization(networks.feature_mean.numpy(), networks.feature_std.numpy()))(speech.samples)
    face = published.published_face(pixels)
    q = torch.from_numpy(face.local.astype(np.float32)).reshape(1, 204)
    windows = torch.from_numpy(np.stack([features[i : i + 18] for i in range(len(features) - 18)]))
    parts = []
    with torch.no_grad():
        for start in (0, 512):
            part = windows[start : start + 512]
            d_c = told_calibration(networks.content_branch(part, q).numpy().astype(np.float64)).reshape(-1, 68, 3)
            d_c[:, 48:, :2] *= 2
            d_s = 0
            if with_speaker:
                said = networks.speaker_branch(part, 3 * torch.from_numpy(embedding)[None]).numpy()
                d_s = published.head_part(said.reshape(-1, 68, 3), 0.5)
            parts.append(told_repair(face.local + d_s + d_c))
    whole = np.concatenate(parts)
    assert len(whole) == 545
    whole[:, 27] = 2 * whole[:, 28] - whole[:, 29]
    whole = np.round(savgol_filter(whole, 5, 3, axis=0), 6) * face.unit
    whole[..., :2] += face.middle
    whole = told_blinks(whole, published.blink_frames(545))
    whole[:, :48] = savgol_filter(whole[:, :48], 15, 3, axis=0)
    whole[:, 48:] = savgol_filter(whole[:, 48:], 5, 3, axis=0)
    assert len(track) == 563
    np.testing.assert_allclose(track[:545], whole, atol=3e-4)  # six decimals, 118 pixels, float32
    np.testing.assert_array_equal(track[545:], np.broadcast_to(track[544], (18, 68, 3)))
    assert np.abs(np.diff(track[505:520, 48:], axis=0)).max() > 0
    if with_speaker:
        assert heard[0][1] == "published"
        assert heard[0][0] is speech.samples


def test_other_rates_and_gains(speech):
    face = average_face() * 100
    still = PublishedLandmarkDriver(model(), gains=DriverGains(mouth_x=0, mouth_y=0, blink_rate=0))
    track = still.drive(speech, face, 25)
    assert len(track) == 225
    np.testing.assert_allclose(
        track.landmarks[:, :27], np.broadcast_to(track.landmarks[:1, :27], (225, 27, 3)), atol=1e-3
    )
    once, twice = (
        PublishedLandmarkDriver(model(), gains=DriverGains(mouth_y=g)).drive(speech, face, 25) for g in (1, 2)
    )
    rest = track.landmarks[:, 57, 1]
    np.testing.assert_allclose(twice.landmarks[:, 57, 1] - rest, 2 * (once.landmarks[:, 57, 1] - rest), atol=0.02)


def test_what_the_published_chain_cannot_do_is_refused(speech):
    short = Speech(speech.samples[: 62 * 256])
    with pytest.raises(AudioError, match="1\\.01 s"):
        PublishedLandmarkDriver(model()).drive(short, average_face() * 100, 25)
    PublishedLandmarkDriver(model()).drive(Speech(speech.samples[: 63 * 256]), average_face() * 100, 25)
    with pytest.raises(ConfigError, match="seed"):
        PublishedLandmarkDriver(model(), seed=-1)
