"""Content loss (Eq. 3) and warp coherence loss (Eq. 7): both compare a drawing with a warped one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_modules.geometry.landmark_groups import mirror_landmarks
from lightning_modules.geometry.spline import SplineBasis, spline_flow
from lightning_modules.losses.coherence_warp import CoherenceWarpLoss, coherence_warp_loss
from lightning_modules.losses.content import ContentLoss, content_loss

SIZE = 32


def scipy_warp(image: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """W by SciPy alone: thin-plate interpolation of the backward flow, bilinear sampling with a repeated border."""
    from scipy.interpolate import RBFInterpolator
    from scipy.ndimage import map_coordinates

    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    positions = np.stack((columns.ravel(), rows.ravel()), axis=1).astype(float)
    position = positions + RBFInterpolator(target, source - target, kernel="thin_plate_spline")(positions)
    return map_coordinates(image, [position[:, 1], position[:, 0]], order=1, mode="nearest").reshape(image.shape)


def test_a_shifted_ramp_by_hand(face_at):
    source = face_at(SIZE)
    target = source + torch.tensor((3.0, 0.0))  # to the right: column x shows what column x - 3 showed
    ramp = torch.arange(SIZE, dtype=torch.float64).expand(1, 1, SIZE, SIZE) / 100
    paper = torch.ones_like(ramp)
    shifted = torch.clamp(torch.arange(SIZE) - 3, min=0) / 100
    assert content_loss(paper, ramp, source, target).item() == pytest.approx((1 - shifted).mean().item(), rel=1e-6)
    assert content_loss(ramp, ramp, source, target).item() == pytest.approx(0.01 * (3 * (SIZE - 3) + 1 + 2) / SIZE)
    assert coherence_warp_loss(ramp, paper, source, target).item() == pytest.approx((1 - shifted).mean().item())


def test_equal_landmarks_compare_pixel_by_pixel(face_at, drawings):
    first, second = drawings(SIZE, 1, seed=1), drawings(SIZE, 1, seed=2)
    face = face_at(SIZE)
    expected = (first - second).abs().mean().item()
    assert content_loss(first, second, face, face).item() == pytest.approx(expected, rel=1e-9)
    assert coherence_warp_loss(first, second, face, face).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("channels", [1, 3])
def test_against_scipy(moved_faces, drawings, channels):
    source, target = moved_faces(SIZE)
    drawing, static = drawings(SIZE, 2, channels, seed=1), drawings(SIZE, 2, channels, seed=2)
    warped = np.stack(
        [
            [scipy_warp(one.numpy(), s.numpy(), t.numpy()) for one in d]
            for d, s, t in zip(static, source, target, strict=True)
        ]
    )
    expected = np.abs(drawing.numpy() - warped).mean()
    assert content_loss(drawing, static, source, target).item() == pytest.approx(expected, rel=1e-6)
    assert coherence_warp_loss(static, drawing, source, target).item() == pytest.approx(expected, rel=1e-6)
    backwards = content_loss(drawing, static, target, source).item()
    assert abs(backwards - expected) > 1e-2 * expected  # the direction of the warp matters to this test


def test_the_published_warp(parity):
    fixture = parity("spline_warp")
    image, source, target, warped = (
        torch.from_numpy(fixture[key])
        for key in ("inputs/image", "inputs/source_landmarks", "inputs/target_landmarks", "outputs/warped")
    )
    if source.ndim == 2:
        source, target = source[None], target[None]
    still = (image - warped).abs().mean().item()
    # The published system is solved in float32 with a condition number of 1e12, and its flow is off by up to 0.3 px.
    assert content_loss(warped, image, source, target).item() < 0.02 * still
    assert content_loss(warped, image, target, source).item() > 0.5 * still


@pytest.mark.parametrize("loss", [content_loss, coherence_warp_loss])
def test_batch_is_the_mean_of_singles(loss, moved_faces, drawings):
    source, target = moved_faces(SIZE, 3)
    first, second = drawings(SIZE, 3, 3, seed=1), drawings(SIZE, 3, 3, seed=2)
    together = loss(first, second, source, target)
    singles = [loss(first[k : k + 1], second[k : k + 1], source[k : k + 1], target[k : k + 1]) for k in range(3)]
    assert together.item() == pytest.approx(torch.stack(singles).mean().item(), rel=1e-9)
    assert len({round(one.item(), 6) for one in singles}) == 3


@pytest.mark.parametrize("loss", [content_loss, coherence_warp_loss])
def test_a_mirrored_sample_has_the_same_loss(loss, moved_faces, drawings):
    source, target = moved_faces(SIZE)
    first, second = drawings(SIZE, seed=1), drawings(SIZE, seed=2)
    mirrored = loss(
        first.flip(-1), second.flip(-1), mirror_landmarks(source, SIZE), mirror_landmarks(target, SIZE)
    ).item()
    assert mirrored == pytest.approx(loss(first, second, source, target).item(), rel=1e-6)
    wrong = loss(first.flip(-1), second.flip(-1), source, target).item()
    assert abs(wrong - mirrored) > 1e-3


def test_gradients(moved_faces, drawings):
    source, target = (points.detach() for points in moved_faces(12, 1))
    first = drawings(12, 1, seed=1).requires_grad_()
    second = drawings(12, 1, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: content_loss(a, b, source, target), (first, second))
    assert torch.autograd.gradcheck(
        lambda a, b: coherence_warp_loss(a, b, source, target, detach=False), (first, second)
    )


def test_only_the_second_learns_unless_told_otherwise(moved_faces, drawings):
    source, target = moved_faces(SIZE)
    first, second = drawings(SIZE, seed=1).requires_grad_(), drawings(SIZE, seed=2).requires_grad_()
    CoherenceWarpLoss()(first, second, source, target).backward()
    assert first.grad is None
    assert second.grad.abs().sum() > 0
    CoherenceWarpLoss(detach=False)(first, second, source, target).backward()
    assert first.grad.abs().sum() > 0
    both = coherence_warp_loss(first, second, source, target, detach=False)
    assert both.item() == coherence_warp_loss(first, second, source, target, detach=True).item()


def test_descent(moved_faces, drawings, falls):
    source, target = moved_faces(SIZE)
    start, other = drawings(SIZE, seed=1), drawings(SIZE, seed=2)
    before, after = falls(lambda x: content_loss(x, other, source, target), start)
    assert after < 0.2 * before
    before, after = falls(lambda x: coherence_warp_loss(other, x, source, target), start)
    assert after < 0.2 * before
    before, after = falls(lambda x: coherence_warp_loss(x, other, source, target, detach=False), start)
    assert after < 0.4 * before  # what left the frame cannot be mended


@pytest.mark.parametrize("loss", [content_loss, coherence_warp_loss])
def test_one_factorisation_serves_all(loss, moved_faces, drawings, monkeypatch):
    source, target = moved_faces(SIZE)
    first, second = drawings(SIZE, seed=1), drawings(SIZE, seed=2)
    alone = loss(first, second, source, target).item()
    factored = []
    factor = torch.linalg.lu_factor_ex
    monkeypatch.setattr(torch.linalg, "lu_factor_ex", lambda *a, **k: factored.append(1) or factor(*a, **k))
    basis = SplineBasis(target, SIZE, keep_kernel=True)
    mask_map = basis.sampling_map(source)
    assert loss(first, second, source, target, basis=basis).item() == pytest.approx(alone, rel=1e-9)
    assert loss(first, second, source, target, sampling_map=mask_map).item() == pytest.approx(alone, rel=1e-9)
    assert len(factored) == 1


@pytest.mark.parametrize(
    ("module", "function"), [(ContentLoss, content_loss), (CoherenceWarpLoss, coherence_warp_loss)]
)
def test_modules_and_anchors(module, function, moved_faces, drawings):
    source, target = moved_faces(SIZE)
    first, second = drawings(SIZE, seed=1), drawings(SIZE, seed=2)
    plain = module()(first, second, source, target).item()
    held = module(anchors=True)(first, second, source, target).item()
    assert plain == function(first, second, source, target).item()
    anchored = spline_flow(source, target, SIZE, anchors=True)
    assert held == pytest.approx(function(first, second, source, target, sampling_map=anchored).item())
    assert abs(held - plain) > 1e-4


@pytest.mark.parametrize("loss", [content_loss, coherence_warp_loss])
def test_autocast_changes_nothing(loss, moved_faces, drawings):
    source, target = (points.float() for points in moved_faces(SIZE))
    first, second = drawings(SIZE, seed=1).float(), drawings(SIZE, seed=2).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(first, second, source, target)
        halved = loss(first.bfloat16(), second.bfloat16(), source, target)
    assert inside.item() == loss(first, second, source, target).item()
    assert inside.dtype == halved.dtype == torch.float32
    assert halved.item() == pytest.approx(inside.item(), rel=1e-2)


def test_what_does_not_fit_is_refused(moved_faces, drawings):
    source, target = moved_faces(SIZE)
    pictures = drawings(SIZE)
    basis = SplineBasis(target, SIZE)
    with pytest.raises(ValueError, match="not both"):
        content_loss(pictures, pictures, source, target, basis=basis, sampling_map=basis.sampling_map(source))
    with pytest.raises(ValueError, match="basis for"):
        content_loss(pictures, pictures, source, target, basis=SplineBasis(target, 16))
    with pytest.raises(ValueError, match="does not go with an image"):
        content_loss(pictures, pictures, source, target, sampling_map=spline_flow(source, target, 16))
    with pytest.raises(ValueError, match="one shape"):
        content_loss(pictures, drawings(SIZE, channels=3), source, target)
    with pytest.raises(ValueError, match="one shape"):
        coherence_warp_loss(pictures, drawings(SIZE, channels=3), source, target)
