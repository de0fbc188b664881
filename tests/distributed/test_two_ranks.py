"""Two processes on gloo: equal parameters, exact resume, one decision for all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

PROGRAM = Path(__file__).with_name("two_ranks_program.py")


@pytest.fixture
def results_of(two_ranks, tmp_path):
    """From a plan to what both ranks wrote after its runs."""

    def run(plan, timeout=240):
        two_ranks(PROGRAM, str(tmp_path), json.dumps(plan), timeout=timeout)
        return [torch.load(tmp_path / f"rank_{rank}.pt", weights_only=True) for rank in range(2)]

    return run


def assert_equal_ranks(results):
    first, second = results
    for name in first:
        assert torch.equal(first[name]["weights"], second[name]["weights"]), name
        assert torch.equal(first[name]["average"], second[name]["average"]), name
        assert first[name]["photos"] == second[name]["photos"]
    return first


def test_two_ranks_stay_equal_and_resume_exactly(results_of):
    results = results_of(
        [
            {"name": "whole"},
            {"name": "killed", "folder": "resumed", "kill": {"batch": 7}},
            {"name": "resumed", "seed": 77, "resume": "last.ckpt"},
            {"name": "same data on both ranks", "same_data": True, "epochs": 1},
        ],
    )
    found = assert_equal_ranks(results)
    assert found["whole"]["photos"] == 2 * 4 * 2 * 2
    assert torch.equal(found["resumed"]["weights"], found["whole"]["weights"])
    assert torch.equal(found["resumed"]["average"], found["whole"]["average"])
    # The test can fail: a run cut short differs, and ranks that see different data keep different pools.
    assert (found["killed"]["weights"] - found["whole"]["weights"]).abs().max() > 1e-4
    pools = [result["whole"]["pool"] for result in results]
    assert not torch.equal(*pools)
    assert all(torch.equal(result["resumed"]["pool"], pool) for result, pool in zip(results, pools, strict=True))


@pytest.mark.slow
def test_two_ranks_resume_at_every_kind_of_moment(results_of):
    moments = [{"batch": 2}, {"batch": 4}, {"batch": 5}, {"batch": 11}, {"epoch": 1}, {"epoch": 2}]
    plan = [{"name": "whole", "epochs": 3}]
    for index, moment in enumerate(moments):
        plan.append({"name": f"killed {index}", "folder": f"resumed {index}", "kill": moment, "epochs": 3})
        plan.append({"name": f"resumed {index}", "seed": 50 + index, "resume": "last.ckpt", "epochs": 3})
    found = assert_equal_ranks(results_of(plan, timeout=900))
    for index in range(len(moments)):
        assert torch.equal(found[f"resumed {index}"]["weights"], found["whole"]["weights"]), moments[index]


@pytest.mark.slow
def test_a_bad_batch_on_one_rank_is_skipped_by_both(results_of):
    first, second = results_of([{"name": "spoiled", "spoiled": True, "epochs": 1}])
    assert torch.equal(first["spoiled"]["weights"], second["spoiled"]["weights"])
    assert first["spoiled"]["weights"].isfinite().all()
    assert first["spoiled"]["skipped"] == second["spoiled"]["skipped"] == 1


@pytest.mark.slow
def test_micro_batches_change_nothing_on_two_ranks(results_of):
    plan = [
        {"name": f"{parts}", "micro_batches": parts, "dropout": 0.0, "pool_size": 0, "epochs": 1} for parts in (1, 2)
    ]
    found = assert_equal_ranks(results_of(plan))
    # Adam enlarges rounding errors of tiny gradients to a share of the rate, 1e-3.
    assert (found["1"]["weights"] - found["2"]["weights"]).abs().median() < 1e-6
    assert (found["1"]["weights"] - found["2"]["weights"]).abs().max() < 2e-3
