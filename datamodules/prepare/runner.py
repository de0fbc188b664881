"""Many independent items, several processes, one answer for each in order: what every preparation runs on.

:func:`run_items` starts spawned worker processes (spawned, because native libraries with threads of their own do not
survive a fork), hands each one item at a time, and survives what real data does: an item that fails is rejected with
its reason, a process that dies or hangs costs its item and is replaced, Ctrl-C stops at once and keeps what is done.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, Protocol, TypeVar, cast

from datamodules.prepare.worker_process import attempt, one_thread, serve
from lightning_modules.errors import BackendError, ConfigError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

PATIENCE = 600.0
"""Seconds after which an item that is still being worked on counts as hung."""


class Progress(Protocol):
    """Told after every item; shows it, or does nothing."""

    def __call__(self, done: int, total: int, note: str) -> None:
        """Take the number of items done, of items in all, and a short text with the time left."""


@dataclass(frozen=True)
class Outcome(Generic[ResultT]):
    """What became of one item.

    Args:
        index: position of the item in the sequence that was given.
        result: what the work function returned; None if rejected.
        reason: why the item was rejected, one line; None if accepted.
        kept: accepted without work, because an earlier run did it.
        seconds: time spent on it.
    """

    index: int
    result: ResultT | None
    reason: str | None = None
    kept: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Run(Generic[ResultT]):
    """All outcomes of :func:`run_items`, in the order of the items; fewer than items if it was interrupted."""

    outcomes: tuple[Outcome[ResultT], ...]
    interrupted: bool
    seconds: float


class WorkerDied(Exception):  # noqa: N818 - an event within this module, never seen outside
    """A worker process ended without an answer."""


class _Worker:
    """One process with the item it works on."""

    def __init__(self, make_work: Callable[[], Callable[[Any], Any]]) -> None:
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        self.connection: Connection[Any, Any] = mine
        self.process: SpawnProcess = context.Process(target=serve, args=(theirs,), daemon=True)
        with _interrupts_ignored():  # inherited: Ctrl-C on the terminal reaches the parent alone
            self.process.start()
        theirs.close()
        with suppress(BrokenPipeError):  # it died at birth; the next look at it finds that
            self.connection.send(make_work)
        self.ready = False
        self.index: int | None = None
        self.since = time.monotonic()

    def give(self, index: int, item: Any) -> None:
        """Have it work on an item."""
        self.index, self.since = index, time.monotonic()
        with suppress(BrokenPipeError):  # it died while idle; the next look at it finds that
            self.connection.send((item,))

    def answer(self) -> tuple[Any, ...] | None:
        """Return its next message, or None if it has not said anything."""
        try:
            if self.connection.poll():
                return cast("tuple[Any, ...]", self.connection.recv())
        except (EOFError, OSError) as error:
            raise WorkerDied from error
        if not self.process.is_alive() and not self.connection.poll():
            raise WorkerDied
        return None

    def obituary(self) -> str:
        """Return how it ended, as a clause."""
        self.process.join(5.0)
        code = self.process.exitcode
        if code is not None and code < 0:
            with suppress(ValueError):
                return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def dismiss(self) -> None:
        """Tell it that there is nothing left to do."""
        with suppress(OSError):
            self.connection.send(None)

    def stop(self, *, grace: float = 0.0) -> None:
        """End it, by force once the grace in seconds is over."""
        self.process.join(grace)
        for end in (self.process.terminate, self.process.kill):
            if self.process.is_alive():
                end()
                self.process.join(2.0)
        self.connection.close()


def run_items(
    items: Sequence[ItemT],
    make_work: Callable[[], Callable[[ItemT], ResultT]],
    *,
    workers: int,
    existing: Callable[[ItemT], ResultT | None] | None = None,
    name: Callable[[ItemT], str] = str,
    progress: Progress | None = None,
    patience: float = PATIENCE,
) -> Run[ResultT]:
    """Work on all items, in parallel.

    Args:
        items: what to work on; must be picklable.
        make_work: returns the work function; called once in each process, so that it can load models there. Must be
            picklable (an instance of a module's class, a ``functools.partial`` of a module's function). Its results
            must be picklable, and must not depend on the order of the items.
        workers: number of processes; 0 works in this process (for debugging; then a crash is a crash).
        existing: returns the result of an item that an earlier run has done, or None if it has to be done.
        name: of an item, for the progress note.
        progress: told after every item.
        patience: seconds until an item counts as hung; its process is then replaced.

    Returns:
        One outcome for each item, in order. After Ctrl-C: those that were done, with ``interrupted`` set.

    Raises:
        ConfigError: ``workers`` is negative.
        InkspeakError: what no item can escape, e.g. a full disk (OutputError) or a missing model (BackendError).
        RuntimeError: the work function cannot be made.
    """
    if workers < 0:
        raise ConfigError(f"{workers} workers were asked for", "give 1 or more, or 0 to work in one process")
    begin = time.monotonic()
    outcomes: dict[int, Outcome[ResultT]] = {}
    interrupted = False
    tell = _Telling(progress, len(items))
    try:
        open_items = deque(_not_done(items, existing, outcomes, tell))
        tell.work_begins(len(outcomes))
        labels = {index: name(items[index]) for index in open_items}
        work_through = _in_this_process if workers == 0 else _in_workers
        with closing(work_through(items, open_items, make_work, workers, patience)) as stream:
            for outcome in stream:
                outcomes[outcome.index] = outcome
                tell(len(outcomes), labels[outcome.index])
    except KeyboardInterrupt:
        interrupted = True
    ordered = tuple(outcomes[index] for index in sorted(outcomes))
    return Run(ordered, interrupted, time.monotonic() - begin)


def _not_done(
    items: Sequence[ItemT],
    existing: Callable[[ItemT], ResultT | None] | None,
    outcomes: dict[int, Outcome[ResultT]],
    tell: _Telling,
) -> list[int]:
    if existing is None:
        return list(range(len(items)))
    missing = []
    for index, item in enumerate(items):
        result = existing(item)
        if result is None:
            missing.append(index)
        else:
            outcomes[index] = Outcome(index, result, kept=True)
            tell(len(outcomes), "done by an earlier run")
    return missing


def _in_this_process(
    items: Sequence[Any], open_items: deque[int], make_work: Callable[[], Callable[[Any], Any]], _: int, __: float
) -> Generator[Outcome[Any], None, None]:
    if not open_items:
        return
    work = make_work()
    with one_thread():
        while open_items:
            index = open_items.popleft()
            yield _outcome(index, attempt(work, items[index]))


def _in_workers(
    items: Sequence[Any],
    open_items: deque[int],
    make_work: Callable[[], Callable[[Any], Any]],
    workers: int,
    patience: float,
) -> Generator[Outcome[Any], None, None]:
    crew: list[_Worker] = []
    finished = False
    try:
        while open_items or any(worker.index is not None for worker in crew):
            busy = sum(worker.index is not None for worker in crew)
            while len(crew) < min(workers, busy + len(open_items)):
                crew.append(_Worker(make_work))
            for worker in crew:
                if worker.ready and worker.index is None and open_items:
                    index = open_items.popleft()
                    worker.give(index, items[index])
            wait([worker.connection for worker in crew], timeout=1.0)
            for worker in tuple(crew):  # a dead one leaves the crew
                outcome = _look_at(worker, crew, patience)
                if outcome is not None:
                    yield outcome
        finished = True
    finally:
        if finished:
            for worker in crew:
                worker.dismiss()
        for worker in crew:
            worker.stop(grace=5.0 if finished else 0.0)


def _look_at(worker: _Worker, crew: list[_Worker], patience: float) -> Outcome[Any] | None:
    """Take what a worker has to say; remove it from the crew if it is dead or hangs."""
    index = worker.index
    try:
        message = worker.answer()
    except WorkerDied:
        crew.remove(worker)
        obituary = worker.obituary()
        worker.stop()
        if not worker.ready:
            found = f"a worker process {obituary} before its first item"
            raise BackendError(found, "look at the lines above; run with 0 workers to see the error itself") from None
        seconds = time.monotonic() - worker.since
        return None if index is None else Outcome(index, None, f"the worker process {obituary} on it", seconds=seconds)
    if message is None:
        if index is not None and time.monotonic() - worker.since > patience:
            crew.remove(worker)
            worker.stop()
            reason = f"still not done after {patience:.0f} s, its worker process was ended"
            return Outcome(index, None, reason, seconds=patience)
        return None
    if message[0] == "ready":
        worker.ready = True
        return None
    worker.index = None
    return _outcome(-1 if index is None else index, message)


def _outcome(index: int, message: tuple[Any, ...]) -> Outcome[Any]:
    match message:
        case ("done", result, seconds):
            return Outcome(index, result, seconds=seconds)
        case ("rejected", reason, seconds):
            return Outcome(index, None, reason, seconds=seconds)
        case ("fatal", kind, found, remedy, path):
            raise kind(found, remedy, path)
        case ("broken", report):
            raise RuntimeError(f"the work function cannot be made:\n{report}")
        case _:
            raise RuntimeError(f"unknown message from a worker: {message!r}")


class _Telling:
    """Adds the pace and the time left to every progress note."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._begin = time.monotonic()
        self._before = total

    def work_begins(self, done: int) -> None:
        """Count the pace from here: what an earlier run did took no time."""
        self._begin, self._before = time.monotonic(), done

    def __call__(self, done: int, label: str) -> None:
        if self._progress is None:
            return
        worked = done - self._before
        note = label
        if worked > 0:
            pace = (time.monotonic() - self._begin) / worked
            note = f"{label} · {pace:.2f} s each · {duration(pace * (self._total - done))} left"
        self._progress(done, self._total, note)


def duration(seconds: float) -> str:
    """Return a time in words that suit its length: ``12 s``, ``4 min 30 s``, ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore SIGINT for a moment, so that a child begins with it ignored. Only the main thread may do that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
