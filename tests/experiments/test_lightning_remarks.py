"""A run of the debug configuration says what concerns it, and nothing else."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from experiments.lightning_remarks import drop_lightning_remarks, is_no_advertisement

DEBUG = Path(__file__).parents[2] / "experiments" / "configs" / "portrait_gan" / "debug.yaml"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("💡 Tip: For seamless cloud logging and experiment tracking, try installing [litlogger](...)", False),
        ("💡 Tip: For seamless cloud uploads and versioning, try installing [litmodels](...)", False),
        ("Time limit reached. Elapsed time is 0:00:12. Signaling Trainer to stop.", True),
    ],
)
def test_only_advertisements_are_dropped(said, kept):
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, said, None, None)
    assert is_no_advertisement(record) == kept


def test_other_warnings_of_lightning_come_through():
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        drop_lightning_remarks()
        for text in ("`isinstance(treespec, LeafSpec)` is deprecated, use ...", "the end is near"):
            warnings.warn_explicit(text, FutureWarning, "_pytree.py", 21, "lightning.pytorch.utilities._pytree")
    assert [str(one.message) for one in heard] == ["the end is near"]


def test_a_run_is_quiet_about_itself(tmp_path):
    words = ["fit", "--config", str(DEBUG), "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "0"]
    run = subprocess.run(
        [sys.executable, "-m", "experiments", *words, "--trainer.default_root_dir", str(tmp_path)],
        cwd=DEBUG.parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    said = run.stdout + run.stderr
    assert "identity term is off" in said
    assert "Tip" not in said
    assert "LeafSpec" not in said
