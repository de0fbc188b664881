from __future__ import annotations

import pytest
import torch

from lightning_modules.drawing.guidance import (
    BROW_SEGMENTS,
    JAW_SEGMENTS,
    face_ellipse,
    make_guidance,
    segment_band,
)
from lightning_modules.drawing.tone import exposure, luminance, paper_white, relight


def test_luminance_weights():
    pure = torch.eye(3).view(3, 3, 1, 1)
    torch.testing.assert_close(luminance(pure).view(3), torch.tensor([0.299, 0.587, 0.114]))
    grey = torch.rand(2, 1, 5, 5)
    assert luminance(grey) is grey


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.2), (0.5, 0.0), (0.3, 0.6)])
def test_exposure_and_relighting_undo_gain_and_offset(gain, offset):
    light = torch.rand(1, 1, 96, 96)
    face = make_guidance(light, None, None).face
    plain, other = exposure(light, face), exposure(gain * light + offset, face)
    torch.testing.assert_close(other, plain, atol=2e-5, rtol=0)
    white = paper_white(plain, face, 8.0)
    torch.testing.assert_close(paper_white(other, face, 8.0), white, atol=2e-5, rtol=0)
    assert relight(plain, white).amax() <= 1.4


@pytest.mark.parametrize("level", [0.0, 0.37, 1.0])
def test_a_constant_picture_is_paper_white(level):
    light = torch.full((1, 1, 64, 64), level)
    face = make_guidance(light, None, None).face
    tone = exposure(light, face)
    assert bool((tone == 1.0).all())
    assert bool((paper_white(tone, face, 8.0) == 1.0).all())


def test_paper_white_follows_a_light_from_the_side():
    light = torch.linspace(0.2, 0.9, 128).expand(1, 1, 128, 128).contiguous()
    face = make_guidance(light, None, None).face
    tone = exposure(light, face)
    relit = relight(tone, paper_white(tone, face, 9.0))
    inside = face > 0.9
    assert tone[inside].std() / tone[inside].mean() > 0.15
    assert relit[inside].std() / relit[inside].mean() < 0.06
    assert relit[inside].mean() == pytest.approx(1.0, abs=0.06)


def test_band_profile():
    landmarks = torch.zeros(1, 68, 2)
    landmarks[0, 17:27] = torch.tensor([10.0, 40.0])
    landmarks[0, 21] = torch.tensor([90.0, 40.0])
    band = segment_band(landmarks, ((20, 21),), torch.tensor([8.0]), (80, 100))
    assert band[0, 0, 40, 50] == pytest.approx(1.0, abs=0.02)
    assert band[0, 0, 48, 50] == pytest.approx(torch.e**-1, abs=0.05)
    assert band[0, 0, 60, 50] < 1e-3
    # Past the end of the segment the distance counts from its end.
    assert band[0, 0, 40, 5] == pytest.approx(float(torch.exp(torch.tensor(-((5 / 8) ** 4)))), abs=0.1)


def test_guidance_finds_the_parts(template_landmarks):
    landmarks = template_landmarks(256)
    guidance = make_guidance(torch.zeros(1, 1, 256, 256), landmarks, None)
    at = landmarks[0].round().long()

    def value(field, point):
        return float(field[0, 0, at[point, 1], at[point, 0]])

    assert all(value(guidance.features, point) > 0.9 for point in (19, 24, 30, 33, 37, 46, 48, 57, 62))
    assert all(value(guidance.outline, point) > 0.9 for point in (2, 8, 14))
    assert value(guidance.brows, 19) > 0.9
    assert value(guidance.brows, 57) < 0.01
    assert all(value(guidance.face, point) > 0.9 for point in (28, 30, 33, 62))
    assert float(guidance.face[0, 0, 10, 10]) < 1e-3
    assert bool((guidance.person == 1).all())


def test_guidance_moves_with_the_landmarks(template_landmarks):
    landmarks = template_landmarks(256)
    plain = make_guidance(torch.zeros(1, 1, 256, 256), landmarks, None)
    moved = make_guidance(torch.zeros(1, 1, 256, 256), landmarks + torch.tensor([8.0, -4.0]), None)
    for name in ("face", "features", "brows", "outline"):
        # Moved by a multiple of the four pixels that the bands are worked out on.
        expected = torch.roll(getattr(plain, name), (-4, 8), (2, 3))[..., 16:-16, 16:-16]
        torch.testing.assert_close(getattr(moved, name)[..., 16:-16, 16:-16], expected, atol=2e-4, rtol=0)


def test_profile_keeps_the_width_of_the_head(template_landmarks):
    landmarks = template_landmarks(256)
    narrow = landmarks.clone()
    narrow[..., 0] = 128 + 0.1 * (narrow[..., 0] - 128)
    wide = face_ellipse(landmarks, (256, 256)).sum()
    assert face_ellipse(narrow, (256, 256)).sum() > 0.6 * wide


def test_guidance_without_landmarks_favours_nothing():
    guidance = make_guidance(torch.zeros(2, 1, 64, 96), None, torch.rand(2, 1, 64, 96))
    assert guidance.face.shape == (2, 1, 64, 96)
    assert guidance.features.abs().max() == 0
    assert guidance.face[0, 0, 35, 47] > 0.99
    torch.testing.assert_close(guidance.face, guidance.face.flip(-1), atol=1e-6, rtol=0)
    assert len(BROW_SEGMENTS) == 8
    assert len(JAW_SEGMENTS) == 16
