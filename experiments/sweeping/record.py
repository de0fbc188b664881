"""What is known about one run of a sweep, in its folder: settings, state, figures; and the hold on that folder."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from experiments.tables import as_json
from lightning_modules.errors import OutputError
from lightning_modules.pipeline.atomic_files import atomic_path, output_error

RECORD_NAME: Final = "run.json"
LOG_NAME: Final = "log.txt"
_LOCK_NAME: Final = ".lock"
_LOOK_EVERY: Final = 0.25

State = Literal["new", "started", "trained", "finished", "failed", "interrupted"]


@dataclass(frozen=True)
class RunRecord:
    """The state of a run.

    Attributes:
        state: ``started`` also stands where a run was killed; ``trained``: only the final measurement is missing.
        fingerprint: what :meth:`experiments.sweeping.plan.Run.fingerprint` gave when it was started.
        attempts: how often training was started, resumed ones included.
        seconds: that training and measuring took, all attempts together.
        checkpoint: the last one, relative to the run's folder, once trained.
        figures: what was measured at the end, by name; None for what is not finite.
        photos: samples that training saw, where it counts them.
        failed: the last lines of the log of a failed run.
    """

    state: State = "new"
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0
    seconds: float = 0.0
    checkpoint: str | None = None
    figures: Mapping[str, float | None] = field(default_factory=dict)
    photos: int | None = None
    failed: tuple[str, ...] = ()


def read_record(folder: Path) -> RunRecord:
    """The record in a run's folder; a new one where there is none.

    Raises:
        OutputError: it is damaged.
    """
    path = folder / RECORD_NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return RunRecord(**(found | {"failed": tuple(found["failed"])}))
    except FileNotFoundError:
        return RunRecord()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise OutputError(
            "it cannot be read as the record of a run", "delete the folder that it is in", path
        ) from error


def write_record(folder: Path, record: RunRecord) -> None:
    """Write the record, complete or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_path(folder / RECORD_NAME) as aside:
        aside.write_text(as_json(asdict(record)) + "\n", encoding="utf-8")


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """What differs between two fingerprints, in words: ``settings.trainer.max_epochs was 3, is 5``.

    Args:
        before: nested mappings, lists and plain values.
        now: the same.
        name: of both.
    """
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        before, now = dict(enumerate(before)), dict(enumerate(now))
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        found = []
        for key in dict.fromkeys([*before, *now]):
            found += differences(before.get(key), now.get(key), f"{name}.{key}" if name else str(key))
        return found
    return [] if before == now else [f"{name} was {_short(before)}, is {_short(now)}"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@contextmanager
def held(folder: Path, *, wait: float = 0.0, stopped: Callable[[], bool] = lambda: False) -> Iterator[int]:
    """Hold a run's folder, so that no run is carried out twice at once; what a killed sweep left running counts.

    Args:
        folder: made where it is missing.
        wait: seconds to wait for another holder.
        stopped: asked while waiting; True gives up.

    Yields:
        The descriptor that holds; a child that inherits it holds the folder too.

    Raises:
        OutputError: somebody else holds it, or the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK_NAME).open("a")
    except OSError as error:
        raise output_error(error, folder) from error
    with lock:
        until = time.monotonic() + wait
        while not _hold(lock.fileno()):
            if time.monotonic() >= until or stopped():
                raise OutputError(
                    "this run is being carried out by another process", "wait until that has ended", folder
                )
            time.sleep(_LOOK_EVERY)
        yield lock.fileno()


def _hold(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
