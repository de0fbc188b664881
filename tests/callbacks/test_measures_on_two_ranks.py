"""Two processes with uneven shares report what one process reports, and only one of them draws previews."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from measured_portraits import KnownDrawer, loader, make_batch, trainer
from validated_on_a_rank import callbacks

SCRIPT = Path(__file__).with_name("validated_on_a_rank.py")


@pytest.mark.slow
def test_two_processes_report_what_one_reports(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= {"TORCHELASTIC_RUN_ID": "1", "GROUP_RANK": "0"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", str(SCRIPT), str(tmp_path)],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=180)
        assert process.returncode == 0, errors
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
        "photos_000000000.mp4",
        "photos_000000000.png",
    ]
