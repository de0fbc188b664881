"""Small jobs, one after another in a thread of its own, so that whoever hands them over never waits and never fails.

A job that raises is counted and told, not passed on; a queue that is full drops what comes; a thread that does not end
in time is left behind, which it survives as a daemon. What is to be told is told by the caller's thread, because
warnings raised in another one reach nobody.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Final

Job = Callable[[], object]

GIVE_UP_AFTER: Final = 10
"""Jobs that fail in a row before nothing more is tried: then the disk or the service is gone."""


class BackgroundSender:
    """A bounded queue and the thread that serves it; the thread starts with the first job.

    Args:
        limits: most jobs of each kind that wait at a time; kinds are the caller's words, such as ``"media"``.
        tell: called in the caller's thread with one line, each time something was lost for the first time.
        prepare: run in the thread before the first job; when it raises, nothing else is done.
        name: of what is sent to, for the lines told.
    """

    def __init__(
        self, limits: Mapping[str, int], tell: Callable[[str], object], prepare: Job | None = None, name: str = "sender"
    ) -> None:
        self.limits = dict(limits)
        self.name = name
        self.lost = Counter[str]()
        """Jobs of each kind that were dropped or failed."""
        self._tell, self._prepare = tell, prepare
        self._jobs: deque[tuple[str, Job]] = deque()
        self._waiting = Counter[str]()
        self._remarks: list[str] = []
        self._wake = threading.Condition()
        self._closing = self._given_up = False
        self._thread: threading.Thread | None = None

    @property
    def is_alive(self) -> bool:
        """Whether jobs are still taken."""
        return not (self._closing or self._given_up)

    def submit(self, kind: str, job: Job) -> bool:
        """Hand a job over; returns at once.

        Args:
            kind: one of the limits' keys.
            job: called in the thread, in the order of submission.

        Returns:
            Whether it was taken.
        """
        with self._wake:
            taken = self.is_alive and self._waiting[kind] < self.limits[kind]
            if taken:
                self._jobs.append((kind, job))
                self._waiting[kind] += 1
                self._wake.notify()
            elif self.is_alive:
                self._lose(kind, f"{self.name} is slower than what is sent to it: some {kind} are left out")
            else:
                self.lost[kind] += 1
            if taken and self._thread is None:
                self._thread = threading.Thread(target=self._serve, name=f"to {self.name}", daemon=True)
                self._thread.start()
        self._speak()
        return taken

    def stop(self, patience: float) -> bool:
        """Take no more jobs and wait until those at hand are done.

        Args:
            patience: seconds to wait at most.

        Returns:
            Whether all of them were done.
        """
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(patience)
            if self._thread.is_alive():
                with self._wake:
                    self._given_up = True
                    self._remarks.append(
                        f"{self.name} did not answer for {patience:g} s: {len(self._jobs)} jobs are left out"
                    )
                    self._drop_all()
        self._speak()
        return not self.lost and not self._given_up

    def drain(self, patience: float) -> bool:
        """Wait until the queue is empty, and take further jobs; for tests and for ends of validation.

        Args:
            patience: seconds to wait at most.
        """
        end = time.monotonic() + patience
        while any(self._waiting.values()) and self.is_alive and time.monotonic() < end:
            time.sleep(0.005)
        self._speak()
        return not any(self._waiting.values())

    # In the thread -------------------------------------------------------------------------------------------------

    def remark(self, line: str) -> None:
        """Have a line told by the caller's thread, at its next call; for jobs."""
        with self._wake:
            self._remarks.append(line)

    def _serve(self) -> None:
        try:
            if self._prepare is not None:
                self._prepare()
        except Exception as error:  # noqa: BLE001  whatever a service raises, training goes on
            self._give_up(f"{self.name} cannot be started ({_line(error)})")
            return
        in_a_row = 0
        while True:
            with self._wake:
                while not self._jobs and self.is_alive:
                    self._wake.wait()
                if self._given_up or not self._jobs:
                    return
                kind, job = self._jobs.popleft()
            try:
                job()
                in_a_row = 0
            except Exception as error:  # noqa: BLE001  whatever a service raises, training goes on
                in_a_row += 1
                with self._wake:
                    self._lose(kind, f"{self.name} failed with {kind} ({_line(error)})")
            with self._wake:
                self._waiting[kind] -= 1
            if in_a_row >= GIVE_UP_AFTER:
                self._give_up(f"{self.name} failed {in_a_row} times in a row")
                return

    def _give_up(self, why: str) -> None:
        with self._wake:
            self._given_up = True
            self._remarks.append(f"{why}: nothing more is sent there; training and its CSV log go on")
            self._drop_all()

    def _drop_all(self) -> None:
        for kind, _ in self._jobs:
            self.lost[kind] += 1
        self._jobs.clear()
        self._waiting.clear()

    def _lose(self, kind: str, remark: str) -> None:
        self.lost[kind] += 1
        if self.lost[kind] == 1:
            self._remarks.append(remark)

    def _speak(self) -> None:
        with self._wake:
            remarks, self._remarks = self._remarks, []
        for remark in remarks:
            self._tell(remark)


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
