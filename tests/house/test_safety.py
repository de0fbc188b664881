"""Nothing in the tree runs foreign code, names a machine or is too large, and the packages are the repository's own."""

from __future__ import annotations

import ast
import importlib
import re
import runpy
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent

# A folder at the root of somebody's machine, or a place to install from. Spelt so that this file does not match itself.
MACHINE = re.compile(
    r"(?:^|[^a-zA-Z0-9_.])/(?:work|farm|root|tmp|opt)/"
    r"|(?:^|[^a-zA-Z0-9_.])/(?:home|Users)/\w"
    r"|pypi\.(?:org)|pythonhosted\.(?:org)|download\.pytorch\.(?:org)"
    r"|--(?:extra-)?index(?:-url)|--find(?:-links)"
)
UNSAFE_CALLS = {
    "eval": "runs text as code",
    "exec": "runs text as code",
    "pickle.load": "runs code from a file",
    "pickle.loads": "runs code from a file",
    "joblib.load": "runs code from a file",
    "dill.load": "runs code from a file",
    "yaml.load": "use yaml.safe_load",
    "yaml.unsafe_load": "use yaml.safe_load",
    "yaml.full_load": "use yaml.safe_load",
    "os.system": "use subprocess with a list",
}


def machine_paths(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if MACHINE.search(line)]


def full_name(node: ast.expr, aliases: dict[str, str]) -> str:
    """``t.load`` as ``torch.load`` after ``import torch as t``."""
    first, dot, rest = ast.unparse(node).partition(".")
    return aliases.get(first, first) + dot + rest


def unsafe_calls(source: str) -> list[str]:
    tree = ast.parse(source)
    aliases = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            aliases |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = full_name(node.func, aliases)
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if name in UNSAFE_CALLS:
            found.append(f"line {node.lineno}: {name}: {UNSAFE_CALLS[name]}")
        if name == "torch.load" and given.get("weights_only") != "True":
            found.append(f"line {node.lineno}: torch.load without weights_only=True")
        if given.get("allow_pickle") == "True":
            found.append(f"line {node.lineno}: {name} with allow_pickle=True")
        if given.get("shell") == "True":
            found.append(f"line {node.lineno}: {name} with shell=True")
    return found


def test_the_tree_names_no_machine(files, repository):
    found = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or a recording
        found += [f"{path.relative_to(repository)}: {line}" for line in machine_paths(text)]
    assert not found, "\n".join(found)


def test_loading_never_runs_code(files, repository):
    scripts = [path for path in files if path.suffix == ".py"]
    found = [f"{path.relative_to(repository)}: {call}" for path in scripts for call in unsafe_calls(path.read_text())]
    assert not found, "\n".join(found)


def test_no_file_is_large(files):
    found = runpy.run_path(str(HOUSE / "file_size.py"))["too_large"](files)
    assert not found, "\n".join(found)


def test_notebooks_carry_no_outputs(files):
    stripped = runpy.run_path(str(HOUSE / "notebook_outputs.py"))["stripped"]
    for path in files:
        if path.suffix == ".ipynb":
            text = path.read_text(encoding="utf-8")
            assert stripped(text) == text, f"{path} has outputs"


def test_packages_are_those_of_the_repository(packages, repository):
    """Generic names: an installed package of the same name must not win."""
    for name in packages:
        assert Path(importlib.import_module(name).__file__) == repository / name / "__init__.py"


@pytest.mark.parametrize("place", ["work", "root", "tmp", "home/me", "Users/me"])
def test_a_machine_path_is_found(place):
    line = f"weights = '/{place}/model'"
    assert machine_paths(f"fine\n{line}\n") == [line]
    assert not machine_paths(f"weights = 'my/{place}/model'")


def test_a_host_to_install_from_is_found():
    assert machine_paths("pip install --index" + "-url x")
    assert machine_paths("https://pypi" + ".org/simple")
    assert not machine_paths("pip install inkspeak")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import torch\ntorch.load(p)", "line 2: torch.load without weights_only=True"),
        ("import torch as t\nt.load(p, weights_only=False)", "line 2: torch.load without weights_only=True"),
        ("from torch import load as read\nread(p)", "line 2: torch.load without weights_only=True"),
        ("import pickle\npickle.load(f)", "line 2: pickle.load: runs code from a file"),
        ("from yaml import load\nload(f)", "line 2: yaml.load: use yaml.safe_load"),
        ("import numpy as np\nnp.load(f, allow_pickle=True)", "line 2: numpy.load with allow_pickle=True"),
        ("eval(text)", "line 1: eval: runs text as code"),
        ("import subprocess\nsubprocess.run(c, shell=True)", "line 2: subprocess.run with shell=True"),
    ],
)
def test_an_unsafe_call_is_found(source, expected):
    assert unsafe_calls(source) == [expected]


def test_safe_loading_is_let_through():
    source = "import torch, yaml\ntorch.load(p, weights_only=True)\nyaml.safe_load(f)\nmodule.eval()\n"
    assert unsafe_calls(source) == []


def test_a_large_file_is_found(tmp_path):
    check = runpy.run_path(str(HOUSE / "file_size.py"))
    path = tmp_path / "film.bin"
    path.write_bytes(bytes(check["LARGEST"]))
    assert not check["too_large"]([path])
    path.write_bytes(bytes(check["LARGEST"] + 1))
    assert check["too_large"]([path])


def test_outputs_are_taken_out_of_a_notebook(tmp_path):
    strip = runpy.run_path(str(HOUSE / "notebook_outputs.py"))
    cell = '{"cell_type": "code", "execution_count": %s, "metadata": {}, "outputs": %s, "source": ["1"]}'
    path = tmp_path / "a.ipynb"
    path.write_text('{"cells": [' + cell % (3, '[{"output_type": "stream"}]') + '], "metadata": {}, "nbformat": 4}')
    assert strip["main"]([str(path)]) == 1
    assert '"outputs": []' in path.read_text()
    assert '"execution_count": null' in path.read_text()
    assert strip["main"]([str(path)]) == 0
