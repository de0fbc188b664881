"""``python guarded.py [--hold N] -- COMMAND ...``: run a command that ends when whoever started it has gone.

Standard input is the leash: it stays open as long as the starter lives, and closes however that ends, also by SIGKILL.
Then the command and all its processes are asked to end, and after a while ended. Imports nothing but Python's own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any

PATIENCE = 20.0
"""Seconds between asking and ending."""


def run_guarded(command: list[str], held: list[int], patience: float = PATIENCE) -> int:
    """Run a command in a group of its own until it ends or standard input closes.

    Args:
        command: program and arguments.
        held: descriptors that the command inherits; on Windows none.
        patience: seconds between asking it to end and ending it.

    Returns:
        The command's exit code; negative: the signal that ended it.
    """
    inherited: dict[str, Any] = {} if sys.platform == "win32" else {"pass_fds": tuple(held)}
    child: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603  the starter's own command
        command, stdin=subprocess.DEVNULL, start_new_session=True, **inherited
    )
    gone = threading.Event()

    def watch() -> None:
        while os.read(0, 4096):
            pass
        gone.set()

    threading.Thread(target=watch, daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: gone.set())
    while child.poll() is None:
        if gone.wait(0.05):
            _send(child, asking=True)
            with suppress(subprocess.TimeoutExpired):
                child.wait(patience)
            break
        with suppress(subprocess.TimeoutExpired):
            child.wait(0.1)
    _send(child, asking=False)  # also what a command that ended has left behind, such as other ranks
    return child.wait()


def _send(child: subprocess.Popen[bytes], *, asking: bool) -> None:
    if sys.platform == "win32":
        child.terminate()
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGTERM if asking else signal.SIGKILL)


def main(words: list[str]) -> int:
    """Read the arguments and run."""
    end = words.index("--")
    held = [int(word) for word in words[:end] if word != "--hold"]
    return run_guarded(words[end + 1 :], held)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.exit(code if code >= 0 else 128 - code)
