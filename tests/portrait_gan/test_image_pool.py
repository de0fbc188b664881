from __future__ import annotations

import pytest
import torch

from lightning_modules.errors import ConfigError
from lightning_modules.image_pool import ImagePool


def numbered(start, count):
    """Pairs whose two frames carry the same number and differ in sign."""
    values = torch.arange(start, start + count, dtype=torch.float32)
    return torch.stack((values, -values), 1)[..., None, None, None].expand(count, 2, 1, 2, 2).clone()


def test_an_empty_pool_gives_back_what_it_gets():
    frames = numbered(0, 3).requires_grad_()
    assert torch.equal(ImagePool().query(frames), frames)
    assert not ImagePool().query(frames).requires_grad


def test_pairs_stay_pairs_and_half_of_them_are_old():
    pool, old, shown = ImagePool(10), 0, 0
    for step in range(400):
        frames = numbered(step, 1)
        given = pool.query(frames)
        assert torch.equal(given[:, 0], -given[:, 1])
        if step >= 10:
            shown += 1
            old += int(given[0, 0, 0, 0, 0] != step)
    assert old / shown == pytest.approx(0.5, abs=0.08)


def test_single_frames_are_scrambled_as_published():
    pool, pairs = ImagePool(10, pairs=False), 0
    for step in range(400):
        given = pool.query(numbered(step + 1, 1))
        pairs += int(torch.equal(given[:, 0], -given[:, 1]))
    assert pairs / 400 == pytest.approx(0.25, abs=0.08)


def test_what_is_not_finite_is_never_remembered():
    pool = ImagePool(4)
    for step in range(60):
        frames = numbered(step, 2)
        frames[0] = torch.nan
        pool.query(frames)
    assert pool.entries.isfinite().all()


def test_the_pool_travels():
    pool, other = ImagePool(4), ImagePool(4)
    pool.query(numbered(0, 3))
    other.load_own_part(pool.gathered(torch.device("cpu")))
    assert other.filled == 3
    assert torch.equal(other.entries, pool.entries)
    with pytest.raises(ConfigError, match="has 4 entries, this run's 5"):
        ImagePool(5).load_own_part(pool.gathered(torch.device("cpu")))
    with pytest.raises(ConfigError, match="-1 entries"):
        ImagePool(-1)
