from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from datamodules.resumable_loader import FixedLoader, ResumableLoader
from datamodules.samplers import PositionAddressedSampler, SampleAddress, cycle_order, sample_generator
from lightning_modules.errors import ConfigError


class Numbers:
    """Gives what an address decides: itself and a random number."""

    def __getitem__(self, address):
        return address.cycle, address.index, float(sample_generator(5, address).random())


def loader(*, workers=0, batches=7, rank=0, world_size=1, size=10, seed=5, batch_size=2):
    return ResumableLoader(
        Numbers(),
        list,
        size=size,
        batch_size=batch_size,
        batches=batches,
        seed=seed,
        rank=rank,
        world_size=world_size,
        workers=workers,
    )


def test_a_cycle_visits_every_item_once_and_cycles_differ():
    sampler = PositionAddressedSampler(10, 30, seed=3)
    addresses = list(sampler)
    for cycle in range(3):
        own = addresses[10 * cycle : 10 * cycle + 10]
        assert {address.cycle for address in own} == {cycle}
        assert sorted(address.index for address in own) == list(range(10))
    orders = [[address.index for address in addresses[10 * c : 10 * c + 10]] for c in range(3)]
    assert orders[0] != orders[1] != orders[2] != orders[0]
    assert addresses != list(PositionAddressedSampler(10, 30, seed=4))


def test_the_order_never_changes_between_versions():
    assert cycle_order(0, 0, 8).tolist() == cycle_order.__wrapped__(0, 0, 8).tolist()
    raw = np.random.Philox(np.random.SeedSequence([1, 0, 0])).random_raw(8)
    assert cycle_order(0, 0, 8).tolist() == np.argsort(raw, kind="stable").tolist()


@pytest.mark.parametrize("world_size", [2, 3, 4])
@pytest.mark.parametrize("size", [7, 12])
def test_the_union_over_the_ranks_is_the_order_of_one_process(world_size, size):
    each = 15
    alone = list(PositionAddressedSampler(size, each * world_size, seed=1))
    ranks = [
        list(PositionAddressedSampler(size, each, seed=1, rank=rank, world_size=world_size))
        for rank in range(world_size)
    ]
    assert [ranks[place % world_size][place // world_size] for place in range(each * world_size)] == alone
    most, least = max(Counter(alone).values()), min(Counter(alone).values())
    assert most == least == 1  # nothing is repeated to fill up


@pytest.mark.parametrize("position", [0, 4, 9, 10, 23])
def test_a_sampler_goes_on_from_any_position(position):
    whole = list(PositionAddressedSampler(10, 40, seed=2))
    sampler = PositionAddressedSampler(10, 40 - position, seed=2)
    sampler.position = position
    assert list(sampler) == whole[position:]


def test_random_numbers_belong_to_the_address():
    first = sample_generator(1, SampleAddress(2, 3)).random(4)
    assert np.array_equal(first, sample_generator(1, SampleAddress(2, 3)).random(4))
    others = [(1, 3, 2, 0), (1, 2, 3, 1), (2, 2, 3, 0), (1, 2, 4, 0), (1, 0, 0, 0)]
    for seed, cycle, index, purpose in others:
        assert not np.allclose(first, sample_generator(seed, SampleAddress(cycle, index), purpose).random(4))


@pytest.mark.parametrize("wrong", [(0, 1, {}), (3, -1, {}), (3, 1, {"seed": -1}), (3, 1, {"rank": 2, "world_size": 2})])
def test_numbers_out_of_range_are_refused(wrong):
    size, length, options = wrong
    with pytest.raises(ValueError, match="no order"):
        PositionAddressedSampler(size, length, **options)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stop", [3, 7, 10])
def test_a_resumed_loader_gives_the_very_batches_that_were_missing(workers, stop):
    whole, uninterrupted = loader(), []
    for _ in range(3):
        uninterrupted += list(whole)
    interrupted, given = loader(workers=workers), []
    while len(given) < stop:
        for batch in interrupted:
            given.append(batch)
            if len(given) == stop:
                state = interrupted.state_dict()
                break
    assert state == {"seed": 5, "size": 10, "samples": 2 * stop}
    resumed = loader(workers=workers)
    resumed.load_state_dict(state)
    assert given + list(resumed) == uninterrupted[: stop + 7]
    assert uninterrupted[stop] != uninterrupted[stop - 1]


def test_passes_left_early_lose_nothing():
    whole = loader(batches=12)
    one_by_one = loader(batches=12, workers=2)
    given = [next(iter(one_by_one)) for _ in range(4)]
    assert given == list(whole)[:4]


def test_the_stream_runs_on_from_pass_to_pass_and_breaks_where_the_position_is_moved(monkeypatch):
    made = loader(batches=2)
    started = []
    make = made._make_loader
    monkeypatch.setattr(made, "_make_loader", lambda: started.append(1) or make())
    streams = []
    given = []
    for _ in range(3):
        given += list(made)
        streams.append(made._ahead)
    assert given == list(loader(batches=6))
    assert len(started) == 1
    assert streams[0] is streams[1] is streams[2]
    made.load_state_dict({"seed": 5, "size": 10, "samples": 2})
    assert next(iter(made)) == given[1]
    assert made._ahead is not streams[2]


def test_a_run_on_two_ranks_can_go_on_alone():
    pair = [loader(rank=rank, world_size=2) for rank in range(2)]
    for one in pair:
        steps = iter(one)
        next(steps), next(steps)
    states = [one.state_dict() for one in pair]
    assert states[0] == states[1] == {"seed": 5, "size": 10, "samples": 8}
    alone = loader()
    alone.load_state_dict(states[0])
    expected = PositionAddressedSampler(10, 12, seed=5)
    assert [item[:2] for item in next(iter(alone))] == [
        (expected.address(k).cycle, expected.address(k).index) for k in (8, 9)
    ]


def test_a_state_of_another_stream_is_refused():
    with pytest.raises(ConfigError, match="seed 6 over 10 photos"):
        loader().load_state_dict({"seed": 6, "size": 10, "samples": 4})
    with pytest.raises(ConfigError, match="number of ranks"):
        loader(world_size=2).load_state_dict({"seed": 5, "size": 10, "samples": 3})
    with pytest.raises(ConfigError, match="at least one batch"):
        loader(batches=0)


def test_a_fixed_loader_repeats_itself_and_divides_among_ranks():
    addresses = [SampleAddress(0, index) for index in range(5)]
    shares = [FixedLoader(Numbers(), list, addresses, batch_size=2, rank=rank, world_size=2) for rank in range(2)]
    assert [len(share) for share in shares] == [2, 1]
    assert list(shares[0]) == list(shares[0])
    seen = sorted(item[1] for share in shares for batch in share for item in batch)
    assert seen == [0, 1, 2, 3, 4]
