"""Whole sweeps of real trainings: two Ray workers, submitit on this machine, runs that are themselves DDP."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
EXPERIMENTS = REPOSITORY / "experiments"
DEBUG = EXPERIMENTS / "sweeps" / "debug.yaml"

pytestmark = pytest.mark.slow


def run_sweep(file: Path, out: Path, *words: str) -> str:
    """Run a sweep in a process of its own, which must end well; returns what it said."""
    command = [sys.executable, "-m", "experiments", "sweep", str(file), "--out", str(out), *words]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=1200)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def records(out: Path) -> dict[str, dict]:
    return {
        str(path.parent.relative_to(out / "runs")): json.loads(path.read_text())
        for path in sorted((out / "runs").glob("*/*/run.json"))
    }


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
def test_two_ray_workers_give_what_one_process_gives(tmp_path: Path) -> None:
    words = ["--launcher", "ray", "--processes", "2", "--seed", "0"]
    said = run_sweep(DEBUG, tmp_path / "ray", *words)
    assert "finished after" in said
    local = run_sweep(DEBUG, tmp_path / "local", "--seed", "0")
    assert "| full model | 1 of 2 |" in local
    for name in ("table.md", "table.csv", "runs.csv"):
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()
    assert "2 of 2 runs are finished already" in run_sweep(DEBUG, tmp_path / "ray", *words)


@pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is not installed")
def test_submitit_carries_the_array_out_on_this_machine(tmp_path: Path) -> None:
    sweep = yaml.safe_load(DEBUG.read_text(encoding="utf-8"))
    sweep["configs"] = [str(EXPERIMENTS / "configs" / "portrait_gan" / "debug.yaml")]
    sweep["overlays"]["no_content"]["files"] = [str(EXPERIMENTS / "ablations" / "no_content.yaml")]
    sweep["launcher"] = {"kind": "slurm", "cluster": "local", "threads": 1, "slurm": {"timeout_min": 20}}
    file = tmp_path / "sweep.yaml"
    file.write_text(yaml.safe_dump(sweep), encoding="utf-8")
    run_sweep(file, tmp_path / "out", "--seed", "0")
    assert {name: one["state"] for name, one in records(tmp_path / "out").items()} == {
        "full/seed_0": "finished",
        "no_content/seed_0": "finished",
    }
    assert list((tmp_path / "out" / "slurm").glob("*_log.out"))


def test_runs_that_are_ddp_themselves(tmp_path: Path) -> None:
    """Two gloo processes a run: twice the samples a step, and a measurement on one process."""
    sweep = {
        "configs": [
            str(EXPERIMENTS / "configs" / "portrait_gan" / "debug.yaml"),
            str(EXPERIMENTS / "configs" / "trainer" / "ddp.yaml"),
        ],
        "settings": {"trainer": {"accelerator": "cpu", "precision": "32-true"}},
        "overlays": {"full": {"title": "full model"}},
        "seeds": [0],
        "baseline": "full",
        "columns": {"validation/content": {"title": "content"}},
        "launcher": {"devices": 2, "threads": 1},
    }
    file = tmp_path / "sweep.yaml"
    file.write_text(yaml.safe_dump(sweep), encoding="utf-8")
    assert "| full model | 1 |" in run_sweep(file, tmp_path / "out")
    (record,) = records(tmp_path / "out").values()
    assert (record["state"], record["photos"]) == ("finished", 4)
    folder = tmp_path / "out" / "runs" / "full" / "seed_0"
    log = (folder / "log.txt").read_text()
    assert "MEMBER: 2/2" in log or "GLOBAL_RANK: 1" in log
    (config,) = folder.glob("fit/attempt_0/*/*/config.yaml")
    assert yaml.safe_load(config.read_text())["trainer"]["devices"] in {2, "2"}  # the parser keeps the word
    (metrics,) = folder.glob("fit/attempt_0/*/*/metrics.csv")
    names, first = (line.split(",") for line in metrics.read_text().splitlines()[:2])
    assert float(dict(zip(names, first, strict=True))["seen/photos"]) == 4  # two samples on each of two processes


def test_torchrun_starts_the_same_training(tmp_path: Path) -> None:
    """As experiments/cluster/torchrun.sh does it, with two processes of gloo."""
    script = EXPERIMENTS / "cluster" / "torchrun.sh"
    words = ["--config", str(EXPERIMENTS / "configs" / "portrait_gan" / "debug.yaml")]
    words += ["--config", str(EXPERIMENTS / "configs" / "trainer" / "ddp.yaml")]
    words += ["--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.precision=32-true"]
    words += [f"--trainer.default_root_dir={tmp_path}"]
    here = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "PROCESSES": "2"}
    ended = subprocess.run(
        ["sh", str(script), *words],
        cwd=REPOSITORY,
        env=os.environ | here | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (metrics,) = tmp_path.glob("PortraitGAN/version_0/metrics.csv")
    names, first = (line.split(",") for line in metrics.read_text().splitlines()[:2])
    assert float(dict(zip(names, first, strict=True))["seen/photos"]) == 4
