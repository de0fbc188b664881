from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from lightning_modules.geometry.landmark_groups import MIRROR, mirror_landmarks
from lightning_modules.losses.face_window import face_square
from lightning_modules.losses.geometry import (
    DrawingLandmarks,
    GeometryLoss,
    detected_landmarks,
    detector_crop,
    geometry_loss,
)
from lightning_modules.networks.frozen.mobilefacenet import MobileFaceNet


def test_numbers_by_hand(face_at):
    target = face_at(100)
    predicted = target.clone()
    predicted[0, 5] += torch.tensor((3.0, -4.0))  # 25 px^2 over 48 points and two coordinates
    predicted[0, 50, 1] += 10.0  # 100 px^2 over 20 points and two coordinates
    face, lips = 25 / 1e4 / 96, 100 / 1e4 / 40
    assert geometry_loss(predicted, target, 100).item() == pytest.approx(face + 2 * lips)
    assert geometry_loss(predicted, target, 100, lip_weight=0.0).item() == pytest.approx(face)
    assert geometry_loss(predicted, target, 100, None).item() == pytest.approx(125 / 1e4 / 136)
    assert geometry_loss(predicted, target, 200).item() == pytest.approx((face + 2 * lips) / 4)


def test_depth_is_not_read(face_at):
    with_depth = torch.cat((face_at(64), torch.full((1, 68, 1), 99.0)), dim=-1)
    assert geometry_loss(face_at(64), with_depth, 64).item() == 0


def test_gradient_batch_descent_and_mirror_of_the_distance(moved_faces, falls):
    predicted, target = moved_faces(64, 3)
    whole = geometry_loss(predicted, target, 64)
    singles = [geometry_loss(predicted[k : k + 1], target[k : k + 1], 64) for k in range(3)]
    assert whole.item() == pytest.approx(torch.stack(singles).mean().item(), rel=1e-9)
    assert torch.autograd.gradcheck(lambda x: geometry_loss(x, target, 64), predicted.requires_grad_())
    before, after = falls(lambda x: geometry_loss(x, target, 64), predicted.detach(), rate=0.2)
    assert after < 0.1 * before
    turned = geometry_loss(mirror_landmarks(predicted.detach(), 64), mirror_landmarks(target, 64), 64)
    assert turned.item() == pytest.approx(whole.item(), rel=1e-9)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_crop_is_the_published_one(drawings, channels):
    drawing = drawings(256, 2, channels)
    crop = detector_crop(drawing, torch.tensor([[38.0, 51.0, 179.0]]))
    square = functional.interpolate(drawing[:, :, 51:230, 38:217], size=(112, 112), mode="bicubic", align_corners=False)
    expected = (square.flip(1) if channels == 3 else square.repeat(1, 3, 1, 1)) / 2 + 0.5
    assert crop.shape == (2, 3, 112, 112)
    assert (crop - expected).abs().max() < 1e-9
    if channels == 3:
        rgb = detector_crop(drawing, torch.tensor([[38.0, 51.0, 179.0]]), channel_order="rgb")
        assert torch.equal(rgb, crop.flip(1))


def test_fractions_go_back_to_pixels(drawings):
    fractions = torch.linspace(-0.1, 1.1, 136, dtype=torch.float64).expand(2, -1)
    window = torch.tensor([[38.0, 51.0, 179.0], [10.0, -5.0, 60.0]], dtype=torch.float64)
    found = detected_landmarks(drawings(256), lambda _: fractions, window)
    pairs = fractions[0].view(68, 2)
    for k, (left, top, side) in enumerate(window.tolist()):
        assert torch.allclose(found[k], torch.tensor((left, top)) + side * pairs)
    from_edge = detected_landmarks(drawings(256), lambda _: fractions, window, fraction_origin="edge")
    assert torch.allclose(from_edge, found - 0.5)


class EvenDetector(nn.Module):
    """A detector that treats left and right alike, as a perfect one would."""

    def __init__(self, detector):
        super().__init__()
        self.detector = detector

    def forward(self, crop):
        straight = self.detector(crop).view(-1, 68, 2)
        turned = self.detector(crop.flip(-1)).view(-1, 68, 2)[:, list(MIRROR)]
        return ((straight + torch.stack((1 - turned[..., 0], turned[..., 1]), dim=-1)) / 2).flatten(1)


def test_a_mirrored_drawing_has_mirrored_landmarks(small_detector, drawings, face_at):
    reader = DrawingLandmarks(EvenDetector(small_detector), fraction_origin="edge", detector_size=28)
    drawing, face = drawings(64), face_at(64).expand(2, -1, -1)
    straight = reader(drawing, face)
    assert torch.allclose(reader(drawing.flip(-1), face), mirror_landmarks(straight, 64))
    published = DrawingLandmarks(EvenDetector(small_detector), detector_size=28)
    offset = published(drawing.flip(-1), face) - mirror_landmarks(published(drawing, face), 64)
    assert torch.allclose(offset, torch.tensor((1.0, 0.0), dtype=torch.float64))  # the price of "first_pixel"


