"""A small sweep for the tests, and a stand-in for the processes of its runs that writes what training would leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.sweeping import one_run
from experiments.sweeping.plan import Run, plan
from experiments.sweeping.sweep_file import SweepFile, read_sweep


def tree() -> dict[str, Any]:
    """A sweep of two overlays and two seeds."""
    return {
        "configs": ["base.yaml"],
        "overlays": {"full": {"title": "full model"}, "less": {"title": "w/o more", "files": ["less.yaml"]}},
        "seeds": [0, 1],
        "baseline": "full",
        "columns": {"loss": {"title": "loss", "better": "lower", "digits": 2}},
        "settings": {"trainer": {"max_epochs": 3}},
    }


def write_sweep(folder: Path, **changes: Any) -> Path:
    """Write the sweep with changes and the files that it names."""
    (folder / "base.yaml").write_text("model: {class_path: a.B, init_args: {width: 4}} # a comment\n")
    (folder / "less.yaml").write_text("model: {init_args: {width: 2}}\n")
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(tree() | changes, sort_keys=False))
    return path


def read(folder: Path, **changes: Any) -> SweepFile:
    """The sweep with changes, read."""
    return read_sweep(write_sweep(folder, **changes))


def runs(folder: Path, **changes: Any) -> list[Run]:
    """Its runs, whose results are in ``folder/out``."""
    return plan(read(folder, **changes), folder / "out")


def pretend_processes(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Sequence[str]], int] | None = None) -> list:
    """Take the place of processes: note their arguments and write a checkpoint or measured numbers.

    The measured loss is 1 for ``less``, 2 for ``full``, plus a tenth of the number of words that give the seed.
    """
    said: list[list[str]] = []

    def run_logged(words: Sequence[str], log: Path, **others: Any) -> int:
        said.append(list(words))
        log.write_text(f"{log.read_text() if log.exists() else ''}started\nended as told\n")
        if answer is not None and (code := answer(words)):
            return code
        root = Path(next(word.partition("=")[2] for word in words if "default_root_dir" in word)) / "M" / "version_0"
        root.mkdir(parents=True)
        if words[0] == "fit":
            (root / "checkpoints").mkdir()
            (root / "checkpoints" / "photos_000000012.ckpt").write_text("weights")
            (root / "checkpoints" / "last.ckpt").symlink_to("photos_000000012.ckpt")
            (root / "metrics.csv").write_text("epoch,step,seen/photos\n0,0,8\n1,1,12\n")
        else:
            loss = 1.0 if "/less/" in str(root) else 2.0
            (root / "metrics.csv").write_text(f"epoch,step,loss\n1,1,{loss + 0.1 * str(root).count('seed_1')}\n")
        return 0

    monkeypatch.setattr(one_run, "run_logged", run_logged)
    return said
