"""Who may import whom, read from the syntax trees of all modules and followed through our own packages."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

PURE_ROOMS = ("networks", "losses", "geometry", "audio", "faces", "drawing", "pipeline")
FRAMEWORKS = {"lightning", "pytorch_lightning", "lightning_fabric", "wandb", "omegaconf"}
BRINGS_TORCH = {"torch", "kornia", "torchmetrics", "face_alignment", *FRAMEWORKS - {"wandb", "omegaconf"}}
PROBED = {"torchvision": {"experiments.commands.health_checks"}}  # the doctor looks whether it does harm
FOR_DEVELOPERS = {"test", "lint", "dev"}
OTHERWISE_NAMED = {"dlib": "dlib-bin", "webrtcvad": "webrtcvad-wheels"}  # what it is installed as
WITHOUT_TORCH = (
    "lightning_modules.errors",
    "lightning_modules.faces",
    "lightning_modules.audio.loading",
    "lightning_modules.geometry.landmark_groups",
    "lightning_modules.geometry.alignment",
)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def statements(tree: ast.AST, *, when_imported: bool) -> Iterator[ast.AST]:
    """All nodes, or only those that run when the module is imported (no function bodies, no TYPE_CHECKING)."""
    for node in ast.iter_child_nodes(tree):
        if when_imported and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if when_imported and is_type_checking(node):
            for other in node.orelse:
                yield other
                yield from statements(other, when_imported=when_imported)
            continue
        yield node
        yield from statements(node, when_imported=when_imported)


def imports(source: str, module: str, *, is_package: bool = False, when_imported: bool = False) -> set[str]:
    """Absolute dotted names that ``source`` asks for; ``from a import b`` counts as ``a`` and ``a.b``."""
    here = module.split(".") if is_package else module.split(".")[:-1]
    names: set[str] = set()
    for node in statements(ast.parse(source), when_imported=when_imported):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            names |= {origin} | {f"{origin}.{alias.name}" for alias in node.names}
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in {"__import__", "import_module", "importlib.import_module"}
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            names.add(str(node.args[0].value))
    return names


def graph(modules: dict[str, Path], *, when_imported: bool = False) -> dict[str, set[str]]:
    """Module -> what it imports. Importing ``a.b.c`` also runs ``a`` and ``a.b``."""
    found = {}
    for name, path in modules.items():
        asked = imports(
            path.read_text(encoding="utf-8"),
            name,
            is_package=path.name == "__init__.py",
            when_imported=when_imported,
        )
        asked |= {".".join(parts[:i]) for parts in (n.split(".") for n in [*asked, name]) for i in range(1, len(parts))}
        found[name] = asked - {name}
    return found


def chains(start: str, edges: dict[str, set[str]], forbidden: set[str]) -> list[str]:
    """Every way from ``start`` through our own modules to a forbidden library, as ``a -> b -> lightning``."""
    found, seen, waiting = [], {start}, [(start,)]
    while waiting:
        way = waiting.pop()
        for target in sorted(edges[way[-1]]):
            if target in forbidden:
                found.append(" -> ".join([*way, target]))
            elif target in edges and target not in seen:
                seen.add(target)
                waiting.append((*way, target))
    return found


def belongs(module: str, rooms: Iterable[str]) -> bool:
    return any(module == room or module.startswith(room + ".") for room in rooms)


def offenders(modules: dict[str, Path], rooms: Iterable[str], forbidden: set[str], *, when_imported: bool) -> list[str]:
    edges = graph(modules, when_imported=when_imported)
    starts = [name for name in edges if belongs(name, rooms)]
    return sorted({way for start in starts for way in chains(start, edges, forbidden)})


def test_the_pure_rooms_know_no_framework(modules):
    rooms = [f"lightning_modules.{room}" for room in PURE_ROOMS]
    found = offenders(modules, rooms, FRAMEWORKS, when_imported=False)
    assert not found, "\n".join(found)


def test_what_looks_at_input_first_does_not_load_torch(modules):
    found = offenders(modules, WITHOUT_TORCH, BRINGS_TORCH, when_imported=True)
    assert not found, "\n".join(found)


def test_torch_is_really_not_loaded(modules, repository):
    """The same by running it, so that a way in which the syntax tree does not show is found too."""
    names = sorted(name for name in modules if belongs(name, WITHOUT_TORCH))
    script = "import importlib, json, sys\nfor name in json.loads(sys.argv[1]):\n    importlib.import_module(name)\n"
    script += "    assert 'torch' not in sys.modules, f'{name} loads torch'\n"
    run = subprocess.run(
        [sys.executable, "-c", script, json.dumps(names)], cwd=repository, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def third_party(modules: dict[str, Path], packages: Iterable[str]) -> dict[str, set[str]]:
    """Top-level name of a library -> the modules that import it."""
    known = {*sys.stdlib_module_names, *packages}
    found: dict[str, set[str]] = {}
    for name, targets in graph(modules).items():
        for target in targets:
            if target and "." not in target and target not in known:
                found.setdefault(target, set()).add(name)
    return found


def test_every_library_is_declared(modules, packages, repository):
    def plain(name: str) -> str:
        return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", name)[0]).lower()

    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = project["dependencies"] + [line for name in extras.keys() - FOR_DEVELOPERS for line in extras[name]]
    lines += (repository / "requirements-nodeps.txt").read_text(encoding="utf-8").splitlines()
    declared = {plain(line) for line in lines if line and not line.startswith("#")}
    distributions = importlib.metadata.packages_distributions()
    missing = {
        library: sorted(users - PROBED.get(library, set()))
        for library, users in third_party(modules, packages).items()
        if users - PROBED.get(library, set())
        and not declared & {plain(name) for name in distributions.get(library, [OTHERWISE_NAMED.get(library, library)])}
    }
    assert not missing, f"not in pyproject.toml: {missing}"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"lightning_modules.losses.a": "import lightning.pytorch as pl"}, "lightning_modules.losses.a -> lightning"),
        ({"lightning_modules.losses.a": "def f():\n    import wandb.sdk"}, "lightning_modules.losses.a -> wandb"),
        (
            {"lightning_modules.losses.a": "from ..b import c", "lightning_modules.b": "import omegaconf"},
            "lightning_modules.losses.a -> lightning_modules.b -> omegaconf",
        ),
        (
            {"lightning_modules.losses.a": "import callbacks.x", "callbacks": "import lightning", "callbacks.x": ""},
            "lightning_modules.losses.a -> callbacks -> lightning",
        ),
        (
            {"lightning_modules.losses.a": "import importlib\nx = importlib.import_module('wandb')"},
            "lightning_modules.losses.a -> wandb",
        ),
    ],
)
def test_the_law_finds_a_breach(tmp_path, files, expected):
    modules = {}
    for number, (name, source) in enumerate(files.items()):
        modules[name] = tmp_path / f"{number}.py"
        modules[name].write_text(source)
    assert offenders(modules, ["lightning_modules.losses"], FRAMEWORKS, when_imported=False) == [expected]


def test_only_what_runs_at_import_counts_for_start_up(tmp_path):
    lazy, eager = tmp_path / "lazy.py", tmp_path / "eager.py"
    lazy.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\ndef f():\n    import torch\n"
        "class A:\n    def g(self):\n        import kornia\n"
    )
    eager.write_text("class A:\n    try:\n        import torch\n    except ImportError:\n        pass\n")
    assert not offenders({"a": lazy}, ["a"], BRINGS_TORCH, when_imported=True)
    assert offenders({"a": eager}, ["a"], BRINGS_TORCH, when_imported=True) == ["a -> torch"]
    assert offenders({"a": lazy}, ["a"], BRINGS_TORCH, when_imported=False) == ["a -> kornia", "a -> torch"]


def test_an_undeclared_library_is_found(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("import json\nimport moviepy.editor\nfrom experiments import cli\n")
    assert third_party({"datamodules.a": path}, ["datamodules", "experiments"]) == {"moviepy": {"datamodules.a"}}
