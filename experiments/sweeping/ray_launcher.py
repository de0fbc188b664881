"""Runs as tasks of Ray, on this machine or on a cluster that shares the folders of data, results and code."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from experiments.sweeping.child import ROOT
from experiments.sweeping.launcher import Outcome
from experiments.sweeping.plan import Run
from experiments.sweeping.sweep_file import LauncherSettings
from lightning_modules.errors import BackendError


class RayLauncher:
    """Ray decides where and when; each task watches its run's processes and ends with them.

    Args:
        settings: without ``address`` Ray is started here for ``processes`` runs at once; with one the cluster's
            resources decide. A run takes ``threads`` times ``devices`` CPUs, with ``gpus`` also ``devices`` GPUs.

    Raises:
        BackendError: Ray is not installed, or there is no cluster at that address.
    """

    def __init__(self, settings: LauncherSettings) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # a busy machine takes more than Ray's minute
        # Without this, Ray would change the GPUs of a task that asks for none; the run's own setting decides.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
        except ImportError as error:
            raise BackendError("Ray is not installed", "pip install 'inkspeak[ray]'") from error
        self._ray: Any = ray
        self._settings = settings
        self._devices = settings.devices or 1
        self._cpus = (settings.threads or 1) * self._devices

    def launch(self, runs: Sequence[Run]) -> Generator[Outcome, None, None]:
        """See :class:`~experiments.sweeping.launcher.Launcher`."""
        ray = self._ray
        self._connect()
        gpus = self._devices if self._settings.gpus else 0
        task = ray.remote(num_cpus=self._cpus, num_gpus=gpus, max_retries=0)(_carry_out)
        waiting: dict[Any, Run] = {}
        try:
            waiting = {task.remote(run, str(Path.cwd())): run for run in runs}
            while waiting:
                (done,), _ = ray.wait(list(waiting))
                run = waiting.pop(done)
                try:
                    yield ray.get(done)
                except ray.exceptions.RayError as error:
                    yield Outcome(run, None, f"its worker ended: {' '.join(str(error).split())[:300]}")
        finally:
            for one in waiting:
                ray.cancel(one)
            if waiting:  # each task ends its processes before it ends
                ray.wait(list(waiting), num_returns=len(waiting), timeout=60)
            ray.shutdown()

    def _connect(self) -> None:
        here: dict[str, Any] = {}
        if self._settings.address is None:
            here = {"num_cpus": self._cpus * self._settings.processes, "include_dashboard": False}
        paths = os.pathsep.join(dict.fromkeys([str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]))
        try:
            self._ray.init(
                address=self._settings.address or "local",
                runtime_env={"env_vars": {"PYTHONPATH": paths.rstrip(os.pathsep)}},
                log_to_driver=False,
                **here,
            )
        except Exception as error:  # Ray has no type of its own for a start that takes too long
            found = f"Ray does not answer ({' '.join(str(error).split())[:200]})"
            raise BackendError(found, "check launcher.address and that ray start has been run") from error


def _carry_out(run: Run, folder: str) -> Outcome:
    """The task: Ctrl-C and a lost driver reach it as KeyboardInterrupt, which ends the run's processes."""
    from experiments.sweeping.one_run import carry_out
    from lightning_modules.errors import InkspeakError

    os.chdir(folder)
    try:
        return Outcome(run, carry_out(run))
    except InkspeakError as error:
        return Outcome(run, None, str(error))
