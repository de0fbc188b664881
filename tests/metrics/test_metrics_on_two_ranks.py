"""Two processes with uneven shares of the data, one of them with nothing at times, give what one process gives."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("two_ranks_metrics.py")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    torch.manual_seed(3)
    tracks = torch.rand(6, 3, 68, 2) * 12 + 2
    mouths = torch.rand(6, 3, 68, 2) * 0.8  # some open by more than 3 % of 16 px, and some do not
    mouths[:, :, 45, 0] += 16
    data = {
        "real": torch.randn(20, 4),
        "made": torch.randn(14, 4) + 0.3,
        "clips": torch.rand(6, 3, 1, 16, 16),
        "tracks": tracks,
        "tracks_found": tracks + torch.randn_like(tracks),
        "dots": (torch.rand(6, 3, 1, 16, 16) > 0.03).float(),
        "mouths": mouths,
    }
    torch.save(data, folder / "data.pt")

    def run(ranks):
        arguments = [str(ranks), str(folder / f"meet{ranks}"), str(folder / f"result{ranks}"), str(folder / "data.pt")]
        processes = [
            subprocess.Popen(
                [sys.executable, str(SCRIPT), str(rank), *arguments],
                cwd=SCRIPT.parents[2],
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(ranks)
        ]
        for process in processes:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
        return [json.loads((folder / f"result{ranks}.{rank}").read_text()) for rank in range(ranks)]

    return runpy.run_path(str(SCRIPT))["measured"](data, 0, 1), run(2)


def test_both_ranks_know_the_same(results):
    _, (first, second) = results
    assert first == second


def test_two_ranks_give_what_one_gives(results):
    one, (two, _) = results
    assert one.keys() == two.keys()
    assert {"frechet", "kernel", "similarity", "judgement", "lips", "landmarks", "one_sided_kernel"} < set(one)
    assert {"mean", "compensated", "warping", "flicker", "silent", "noise", "likeness", "sync"} < set(one)
    for name, values in one.items():
        for key, value in values.items():
            assert two[name][key] == pytest.approx(value, rel=1e-9, abs=1e-12), (name, key)


def test_the_values_are_not_trivial(results):
    one, _ = results
    values = [value for found in one.values() for key, value in found.items() if key != "missing_percent"]
    assert all(abs(value) > 1e-6 for value in values)
    assert len({round(value, 9) for value in values}) >= 30
