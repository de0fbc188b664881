"""Commands of ours as processes of their own: watched, logged, and ended together with whoever started them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from experiments.sweeping.guarded import PATIENCE

ROOT: Final = Path(__file__).resolve().parents[2]
"""Folder from which ``experiments`` is imported."""
_LOOK_EVERY: Final = 0.2


class Stopped(Exception):  # noqa: N818  nothing is wrong: it was asked for
    """A command was ended because that was asked for."""


def run_logged(
    arguments: Sequence[str],
    log: Path,
    *,
    environment: Mapping[str, str | None],
    held: int,
    stopped: Callable[[], bool],
) -> int:
    """Run ``inkspeak`` with these arguments and wait for it.

    Args:
        arguments: of ``inkspeak``.
        log: file to which everything is added that it says.
        environment: variables to set; None takes one away.
        held: descriptor of the hold on the run's folder, which the command keeps as well.
        stopped: asked several times a second; True ends the command.

    Returns:
        Its exit code.

    Raises:
        Stopped: it was ended because ``stopped`` said so.
    """
    guard = [sys.executable, str(Path(__file__).with_name("guarded.py")), "--hold", str(held), "--"]
    command = [*guard, sys.executable, "-m", "experiments", *arguments]
    with log.open("a", encoding="utf-8") as output:
        output.write(f"$ inkspeak {' '.join(arguments)}\n")
        output.flush()
        options: dict[str, Any] = {} if sys.platform == "win32" else {"pass_fds": (held,)}
        process = subprocess.Popen(  # noqa: S603  our own program
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_changed(environment),
            start_new_session=True,  # the terminal's Ctrl-C reaches us alone; we tell the guard
            **options,
        )
        try:
            while process.poll() is None:
                if stopped():
                    raise Stopped
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_EVERY)
        finally:
            _end(process)
    return process.returncode


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let go of the leash and wait; a second Ctrl-C stops the waiting, and the guard ends the command all the same."""
    if process.stdin is not None:
        process.stdin.close()
    until = time.monotonic() + PATIENCE + 10
    while process.poll() is None and time.monotonic() < until:
        time.sleep(_LOOK_EVERY / 4)


def _changed(changes: Mapping[str, str | None]) -> dict[str, str]:
    environment = dict(os.environ)
    paths = [str(ROOT), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    for name, value in changes.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
    return environment


def last_lines(log: Path, count: int = 12) -> tuple[str, ...]:
    """The last lines of a log that are not empty.

    Args:
        log: its file.
        count: how many at most.
    """
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-count:]
