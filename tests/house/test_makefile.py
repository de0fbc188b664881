"""``make`` and ``.ci/run``, with an interpreter that only writes down what it is asked to do."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

# Stands in for python: in the right range unless its name says old, makes a folder with itself in it for a venv, and
# writes every other request into a log. With FAIL=word in the environment a request that holds the word fails.
RECORDER = """#!/bin/sh
case "$0" in *old*) exit 1;; esac
case "$*" in
  --version) echo Python 3.11.0; exit 0;;
  "-c "*) exit 0;;
  "-m venv --clear "*) rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python";;
esac
echo "$*" >> "$LOG"
if [ -n "$FAIL" ]; then case "$*" in *$FAIL*) exit 1;; esac; fi
exit 0
"""
FILES = ("Makefile", "pyproject.toml", "constraints.txt", "requirements-nodeps.txt")


class Clone:
    """A folder with what set-up reads, an interpreter that records, and the requests of the latest run."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder = folder / "clone"
        self.folder.mkdir()
        for name in FILES:
            shutil.copyfile(repository / name, self.folder / name)
        for name in ("python", "old_python"):
            (folder / name).write_text(RECORDER)
            (folder / name).chmod(0o755)
        self.python = folder / "python"
        self.log = folder / "log"

    def make(
        self, *arguments: str, fail: str = "", python: str = "python", chromium: str = ""
    ) -> tuple[int, list[str], str]:
        """Exit status, requests to the interpreter, what was said on the error stream."""
        self.log.write_text("")
        run = subprocess.run(
            ["make", *arguments, f"PYTHON={self.python.with_name(python)}"],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LOG": str(self.log), "FAIL": fail, "INKSPEAK_CHROMIUM": chromium},
            capture_output=True,
            text=True,
            check=False,
        )
        return run.returncode, self.log.read_text().splitlines(), run.stderr

    def touch(self, name: str) -> None:
        """Make the file newer than the stamp, whatever the clock's resolution."""
        later = (self.folder / ".venv" / ".set-up").stat().st_mtime + 10
        os.utime(self.folder / name, (later, later))


@pytest.fixture
def clone(tmp_path, repository):
    return Clone(tmp_path, repository)


def installs(requests: list[str]) -> list[str]:
    return [request for request in requests if "pip" in request and "install" in request]


def test_set_up_is_done_once(clone):
    status, requests, _ = clone.make("setup")
    assert status == 0
    assert requests[0] == "-m venv --clear .venv"
    first, second = installs(requests)
    assert "--constraint constraints.txt --editable .[dev]" in first
    assert "--no-deps --requirement requirements-nodeps.txt" in second
    assert clone.make("setup")[1] == []


def test_set_up_compiles_the_libraries(clone):
    """Else a start takes two seconds longer wherever Python may not keep what it compiles."""
    assert not [request for request in clone.make("setup")[1] if "--no-compile" in request]


@pytest.mark.parametrize("name", FILES[1:])
def test_set_up_follows_the_files_that_name_dependencies(clone, name):
    clone.make("setup")
    clone.touch(name)
    requests = clone.make("setup")[1]
    assert len(installs(requests)) == 2
    assert not any("venv" in request for request in requests)  # the folder is kept


@pytest.mark.parametrize("word", ["--editable", "--no-deps"])
def test_a_set_up_that_was_cut_off_starts_again(clone, word):
    assert clone.make("setup", fail=word)[0] != 0
    assert not (clone.folder / ".venv" / ".set-up").exists()
    status, requests, _ = clone.make("setup")
    assert status == 0
    assert requests[0] == "-m venv --clear .venv"
    assert len(installs(requests)) == 2


def test_two_targets_at_once_set_up_once(clone):
    requests = clone.make("-j4", "setup", "test", "test-slow")[1]
    assert len(installs(requests)) == 2