def test_the_whole_loss_by_another_way(small_detector, drawings, moved_faces):
    drawing, (_, target) = drawings(64), moved_faces(64)
    loss = GeometryLoss(DrawingLandmarks(small_detector, detector_size=28))
    expected = 0.0
    for one, points in zip(drawing, target, strict=True):
        predicted = small_detector(detector_crop(one[None], face_square(64, drawing), 28)).view(68, 2).numpy()
        predicted = (np.array((9.6, 12.8)) + 44.8 * predicted) / 64
        squared = (predicted - points.numpy() / 64) ** 2
        expected += (squared[:48].mean() + 2 * squared[48:].mean()) / 2
    assert loss(drawing, target).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("window", ["frame", "landmarks"])
def test_gradient_batch_and_descent_of_the_drawing(window, small_detector, drawings, moved_faces, falls):
    loss = GeometryLoss(DrawingLandmarks(small_detector, window=window, detector_size=16))
    drawing, (_, target) = drawings(32, 3), moved_faces(32, 3)
    singles = [loss(drawing[k : k + 1], target[k : k + 1]) for k in range(3)]
    assert loss(drawing, target).item() == pytest.approx(torch.stack(singles).mean().item(), rel=1e-9)
    small, face = drawings(14, 1).requires_grad_(), target[:1] * 14 / 32
    assert torch.autograd.gradcheck(lambda x: loss(x, face), small)
    reachable = loss.landmarks(drawings(32, 3, seed=9), target)  # what some drawing has, as target of another

    def distance(x):
        return geometry_loss(loss.landmarks(x, target), reachable, 32)

    before, after = falls(distance, drawing)
    assert after < 0.1 * before


def test_the_detector_sees_the_face_wherever_it_is(small_detector, drawings, face_at):
    picture, face = drawings(96, 1), face_at(96)
    reader = DrawingLandmarks(small_detector, window="landmarks", detector_size=28)
    moved = torch.roll(picture, (4, 6), (-2, -1))
    shift = torch.tensor((6.0, 4.0), dtype=torch.float64)
    assert torch.allclose(reader(moved, face + shift), reader(picture, face) + shift)
    fixed = DrawingLandmarks(small_detector, detector_size=28)
    assert not torch.allclose(fixed(moved, face + shift), fixed(picture, face) + shift, atol=0.5)


def test_the_real_detector_teaches_the_drawing_and_learns_nothing(drawings, moved_faces):
    torch.manual_seed(5)
    detector = MobileFaceNet()
    loss = GeometryLoss(DrawingLandmarks(detector)).train()
    drawing = drawings(128, 1).float().requires_grad_()
    _, target = moved_faces(128, 1)
    loss(drawing, target.float()).backward()
    inside = torch.zeros(128, 128, dtype=torch.bool)
    inside[25:116, 19:110] = True  # the face square of a 128 frame
    assert (drawing.grad[0, 0][inside] != 0).any()
    assert (drawing.grad[0, 0][~inside] == 0).all()
    assert not detector.training
    assert all(parameter.grad is None for parameter in detector.parameters())


def test_autocast_changes_nothing(small_detector, drawings, moved_faces):
    detector = DrawingLandmarks(small_detector, detector_size=28)
    drawing, (_, target) = drawings(64).float(), moved_faces(64)
    alone = GeometryLoss(detector)(drawing, target.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = GeometryLoss(detector)(drawing, target.float())
        halved = GeometryLoss(detector)(drawing.bfloat16(), target.float())
    assert inside.item() == alone.item()
    assert inside.dtype == halved.dtype == torch.float32
    assert halved.item() == pytest.approx(alone.item(), rel=1e-2)


def test_what_does_not_fit_is_refused(small_detector, drawings, face_at):
    with pytest.raises(ValueError, match="1 or 3 channels"):
        detector_crop(drawings(64, 1, 2), face_square(64, torch.zeros(1)))
    with pytest.raises(ValueError, match="must both be"):
        geometry_loss(face_at(64), face_at(64).expand(2, -1, -1), 64)
    with pytest.raises(ValueError, match="must both be"):
        geometry_loss(face_at(64)[:, :60], face_at(64)[:, :60], 64)
    with pytest.raises(ValueError, match="square"):
        GeometryLoss(DrawingLandmarks(small_detector))(drawings(64, 1)[:, :, 8:], face_at(64))
