"""The far side of :mod:`datamodules.prepare.runner`: one spawned process that works through items, one at a time.

Messages to the parent are tuples of plain values whose first entry names them: ``ready``, ``done``, ``rejected``,
``fatal``, ``broken``. The process ends when it is sent None or when the parent is gone.
"""

from __future__ import annotations

import errno
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Final

from lightning_modules.errors import BackendError, InkspeakError, OutputError, WeightsError

HOPELESS: Final = (OutputError, BackendError, WeightsError)
"""Errors that no other item will escape: they end the run instead of rejecting one item."""

_THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)


def attempt(work: Callable[[Any], Any], item: Any) -> tuple[Any, ...]:
    """Work on one item and say how it went.

    Returns:
        ``("done", result, seconds)``, ``("rejected", reason, seconds)`` or ``("fatal", error's parts)``.

    Raises:
        KeyboardInterrupt: the user interrupted; nothing else gets out.
    """
    begin = time.perf_counter()
    try:
        result = work(item)
    except HOPELESS as error:
        return ("fatal", *parts_of(error))
    except InkspeakError as error:
        return ("rejected", str(error), time.perf_counter() - begin)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
            found = f"cannot be written ({error.strerror})"
            full = OutputError(found, "free some space or choose another folder", error.filename)
            return ("fatal", *parts_of(full))
        return ("rejected", _unexpected(error), time.perf_counter() - begin)
    except Exception as error:  # noqa: BLE001 - one odd item must not cost the other thousand
        return ("rejected", _unexpected(error), time.perf_counter() - begin)
    return ("done", result, time.perf_counter() - begin)


def parts_of(error: InkspeakError) -> tuple[type[InkspeakError], str, str, str | None]:
    """Return what an error is made of, as values that survive pickling."""
    kind = next((base for base in HOPELESS if isinstance(error, base)), InkspeakError)
    return kind, error.found, error.remedy, None if error.path is None else str(error.path)


def serve(to_parent: Connection[Any, Any]) -> None:
    """Build the work function, then answer items until told to stop. Runs in the spawned process.

    Args:
        to_parent: the connection. First comes a callable without arguments that returns the work function: not as an
            argument of the process, so that its heavy imports happen after the number of threads is settled. Then come
            items, each as a tuple of one, and at last None.
    """
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = "1"
    try:
        work = to_parent.recv()()
    except EOFError:  # the parent was killed
        return
    except InkspeakError as error:
        to_parent.send(("fatal", *parts_of(error)))
        return
    except Exception:  # noqa: BLE001 - handed on to the parent, which raises it
        to_parent.send(("broken", traceback.format_exc()))
        return
    with one_thread():
        to_parent.send(("ready",))
        while True:
            try:
                item = to_parent.recv()
            except EOFError:  # the parent was killed
                return
            if item is None:
                return
            try:
                to_parent.send(attempt(work, item[0]))
            except BrokenPipeError:
                return


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold the numerical libraries that are loaded to one thread each, so that results do not depend on the machine."""
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    torch_threads = torch.get_num_threads() if torch else 1
    cv2_threads = cv2.getNumThreads() if cv2 else 1
    try:
        if torch:
            torch.set_num_threads(1)
        if cv2:
            cv2.setNumThreads(1)
        yield
    finally:
        if torch:
            torch.set_num_threads(torch_threads)
        if cv2:
            cv2.setNumThreads(cv2_threads)


def _unexpected(error: Exception) -> str:
    """Return one line for an error that nobody foresaw, with the place, since it is a bug of ours or of a library."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].name}, {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""  # noqa: PTH119
    return f"unexpected {type(error).__name__}{place}: {' '.join(str(error).split())}"
