"""The overlay on two processes: only process 0 talks to W&B, and nobody waits for what the other does not call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.mark.slow
def test_only_process_0_talks_to_wandb(two_ranks, tmp_path):
    two_ranks(Path(__file__).with_name("dashboard_on_a_rank.py"), str(tmp_path))
    first, second = (json.loads((tmp_path / f"rank_{rank}.json").read_text()) for rank in range(2))
    assert second["calls"] == []
    assert first["calls"][0] == "init offline"
    assert first["calls"][-1] == "finish"
    names = {name for row in first["rows"] for name in row}
    assert {"seen/samples", "inner/pictures", "table/portraits", "gradient_share/content"} <= names
    assert "inter_frame_ssim/similarity" in names
    assert first["weight"] == second["weight"]
    assert (tmp_path / "log" / "version_0" / "best.json").is_file()
    assert not (tmp_path / "log" / "version_1").exists()
