"""Runs of a sweep: their order, their command lines, and what their fingerprint notices."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from sweeps import read, runs

from experiments.sweeping import plan as sweeping_plan
from experiments.sweeping.plan import chosen_runs, plan, with_overrides
from experiments.sweeping.record import differences
from lightning_modules.errors import ConfigError
from lightning_modules.weights.registry import STARTERS, load_manifest


def test_each_row_gets_its_first_run_before_any_gets_its_second(tmp_path: Path) -> None:
    assert [run.name for run in runs(tmp_path)] == ["full/seed_0", "less/seed_0", "full/seed_1", "less/seed_1"]


def test_overlays_lie_over_settings_and_settings_over_the_base(tmp_path: Path) -> None:
    run = runs(tmp_path, seed_keys=["seed_everything", "data.seed"])[3]
    words = run.arguments(seeded=True)
    assert [Path(word).name for word in words[1:6:2]] == ["base.yaml", "settings.yaml", "less.yaml"]
    assert words[6:] == ["--seed_everything=1", "--data.seed=1"]
    assert run.arguments(seeded=False) == words[:6]
    assert yaml.safe_load(run.settings_text()) == {"trainer": {"max_epochs": 3}}
    assert run.folder == tmp_path / "out" / "runs" / "less" / "seed_1"


def test_the_fingerprint_knows_contents_and_not_comments_or_launchers(tmp_path: Path) -> None:
    first = [run.fingerprint() for run in runs(tmp_path)]
    assert len({str(one) for one in first}) == 4
    (tmp_path / "base.yaml").write_text("# another comment\nmodel:\n  class_path: a.B\n  init_args: {width: 4}\n")
    moved = plan(read(tmp_path, launcher={"kind": "ray", "processes": 3, "threads": 2}), tmp_path / "elsewhere")
    # read() writes the base file again: lay the other layout over it after reading.
    (tmp_path / "base.yaml").write_text("# another comment\nmodel:\n  class_path: a.B\n  init_args: {width: 4}\n")
    assert [run.fingerprint() for run in moved] == first
    (tmp_path / "base.yaml").write_text("model: {class_path: a.B, init_args: {width: 5}}\n")
    assert all(run.fingerprint() != before for run, before in zip(moved, first, strict=True))
    two = runs(tmp_path, launcher={"devices": 2})
    assert two[0].fingerprint() != first[0]


def test_the_fingerprint_knows_the_packages_own_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their names stay the same when they are trained anew; a run with the old ones is then no run of the table."""
    (before, *_) = runs(tmp_path)
    assert before.fingerprint()["starters"] == {}
    network = {"class_path": "a.B", "init_args": {"kind": "sphereface", "path": "starter"}}
    own = {"class_path": "a.B", "init_args": {"kind": "mobilefacenet", "path": "mine.pth"}}
    settings = {"model": {"networks": [{"identity": network}, own]}}
    (run, *_) = runs(tmp_path, settings=settings)
    (name,) = [one for one in load_manifest() if one.name == STARTERS["sphereface"]]
    first = run.fingerprint()
    assert first["starters"] == {"sphereface": name.sha256}
    monkeypatch.setattr(sweeping_plan, "sha256_of", lambda _: "0" * 64)
    (change,) = differences(first, run.fingerprint())
    assert change.startswith("starters.sphereface was ")


def test_runs_are_chosen_by_name(tmp_path: Path) -> None:
    everything = runs(tmp_path)
    assert [run.name for run in chosen_runs(everything, ["less"], [])] == ["less/seed_0", "less/seed_1"]
    assert [run.name for run in chosen_runs(everything, ["less"], [1])] == ["less/seed_1"]
    with pytest.raises(ConfigError, match="no overlay more; give one of full, less"):
        chosen_runs(everything, ["more"], [])
    with pytest.raises(ConfigError, match="no seed 7; give one of 0, 1"):
        chosen_runs(everything, [], [7])


def test_settings_of_the_command_line_lie_over_the_files(tmp_path: Path) -> None:
    given = {"a": {"b": 1, "c": 2}}
    assert with_overrides(given, ["a.b=[3, 4]", "d.e=x", "a.f=null"]) == {
        "a": {"b": [3, 4], "c": 2, "f": None},
        "d": {"e": "x"},
    }
    assert given == {"a": {"b": 1, "c": 2}}
    for wrong in ("a.b", "a..b=1", "=1", "a.b.c=1", "a.b=["):
        with pytest.raises(ConfigError, match="--set got"):
            with_overrides(given, [wrong])


def test_a_run_stays_on_one_machine(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="several machines"):
        runs(tmp_path, settings={"trainer": {"num_nodes": 2}})
