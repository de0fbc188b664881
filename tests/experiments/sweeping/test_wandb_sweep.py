"""The sweep as W&B takes it: without network or key, and with W&B's own reading of the command."""

from __future__ import annotations

from pathlib import Path

import pytest
from sweeps import read, write_sweep

from experiments.__main__ import main
from experiments.sweeping.wandb_sweep import create_sweep, wandb_configuration
from lightning_modules.errors import BackendError


def test_overlay_and_seed_are_a_grid(tmp_path: Path) -> None:
    found = wandb_configuration(read(tmp_path), Path("s.yaml"), ["--set", "a.b=1"])
    assert found["method"] == "grid"
    assert found["parameters"] == {"overlay": {"values": ["full", "less"]}, "seed": {"values": [0, 1]}}
    assert found["metric"] == {"name": "loss", "goal": "minimize"}
    start = ["${env}", "${interpreter}", "-m", "experiments", "sweep", "s.yaml", "--launcher", "local"]
    assert found["command"] == [*start, "--set", "a.b=1", "${args}"]


def test_the_agents_command_is_a_command_of_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What W&B's agent makes of the command, given one point of the grid, chooses exactly that run."""
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

    path = write_sweep(tmp_path)
    command = wandb_configuration(read(tmp_path), path)["command"]
    point = {"args": {"overlay": {"value": "less"}, "seed": {"value": 1}}}
    arguments = create_sweep_command_args(point)["args"]
    words = command[command.index("sweep") : -1] + arguments
    assert main([*words, "--dry-run", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert next(line for line in said if not line.startswith(" ")).startswith("less/seed_1: new")
    assert len(said) == 2


def test_the_file_is_written_without_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import yaml

    target = tmp_path / "wandb.yaml"
    assert main(["sweep", str(write_sweep(tmp_path)), "--wandb-file", str(target), "--out", "x", "--set", "a=1"]) == 0
    words = yaml.safe_load(target.read_text())["command"]
    assert words[-5:] == ["--set", "a=1", "--out", "x", "${args}"]
    assert not (tmp_path / "out").exists()


def test_without_network_or_key_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    path = write_sweep(tmp_path)
    assert main(["sweep", str(path), "--wandb", "team/project"]) == 2
    assert "W&B is offline (WANDB_MODE)" in capsys.readouterr().err
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(BackendError, match="there is no key for W&B; run wandb login"):
        create_sweep(wandb_configuration(read(tmp_path), path), "team/project")
