"""The command weights import, and the set in the lists of weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from published_folder import RELATIVE, random_state, write_published

from experiments.__main__ import main
from lightning_modules.weights.weight_sets import read_set, set_folder

ROLES = {"flow_regression", "content_branch", "target_speaker"}


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    write_published(folder, full=False, roles=ROLES)
    (folder / "readme.txt").write_text("how to use it")
    return folder


def test_a_folder_is_imported_and_told_as_a_table(published, capsys):
    assert main(["weights", "import", str(published), "--quiet"]) == 0
    shown = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line}
    assert rows["content_branch"][:2] == ["imported", "content_branch"]
    assert rows["flow_regression"][-1] == "x/f.weights"
    assert "1 other files hold no weights" in shown
    assert "missing" in rows
    assert "the starter model moves the face" in shown
    assert " ".join(rows["matte"]) == "the default matte is taken (--matte)"
    assert f"the set 'official' is in {set_folder('official')}" in shown
    assert "--weights official --compat official" in shown
    assert {member.role for member in read_set(set_folder("official")).members} == ROLES


def test_json_says_the_same(published, capsys):
    assert main(["weights", "import", str(published), "--name", "mine", "--json", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["set"] == "mine"
    assert set(told["imported"]) == ROLES
    assert {one["role"] for one in told["members"]} == ROLES
    assert {"drawing_generator", "matte", "voice_conversion"} <= told["missing"].keys()
    assert told["refused"] == []
    assert told["skipped"] == 1


def test_a_refused_file_is_told_and_the_exit_code_says_so(published, tmp_path, capsys):
    (tmp_path / "bad.pth").write_bytes(b"PK" + b"x" * 100)
    assert main(["weights", "import", str(tmp_path), "--quiet"]) == 2
    assert "nothing was imported" in capsys.readouterr().out
    assert main(["weights", "import", str(tmp_path), str(published), "--quiet"]) == 2
    shown = capsys.readouterr().out
    assert f"refused: {tmp_path / 'bad.pth'}: it is damaged" in shown
    assert "the set 'official'" in shown


def test_one_of_several_is_picked(tmp_path, capsys):
    for name in ("1.pth", "2.pth"):
        torch.save(random_state("content_branch", full=False), tmp_path / name)
    words = ["weights", "import", str(tmp_path), "--quiet", "--pick", f"content_branch={tmp_path / '1.pth'}"]
    assert main(words) == 0
    assert "(as picked)" in capsys.readouterr().out
    assert read_set(set_folder("official")).member("content_branch").source_file.endswith("/1.pth")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no folder is given"),
        (["nowhere"], "there is no folder nowhere"),
        ([".", "--pick", "matte"], "--pick is 'matte'; give ROLE=FILE"),
        ([".", "--name", "a/b"], "cannot be called 'a/b'"),
    ],
)
def test_wrong_words_are_told_in_one_line(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["weights", "import", *words, "--quiet"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_lists_show_the_files_of_the_set_and_verify_reads_them(published, capsys):
    assert main(["weights", "import", str(published), "--quiet"]) == 0
    capsys.readouterr()
    member = read_set(set_folder("official")).member("flow_regression")
    assert main(["weights", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    row = rows["official:flow_regression"]
    assert (row["sha256"], row["size"], row["present"], row["default"]) == (member.sha256, member.size, True, False)
    assert member.source_sha256 in row["source"]
    assert rows["face-mesh"]["present"]
    assert main(["weights", "list"]) == 0
    shown = capsys.readouterr().out
    block = shown[shown.index("official:flow_regression  [present]") :]
    assert f"in the set official: {set_folder('official') / member.file}" in block
    assert main(["weights", "verify"]) == 0
    assert "intact" in next(x for x in capsys.readouterr().out.splitlines() if "official:flow_regression" in x)
    (set_folder("official") / member.file).write_bytes(b"x" * member.size)
    assert main(["weights", "verify"]) == 2
    assert "changed" in next(x for x in capsys.readouterr().out.splitlines() if "official:flow_regression" in x)
    (set_folder("official") / member.file).unlink()
    assert main(["weights", "verify"]) == 2


def test_animate_takes_a_set_by_name_or_says_which_there_are(published, tmp_path, capsys):
    words = ["animate", "me.jpg", "hello.wav", "-o", str(tmp_path / "x.mp4")]
    assert (published / RELATIVE["flow_regression"]).is_file()
    assert main([*words, "--weights", "official"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "neither a file nor a set of weights called 'official'" in line
    assert "inkspeak weights import DIR" in line
    assert not list(tmp_path.iterdir())
