"""The prepare command: what it hands on, what it prints, and its exit code."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments.__main__ import main
from experiments.commands.prepare import photos
from experiments.preparation_run import ItemProgress
from lightning_modules.errors import PhotoError
from lightning_modules.pipeline.animation_job import SilentProgress


class Recorder(SilentProgress):
    def __init__(self):
        self.told = []

    def start(self, stage, total=None):
        self.told.append((stage, total))

    def advance(self, steps=1):
        self.told.append(steps)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    from datamodules.prepare import photos as room

    seen: list[tuple] = []

    def record(source, destination, **options):
        seen.append((source, destination, options))
        options["progress"](1, 1, "")
        if source.name == "none":
            raise PhotoError("no photo", "give some", source)
        rejected = (SimpleNamespace(source="b.jpg", text="no face found"),)
        accepted = 0 if source.name == "empty" else 3
        interrupted = source.name == "stopped"
        return SimpleNamespace(rejected=rejected, accepted=accepted, interrupted=interrupted, summary=lambda: "3 of 4")

    monkeypatch.setattr(room, "prepare_photos", record)
    return seen


def test_every_choice_is_handed_on(calls, capsys):
    words = ["--size", "256", "--face", "2", "--matte", "none", "--look", "pencil", "--no-drawing", "--licence", "CC0"]
    words += ["--workers", "0", "--limit", "5", "--no-contact-sheets", "--quiet", "--landmarks", "face-alignment"]
    assert main(["prepare", "photos", "~/in", "out dir/ü", *words]) == 0
    source, destination, options = calls[0]
    assert (source, destination) == (Path.home() / "in", Path("out dir/ü"))
    del options["progress"]
    assert options == {
        "size": 256,
        "face": 2,
        "landmarks": "face-alignment",
        "matte": "none",
        "matte_weights": None,
        "drawer_weights": None,
        "look": "pencil",
        "drawing": False,
        "contact_sheets": False,
        "licence": "CC0",
        "workers": 0,
        "limit": 5,
    }
    assert capsys.readouterr().out.splitlines() == ["rejected: b.jpg: no face found", "3 of 4"]


def test_the_options_and_defaults_are_those_of_the_library():
    from datamodules.prepare.photos import prepare_photos

    ours, theirs = (inspect.signature(function).parameters for function in (photos, prepare_photos))
    assert set(ours) - set(theirs) == {"quiet"}
    assert set(theirs) - set(ours) == {"progress", "make_tools"}
    for name in set(ours) & set(theirs):
        assert ours[name].default == theirs[name].default, name


@pytest.mark.parametrize(("source", "code"), [("some", 0), ("empty", 2), ("stopped", 130), ("none", 2)])
def test_exit_codes(calls, source, code):
    assert main(["prepare", "photos", source, "out", "--quiet"]) == code


def test_counts_become_stages():
    recorder = Recorder()
    progress = ItemProgress(recorder, ("photos", "sheets"))
    for done, total in [(1, 3), (3, 3), (1, 2), (2, 2)]:
        progress(done, total, "a note")
    assert recorder.told == [("photos", 3), 1, 2, ("sheets", 2), 1, 1]


def test_one_item_then_one_sheet_are_two_stages():
    recorder = Recorder()
    progress = ItemProgress(recorder, ("photos", "sheets"))
    progress(1, 1, "")
    progress(1, 1, "")
    assert recorder.told == [("photos", 1), 1, ("sheets", 1), 1]
