"""One run of a sweep from its settings to its figures, the same in a local process, a Ray worker or a SLURM job.

Training, then one validation of its last checkpoint in a process of its own: so the figures do not depend on whether,
when and how often training was cut short, and all runs are measured on the same photos and targets.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from experiments.sweeping.child import Stopped, last_lines, run_logged
from experiments.sweeping.clip_evaluation import evaluated_figures, evaluation_steps
from experiments.sweeping.plan import Run
from experiments.sweeping.record import LOG_NAME, RunRecord, differences, held, read_record, write_record
from experiments.sweeping.run_files import attempts, finite_or_none, last_values, newest_checkpoint
from lightning_modules.errors import ConfigError
from lightning_modules.pipeline.atomic_files import atomic_path

DRAWINGS: Final = "drawings"
"""Folder of a run's fixed drawings."""
_FIT, _MEASURED = "fit", "measured"
_KEEP = "callbacks.kept_drawings.KeptDrawings"
_WANDB = "lightning.pytorch.loggers.WandbLogger"
_SLURM_SAYS_TASKS = ("SLURM_NTASKS", "SLURM_JOB_NAME", "SLURM_NTASKS_PER_NODE", "SLURM_PROCID", "SLURM_LOCALID")


def never() -> bool:
    """Nobody asks to stop."""
    return False


def carry_out(
    run: Run, environment: Mapping[str, str] | None = None, stopped: Callable[[], bool] = never, wait: float = 60.0
) -> RunRecord:
    """Carry a run out, or go on with it where it was cut short; a finished one is left as it is.

    Args:
        run: what to do.
        environment: variables for its processes, such as the GPUs to use.
        stopped: asked several times a second; True ends the run, which can be gone on with later.
        wait: seconds to wait for processes of an earlier sweep that are still ending.

    Returns:
        The record: ``finished``, ``failed`` or ``interrupted``.

    Raises:
        ConfigError: the folder holds the run with other settings.
        OutputError: another process carries it out, or the folder cannot be written.
    """
    with held(run.folder, wait=wait, stopped=stopped) as lock:
        record = checked_record(run)
        if record.state == "finished":
            return record
        steps = _Steps(run, lock, _surroundings(run, environment or {}), stopped)
        return steps.all(replace(record, fingerprint=run.fingerprint(), failed=()))


def checked_record(run: Run) -> RunRecord:
    """The record of a run.

    Raises:
        ConfigError: it was made with other settings; the message names them.
    """
    record = read_record(run.folder)
    if record.state != "new" and (changed := differences(record.fingerprint, run.fingerprint())):
        more = f" and {len(changed) - 2} more" if len(changed) > 2 else ""
        found = f"it was made with other settings: {', '.join(changed[:2])}{more}"
        raise ConfigError(found, "choose another folder with --out, or add --redo to make it again", run.folder)
    return record


class _Steps:
    """The steps of one run, each a process; the record is written after each."""

    def __init__(self, run: Run, lock: int, environment: Mapping[str, str | None], stopped: Callable[[], bool]) -> None:
        self._run, self._lock, self._environment, self._stopped = run, lock, environment, stopped
        self._log = run.folder / LOG_NAME
        self._fit = run.folder / _FIT

    def all(self, record: RunRecord) -> RunRecord:
        begun, before = time.monotonic(), record.seconds
        try:
            if record.state != "trained":
                record = self._train(record)
            if record.state == "trained":
                record = self._measure(record)
        except ConfigError as error:  # a summary of another form than expected: that is this run's failure
            record = replace(record, state="failed", failed=(str(error),))
        except Stopped:
            # What is trained stays trained: only the measurement is done again.
            record = record if record.state == "trained" else replace(record, state="interrupted")
            self._keep(replace(record, seconds=before + time.monotonic() - begun))
            return replace(record, state="interrupted")
        return self._keep(replace(record, seconds=before + time.monotonic() - begun))

    def _train(self, record: RunRecord) -> RunRecord:
        run = self._run
        with atomic_path(run.settings_file) as aside:
            aside.write_text(run.settings_text(), encoding="utf-8")
        done = attempts(self._fit)
        root = self._fit / f"attempt_{1 + int(done[-1].name.removeprefix('attempt_')) if done else 0}"
        resumed = newest_checkpoint(self._fit)
        record = self._keep(replace(record, state="started", attempts=record.attempts + 1))
        words = ["fit", *run.arguments(seeded=True), f"--trainer.default_root_dir={root}"]
        words += [] if run.devices is None else [f"--trainer.devices={run.devices}"]
        words += [] if resumed is None else [f"--ckpt_path={resumed}"]
        words += [f"--trainer.logger+={_WANDB}"] if "WANDB_SWEEP_ID" in os.environ else []
        if self._command(words):
            return self._failed(record)
        checkpoint = newest_checkpoint(self._fit)
        if checkpoint is None:
            lines = (
                "training ended well and left no checkpoint: add callbacks.periodic_checkpoint.PeriodicCheckpoint",
            )
            return replace(record, state="failed", failed=lines)
        photos = last_values(self._fit).get("seen/photos")
        return self._keep(
            replace(
                record,
                state="trained",
                checkpoint=str(checkpoint.relative_to(run.folder.resolve())),
                photos=None if photos is None else round(photos),
            )
        )

    def _measure(self, record: RunRecord) -> RunRecord:
        run, checkpoint = self._run, self._run.folder / str(record.checkpoint)
        root = run.folder / _MEASURED / f"attempt_{len(attempts(run.folder / _MEASURED))}"
        # One process: a sampler that divides among several may pad, and then some photos would count twice.
        words = ["validate", *run.arguments(seeded=False), f"--trainer.default_root_dir={root}"]
        words += [
            "--trainer.limit_val_batches=1.0",  # all of it, also where training leaves validation out
            "--trainer.devices=1",
            "--trainer.strategy=auto",
            "--trainer.logger=false",
            f"--ckpt_path={checkpoint}",
        ]
        if run.portraits:
            words += [f"--trainer.callbacks+={_KEEP}", f"--trainer.callbacks.folder={run.folder / DRAWINGS}"]
            words += [f"--trainer.callbacks.portraits={run.portraits}"]
        if self._command(words):
            return self._failed(record)
        for step in evaluation_steps(run, checkpoint):
            # Where a clip could not be measured, the others are: their summary is there, or else told to be missing.
            if self._command(step) and step[0] != "evaluate":
                return self._failed(record)
        figures = finite_or_none(last_values(root)) | evaluated_figures(run)
        if not figures:
            return replace(
                record, state="failed", failed=("validation logged nothing: the data keep no samples for it",)
            )
        return replace(record, state="finished", figures=figures)

    def _command(self, words: list[str]) -> int:
        return run_logged(words, self._log, environment=self._environment, held=self._lock, stopped=self._stopped)

    def _failed(self, record: RunRecord) -> RunRecord:
        return replace(record, state="failed", failed=last_lines(self._log))

    def _keep(self, record: RunRecord) -> RunRecord:
        write_record(self._run.folder, record)
        return record


def _surroundings(run: Run, environment: Mapping[str, str]) -> dict[str, str | None]:
    """Variables of the run's processes: threads, GPUs; and nothing of a job of one task that starts several ranks."""
    threads = {} if run.threads is None else {"OMP_NUM_THREADS": str(run.threads), "MKL_NUM_THREADS": str(run.threads)}
    return dict.fromkeys(_SLURM_SAYS_TASKS) | threads | dict(environment)
