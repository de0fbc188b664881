"""The files that come along for stage 1: they build what they say, and the debug file runs from end to end."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
import yaml

from experiments.__main__ import main
from lightning_modules.networks.content_branch import ContentBranch
from lightning_modules.networks.convolutional_branch import ConvolutionalBranch

CONFIGS = Path(__file__).resolve().parents[2] / "experiments" / "configs" / "audio_to_landmark"

pytestmark = pytest.mark.filterwarnings("ignore")


def dry_run(capsys, *names, more=()):
    files = [word for name in names for word in ("--config", str(CONFIGS / f"{name}.yaml"))]
    assert main(["fit", *files, *more, "--dry_run"]) == 0, capsys.readouterr().err
    shown = capsys.readouterr().out
    return yaml.safe_load(shown), shown


def test_the_paper_file_builds_the_published_branch(capsys):
    resolved, shown = dry_run(capsys, "paper")
    chosen = resolved["model"]["init_args"]
    assert "1,965,677 parameters" in shown
    assert ContentBranch(**chosen["content_branch"]["init_args"]).arguments == ContentBranch().arguments
    assert (chosen["optimizer"]["learning_rate"], chosen["optimizer"]["beta1"]) == (1e-4, 0.9)
    assert (resolved["data"]["init_args"]["windows"], resolved["data"]["init_args"]["batch_size"]) == (512, 1)


@pytest.mark.parametrize(
    ("name", "branch", "count"),
    # With the speaker-aware branch and D_T, reference stage1 §20 and §8.
    [("paper", ContentBranch, 1_965_677), ("default", ConvolutionalBranch, 1_521_248)],
)
def test_the_speaker_file_goes_after_both(capsys, tmp_path, name, branch, count):
    content = tmp_path / "content.ckpt"
    torch.save(
        {"state_dict": {f"content_branch.{key}": value for key, value in branch().state_dict().items()}}, content
    )
    resolved, shown = dry_run(capsys, name, "speaker", more=(f"--model.content_checkpoint={content}",))
    assert f"{count + 2_391_820 + 748_609:,} parameters" in shown
    assert resolved["data"]["init_args"]["target"] == "full"
    assert resolved["model"]["init_args"]["optimizer"]["constant_epochs"] in {1001, 12}


def test_a_content_checkpoint_that_is_not_there_is_told_in_one_line(capsys, tmp_path):
    files = [word for name in ("default", "speaker") for word in ("--config", str(CONFIGS / f"{name}.yaml"))]
    assert main(["fit", *files, f"--model.content_checkpoint={tmp_path}/none.ckpt", "--dry_run"]) == 2
    assert "none.ckpt" in capsys.readouterr().err


def test_the_debug_file_runs_from_end_to_end(tmp_path):
    assert main(["fit", "--config", str(CONFIGS / "debug.yaml"), f"--trainer.default_root_dir={tmp_path}"]) == 0
    run = tmp_path / "AudioToLandmark" / "version_0"
    assert (run / "config.yaml").is_file()
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["seen/windows"]) for row in rows[:2]] == [32, 64]
    assert float(rows[-1]["validation/lip_error"]) > 0
    held = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert held["audio_to_landmark"]["windows_seen"] == 64
    assert not torch.equal(held["state_dict"]["feature_mean"], torch.zeros(80)), "those of the synthetic speech"
    assert (held["state_dict"]["feature_std"] > 0).all()
