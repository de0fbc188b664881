"""Where the runs of a sweep are carried out: what all launchers have in common, and which there are."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from experiments.sweeping.plan import Run
from experiments.sweeping.record import RunRecord
from experiments.sweeping.sweep_file import LauncherSettings


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        run: which one.
        record: its record; None where it could not even be begun.
        error: why not, in one line.
    """

    run: Run
    record: RunRecord | None
    error: str = ""


class Launcher(Protocol):
    """Carries out runs that do not know of each other."""

    def launch(self, runs: Sequence[Run]) -> Generator[Outcome, None, None]:
        """Carry the runs out.

        Closing the iterator early, as Ctrl-C does, ends all that are being carried out, and waits for that.

        Args:
            runs: in the order in which they should be begun.

        Yields:
            How each ended, in the order in which they ended; one that fails does not keep the others back.
        """
        ...


def make_launcher(settings: LauncherSettings) -> Launcher:
    """Choose the launcher.

    Args:
        settings: of the sweep.

    Raises:
        BackendError: the library that it needs is not installed.
        ConfigError: there are not enough GPUs.
    """
    if settings.kind == "ray":
        from experiments.sweeping.ray_launcher import RayLauncher

        return RayLauncher(settings)
    if settings.kind == "slurm":
        from experiments.sweeping.slurm_launcher import SlurmLauncher

        return SlurmLauncher(settings)
    from experiments.sweeping.local_launcher import LocalLauncher

    return LocalLauncher(settings)
