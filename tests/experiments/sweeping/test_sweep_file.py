"""The file of a sweep: what is accepted, and the one line that tells what is not."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
import yaml
from sweeps import read, tree, write_sweep

from experiments.sweeping.sweep_file import Evaluation, LauncherSettings, Sheet, SweepFile, read_sweep
from lightning_modules.errors import ConfigError

SWEEPS = Path(__file__).resolve().parents[3] / "experiments" / "sweeps"


def test_settings_may_name_classes_and_make_none(tmp_path: Path) -> None:
    settings = {"model": {"class_path": "pathlib.Path", "init_args": {"width": 3}}, "none": None}
    assert read(tmp_path, settings=settings).settings == settings


def test_names_of_files_are_relative_to_the_sweep(tmp_path: Path) -> None:
    sweep = read(tmp_path)
    assert sweep.configs == [str(tmp_path / "base.yaml")]
    assert sweep.overlays["less"].files == [str(tmp_path / "less.yaml")]
    assert sweep.overlays["full"].files == []
    assert sweep.settings == {"trainer": {"max_epochs": 3}}
    assert (sweep.launcher.kind, sweep.launcher.processes, sweep.launcher.devices) == ("local", 1, None)
    assert (sweep.seed_keys, sweep.portraits) == (["seed_everything"], 4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seedz": [1]}, "seedz"),
        ({"seeds": ["a"]}, "seeds"),
        ({"seeds": [1, 1]}, "each once"),
        ({"seeds": [-1]}, "each once"),
        ({"seeds": []}, "empty"),
        ({"baseline": "whole"}, "the baseline is 'whole'; name one of full, less"),
        ({"overlays": {"full": {"titel": "x"}}}, "titel"),
        ({"overlays": {"full": {"title": "x", "files": ["none.yaml"]}}}, "none.yaml"),
        ({"overlays": {"full": {"title": "x"}, "a/b": {"title": "x"}}}, "a/b"),
        ({"launcher": {"kind": "cloud"}}, "cloud"),
        ({"launcher": {"processes": 0}}, "out of range"),
        ({"launcher": {"slrum": {"a": 1}}}, "slrum"),
        ({"sheets": {"s": {"title": "x", "overlays": ["more"]}}}, "shows more"),
        ({"sheets": {"s": {"title": "x", "overlays": []}}}, "shows nothing"),
        ({"columns": {"loss": {"title": "x", "better": "best"}}}, "best"),
        ({"configs": ["../missing.yaml"]}, "missing.yaml"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(changes: dict, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as told:
        read(tmp_path, **changes)
    assert said in str(told.value)
    assert "\n" not in str(told.value)
    assert str(told.value).startswith(str(tmp_path / "sweep.yaml"))


@pytest.mark.parametrize("key", ["configs", "overlays", "seeds", "baseline", "columns"])
def test_what_is_missing_is_told(key: str, tmp_path: Path) -> None:
    path = write_sweep(tmp_path)
    left = tree()
    del left[key]
    path.write_text(yaml.safe_dump(left))
    with pytest.raises(ConfigError, match=key):
        read_sweep(path)


@pytest.mark.parametrize(("text", "said"), [("a: [", "not YAML"), ("- 1", "no mapping"), (None, "cannot be read")])
def test_a_file_that_is_none(text: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_sweep(path)


@pytest.mark.parametrize("name", ["ablations", "small", "debug"])
def test_the_files_that_come_along_are_accepted(name: str) -> None:
    sweep = read_sweep(SWEEPS / f"{name}.yaml")
    assert sweep.baseline == "full"
    assert sweep.overlays["full"].files == []


@pytest.mark.parametrize("name", ["ablations", "small", "debug"])
def test_the_defaults_in_the_comments_are_true(name: str) -> None:
    text = (SWEEPS / f"{name}.yaml").read_text(encoding="utf-8")
    told = dict(re.findall(r"^ *(\w+): [^#]*#.*Default: ([\w/]+)$", text, flags=re.MULTILINE))
    defaults = {
        one.name: one.default if one.default is not MISSING else one.default_factory()
        for owner in (SweepFile, LauncherSettings, Evaluation, Sheet)
        for one in fields(owner)
        if one.default is not MISSING or one.default_factory is not MISSING
    }
    assert len(told) >= 4
    words = {"none": (None, [], "", {}), "nothing": ({}, None), "drawing": (["drawing"],)}
    for key, said in told.items():
        known = defaults[key]
        assert known in words.get(said, (yaml.safe_load(said),)), f"{key}: {said}, {known}"


@pytest.mark.parametrize("name", ["ablations", "small"])
def test_every_overlay_of_the_paper_is_a_row(name: str) -> None:
    sweep = read_sweep(SWEEPS / f"{name}.yaml")
    used = [Path(file).stem for overlay in sweep.overlays.values() for file in overlay.files]
    assert sorted(used) == sorted(path.stem for path in SWEEPS.parent.glob("ablations/*.yaml"))
    losses = ["no_content", "no_geometry", "no_identity", "no_coherence_warp", "no_coherence"]
    assert list(sweep.overlays)[:6] == ["full", *losses]  # in the order of the terms of Eq. 9
    shown = {one for sheet in sweep.sheets.values() for one in sheet.overlays}
    assert shown == set(sweep.overlays)
