"""Importing any module of ours warns about nothing, in a fresh interpreter with warnings as errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

IMPORT_EACH = """
import importlib, json, sys, traceback
failed = {}
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = traceback.format_exception_only(error)[-1].strip()
json.dump(failed, open(sys.argv[2], "w"))
"""


def import_each(names: list[str], folder: Path, report: Path, *options: str) -> dict[str, str]:
    """Import the modules in turn in a new interpreter; returns name -> error for those that failed."""
    subprocess.run(
        [sys.executable, *options, "-c", IMPORT_EACH, json.dumps(names), str(report)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        check=True,
        capture_output=True,
    )
    return json.loads(report.read_text())


def compile_strictly(path: Path) -> None:
    """Warnings of the compiler (a wrong escape, ``is`` with a literal) show only while no bytecode is cached."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_every_module_imports_without_a_warning(modules, repository, tmp_path):
    names, report, strict = sorted(modules), tmp_path / "report.json", ("-W", "error")
    failed = import_each(names, repository, report, *strict)
    if failed:
        # Libraries that were installed without bytecode are compiled at their first import, and what the compiler has
        # to say about their source is theirs to mend: once more, now that they have been imported without the filter.
        failed = import_each(names, repository, report) or import_each(names, repository, report, *strict)
    assert not failed, "\n".join(f"{name}: {error}" for name, error in failed.items())


def test_every_module_compiles_without_a_warning(modules):
    for path in modules.values():
        compile_strictly(path)


def test_a_warning_is_found(tmp_path):
    (tmp_path / "quiet.py").write_text("value = 1\n")
    (tmp_path / "noisy.py").write_text("import warnings\nwarnings.warn('old', DeprecationWarning, stacklevel=2)\n")
    (tmp_path / "leaving.py").write_text("raise SystemExit(3)\n")
    found = import_each(["quiet", "noisy", "leaving"], tmp_path, tmp_path / "report.json", "-W", "error")
    assert found == {"noisy": "DeprecationWarning: old", "leaving": "SystemExit: 3"}


def test_a_wrong_escape_is_found(tmp_path):
    path = tmp_path / "escape.py"
    path.write_text(r"pattern = '\d'")
    with pytest.raises(SyntaxError, match="escape"):  # the compiler turns the warning into its own error
        compile_strictly(path)
