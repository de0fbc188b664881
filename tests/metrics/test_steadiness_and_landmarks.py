"""Inter-frame SSIM, LMD and landmark errors against scikit-image and numbers worked out by hand."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from lightning_modules.errors import MetricError
from lightning_modules.metrics.inter_frame_ssim import (
    InterFrameSSIM,
    compensated_ssim,
    frame_motion,
    inter_frame_ssim,
)
from lightning_modules.metrics.landmark_error import REGIONS, LandmarkError, landmark_error
from lightning_modules.metrics.lip_landmark_distance import (
    LipLandmarkDistance,
    lip_landmark_distance,
    outer_eye_distance,
)

UNIT = (0.0, 1.0)


@pytest.fixture
def clip():
    """Five frames of smoothed noise (5, 1, 32, 32) in [0, 1]."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(0).normal(size=(5, 1, 32, 32)), (0.5, 0, 1, 1))
    return torch.from_numpy((noise - noise.min()) / np.ptp(noise))


def face(eye_distance=100.0):
    """A made-up face (68, 2) whose outer eye corners are this far apart."""
    points = torch.rand(68, 2, dtype=torch.float64) * 100
    points[36] = torch.tensor([10.0, 50.0])
    points[45] = torch.tensor([10.0 + eye_distance, 50.0])
    return points