def test_two_makes_at_once_set_up_once(clone):
    if shutil.which("flock") is None:
        pytest.skip("no flock")
    clone.log.write_text("")
    command = ["make", "setup", f"PYTHON={clone.python}"]
    environment = {"PATH": os.environ["PATH"], "LOG": str(clone.log)}
    runs = [subprocess.Popen(command, cwd=clone.folder, env=environment, stdout=subprocess.PIPE) for _ in range(3)]
    assert [run.communicate() and run.returncode for run in runs] == [0, 0, 0]
    assert len(installs(clone.log.read_text().splitlines())) == 2


def test_an_old_python_gets_one_line(clone):
    status, requests, said = clone.make("test", python="old_python")
    assert status != 0
    assert requests == []
    (line,) = [line for line in said.splitlines() if not line.startswith("make")]
    assert "3.11 or 3.12" in line
    assert "old_python" in line
    assert not (clone.folder / ".venv").exists()


def test_test_runs_the_fast_tests_and_passes_failure_on(clone):
    status, requests, _ = clone.make("test")
    assert status == 0
    assert requests[-1] == "-m pytest -n 2 -m not slow and not network"
    assert clone.make("test", "JOBS=1")[1] == ["-m pytest -n 1 -m not slow and not network"]
    assert clone.make("test", fail="pytest")[0] != 0


def test_the_pages_are_tried_with_a_browser_of_the_system(clone, repository):
    status, requests, _ = clone.make("test-browser", chromium=str(clone.python))
    assert status == 0
    assert installs(requests)[-1].endswith("--editable .[dev,browser]")
    assert requests[-1] == "-m pytest -n 2 -m browser"
    tests = (repository / "tests" / "experiments" / "pages" / "conftest.py").read_text()
    (names,) = [line for line in (repository / "Makefile").read_text().splitlines() if line.startswith("BROWSERS")]
    assert f"PROGRAMS = {tuple(names.split()[2:])}".replace("'", '"') in tests


def test_without_a_browser_one_line_says_what_to_install(clone):
    status, requests, said = clone.make("test-browser", chromium="/absent/chromium")
    assert status != 0
    assert requests == []  # before anything is set up
    (line,) = [line for line in said.splitlines() if not line.startswith("make:")]
    assert "/absent/chromium" in line
    assert "apt-get install chromium" in line


def test_a_dry_run_shows_the_commands_and_does_nothing(clone):
    run = subprocess.run(["make", "-n", "demo"], cwd=clone.folder, capture_output=True, text=True, check=True)
    assert ".venv/bin/inkspeak demo --output out/demo.mp4" in run.stdout
    assert not (clone.folder / ".venv").exists()


def test_help_is_what_make_says_first(clone):
    run = subprocess.run(["make"], cwd=clone.folder, capture_output=True, text=True, check=True)
    for target in ("demo", "test", "test-slow", "lint", "format", "clean", "setup"):
        assert f"make {target} " in run.stdout


def test_clean_keeps_the_environment_and_the_pictures(clone):
    kept = [clone.folder / ".venv" / "a" / "__pycache__", clone.folder / "out"]
    removed = [clone.folder / "build", clone.folder / "a" / "__pycache__"]
    for folder in kept + removed:
        folder.mkdir(parents=True)
    assert clone.make("clean")[0] == 0
    assert [folder.exists() for folder in kept + removed] == [True, True, False, False]


@pytest.mark.parametrize(
    ("status", "closing"), [(0, "=== 3 passed in 1.20s ==="), (2, "= 1 failed, 2 passed in 0.50s =")]
)
def test_ci_passes_the_status_on_and_ends_with_the_closing_line(tmp_path, repository, status, closing):
    script = tmp_path / ".ci" / "run"
    script.parent.mkdir()
    shutil.copy(repository / ".ci" / "run", script)
    complaint = "echo 'make: *** [test] Error 1' >&2" if status else ":"
    fake = tmp_path / "bin" / "make"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\n[ \"$1\" = test ] || exit 9\necho '{closing}'\n{complaint}\nexit {status}\n")
    fake.chmod(0o755)
    path = f"{fake.parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run([script], env={"PATH": path}, capture_output=True, text=True, check=False)
    assert run.returncode == status
    assert run.stdout.splitlines()[-1] == closing
