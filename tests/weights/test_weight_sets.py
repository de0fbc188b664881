"""Sets of imported weights: their list, their names, and what is told when it is damaged."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.weights.registry import state_of
from lightning_modules.weights.set_rows import set_rows
from lightning_modules.weights.weight_sets import (
    SET_FILE,
    SetMember,
    known_sets,
    read_set,
    set_around,
    set_folder,
    weights_folder,
    weights_named,
    write_set,
)


def member(folder: Path, role: str = "matte", content: bytes = b"numbers") -> SetMember:
    folder.mkdir(parents=True, exist_ok=True)
    file = f"{role}-{content.decode()}.safetensors"
    (folder / file).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return SetMember(role, "modnet", file, len(content), digest, "MIT", "somewhere", "a/b.ckpt", "0" * 64)


def test_the_folder_is_the_users_own(monkeypatch):
    monkeypatch.setenv("INKSPEAK_WEIGHTS", "~/w")
    assert weights_folder() == Path.home() / "w"
    monkeypatch.delenv("INKSPEAK_WEIGHTS")
    monkeypatch.setenv("XDG_DATA_HOME", "data")
    assert weights_folder() == Path("data/inkspeak/weights")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert weights_folder() == Path.home() / ".local/share/inkspeak/weights"


def test_what_is_written_is_read_again_and_found_by_its_name():
    folder = set_folder("official")
    assert known_sets() == ()
    written = write_set(folder, [member(folder), member(folder, "flow_regression")])
    assert [one.role for one in written.members] == ["flow_regression", "matte"]
    assert read_set(folder) == written
    assert known_sets() == (written,)
    assert written.name == "official"
    assert written.path("matte") == folder / "matte-numbers.safetensors"
    assert written.path("other") is None
    assert weights_named("official") == folder
    assert weights_named("official:matte") == folder / "matte-numbers.safetensors"
    assert set_around(folder) == set_around(folder / "matte-numbers.safetensors") == written
    assert set_around(Path("x/y.safetensors")) is None
    assert set_around(None) is None


def test_files_that_the_new_list_does_not_name_are_removed():
    folder = set_folder("official")
    write_set(folder, [member(folder, content=b"old")])
    write_set(folder, [member(folder, content=b"new")])
    assert {path.name for path in folder.iterdir()} == {SET_FILE, "matte-new.safetensors"}


def test_a_file_is_preferred_to_a_set_and_unknown_names_are_told(tmp_path, monkeypatch):
    folder = set_folder("official")
    write_set(folder, [member(folder)])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "official").mkdir()  # a folder of that name that is no set does not hide it
    assert weights_named("official") == folder
    (tmp_path / "official").rmdir()
    (tmp_path / "official").write_bytes(b"x")
    assert weights_named("official") == Path("official")
    assert weights_named("some/g.safetensors") == Path("some/g.safetensors")
    with pytest.raises(ConfigError, match=r"neither a file nor a set of weights called 'oficial'; .*here are official"):
        weights_named("oficial")
    (tmp_path / "official").unlink()
    with pytest.raises(ConfigError, match="the set 'official' has no 'voice'; it has matte"):
        weights_named("official:voice")


@pytest.mark.parametrize("name", ["", "a/b", "..", ".x", "a b", "x" * 65])
def test_names_that_are_paths_are_refused(name):
    with pytest.raises(ConfigError):
        set_folder(name)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"form": 9, "members": []}', "form 9"),
        ('{"form": 1, "members": 3}', "damaged"),
        ('{"form": 1, "members": [{"role": "x"}]}', "a row .* damaged"),
    ],
)
def test_a_damaged_list_is_told_in_one_line(text, told):
    folder = set_folder("official")
    folder.mkdir(parents=True)
    (folder / SET_FILE).write_text(text)
    with pytest.raises(WeightsError, match=told) as caught:
        read_set(folder)
    assert "inkspeak weights import" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_row_cannot_point_out_of_the_folder():
    folder = set_folder("official")
    row = dataclasses.asdict(member(folder)) | {"file": "../other.safetensors"}
    (folder / SET_FILE).write_text(json.dumps({"form": 1, "members": [row]}))
    with pytest.raises(WeightsError, match="damaged"):
        read_set(folder)


def test_files_of_sets_are_rows_with_their_state():
    folder = set_folder("official")
    one = member(folder)
    write_set(folder, [one])
    ((row, state),) = set_rows()
    assert (row.name, row.sha256, row.size, row.licence, row.default) == ("official:matte", one.sha256, 7, "MIT", False)
    assert row.read_by == "animate --weights official"
    assert "a/b.ckpt" in row.source
    assert state == state_of(row) == "present"
    assert set_rows(verify=True)[0][1] == "intact"
    (folder / one.file).write_bytes(b"Numbers")
    assert set_rows()[0][1] == "present"
    assert set_rows(verify=True)[0][1] == "changed"
    (folder / one.file).write_bytes(b"num")
    assert set_rows()[0][1] == "changed"
    (folder / one.file).unlink()
    assert set_rows()[0][1] == "absent"


def test_sets_are_listed_without_torch():
    code = "import sys, lightning_modules.weights.set_rows as s; s.set_rows(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
