"""Two processes with uneven shares report what one process reports, and only one of them draws previews."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from measured_portraits import KnownDrawer, loader, make_batch, trainer
from validated_on_a_rank import callbacks

SCRIPT = Path(__file__).with_name("validated_on_a_rank.py")


@pytest.mark.slow
def test_two_processes_report_what_one_reports(two_ranks, tmp_path):
    two_ranks(SCRIPT, str(tmp_path))
    first, second = (json.loads((tmp_path / f"rank_{rank}.json").read_text()) for rank in range(2))
    assert first == second
    (alone,) = trainer(tmp_path / "alone", *callbacks()).validate(
        KnownDrawer(), loader([make_batch(2, seed) for seed in range(3)]), verbose=False
    )
    assert alone.keys() == first.keys()
    assert len(alone) > 30
    for name, value in alone.items():
        assert first[name] == pytest.approx(value, rel=1e-5, abs=1e-6), name
    assert sorted(path.name for path in (tmp_path / "previews").iterdir()) == [
        "photos_000000000.png",
        *(f"photos_000000000_{name}.mp4" for name in ("fast", "pauses", "slow")),
    ]
