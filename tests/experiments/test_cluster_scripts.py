"""The scripts that start one training on several processes or machines: their numbers, and what they call."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
SBATCH = EXPERIMENTS / "cluster" / "slurm.sbatch"
TORCHRUN = EXPERIMENTS / "cluster" / "torchrun.sh"
TRAINER = EXPERIMENTS / "configs" / "trainer" / "slurm.yaml"


@pytest.fixture
def stand_ins(tmp_path: Path) -> dict[str, str]:
    """srun and python that say how they were called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("srun", "python"):
        (folder / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (folder / name).chmod(0o755)
    return os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "SLURM_JOB_ID": "7"}


def said(script: Path, *words: str, shell: str, environment: dict[str, str]) -> str:
    ended = subprocess.run([shell, script, *words], env=environment, capture_output=True, text=True, check=True)
    return ended.stdout.strip()


def test_the_numbers_of_the_job_are_those_of_the_trainer() -> None:
    told = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)$", SBATCH.read_text(encoding="utf-8"), flags=re.MULTILINE))
    trainer = yaml.safe_load(TRAINER.read_text(encoding="utf-8"))["trainer"]
    assert int(told["nodes"]) == trainer["num_nodes"]
    assert int(told["ntasks-per-node"]) == int(told["gpus-per-node"]) == trainer["devices"]
    assert told["signal"].startswith("SIGUSR1@")  # to every task, not only to the shell: no B:
    assert trainer["plugins"][0]["init_args"]["auto_requeue"] is True


def test_a_job_that_comes_back_goes_on(stand_ins: dict[str, str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    environment = stand_ins | {"RUN": str(run)}

    def job() -> str:
        return said(SBATCH, "--config", "a.yaml", shell="bash", environment=environment)

    start = f"srun python -m experiments fit --config a.yaml --config {TRAINER.relative_to(EXPERIMENTS.parent)}"
    assert job() == f"{start} --trainer.default_root_dir {run}"
    last = run / "PortraitGAN" / "version_0" / "checkpoints" / "last.ckpt"
    last.parent.mkdir(parents=True)
    last.write_text("")
    assert job() == f"{start} --trainer.default_root_dir {run} --ckpt_path {last}"
    (run / "hpc_ckpt_1.ckpt").write_text("")  # Lightning takes this one up by itself
    assert job() == f"{start} --trainer.default_root_dir {run}"


def test_torchrun_on_one_machine_and_on_several(stand_ins: dict[str, str]) -> None:
    start = "python -m torch.distributed.run"
    one = said(TORCHRUN, "--config", "a.yaml", shell="sh", environment=stand_ins)
    assert one == f"{start} --standalone --nnodes 1 --nproc-per-node gpu -m experiments fit --config a.yaml"
    several = stand_ins | {"MACHINES": "2", "HOST": "first", "PROCESSES": "4"}
    two = said(TORCHRUN, "--config", "a.yaml", shell="sh", environment=several)
    meet = "--rdzv-backend c10d --rdzv-endpoint first:29500"
    assert two == f"{start} {meet} --nnodes 2 --nproc-per-node 4 -m experiments fit --config a.yaml"
    with pytest.raises(subprocess.CalledProcessError):
        said(TORCHRUN, shell="sh", environment=stand_ins | {"MACHINES": "2"})
