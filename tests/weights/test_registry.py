"""The manifest of weight files, where they are looked for, and how a wrong file is noticed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from experiments.__main__ import main
from lightning_modules.errors import WeightsError
from lightning_modules.weights import registry
from lightning_modules.weights.registry import (
    WeightFile,
    hub_folder,
    load_manifest,
    locate,
    require_weight,
    sha256_of,
    state_of,
)

CONTENT = b"weights" * 1000
ROW = {
    "name": "tiny",
    "role": "for a test",
    "location": "torch-hub",
    "package": "somebody",
    "file": "tiny-1.pth",
    "size": len(CONTENT),
    "exact": True,
    "sha256": hashlib.sha256(CONTENT).hexdigest(),
    "licence": "CC0-1.0",
    "source": "made here",
    "read_by": None,
    "default": False,
}


def weight(**change) -> WeightFile:
    return WeightFile(**(ROW | change))


def manifest(folder: Path, *rows: dict) -> Path:
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump({"weights": list(rows)}))
    return path


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_the_manifest_is_sound():
    weights = load_manifest()
    assert len({one.name for one in weights}) == len(weights) >= 15
    for one in weights:
        assert one.licence
        assert one.source
        assert not one.exact or (one.size and one.sha256)
        assert not one.default or one.location == "package", "a default must need no download"
        assert one.location == "own-copy" or one.read_by, "what is shipped or fetched must have a reader"


def test_the_inception_row_is_what_the_metric_asks_for():
    from lightning_modules.metrics.feature_networks import INCEPTION_FILE, INCEPTION_SHA256, INCEPTION_SIZE

    (row,) = [one for one in load_manifest() if one.file == INCEPTION_FILE]
    assert (row.size, row.sha256, row.location) == (INCEPTION_SIZE, INCEPTION_SHA256, "own-copy")
    assert "DrawingDistances" in str(row.read_by)


def test_what_mediapipe_ships_is_what_the_manifest_says():
    mediapipe = [one for one in load_manifest() if one.package == "mediapipe"]
    assert len(mediapipe) == 4
    for one in mediapipe:
        path = locate(one)
        assert path is not None
        assert (path.stat().st_size, sha256_of(path)) == (one.size, one.sha256)
        assert state_of(one, verify=True) == "intact"
        assert require_weight(one.name) == path


def test_looking_for_a_file_does_not_import_its_package():
    code = (
        "import sys\n"
        "from lightning_modules.weights.registry import load_manifest, state_of\n"
        "states = {state_of(one, verify=True) for one in load_manifest()}\n"
        "print(sorted(states), [name for name in ('mediapipe', 'torch', 'numpy') if name in sys.modules])"
    )
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=repository)
    assert done.stdout.strip().endswith("[]")
    assert "intact" in done.stdout


def test_the_hub_folder_is_the_one_torch_uses(monkeypatch, tmp_path):
    import torch

    for variables in ({"TORCH_HOME": str(tmp_path)}, {"XDG_CACHE_HOME": str(tmp_path)}, {"HOME": str(tmp_path)}):
        with monkeypatch.context() as patch:
            for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
                patch.delenv(name, raising=False)
            for name, value in variables.items():
                patch.setenv(name, value)
            assert hub_folder() == Path(torch.hub.get_dir()) / "checkpoints"


def test_states_of_a_file(hub):
    path = hub / "tiny-1.pth"
    assert state_of(weight(), verify=True) == "absent"
    path.write_bytes(CONTENT)
    assert state_of(weight()) == "present"
    assert state_of(weight(), verify=True) == "intact"
    path.write_bytes(CONTENT[:-1])
    assert state_of(weight()) == "changed"
    path.write_bytes(b"W" + CONTENT[1:])  # one byte flipped: only reading it all can tell
    assert state_of(weight()) == "present"
    assert state_of(weight(), verify=True) == "changed"
    assert state_of(weight(sha256=None, exact=False, size=1), verify=True) == "present"


def test_the_users_own_copy_is_not_looked_for(hub):
    (hub / "tiny-1.pth").write_bytes(CONTENT)
    own = weight(location="own-copy", package=None)
    assert locate(own) is None
    assert state_of(own, verify=True) == "own copy"


def test_a_package_that_is_not_installed_has_no_files():
    missing = weight(location="package", package="no_such_package_at_all")
    assert locate(missing) is None
    assert state_of(missing) == "absent"


def test_weights_are_verified_before_they_are_handed_out(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "load_manifest", lambda: (weight(),))
    with pytest.raises(WeightsError, match="there are no weights called 'other'; see inkspeak weights list"):
        require_weight("other")
    with pytest.raises(WeightsError, match=r"'tiny' \(tiny-1\.pth\) are not on this machine; source: made here"):
        require_weight("tiny")
    (hub / "tiny-1.pth").write_bytes(CONTENT)
    assert require_weight("tiny") == hub / "tiny-1.pth"
    (hub / "tiny-1.pth").write_bytes(b"W" + CONTENT[1:])
    with pytest.raises(WeightsError, match="these are not the known weights 'tiny'") as caught:
        require_weight("tiny")
    assert caught.value.path == hub / "tiny-1.pth"


def test_a_manifest_of_ones_own(tmp_path):
    assert load_manifest(manifest(tmp_path, ROW)) == (WeightFile(**ROW),)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({key: value for key, value in ROW.items() if key != "licence"}, "missing or unknown fields: licence"),
        (ROW | {"colour": "red"}, "missing or unknown fields: colour"),
        (ROW | {"size": "big"}, "'size' is 'big'"),
        (ROW | {"default": 1}, "'default' is 1"),
        (ROW | {"sha256": "abc"}, "'sha256' is not 64 hexadecimal digits"),
        (ROW | {"sha256": "G" * 64}, "'sha256' is not 64 hexadecimal digits"),
        (ROW | {"location": "moon"}, "'location' is 'moon', 'package' 'somebody'"),
        (ROW | {"package": None}, "'location' is 'torch-hub', 'package' None"),
    ],
)
def test_a_wrong_row_is_refused(tmp_path, row, told):
    with pytest.raises(WeightsError) as caught:
        load_manifest(manifest(tmp_path, row))
    assert told in str(caught.value)


@pytest.mark.parametrize("text", ["", "weights: 3", "[1, 2", "!!python/object/apply:os.getcwd []"])
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "manifest.yaml"
    path.write_text(text)
    with pytest.raises(WeightsError):
        load_manifest(path)


def test_two_rows_of_one_name_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="share a name"):
        load_manifest(manifest(tmp_path, ROW, ROW | {"file": "b"}))


def test_the_list_as_json_has_every_field(capsys):
    assert main(["weights", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    fields = {field.name for field in dataclasses.fields(WeightFile)} | {"present", "state"}
    assert [row["name"] for row in rows] == [one.name for one in load_manifest()]
    for row in rows:
        assert set(row) == fields
        assert row["present"] in ({None} if row["location"] == "own-copy" else {True, False})
        assert row["state"] in {"present", "absent", "own copy"}


def test_the_list_for_people_names_each_with_licence_source_and_hash(capsys):
    assert main(["weights", "list"]) == 0
    text = capsys.readouterr().out
    blocks = text.strip().split("\n\n")
    for one, block in zip(load_manifest(), blocks, strict=True):
        assert block.startswith(f"{one.name}  [")
        for part in (one.role, one.file, one.licence, one.source, one.sha256 or "not known"):
            assert part in block
        assert ("used by default" in block) == one.default
        assert ("nothing reads it yet" in block) == (one.read_by is None)


def test_verifying_fails_when_a_file_was_changed(capsys, hub, monkeypatch):
    assert main(["weights", "verify"]) == 0
    assert capsys.readouterr().out.startswith(f"intact  {load_manifest()[0].name}  ")
    from experiments.commands import weights as command

    monkeypatch.setattr(command, "load_manifest", lambda: (weight(),))
    assert main(["weights", "verify"]) == 0  # absent, but nothing needs it
    (hub / "tiny-1.pth").write_bytes(b"W" + CONTENT[1:])
    capsys.readouterr()
    assert main(["weights", "verify", "--json"]) == 2
    assert [row["state"] for row in json.loads(capsys.readouterr().out)] == ["changed"]
    monkeypatch.setattr(command, "load_manifest", lambda: (weight(default=True, file="none.pth"),))
    assert main(["weights", "verify"]) == 2  # needed and absent
