"""Runs as a job array of SLURM, through submitit; every machine shares the folders of data, results and code."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, Final

from experiments.sweeping.launcher import Outcome
from experiments.sweeping.plan import Run
from experiments.sweeping.sweep_file import LauncherSettings
from lightning_modules.errors import BackendError, ConfigError

_LOOK_EVERY: Final = 2.0
_FOLDER: Final = "slurm"


class SlurmLauncher:
    """One element of the array for each run; ``processes`` of them at once.

    A job that is to lose its machine, or whose time ends, is put back into the queue and goes on from the run's last
    checkpoint.

    Args:
        settings: ``slurm`` holds further parameters of submitit's executor; ``cluster`` takes the place of SLURM.

    Raises:
        BackendError: submitit is not installed, or SLURM is not there.
    """

    def __init__(self, settings: LauncherSettings) -> None:
        try:
            import submitit
        except ImportError as error:
            raise BackendError("submitit is not installed", "pip install 'inkspeak[slurm]'") from error
        self._submitit: Any = submitit
        self._settings = settings
        self._parameters = job_parameters(settings)

    def launch(self, runs: Sequence[Run]) -> Generator[Outcome, None, None]:
        """See :class:`~experiments.sweeping.launcher.Launcher`."""
        if not runs:
            return
        jobs: dict[int, Any] = {}
        try:
            jobs = dict(enumerate(self._submit(runs)))
            while jobs:
                done = [number for number, job in jobs.items() if job.done()]
                for number in done:
                    yield self._outcome(runs[number], jobs.pop(number))
                if not done:
                    time.sleep(_LOOK_EVERY if self._settings.cluster is None else 0.1)
        finally:
            for job in jobs.values():
                job.cancel()

    def _submit(self, runs: Sequence[Run]) -> list[Any]:
        folder = runs[0].folder.parents[2] / _FOLDER
        try:
            executor = self._submitit.AutoExecutor(folder=folder, cluster=self._settings.cluster or "slurm")
            executor.update_parameters(**self._parameters)
        except RuntimeError as error:
            raise BackendError(
                _plain(error), "start the sweep on a login node, or choose launcher.kind local"
            ) from error
        except (NameError, TypeError, ValueError) as error:
            raise ConfigError(f"launcher.slurm: {_plain(error)}", "see submitit's parameters") from error
        task = RunJob(str(Path.cwd()), self._submitit.helpers.DelayedSubmission)
        return list(executor.map_array(task, runs))

    def _outcome(self, run: Run, job: Any) -> Outcome:
        try:
            found = job.result()
        except self._submitit.core.utils.UncompletedJobError as error:
            return Outcome(run, None, f"job {job.job_id} ended without a result: {_plain(error)[-300:]}")
        except Exception as error:  # noqa: BLE001  what a job raised, of whatever type, is that job's alone
            return Outcome(run, None, f"job {job.job_id}: {_plain(error)[-300:]}")
        return found if isinstance(found, Outcome) else Outcome(run, None, f"job {job.job_id} gave no outcome")


class RunJob:
    """What a job does; submitit asks :meth:`checkpoint` when the job is to be put back into the queue.

    Args:
        folder: the working folder of whoever submitted.
        resubmission: submitit's wrapper of a job to be queued again.
    """

    def __init__(self, folder: str, resubmission: Any) -> None:
        self._folder, self._resubmission = folder, resubmission

    def __call__(self, run: Run) -> Outcome:
        """Carry the run out."""
        from experiments.sweeping.one_run import carry_out
        from lightning_modules.errors import InkspeakError

        os.chdir(self._folder)
        try:
            return Outcome(run, carry_out(run))
        except InkspeakError as error:
            return Outcome(run, None, str(error))

    def checkpoint(self, run: Run) -> Any:
        """The same again: the run goes on from its last checkpoint by itself."""
        return self._resubmission(self, run)


def job_parameters(settings: LauncherSettings) -> dict[str, Any]:
    """Parameters of submitit's executor: one task a job, whose run starts its ranks itself.

    Args:
        settings: of the sweep; what ``slurm`` says has the last word.
    """
    devices = settings.devices or 1
    chosen: dict[str, Any] = {"name": "inkspeak", "nodes": 1, "tasks_per_node": 1}
    chosen["cpus_per_task"] = devices * (settings.threads or 1)
    chosen["slurm_array_parallelism"] = settings.processes
    if settings.gpus:
        chosen["gpus_per_node"] = devices
    return chosen | settings.slurm


def _plain(error: BaseException) -> str:
    return " ".join(str(error).split())
