"""The benchmark command around a made-up benchmark, and the facts about machine and software."""

from __future__ import annotations

import getpass
import json
import re
import socket
import sys
import types
from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.benchmarks import environment as facts
from experiments.benchmarks import registry
from experiments.commands.benchmark import leaves, shown


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, bool]]:
    """Two benchmarks; what was run is recorded."""
    ran: list[tuple[str, bool]] = []
    for name in ("first", "second"):
        module = types.ModuleType(f"made_up_{name}")
        module.run = lambda quick, name=name: (
            ran.append((name, quick))
            or {
                "256": {"seconds": {"median": 1.25, "repeats": 5.0}, "frames": 12345},
                "note": name,
            }
        )
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(registry, "BENCHMARKS", {name: f"made_up_{name}" for name in ("first", "second")})
    monkeypatch.chdir(tmp_path)
    return ran


def test_a_table_of_all(made_up, capsys):
    assert main(["benchmark"]) == 0
    assert made_up == [("first", False), ("second", False)]
    captured = capsys.readouterr()
    assert captured.err.splitlines() == ["measuring first ...", "measuring second ..."]
    assert captured.out.splitlines()[:4] == [
        "first 256 seconds median   1.25",
        "first 256 seconds repeats  5",
        "first 256 frames           12345",
        "first note                 first",
    ]


def test_only_some_and_quick(made_up):
    assert main(["benchmark", "--only", "second", "--quick"]) == 0
    assert made_up == [("second", True)]


def test_the_json_holds_figures_and_where_they_come_from(made_up):
    assert main(["benchmark", "--json", "a/figures.json", "--quick"]) == 0
    document = json.loads(Path("a/figures.json").read_text())
    assert list(document) == ["quick", "environment", "benchmarks"]
    assert document["quick"] is True
    assert document["benchmarks"]["first"]["256"]["seconds"]["median"] == 1.25
    assert [path.name for path in Path("a").iterdir()] == ["figures.json"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--only", "third"], "there is no benchmark 'third'; choose from first, second"),
        (["--json", "figures.txt"], "figures.txt: files of kind '.txt' cannot be written"),
        (["--json", "file/figures.json"], "file/figures.json: "),
    ],
)
def test_mistakes_are_told_before_anything_is_measured(made_up, capsys, words, told):
    Path("file").touch()
    assert main(["benchmark", *words]) == 2
    assert capsys.readouterr().err.startswith(f"inkspeak: error: {told}")
    assert made_up == []


def test_every_registered_benchmark_can_be_imported_and_called():
    import importlib
    import inspect

    for module in registry.BENCHMARKS.values():
        assert list(inspect.signature(importlib.import_module(module).run).parameters) == ["quick"]


def test_leaves_and_figures():
    assert list(leaves({"a_b": {"c": 1, "d": [1, 2]}, "e": None})) == [("a b c", 1), ("a b d", [1, 2]), ("e", None)]
    values = [0.000123456, 12345.678, 15.0, 3, None, "text", [1, 2]]
    assert [shown(value) for value in values] == ["0.0001235", "12,346", "15", "3", "null", "text", "[1, 2]"]


def test_the_facts_are_plain_and_complete():
    found = facts.environment()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found["date"])
    assert found["commit"] is None or re.fullmatch(r"[0-9a-f]{40}", found["commit"])
    assert found["changed_since_commit"] in {None, True, False}
    hardware = found["hardware"]
    assert hardware["cores"] >= 1
    assert hardware["load"] is None or hardware["load"] >= 0
    assert hardware["memory"] is None or hardware["memory"] > 2**28
    assert hardware["processor"]
    assert found["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    import torch

    assert found["versions"]["torch"] == torch.__version__


def test_the_facts_name_neither_machine_nor_user_nor_folder():
    text = json.dumps(facts.environment())
    for name in (socket.gethostname(), getpass.getuser(), str(Path.home()), str(Path(__file__).parents[2])):
        assert not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)


def test_what_the_system_does_not_tell_is_left_open(monkeypatch, tmp_path):
    monkeypatch.setattr(facts, "__file__", str(tmp_path / "environment.py"))
    assert facts.commit_state() == (None, None)
    monkeypatch.delattr(facts.os, "sysconf")
    assert facts.memory() is None
    monkeypatch.setattr(facts, "Path", lambda _: tmp_path / "nothing")
    assert facts.processor()
    assert facts.installed("no-such-distribution") is None
    monkeypatch.delattr(facts.os, "sched_getaffinity", raising=False)
    assert facts.usable_cores() >= 1
