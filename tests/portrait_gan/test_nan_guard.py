from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from tiny_gan import Batches, fit, make_batch, tiny_gan, weights

from callbacks.nan_guard import NanGuard
from lightning_modules.errors import ConfigError, TrainingError


def spoiled(batch):
    return dataclasses.replace(batch, photo=torch.full_like(batch.photo, torch.nan))


@pytest.mark.filterwarnings("ignore:batch .* gave gradients")
def test_a_bad_batch_changes_nothing_and_is_noted(tmp_path):
    good, guard = make_batch(2), NanGuard(stop_after=3)
    with_bad = tiny_gan(dropout=0.0, pool_size=4)
    fit(with_bad, tmp_path, data=Batches(good, spoiled(good), good), epochs=1, callbacks=[guard])
    without = tiny_gan(dropout=0.0, pool_size=4)
    fit(without, tmp_path, data=Batches(good, good), epochs=1)
    assert weights(with_bad).isfinite().all()
    assert torch.equal(with_bad.generator.first.weight, without.generator.first.weight)
    assert with_bad.pool.entries.isfinite().all()
    assert (guard.skipped, guard.in_a_row) == (1, 0)
    lines = (tmp_path / "non_finite" / "rank_0.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"batch": 1, "samples": list(good.keys())}]


def test_without_the_guard_the_same_batch_ruins_the_weights(tmp_path):
    good, module = make_batch(2), tiny_gan(dropout=0.0)
    fit(module, tmp_path, data=Batches(good, spoiled(good), good), epochs=1)
    assert not weights(module).isfinite().all()


@pytest.mark.filterwarnings("ignore:batch .* gave gradients")
def test_it_stops_when_it_goes_on(tmp_path):
    good = make_batch(1)
    data = Batches(good, *[spoiled(good)] * 3)
    with pytest.raises(TrainingError, match="2 batches in a row"):
        fit(tiny_gan(), tmp_path, data=data, epochs=1, callbacks=[NanGuard(stop_after=2)])


def test_the_guard_costs_good_batches_nothing(tmp_path):
    guarded, free = tiny_gan(dropout=0.0), tiny_gan(dropout=0.0)
    fit(guarded, tmp_path, epochs=1, callbacks=[NanGuard()])
    fit(free, tmp_path, epochs=1)
    assert torch.equal(weights(guarded), weights(free))


def test_counts_travel_and_nonsense_is_refused():
    guard, other = NanGuard(), NanGuard()
    guard.skipped, guard.in_a_row = 5, 2
    other.load_state_dict(guard.state_dict())
    assert (other.skipped, other.in_a_row) == (5, 2)
    with pytest.raises(ConfigError, match="stop_after is 0"):
        NanGuard(stop_after=0)
