"""A sweep that is killed in the middle of a run and started again writes the same table as one that ran through."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
DEBUG = REPOSITORY / "experiments" / "sweeps" / "debug.yaml"
LONGER = ["trainer.max_epochs=4", "data.init_args.samples_per_epoch=6"]
TABLES = ("table.md", "table.csv", "runs.csv", "figure_6.png")

pytestmark = pytest.mark.slow


def start(out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "experiments", "sweep", str(DEBUG), "--out", str(out), "--seed", "0"]
    command += [word for one in LONGER for word in ("--set", one)]
    with (out.parent / f"{out.name}.txt").open("ab") as said:
        return subprocess.Popen(command, cwd=REPOSITORY, stdout=said, stderr=said)


def wait_until(true: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = 300) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, "the sweep ended before it could be interrupted"
        assert time.monotonic() < until
        time.sleep(0.05)


def checkpoints(run: Path) -> list[Path]:
    return list(run.glob("fit/attempt_0/*/*/checkpoints/last.ckpt"))


def metrics(run: Path) -> list[dict[str, str]]:
    (path,) = run.glob("fit/attempt_1/*/*/metrics.csv")
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def programs_of(folder: Path) -> list[str]:
    """Command lines of all processes that speak of a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder / "runs") in words:
            found.append(words)
    return found


def test_killed_and_interrupted_in_the_middle_of_runs_gives_the_same_table(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert start(whole).wait(900) == 0

    # Killed without a word in the middle of the first run, which has a checkpoint but is not at its end.
    full, other = cut / "runs" / "full" / "seed_0", cut / "runs" / "no_content" / "seed_0"
    first = start(cut)
    wait_until(lambda: bool(checkpoints(full)), first)
    first.kill()
    first.wait(60)
    assert json.loads((full / "run.json").read_text())["state"] == "started"
    until = time.monotonic() + 60
    while programs_of(cut) and time.monotonic() < until:  # the guard ends what the killed sweep had started
        time.sleep(0.1)
    assert not programs_of(cut)

    # Ctrl-C in the middle of the second run: the first has gone on from its checkpoint and is finished by then.
    second = start(cut)
    wait_until(lambda: bool(checkpoints(other)), second)
    second.send_signal(signal.SIGINT)
    assert second.wait(120) == 130
    assert not programs_of(cut)
    assert json.loads((full / "run.json").read_text())["state"] == "finished"
    assert json.loads((other / "run.json").read_text())["state"] in {"interrupted", "trained"}

    assert start(cut).wait(900) == 0
    for name in TABLES:
        assert (cut / name).read_bytes() == (whole / name).read_bytes(), name
    record = json.loads((full / "run.json").read_text())
    assert record["attempts"] == 2
    assert min(int(row["epoch"]) for row in metrics(full)) > 0  # it went on, and did not begin again

    # Nothing is left to do: the third start only makes the table again, within seconds.
    begun = time.monotonic()
    again = start(cut)
    assert again.wait(120) == 0
    assert time.monotonic() - begun < 60
    assert "2 of 2 runs are finished already" in (tmp_path / "cut.txt").read_text()
    assert os.environ.get("WANDB_SWEEP_ID") is None
