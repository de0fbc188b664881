"""Progress of long work on the terminal: a bar with the time left, or a line every tenth when nobody watches.

All of it goes to standard error, so that standard output stays free for results.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from lightning_modules.pipeline.animation_job import Progress, SilentProgress

if TYPE_CHECKING:  # rich is imported only when a bar is really drawn
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


def make_progress(*, quiet: bool = False, stream: TextIO | None = None) -> Progress:
    """Choose how progress is shown.

    Args:
        quiet: say nothing at all, notes included.
        stream: where to write; standard error when ``None``.

    Returns:
        A bar on a terminal, plain lines elsewhere, silence with ``quiet``.
    """
    stream = sys.stderr if stream is None else stream
    if quiet:
        return SilentProgress()
    return ProgressBar(stream) if stream.isatty() else ProgressLines(stream)


class ProgressBar:
    """A bar per stage with count, time spent and time left, redrawn in place.

    Args:
        stream: the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._console = Console(file=stream)
        self._make: Callable[[], RichProgress] = lambda: RichProgress(
            TextColumn("{task.description:<12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._bars: RichProgress | None = None
        self._task: TaskID | None = None

    def start(self, stage: str, total: int | None = None) -> None:
        """Begin a stage: its bar appears below the finished ones."""
        if self._bars is None:
            self._bars = self._make()
            self._bars.start()
        self._finish_stage()
        self._task = self._bars.add_task(stage, total=total)

    def advance(self, steps: int = 1) -> None:
        """Move the bar of the current stage."""
        if self._bars is not None and self._task is not None:
            self._bars.advance(self._task, steps)

    def note(self, message: str) -> None:
        """Print a sentence above the bars."""
        self._console.print(message, markup=False, highlight=False)

    def close(self) -> None:
        """Leave the bars as they are and give the terminal back."""
        if self._bars is not None:
            self._finish_stage()
            self._bars.stop()
        self._bars = None
        self._task = None

    def _finish_stage(self) -> None:
        """A stage of unknown length is shown as done once the next one begins."""
        if self._bars is None or self._task is None:
            return
        task = self._bars.tasks[self._bars.task_ids.index(self._task)]
        if task.total is None:
            self._bars.update(self._task, total=max(task.completed, 1), completed=max(task.completed, 1))


#: Stages of unknown length that are shorter than this are not worth a line in a log.
WORTH_A_LINE = 1.0


class ProgressLines:
    """A line about every tenth of a stage, with the time left: for logs and pipes.

    A stage of unknown length gets its line when the next one begins, and only if it took long; so nothing stands before
    the error line of an input that is refused at once.

    Args:
        stream: where the lines go.
        clock: time in seconds; given by tests.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._stage = ""
        self._total: int | None = None
        self._done = 0
        self._tenths = 0
        self._began = 0.0

    def start(self, stage: str, total: int | None = None) -> None:
        """Begin a stage."""
        spent = self._clock() - self._began
        if self._stage and self._total is None and spent >= WORTH_A_LINE:
            self._print(f"{self._stage}: done in {spent:.1f} s")
        self._stage, self._total, self._done, self._tenths, self._began = stage, total, 0, 0, self._clock()
        if total is not None:
            self._print(f"{stage}: {total} {'step' if total == 1 else 'steps'}")

    def advance(self, steps: int = 1) -> None:
        """Count steps; a line is printed when another tenth of the stage is full."""
        self._done += steps
        if not self._total:
            return
        tenths = 10 * self._done // self._total
        if tenths > self._tenths:
            self._tenths = tenths
            spent = self._clock() - self._began
            left = spent * (self._total - self._done) / self._done
            when = f"{left:.0f} s left" if self._done < self._total else f"done in {spent:.1f} s"
            self._print(f"{self._stage}: {100 * self._done // self._total} % ({self._done} of {self._total}), {when}")

    def note(self, message: str) -> None:
        """Print a sentence."""
        self._print(message)

    def close(self) -> None:
        """End the stage, finished or not; lines need no cleaning up."""
        self._stage, self._total = "", None

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)
