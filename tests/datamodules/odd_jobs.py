"""Work functions for the runner's tests; a module of its own, because spawned processes have to import them."""

from __future__ import annotations

import errno
import os
import signal
import time

from lightning_modules.errors import BackendError, OutputError, PhotoError


def odd_job(item):  # noqa: C901  a list of jobs, each a line or two
    """Do the job that the item names with the value that it brings."""
    job, value = item
    match job:
        case "square":
            return value**2
        case "slow square":
            time.sleep(0.1)
            return value**2
        case "who":
            time.sleep(value)
            return os.getpid()
        case "threads":
            import torch

            return os.environ["OMP_NUM_THREADS"], torch.get_num_threads()
        case "typed":
            raise PhotoError("shows a cat", "show a face", value)
        case "bug":
            return 1 / value
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "crash":
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            os._exit(3)
        case "sleep":
            time.sleep(value)
        case "full disk":
            raise OutputError("is full", "empty it", "/full")
        case "no space":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), value)
    return None


def make_odd_jobs():
    return odd_job


def refuse_to_be_made():
    raise BackendError("the model is missing", "get it")


def make_unmakeable():
    return {}["forgotten"]
