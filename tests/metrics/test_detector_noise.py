"""The noise floor of a detector whose errors are known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import center_of_mass, label

from lightning_modules.errors import MetricError
from lightning_modules.metrics.detector_noise import (
    VIEWS,
    DetectorNoise,
    brought_back,
    detector_noise,
    detector_views,
    seen_again,
)


@pytest.fixture
def frames():
    """Two frames (2, 3, 64, 80) with one black dot each."""
    pictures = torch.full((2, 3, 64, 80), 255, dtype=torch.uint8)
    pictures[0, :, 20:23, 30:33] = 0
    pictures[1, :, 40:43, 50:53] = 0
    return pictures


def dot(pictures):
    """A detector that is right: every landmark is the middle of the dot, the eyes and lips in known places about it."""
    spots = []
    for picture in pictures:
        regions, count = label(picture[0].numpy() < 128)
        y, x = center_of_mass(np.ones(regions.shape), regions, 1) if count else (np.nan, np.nan)
        spots.append(torch.tensor([x, y]))
    track = torch.stack(spots)[:, None].expand(-1, 68, 2).clone()
    track[:, 36, 0] -= 20
    track[:, 45, 0] += 20
    return track


def test_views_show_the_same_face_elsewhere(frames):
    found = dot(frames)
    for view in VIEWS:
        again = seen_again(frames, view)
        assert again.shape == frames.shape
        assert again.dtype == torch.uint8
        assert torch.allclose(brought_back(dot(again), view, 80), found, atol=0.3)
    assert torch.equal(seen_again(frames, "shifted")[0, :, 18:21, 33:36], frames[0, :, 20:23, 30:33])
    assert torch.equal(seen_again(frames, "mirrored").flip(-1), frames)
    assert 0 < (seen_again(frames, "encoded").int() - frames.int()).abs().max() < 60


def test_a_detector_that_is_right_has_no_noise(frames):
    # The dots are far from the lips' spread, so that only where they are counts.
    noise = detector_noise(dot, frames)
    assert noise == pytest.approx({"lmd_pixels": 0, "lmd_eye_percent": 0, "nme": 0, "missing_percent": 0}, abs=1e-5)


def test_noise_by_hand():
    """Eye distance 40. View one: all points 4 px away; view two: one lip point 20 px away; view three: face lost."""
    found = dot(torch.nn.functional.pad(torch.zeros(1, 3, 3, 3), (30, 47, 20, 41), value=255).to(torch.uint8))
    views = found[None].expand(3, -1, -1, -1).clone()
    views[0] += torch.tensor([4.0, 0.0])
    views[1, 0, 50, 1] += 20
    views[2, 0, 9] = torch.nan
    metric = DetectorNoise()
    metric.update(found, views)
    result = {name: float(value) for name, value in metric.compute().items()}
    # Centred, the lip point is 19 px away and the other 19 are 1 px away each.
    assert result["lmd_pixels"] == pytest.approx((0 + (19 + 19) / 20) / 2)
    assert result["lmd_eye_percent"] == pytest.approx(100 * 1.9 / 40 / 2)
    assert result["nme"] == pytest.approx(100 * (4 + 20 / 68) / 40 / 2)
    assert result["missing_percent"] == pytest.approx(100 / 3)


def test_a_detector_drawn_to_the_left_is_found_out(frames):
    """Three pixels to the left wherever the face is: mirrored, that is three to the right, six away."""

    def biased(pictures):
        return dot(pictures) - torch.tensor([3.0, 0.0])

    views = detector_views(biased, frames)
    away = (views - biased(frames)).norm(dim=-1).mean((1, 2))
    assert away.tolist() == pytest.approx([0, 6, 0], abs=0.01)
    assert detector_noise(biased, frames)["nme"] == pytest.approx(100 * 6 / 40 / 3, abs=0.01)


def test_what_cannot_be_measured(frames):
    with pytest.raises(MetricError, match="0 frames in which a face is found twice"):
        detector_noise(dot, torch.full_like(frames, 255))
    with pytest.raises(ValueError, match="uint8"):
        seen_again(frames.float(), "mirrored")
    with pytest.raises(ValueError, match="shown shifted"):
        seen_again(frames, "upside down")
    with pytest.raises(ValueError, match="views are"):
        DetectorNoise().update(dot(frames), torch.zeros(3, 1, 68, 2))
