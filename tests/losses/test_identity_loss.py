from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from lightning_modules.losses.identity import FaceFeatures, IdentityLoss, identity_crop, identity_loss
from lightning_modules.networks.frozen.sphereface import SphereFace


def test_numbers_by_hand():
    drawn = (torch.tensor([[1.0, -2.0]]), torch.tensor([[[4.0, 0.0, 2.0]]]))
    wanted = (torch.tensor([[0.0, 1.0]]), torch.tensor([[[1.0, 0.0, -1.0]]]))
    assert identity_loss(drawn, wanted).item() == pytest.approx((1 + 3) / 2 + (3 + 0 + 3) / 3)
    assert identity_loss(drawn, wanted, (0.5, 0.25)).item() == pytest.approx(0.5 * 2 + 0.25 * 2)
    assert identity_loss(drawn, drawn).item() == 0


def test_only_the_drawing_learns():
    drawn, wanted = torch.randn(2, 5, requires_grad=True), torch.randn(2, 5, requires_grad=True)
    identity_loss([drawn], [wanted]).backward()
    assert torch.allclose(drawn.grad, torch.sign(drawn - wanted).detach() / 10)
    assert wanted.grad is None


def test_the_crop_is_the_published_one(drawings):
    drawing = drawings(256, 2, 3)
    crop = identity_crop(drawing, torch.tensor([[38.0, 51.0, 179.0]]))
    square = functional.interpolate(drawing[:, :, 51:230, 38:217], size=(112, 96), mode="bilinear", align_corners=True)
    assert crop.shape == (2, 3, 112, 96)
    assert (crop - square).abs().max() < 1e-9
    grey = identity_crop(drawing, torch.tensor([[38.0, 51.0, 179.0]]), luminance=True)
    expected = 0.299 * square[:, 0] + 0.587 * square[:, 1] + 0.114 * square[:, 2]
    assert (grey - expected[:, None]).abs().max() < 1e-6
    single = identity_crop(drawing[:, :1], torch.tensor([[38.0, 51.0, 179.0]]))
    assert (single - square[:, :1]).abs().max() < 1e-9


def test_gradient_batch_and_descent(small_features, drawings, moved_faces, falls):
    loss = IdentityLoss(FaceFeatures(small_features, feature_size=(14, 12)))
    drawing, static = drawings(32, 3, seed=1), drawings(32, 3, seed=2)
    source, target = moved_faces(32, 3)
    singles = [loss(drawing[k : k + 1], static[k : k + 1], target[k : k + 1], source[k : k + 1]) for k in range(3)]
    whole = loss(drawing, static, target, source)
    assert whole.item() == pytest.approx(torch.stack(singles).mean().item(), rel=1e-9)
    small = drawings(12, 1, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, static[:1, :, :12, :12], target[:1], source[:1]), small)
    before, after = falls(lambda x: loss(x, static, target, source), drawing)
    assert after < 0.5 * before


def test_each_picture_has_its_own_square(small_features, drawings, moved_faces):
    features = FaceFeatures(small_features, window="landmarks", feature_size=(14, 12))
    static = drawings(96, 1)
    source, _ = moved_faces(96, 1)
    moved = torch.roll(static, (5, -3), (-2, -1))
    target = source + torch.tensor((-3.0, 5.0))
    assert IdentityLoss(features)(moved, static, target, source).item() < 1e-12
    assert IdentityLoss(features)(moved, static, source, source).item() > 1e-2
    fixed = FaceFeatures(small_features, feature_size=(14, 12))
    assert IdentityLoss(fixed)(moved, static, target, source).item() > 1e-2
    with_known = identity_loss(
        features.inside(moved, torch.tensor([[10.0, 20.0, 60.0]])),
        features.inside(static, torch.tensor([[13.0, 15.0, 60.0]])),
    )
    assert with_known.item() < 1e-12


def test_five_stages_of_the_real_network(drawings, face_at):
    torch.manual_seed(6)
    network = SphereFace()
    loss = IdentityLoss(FaceFeatures(network)).train()
    drawing = drawings(64, 1, seed=1).float().requires_grad_()
    static, face = drawings(64, 1, seed=2).float(), face_at(64).float()
    value = loss(drawing, static, face, face)
    window = torch.tensor([[0.15, 0.20, 0.70]]) * 64
    first, second = (network(identity_crop(picture, window)) for picture in (drawing, static))
    assert len(first) == 5
    expected = sum((a - b).abs().mean().item() for a, b in zip(first, second, strict=True))
    assert value.item() == pytest.approx(expected, rel=1e-6)
    value.backward()
    assert drawing.grad.abs().sum() > 0
    assert not network.training
    assert all(parameter.grad is None for parameter in network.parameters())


def test_autocast_changes_nothing(small_features, drawings, face_at):
    loss = IdentityLoss(FaceFeatures(small_features, feature_size=(14, 12)))
    drawing, static, face = drawings(32, 1, seed=1).float(), drawings(32, 1, seed=2).float(), face_at(32).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(drawing, static, face, face)
        halved = loss(drawing.bfloat16(), static, face, face)
    assert inside.item() == loss(drawing, static, face, face).item()
    assert inside.dtype == halved.dtype == torch.float32
    halves = [torch.randn(2, 3).bfloat16()], [torch.randn(2, 3).bfloat16()]
    assert identity_loss(*halves).dtype == torch.float32


def test_what_does_not_fit_is_refused(drawings):
    one, two = torch.zeros(1, 2), torch.zeros(1, 3)
    for arguments in (([one], [one, one]), ([], []), ([one], [one], (1.0, 2.0))):
        with pytest.raises(ValueError, match="stages"):
            identity_loss(*arguments)
    with pytest.raises(ValueError, match="one shape"):
        identity_loss([one], [two])
    with pytest.raises(ValueError, match="1 or 3 channels"):
        identity_crop(drawings(32, 1, 2), torch.tensor([[1.0, 1.0, 20.0]]))
