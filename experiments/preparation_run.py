"""Runs a preparation for the command line: progress while it works, rejections and summary at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from experiments.progress import make_progress
from lightning_modules.pipeline.animation_job import Progress

if TYPE_CHECKING:
    from datamodules.prepare.report import PreparationReport


def run_preparation(work: Callable[..., PreparationReport], *, stages: tuple[str, ...], quiet: bool) -> int:
    """Prepare, print what was rejected and the summary.

    Args:
        work: prepares, given a ``progress``.
        stages: what is counted, one name for each stage of the work.
        quiet: show no progress.

    Returns:
        The exit code: 0 when at least one item is in the set, 2 when none is, 130 after Ctrl-C.
    """
    progress = make_progress(quiet=quiet)
    try:
        report = work(progress=ItemProgress(progress, stages))
    finally:
        progress.close()
    for entry in report.rejected[:20]:
        print(f"rejected: {entry.source}: {entry.text}")
    print(report.summary())
    if report.interrupted:
        return 130
    return 0 if report.accepted else 2


class ItemProgress:
    """Takes counts of finished items, as preparations tell them, and shows them as stages.

    Args:
        progress: where they are shown.
        stages: names of the stages in order; a new one begins when the count starts again.
    """

    def __init__(self, progress: Progress, stages: tuple[str, ...]) -> None:
        self._progress = progress
        self._stages = list(stages)
        self._done = 0
        self._running = False

    def __call__(self, done: int, total: int, note: str) -> None:
        """Show that ``done`` of ``total`` items of the current stage are finished; the bar counts the time itself."""
        if not self._running or done <= self._done:
            self._progress.start(self._stages.pop(0) if len(self._stages) > 1 else self._stages[0], total)
            self._running, self._done = True, 0
        self._progress.advance(done - self._done)
        self._done = done
