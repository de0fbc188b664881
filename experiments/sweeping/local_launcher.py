"""Runs as processes of this machine: one at a time, or several at once, each with GPUs of its own where asked for."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import Queue

from experiments.sweeping.launcher import Outcome
from experiments.sweeping.one_run import carry_out
from experiments.sweeping.plan import Run
from experiments.sweeping.sweep_file import LauncherSettings
from lightning_modules.errors import ConfigError, InkspeakError

VISIBLE = "CUDA_VISIBLE_DEVICES"


class LocalLauncher:
    """The launcher that needs nothing.

    Args:
        settings: ``processes`` runs at once; with ``gpus`` each sees ``devices`` GPUs that no other sees.

    Raises:
        ConfigError: there are not enough GPUs for that.
    """

    def __init__(self, settings: LauncherSettings) -> None:
        self._slots: Queue[Mapping[str, str]] = Queue()
        self._count = settings.processes
        each = settings.devices or 1
        for slot in slots(visible_gpus() if settings.gpus else None, settings.processes, each):
            self._slots.put(slot)

    def launch(self, runs: Sequence[Run]) -> Generator[Outcome, None, None]:
        """See :class:`~experiments.sweeping.launcher.Launcher`."""
        stop = threading.Event()

        def one(run: Run) -> Outcome:
            slot = self._slots.get()
            try:
                return Outcome(run, carry_out(run, slot, stop.is_set))
            except InkspeakError as error:
                return Outcome(run, None, str(error))
            finally:
                self._slots.put(slot)

        pool = ThreadPoolExecutor(self._count, thread_name_prefix="run")
        try:
            for done in as_completed([pool.submit(one, run) for run in runs]):
                yield done.result()
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def slots(gpus: Sequence[str] | None, processes: int, each: int) -> list[dict[str, str]]:
    """What the runs carried out at once see of the machine's GPUs.

    Args:
        gpus: their names; None leaves it to the runs.
        processes: runs at once.
        each: GPUs of each run.

    Returns:
        Variables for the processes of each of the runs at once.

    Raises:
        ConfigError: there are fewer GPUs.
    """
    if gpus is None:
        return [{} for _ in range(processes)]
    if len(gpus) < processes * each:
        found = f"{processes} runs at once with {each} GPUs each, and {len(gpus)} GPUs are there"
        raise ConfigError(found, "lower launcher.processes or launcher.devices")
    return [{VISIBLE: ",".join(gpus[index * each : (index + 1) * each])} for index in range(processes)]


def visible_gpus() -> list[str]:
    """GPUs of this machine: those that ``CUDA_VISIBLE_DEVICES`` names, else all that the driver lists."""
    named = os.environ.get(VISIBLE)
    if named is not None:
        return [name for name in named.split(",") if name.strip()]
    try:
        asked = ["nvidia-smi", "-L"]
        listing = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(index) for index, line in enumerate(listing.stdout.splitlines()) if line.startswith("GPU ")]
