from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from lightning_modules.geometry.landmark_groups import LIP_SEGMENTS, mirror_landmarks
from lightning_modules.losses.lip_line import LipLineLoss, lip_line_loss, lip_line_thickness


def opencv_mask(face: torch.Tensor, size: int, thickness: int) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    points = [tuple(int(v) for v in point) for point in np.round(face.numpy()).astype(int)]
    for start, end in LIP_SEGMENTS:
        cv2.line(mask, points[start], points[end], 255, thickness)
    return mask / 255.0


@pytest.mark.parametrize(("size", "thickness"), [(64, 2), (256, 2), (512, 4)])
def test_white_paper_has_twice_the_masks_share(face_at, size, thickness):
    assert lip_line_thickness(size) == thickness
    face = face_at(size)
    expected = 2 * opencv_mask(face[0], size, thickness).mean()
    assert lip_line_loss(torch.ones(1, 1, size, size), face).item() == pytest.approx(expected, rel=1e-6)
    assert expected > 0.002


def test_ink_on_the_lines_alone_is_enough(face_at):
    face = face_at(128)
    mask = torch.from_numpy(opencv_mask(face[0], 128, 2)).float()[None, None]
    assert lip_line_loss(1 - 2 * mask, face).item() == 0
    missing = 1 - 2 * mask
    row, column = mask[0, 0].nonzero()[7].tolist()
    missing[0, 0, row, column] = 0.5
    assert lip_line_loss(missing, face).item() == pytest.approx(1.5 / 128**2)


def test_the_mean_over_the_mask_does_not_know_the_mouths_size(face_at):
    grey = torch.full((2, 3, 128, 128), -0.25)
    faces = torch.cat((face_at(128), face_at(128) * 0.6))
    over_mask = lip_line_loss(grey, faces, "mask").item()
    assert over_mask == pytest.approx(0.75, rel=1e-6)
    shares = [opencv_mask(face, 128, 2).mean() for face in faces]
    assert shares[1] < 0.8 * shares[0]
    assert lip_line_loss(grey, faces).item() == pytest.approx(0.75 * np.mean(shares), rel=1e-5)


def test_the_gradient_is_the_mask(face_at):
    drawing = torch.zeros(1, 1, 128, 128, dtype=torch.float64, requires_grad=True)
    face = face_at(128).requires_grad_()
    lip_line_loss(drawing, face).backward()
    assert np.allclose(drawing.grad[0, 0].numpy() * 128**2, opencv_mask(face.detach()[0], 128, 2))
    assert face.grad is None


@pytest.mark.parametrize("mean_over", ["frame", "mask"])
def test_gradient_batch_and_descent(mean_over, moved_faces, drawings, falls):
    _, target = moved_faces(48, 3)
    pictures = drawings(48, 3, 3)
    loss = LipLineLoss(mean_over)
    singles = [loss(pictures[k : k + 1], target[k : k + 1]) for k in range(3)]
    assert loss(pictures, target).item() == pytest.approx(torch.stack(singles).mean().item(), rel=1e-9)
    small = drawings(12, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, target[:1] / 4), small)
    before, after = falls(lambda x: loss(x.clamp(min=-1), target), pictures)
    assert after < 0.3 * before


def test_whole_pixel_mouths_are_mirrored_with_their_picture(face_at, drawings):
    face = torch.round(face_at(128)) + torch.tensor((20.0, 0.0))
    face[:, 50] += torch.tensor((2.0, 1.0))  # not symmetric
    picture = drawings(128, 1)
    straight = lip_line_loss(picture, face).item()
    mirrored = lip_line_loss(picture.flip(-1), mirror_landmarks(face, 128)).item()
    # OpenCV's lines are not exactly symmetric: a slanted line's edge pixels may differ.
    assert mirrored == pytest.approx(straight, rel=0.03)
    assert lip_line_loss(picture.flip(-1), face).item() != pytest.approx(straight, rel=0.03)


def test_a_mouth_outside_the_frame_is_no_error(face_at):
    away = face_at(64) + 500
    for mean_over in ("frame", "mask"):
        assert lip_line_loss(torch.ones(1, 1, 64, 64), away, mean_over).item() == 0


def test_half_precision(face_at):
    picture = torch.rand(1, 1, 64, 64).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = lip_line_loss(picture, face_at(64).float())
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(lip_line_loss(picture.float(), face_at(64)).item(), rel=1e-6)


def test_what_does_not_fit_is_refused(face_at):
    with pytest.raises(ValueError, match="2 drawings"):
        lip_line_loss(torch.ones(2, 1, 32, 32), face_at(32))
    with pytest.raises(ValueError, match="mean_over"):
        LipLineLoss("mouth")
