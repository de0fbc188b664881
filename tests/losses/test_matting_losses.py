"""The losses of MODNet against numbers worked out by hand, and their gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lightning_modules.losses.matting import (
    SupervisedMattingLoss,
    coarse_matte,
    detail_matting_loss,
    known_from,
    matte_loss,
    semantic_matting_loss,
)
from lightning_modules.losses.matting_consistency import (
    MattingConsistencyLoss,
    outline_band,
    outline_consistency_loss,
    semantic_consistency_loss,
)
from lightning_modules.networks.frozen.modnet import MattingMaps


def plane(*values: float, side: int = 2) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(1, 1, -1, side)


def full(value: float, side: int) -> torch.Tensor:
    return torch.full((1, 1, side, side), value, dtype=torch.float64)


def random_maps(side: int = 64, seed: int = 0) -> MattingMaps:
    generator = torch.Generator().manual_seed(seed)
    sides = (side // 16, side, side)
    return MattingMaps(*(torch.rand(2, 1, one, one, generator=generator, dtype=torch.float64) for one in sides))


def test_one_block_is_blurred_by_the_gaussian():
    matte = full(0, 64)
    matte[..., 16:32, 16:32] = 1
    side = math.exp(-0.5 / 0.64) / (1 + 2 * math.exp(-0.5 / 0.64))
    middle = 1 - 2 * side
    profile = torch.tensor([2 * side, middle, side, 0], dtype=torch.float64)  # the border is mirrored
    torch.testing.assert_close(coarse_matte(matte)[0, 0], torch.outer(profile, profile))
    assert middle == pytest.approx(0.5220, abs=1e-4)


def test_the_semantic_loss_by_hand():
    assert semantic_matting_loss(full(0.3, 4), full(0.8, 64)).item() == pytest.approx(0.25)
    with pytest.raises(ValueError, match="of one shape"):
        semantic_matting_loss(full(0.3, 8), full(0.8, 64))


def test_the_detail_loss_counts_the_band_alone():
    trimap, wanted = plane(1, 0, 0.5, 0.5), plane(0.9, 0.1, 0.5, 0.25)
    detail = plane(0.2, 0.7, 0.8, 0.25)
    assert detail_matting_loss(detail, wanted, trimap).item() == pytest.approx(0.3 / 4)
    assert detail_matting_loss(plane(0, 1, 0.8, 0.25), wanted, trimap).item() == pytest.approx(0.3 / 4)


def test_the_matte_loss_by_hand():
    wanted, made, trimap = plane(1, 0, 0.5, 0), plane(0.8, 0.1, 0.7, 0), plane(1, 0, 0.5, 0)
    photo = torch.tensor([1, -0.5, 0], dtype=torch.float64)[None, :, None, None].expand(1, 3, 2, 2)
    torch.testing.assert_close(known_from(trimap, made), plane(1, 0, 0.7, 0))
    # everywhere 0.5 / 4, band 4 * 0.2 / 4; seen: the same sums times |1| + |-0.5| over 12 elements
    expected = 0.125 + 0.2 + 0.5 * 1.5 / 12 + 4 * 0.2 * 1.5 / 12
    assert matte_loss(made, wanted, trimap, photo).item() == pytest.approx(expected)
    assert matte_loss(wanted, wanted, trimap, photo).item() == 0
    with pytest.raises(ValueError, match=r"photo .* must be of one shape"):
        matte_loss(made, wanted, trimap, photo[..., :1])


def test_the_published_weights():
    maps = random_maps()
    matte, trimap = full(0.5, 64).expand(2, -1, -1, -1), full(0.5, 64).expand(2, -1, -1, -1)
    photo = torch.rand(2, 3, 64, 64, dtype=torch.float64) * 2 - 1
    terms = SupervisedMattingLoss()(maps, matte, trimap, photo)
    assert terms["semantic"].item() == pytest.approx(10 * semantic_matting_loss(maps.semantic, matte).item())
    assert terms["detail"].item() == pytest.approx(10 * detail_matting_loss(maps.detail, matte, trimap).item())
    assert terms["matte"].item() == pytest.approx(matte_loss(maps.matte, matte, trimap, photo).item())
    again = MattingConsistencyLoss()(maps, random_maps(seed=1))
    assert again["semantics"].item() == pytest.approx(100 * semantic_consistency_loss(maps.semantic, maps.matte).item())
    assert again["outline"].item() == pytest.approx(outline_consistency_loss(maps, random_maps(seed=1)).item())


def test_gradients_of_the_supervised_losses():
    maps = [one[:1, :, :32, :32].clone().requires_grad_() for one in random_maps(32)]
    matte, photo = torch.rand(1, 1, 32, 32, dtype=torch.float64), torch.rand(1, 3, 32, 32, dtype=torch.float64)
    trimap = torch.randint(0, 3, (1, 1, 32, 32)).double() / 2

    def total(semantic, detail, made):
        return sum(SupervisedMattingLoss()(MattingMaps(semantic, detail, made), matte, trimap, photo).values())

    assert torch.autograd.gradcheck(total, maps, fast_mode=True)


def test_the_band_is_where_a_square_meets_the_edge():
    maps = random_maps()
    band = outline_band(maps)
    where = torch.nn.functional.interpolate(
        (maps.semantic > 0.1).double(), scale_factor=16, mode="bilinear", align_corners=False
    )
    person = ((maps.matte > 0.1) * where).float().numpy()[:, 0]
    expected = np.zeros_like(person)
    for row in range(64):  # 5 % of 64 are 3 pixels
        for column in range(64):
            seen = person[:, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            expected[:, row, column] = seen.max((1, 2)) != seen.min((1, 2))
    assert np.array_equal(band[:, 0].numpy(), expected)
    assert 0 < expected.mean() < 1


def test_a_hard_edge_gives_a_band_of_the_squares_width():
    matte = torch.zeros(1, 1, 128, 128)
    matte[..., 64:] = 1  # columns 64 to 127
    band = outline_band(MattingMaps(torch.ones(1, 1, 8, 8), matte, matte))
    assert band[0, 0, 5].nonzero()[:, 0].tolist() == [61, 62, 63, 64, 65, 66]  # int(6.4) // 2 = 3 on either side


def test_semantics_and_matte_pull_each_other():
    assert semantic_consistency_loss(full(0.4, 4), full(0.6, 64)).item() == pytest.approx(0.08)
    # what teaches counts as 0 below 0.01; what learns does not
    assert semantic_consistency_loss(full(0.4, 4), full(0.005, 64)).item() == pytest.approx(0.4**2 + 0.395**2)
    semantic, matte = full(0.4, 4).requires_grad_(), full(0.6, 64).requires_grad_()
    semantic_consistency_loss(semantic, matte).backward()
    torch.testing.assert_close(semantic.grad, full(2 * (0.4 - 0.6) / 16, 4))
    assert matte.grad.sum().item() == pytest.approx(2 * (0.6 - 0.4))


def test_the_teacher_holds_the_outline_in_the_band_only():
    matte = full(0, 64)
    matte[..., 32:] = 0.9
    maps = MattingMaps(full(1, 4), full(0.5, 64).requires_grad_(), matte.requires_grad_())
    band = outline_band(maps)
    assert band.sum() == 2 * 64
    teacher = MattingMaps(full(1, 4), full(0.25, 64), matte.detach() + 0.1 * band)
    loss = outline_consistency_loss(maps, teacher)
    assert loss.item() == pytest.approx(0.25 + 0.1)
    loss.backward()
    torch.testing.assert_close(maps.detail.grad, band.double() / 128)
    nobody = MattingMaps(full(0, 4), full(0.5, 64), full(0, 64))
    assert outline_consistency_loss(nobody, teacher).item() == 0


def test_gradients_of_the_consistency_losses():
    made = random_maps(32)
    given = [one.clone().requires_grad_() for one in made]
    teacher, still = random_maps(32, seed=5), [one.detach().clone() for one in made]
    still_coarse = coarse_matte(still[2])
    band, area = outline_band(made), outline_band(made).sum((1, 2, 3))

    def frozen_targets(semantic, detail, matte):  # the same with what teaches as a constant, for finite differences
        pulled = (semantic - still_coarse * (still_coarse > 0.01)).square().mean()
        pulled = pulled + (coarse_matte(matte) - still[0] * (still[0] > 0.01)).square().mean()
        held = [
            (band * (one - other).abs()).sum((1, 2, 3)) / area
            for one, other in ((detail, teacher[1]), (matte, teacher[2]))
        ]
        return 100 * pulled + sum(one.mean() for one in held)

    assert torch.autograd.gradcheck(frozen_targets, given, fast_mode=True)
    expected = torch.autograd.grad(frozen_targets(*given), given)
    found = torch.autograd.grad(sum(MattingConsistencyLoss()(MattingMaps(*given), teacher).values()), given)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
