"""The guard: a command ends with its starter, however that ends, and takes its own processes along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from experiments.sweeping import child, guarded

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="groups of processes are POSIX")

# Writes the numbers of itself and of a process that it starts, then waits for ever.
LONG = """
import os, subprocess, sys, time
other = subprocess.Popen(["sleep", "100"])
open(sys.argv[1], "w").write(f"{os.getpid()} {other.pid}")
time.sleep(100)
"""
STARTER = """
import subprocess, sys, time
subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=subprocess.PIPE)
time.sleep(100)
"""
DEAF = "import signal, time, sys; signal.signal(15, signal.SIG_IGN); open(sys.argv[1], 'w').write('x'); time.sleep(100)"
GUARD = str(Path(guarded.__file__))


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
        return "Z" not in Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False


def wait_for(true: object, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:  # type: ignore[operator]
        time.sleep(0.02)
    assert true()  # type: ignore[operator]


def test_the_exit_code_passes_through() -> None:
    for code in (0, 3):
        command = [sys.executable, GUARD, "--", sys.executable, "-c", f"raise SystemExit({code})"]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as guard:
            assert guard.wait(30) == code


def test_a_killed_starter_takes_everything_along(tmp_path: Path) -> None:
    note = tmp_path / "numbers"
    command = [sys.executable, "-c", STARTER, GUARD, "--", sys.executable, "-c", LONG, str(note)]
    starter = subprocess.Popen(command)
    wait_for(lambda: note.exists() and len(note.read_text().split()) == 2)
    numbers = [int(word) for word in note.read_text().split()]
    assert all(map(alive, numbers))
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    wait_for(lambda: not any(map(alive, numbers)))


def test_what_does_not_listen_is_ended_after_a_while(tmp_path: Path) -> None:
    note = tmp_path / "deaf"
    program = f"import sys; sys.path[:0] = [{str(Path(GUARD).parent)!r}]; import guarded; "
    program += "sys.exit(-guarded.run_guarded(sys.argv[1:], [], patience=0.3))"
    command = [sys.executable, "-c", program, sys.executable, "-c", DEAF, str(note)]
    guard = subprocess.Popen(command, stdin=subprocess.PIPE)
    wait_for(note.exists)
    begun = time.monotonic()
    guard.stdin.close()
    assert guard.wait(30) == signal.SIGKILL
    assert 0.3 <= time.monotonic() - begun < 10


def test_a_command_of_ours_is_logged_and_its_code_given_back(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    with (tmp_path / "lock").open("w") as lock:
        options = {"environment": {"A": "b", "HOME": None}, "held": lock.fileno(), "stopped": lambda: False}
        assert child.run_logged(["--version"], log, **options) == 0
        assert child.run_logged(["qqqq"], log, **options) == 2
    lines = log.read_text().splitlines()
    assert lines[0] == "$ inkspeak --version"
    assert lines[1].startswith("inkspeak ")
    assert child.last_lines(log, 1) == ("inkspeak: error: there is no command 'qqqq'; see inkspeak --help",)


def test_a_command_stops_when_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sleeps in place of ``python -m experiments``: only the waiting and the ending are looked at."""
    note, stop = tmp_path / "numbers", threading.Event()
    program = tmp_path / "experiments.py"
    program.write_text(LONG)
    monkeypatch.setattr(child, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    threading.Thread(target=lambda: (wait_for(note.exists), stop.set()), daemon=True).start()
    with (tmp_path / "lock").open("w") as lock, pytest.raises(child.Stopped):
        child.run_logged([str(note)], tmp_path / "log", environment={}, held=lock.fileno(), stopped=stop.is_set)
    numbers = [int(word) for word in note.read_text().split()]
    wait_for(lambda: not any(map(alive, numbers)))
