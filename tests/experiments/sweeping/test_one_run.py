"""One run from its settings to its figures: what is done, what is not done twice, and what a failure leaves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sweeps import pretend_processes, runs

from experiments.sweeping import one_run
from experiments.sweeping.child import Stopped
from experiments.sweeping.one_run import carry_out
from experiments.sweeping.record import held, read_record, write_record
from lightning_modules.errors import ConfigError, OutputError


def value(words: list[str], name: str) -> str:
    return next(word.partition("=")[2] for word in words if word.startswith(f"--{name}="))


def test_a_run_is_trained_measured_and_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = pretend_processes(monkeypatch)
    run = replace(runs(tmp_path)[3], portraits=2)
    record = carry_out(run)
    assert (record.state, record.attempts, record.photos, record.figures) == ("finished", 1, 12, {"loss": 1.1})
    assert record.checkpoint == "fit/attempt_0/M/version_0/checkpoints/photos_000000012.ckpt"
    fit, validate = said
    assert (fit[0], validate[0]) == ("fit", "validate")
    assert "--seed_everything=1" in fit
    assert not any(word.startswith("--ckpt_path") for word in fit)
    assert "--seed_everything=1" not in validate  # all runs are measured on the same targets
    assert value(validate, "ckpt_path") == str(run.folder / record.checkpoint)
    assert value(validate, "trainer.devices") == "1"
    assert value(validate, "trainer.limit_val_batches") == "1.0"  # also where training does without
    assert value(validate, "trainer.callbacks.portraits") == "2"
    assert read_record(run.folder) == record
    assert carry_out(run) == record
    assert len(said) == 2


def test_a_run_that_was_killed_goes_on_from_its_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(words: object) -> int:
        raise KeyboardInterrupt

    run = runs(tmp_path)[0]
    with monkeypatch.context() as patch:
        pretend_processes(patch, killed)
        with pytest.raises(KeyboardInterrupt):
            carry_out(run)
    assert read_record(run.folder).state == "started"
    left = run.folder / "fit" / "attempt_0" / "M" / "version_0" / "checkpoints"
    left.mkdir(parents=True)
    (left / "photos_000000004.ckpt").write_text("old")
    (left / "photos_000000008.ckpt").write_text("weights")
    (left / "last.ckpt").symlink_to("photos_000000008.ckpt")
    said = pretend_processes(monkeypatch)
    record = carry_out(run)
    assert (record.state, record.attempts) == ("finished", 2)
    assert value(said[0], "ckpt_path") == str(left / "photos_000000008.ckpt")
    assert value(said[0], "trainer.default_root_dir").endswith("fit/attempt_1")
    assert "attempt_1" in value(said[1], "ckpt_path")


def test_a_failed_run_keeps_its_last_lines_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs(tmp_path)[0]
    with monkeypatch.context() as patch:
        pretend_processes(patch, lambda _: 1)
        record = carry_out(run)
    assert (record.state, record.failed) == ("failed", ("started", "ended as told"))
    assert read_record(run.folder) == record
    pretend_processes(monkeypatch)
    again = carry_out(run)
    assert (again.state, again.failed, again.attempts) == ("finished", (), 2)


def test_only_the_measurement_is_done_again_where_that_was_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(words: list[str]) -> int:
        if words[0] == "validate":
            raise Stopped
        return 0

    run = runs(tmp_path)[0]
    with monkeypatch.context() as patch:
        pretend_processes(patch, stop)
        assert carry_out(run).state == "interrupted"
    assert read_record(run.folder).state == "trained"
    said = pretend_processes(monkeypatch)
    assert carry_out(run).figures == {"loss": 2.0}
    assert [words[0] for words in said] == ["validate"]


def test_a_run_that_is_stopped_in_training_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(words: object) -> int:
        raise Stopped

    run = runs(tmp_path)[0]
    pretend_processes(monkeypatch, stop)
    assert carry_out(run).state == "interrupted"
    assert read_record(run.folder).state == "interrupted"


def test_other_settings_are_refused_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_processes(monkeypatch)
    carry_out(runs(tmp_path)[0])
    other = runs(tmp_path, settings={"trainer": {"max_epochs": 5}})[0]
    with pytest.raises(ConfigError, match=r"settings\.trainer\.max_epochs was 3, is 5; choose another folder"):
        carry_out(other)


def test_training_that_leaves_no_checkpoint_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_run, "run_logged", lambda *_, **__: 0)
    record = carry_out(runs(tmp_path)[0])
    assert record.state == "failed"
    assert "PeriodicCheckpoint" in record.failed[0]


def test_a_measurement_without_figures_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_processes(monkeypatch)
    pretended = one_run.run_logged
    monkeypatch.setattr(one_run, "run_logged", lambda words, log, **_: words[0] == "fit" and pretended(words, log))
    record = carry_out(runs(tmp_path)[0])
    assert (record.state, record.attempts) == ("failed", 1)
    assert "validation logged nothing" in record.failed[0]


def test_a_run_in_other_hands_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = pretend_processes(monkeypatch)
    run = runs(tmp_path)[0]
    with held(run.folder), pytest.raises(OutputError, match="another process"):
        carry_out(run, wait=0)
    assert not said


def test_a_run_of_several_devices_says_so_and_is_measured_on_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = pretend_processes(monkeypatch)
    carry_out(runs(tmp_path, launcher={"devices": 2})[0])
    assert value(said[0], "trainer.devices") == "2"
    assert (value(said[1], "trainer.devices"), value(said[1], "trainer.strategy")) == ("1", "auto")


def test_an_agent_of_wandb_gets_its_logger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    said = pretend_processes(monkeypatch)
    carry_out(runs(tmp_path)[0])
    assert "--trainer.logger+=lightning.pytorch.loggers.WandbLogger" in said[0]
    assert "--trainer.logger=false" in said[1]


def test_clips_are_evaluated_with_the_exported_generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs(tmp_path, evaluate={"clips": ["a.mp4", "b.mp4"], "options": {"size": 128, "cache": False}})[0]

    def evaluate(words: list[str]) -> int:
        if words[0] == "evaluate":
            summary = {"average": {"ours": {"lmd": {"value": 1.5}, "fid": {"value": None}}}}
            folder = Path(words[words.index("--output") + 1])
            folder.mkdir()
            (folder / "summary.json").write_text(json.dumps(summary))
            return 0
        return 0

    said: list[list[str]] = []
    done = pretend_processes(monkeypatch)
    pretended = one_run.run_logged

    def run_logged(words: list[str], log: Path, **others: object) -> int:
        said.append(words)
        return evaluate(words) if words[0] in {"weights", "evaluate"} else pretended(words, log, **others)

    monkeypatch.setattr(one_run, "run_logged", run_logged)
    record = carry_out(run)
    assert [words[0] for words in done] == ["fit", "validate"]
    assert record.figures == {"loss": 2.0, "clips/lmd": 1.5, "clips/fid": None}
    weights = str(run.folder / "generator.safetensors")
    assert said[2][:4] == ["weights", "export", str(run.folder / str(record.checkpoint)), weights]
    assert said[3][:7] == ["evaluate", "clips", "a.mp4", "b.mp4", "--methods", "ours", "--generator"]
    assert said[3][-3:] == ["--size", "128", "--no-cache"]


def test_a_summary_of_another_form_is_this_runs_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs(tmp_path, evaluate={"clips": ["a.mp4"]})[0]
    pretend_processes(monkeypatch)
    pretended = one_run.run_logged
    monkeypatch.setattr(
        one_run, "run_logged", lambda words, log, **_: words[0] in {"fit", "validate"} and pretended(words, log)
    )
    record = carry_out(run)
    assert record.state == "failed"
    assert "no summary of evaluated clips" in record.failed[0]


def test_a_record_without_a_state_of_its_own_is_new(tmp_path: Path) -> None:
    run = runs(tmp_path)[0]
    run.folder.mkdir(parents=True)
    write_record(run.folder, one_run.RunRecord())
    assert one_run.checked_record(run).state == "new"