def by_skimage(first, second):
    """Wang's settings as scikit-image has them; it reflects at the border too."""
    _, full = structural_similarity(
        first, second, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    return full


def test_inside_the_frame_ssim_is_that_of_skimage(clip):
    """scipy's "reflect" repeats the edge pixel and torch's does not, so the border of five pixels is left out."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    _, full = structural_similarity_index_measure(clip[:1], clip[1:2], data_range=1.0, return_full_image=True)
    inside = slice(5, -5)
    expected = by_skimage(clip[0, 0].numpy(), clip[1, 0].numpy())[inside, inside]
    np.testing.assert_allclose(full[0, 0, inside, inside].numpy(), expected, atol=1e-9)
    assert float(inter_frame_ssim(clip[:2], UNIT)) == pytest.approx(float(full.mean()), abs=1e-12)


def test_against_skimage_on_a_mirrored_surround(clip):
    """With the frame surrounded by its own mirror image, both agree everywhere."""
    padded = [np.pad(frame[0].numpy(), 10, mode="reflect") for frame in clip]
    found = inter_frame_ssim(clip, UNIT)
    for t in range(4):
        full = by_skimage(padded[t], padded[t + 1])[10:-10, 10:-10]
        assert float(found[t]) == pytest.approx(full.mean(), abs=1e-9)


def test_hand_computed_constant_frames():
    """Two flat greys a, b: SSIM = (2ab + C1) / (a² + b² + C1)."""
    clip = torch.stack([torch.full((1, 16, 16), 0.25), torch.full((1, 16, 16), 0.75)])
    c1 = 0.01**2
    expected = (2 * 0.25 * 0.75 + c1) / (0.25**2 + 0.75**2 + c1)
    assert float(inter_frame_ssim(clip, UNIT)) == pytest.approx(expected, abs=1e-9)
    assert float(frame_motion(clip, UNIT)) == pytest.approx(0.5, abs=1e-9)


def test_a_still_clip_scores_one_without_motion(clip):
    metric = InterFrameSSIM(UNIT)
    metric.update(clip[:1].expand(4, -1, -1, -1))
    found = metric.compute()
    assert float(found["similarity"]) == pytest.approx(1, abs=1e-9)
    assert float(found["motion"]) == 0


def test_model_range_bytes_and_halves_mean_the_same(clip):
    levels = (clip * 255).round().to(torch.uint8)
    expected = inter_frame_ssim(levels)
    exact = inter_frame_ssim(levels.double() / 127.5 - 1)
    assert torch.allclose(expected, exact, atol=1e-9)
    half = (levels.double() / 127.5 - 1).half()
    assert torch.allclose(inter_frame_ssim(half), inter_frame_ssim(half.double()), atol=1e-12)
    assert torch.allclose(inter_frame_ssim(half), expected, atol=2e-3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(inter_frame_ssim(levels), expected)


def test_clips_are_averaged_after_their_frames(clip):
    metric = InterFrameSSIM(UNIT)
    metric.update(clip)  # four pairs
    metric.update(clip[:2])  # one pair
    pairs = inter_frame_ssim(clip, UNIT)
    assert float(metric.compute()["similarity"]) == pytest.approx(float((pairs.mean() + pairs[0]) / 2), abs=1e-12)
    assert set(metric.compute()) == {"similarity", "motion"}


def test_motion_compensation_sees_flicker_only():
    """A drawing that is moved by its landmarks loses plain similarity and keeps the compensated one."""
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    grid = torch.stack([columns, rows], -1)

    def drawing(shift):
        distance = (grid - torch.tensor([30.0 + shift, 30.0])).norm(dim=-1)
        return 1 - torch.exp(-((distance - 14) ** 2) / 2)

    frames = torch.stack([drawing(0.0), drawing(3.0)])[:, None]
    angles = torch.linspace(0, 2 * torch.pi, 69)[:-1]
    ring = torch.stack([30 + 14 * angles.cos(), 30 + 14 * angles.sin()], -1)
    track = torch.stack([ring, ring + torch.tensor([3.0, 0.0])])
    plain, compensated = float(inter_frame_ssim(frames, UNIT)), float(compensated_ssim(frames, track, UNIT))
    assert plain < 0.8
    assert compensated > 0.97
    metric = InterFrameSSIM(UNIT)
    metric.update(frames, track)
    assert float(metric.compute()["compensated_similarity"]) == pytest.approx(compensated, abs=1e-12)
    assert float(metric.compute()["landmark_motion"]) == pytest.approx(3, abs=1e-6)
    flickering = frames.clone()
    flickering[1] = (flickering[1] - 0.3 * torch.rand(1, 64, 64)).clamp(0, 1)
    assert float(compensated_ssim(flickering, track, UNIT)) < compensated - 0.1


def test_long_clips_are_compared_piece_by_piece(clip):
    many = clip.repeat(8, 1, 1, 1)
    whole = inter_frame_ssim(many, UNIT)
    assert len(whole) == 39
    assert torch.allclose(whole[:4], inter_frame_ssim(clip, UNIT), atol=1e-12)


def test_lips_by_hand():
    reference = face(50.0)[None]
    found = reference.clone()
    found[0, 48] += torch.tensor([20.0, 0.0])  # one of 20 lip points by 20 px
    # Centred, that point is 19 px away and the 19 others 1 px each.
    distances = lip_landmark_distance(found, reference)
    assert float(distances.pixels) == pytest.approx((19 + 19 * 1) / 20, abs=1e-9)
    assert float(distances.eye_percent) == pytest.approx(100 * 1.9 / 50, abs=1e-9)
    assert distances.missing.tolist() == [0]


def test_a_shifted_mouth_does_not_count_and_a_larger_face_does():
    reference = face().expand(3, 68, 2)
    shifted = reference + torch.tensor([7.0, -3.0])
    assert float(lip_landmark_distance(shifted, reference).pixels) == pytest.approx(0, abs=1e-9)
    found = reference + torch.randn(3, 68, 2)
    small = lip_landmark_distance(found, reference)
    large = lip_landmark_distance(found * 2, reference * 2)
    assert float(large.pixels) == pytest.approx(2 * float(small.pixels))
    assert float(large.eye_percent) == pytest.approx(float(small.eye_percent))


def test_lips_over_clips_with_missing_faces():
    reference = torch.stack([face(), face()])[:, None].expand(2, 4, 68, 2)
    found = reference + torch.randn(2, 4, 68, 2)
    found[0, 1:3] = torch.nan
    by_hand = []
    for clip, frames in ((0, (0, 3)), (1, range(4))):
        each = []
        for frame in frames:
            difference = (found[clip, frame, 48:] - reference[clip, frame, 48:]).numpy()
            difference -= difference.mean(0)
            each.append(np.hypot(*difference.T).mean())
        by_hand.append(np.mean(each))
    distances = lip_landmark_distance(found, reference)
    np.testing.assert_allclose(distances.pixels.numpy(), by_hand, rtol=1e-9)
    assert distances.missing.tolist() == [2, 0]
    metric = LipLandmarkDistance()
    metric.update(found[0], reference[0])
    metric.update(found[1:], reference[1:])
    assert float(metric.compute()["pixels"]) == pytest.approx(np.mean(by_hand))
    assert float(metric.compute()["missing_percent"]) == pytest.approx(25)


def test_landmark_error_by_hand():
    reference = face(80.0)[None]
    found = reference.clone()
    found[0, :17, 1] += 8  # the jaw
    found[0, 60, 0] -= 4  # one lip point
    errors = dict(zip(REGIONS, landmark_error(found, reference)[0, 0].tolist(), strict=True))
    assert errors["jaw"] == pytest.approx(100 * 8 / 80)
    assert errors["lips"] == pytest.approx(100 * 4 / 80 / 20)
    assert errors["all"] == pytest.approx(100 * (17 * 8 + 4) / 68 / 80)
    assert errors["brows"] == errors["nose"] == errors["eyes"] == 0


def test_every_point_is_in_one_region():
    assert sorted(point for name, points in REGIONS.items() if name != "all" for point in points) == list(range(68))


def test_landmark_error_leaves_lost_faces_out():
    reference = face().expand(3, 68, 2)
    found = reference + 1.0
    found = found.clone()
    found[1, 5, 0] = torch.inf
    metric = LandmarkError()
    metric.update(found[:, :, :], torch.cat([reference, reference.new_zeros(3, 68, 1)], -1))
    assert float(metric.compute()["all"]) == pytest.approx(100 * 2**0.5 / 100)
    assert int(metric.frames) == 2


def test_half_precision_landmarks():
    reference = face().half()[None]
    found = (reference + torch.randn(1, 68, 2)).half()
    exact = lip_landmark_distance(found.double(), reference.double())
    assert torch.equal(lip_landmark_distance(found, reference).pixels, exact.pixels)
    assert float(outer_eye_distance(face(64.0))) == 64


@pytest.mark.parametrize("metric", [InterFrameSSIM(), LipLandmarkDistance(), LandmarkError()])
def test_nothing_fed_is_a_typed_error(metric):
    with pytest.raises(MetricError, match="has 0 "):
        metric.compute()
    assert metric.state_dict() == {}


def test_a_clip_without_any_face_is_a_typed_error():
    metric = LipLandmarkDistance()
    metric.update(torch.full((2, 68, 2), torch.nan), face().expand(2, 68, 2))
    with pytest.raises(MetricError, match="face"):
        metric.compute()


def test_wrong_shapes_are_refused(clip):
    with pytest.raises(ValueError, match="T >= 2"):
        inter_frame_ssim(clip[:1])
    with pytest.raises(ValueError, match="landmarks"):
        compensated_ssim(clip, torch.zeros(4, 68, 2))
    with pytest.raises(ValueError, match="tracks"):
        lip_landmark_distance(torch.zeros(2, 68, 2), torch.zeros(3, 68, 2))


def test_metrics_copy_and_reset(clip):
    metric = InterFrameSSIM(UNIT)
    metric.update(clip)
    twin = copy.deepcopy(metric)  # takes a metric apart and puts it together, as sending it to a process does
    assert float(twin.compute()["similarity"]) == float(metric.compute()["similarity"])
    metric.reset()
    with pytest.raises(MetricError):
        metric.compute()
    assert float(twin.compute()["similarity"]) != 0


def test_a_judgement_by_hand():
    from lightning_modules.metrics.discriminator_judgement import DiscriminatorJudgement

    metric = DiscriminatorJudgement(0.5)
    metric.update(torch.tensor([[0.9, 0.7], [0.2, 1.0]]), real=True)
    metric.update(torch.tensor([0.1, 0.6]).half(), real=False)
    metric.update(torch.tensor([0.0, 0.3]), real=False)
    found = {name: float(value) for name, value in metric.compute().items()}
    assert found["real_mean"] == pytest.approx(0.7, abs=1e-7)
    assert found["fake_mean"] == pytest.approx(0.25, abs=1e-3)
    assert (found["real_sign"], found["fake_sign"], found["accuracy"]) == (0.75, 0.25, 0.75)
    metric.reset()
    metric.update(torch.ones(3), real=True)
    with pytest.raises(MetricError, match="generated"):
        metric.compute()
