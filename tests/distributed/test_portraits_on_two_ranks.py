"""Prepared portraits on two processes with gloo: together they see what one sees, and go on where they stopped."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROGRAM = HERE / "portraits_on_a_rank.py"
CUT = 4  # steps of six: one in the second epoch


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    made = runpy.run_path(str(HERE.parent / "datamodules" / "prepared_synthetic_sets.py"))
    root = tmp_path_factory.mktemp("prepared")
    made["write_photos"](root / "photos", 7)
    made["write_drawings"](root / "drawings")
    made["write_film"](root / "film")
    return root


@pytest.fixture(scope="module")
def ranks(two_ranks, sets, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    two_ranks(PROGRAM, str(folder), str(sets), str(CUT))
    return [json.loads((folder / f"rank_{rank}.json").read_text()) for rank in range(2)]


@pytest.fixture(scope="module")
def alone(ranks, sets):
    """What one process sees: two epochs of training, and validation."""
    data = runpy.run_path(str(PROGRAM))["sets"](sets)
    data.setup()
    loader = data.train_dataloader()
    seen = [key for _ in range(2) for batch in loader for key in batch.keys()]  # noqa: SIM118  a method of our own
    return seen, [key for batch in data.val_dataloader() for key in batch.keys()]  # noqa: SIM118


def test_two_see_together_what_one_sees(ranks, alone):
    seen, validated = alone
    assert len(seen) == 12
    together = [key for pair in zip(*(rank["whole"]["seen"] for rank in ranks), strict=True) for key in pair]
    assert together == seen
    assert len(set(together[:4])) == 4  # the four training photos of the first cycle, each once
    shares = [rank["whole"]["validated"] for rank in ranks]
    assert [len(share) for share in shares] == [2 * 2, 1 * 2]  # three photos, in each of two epochs
    assert sorted({*shares[0], *shares[1]}) == sorted(validated)
    assert not {*shares[0]} & {*shares[1]}


def test_weights_agree_and_depend_on_both_shares(ranks):
    first, second = ranks
    assert first["whole"]["weight"] == second["whole"]["weight"]
    assert first["whole"]["seen"] != second["whole"]["seen"]
    assert float.fromhex(first["whole"]["weight"]) != 0.0


def test_a_run_that_was_cut_goes_on_with_the_next_sample(ranks):
    for rank in ranks:
        assert len(rank["cut"]["seen"]) == CUT
        assert rank["cut"]["seen"] + rank["resumed"]["seen"] == rank["whole"]["seen"]
        assert rank["resumed"]["weight"] == rank["whole"]["weight"]
        assert rank["cut"]["weight"] != rank["whole"]["weight"]


def test_the_sets_are_decoded_once_for_both(ranks, sets):
    assert [len(rank["decoded"]) for rank in ranks] == [3, 0]
    for name in ("photos", "drawings", "film"):
        assert not [path for path in (sets / name).rglob("*") if ".tmp-" in path.name]
