"""The wheel holds the four packages with their data and nothing else; pins, bounds and metadata agree."""

from __future__ import annotations

import email
import importlib
import importlib.metadata
import shutil
import sys
import tomllib
import zipfile

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

KEPT_OUT = (
    "torchvision",
    "torch-fidelity",
    "opencv-python",
    "opencv-contrib-python",
    "facenet-pytorch",
    "lpips",
    "timm",
)


@pytest.fixture(scope="module")
def project(repository):
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(text: str) -> dict[str, str]:
    """Name -> exact version, of every line that is not a comment."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")
            found[canonicalize_name(name)] = version
    return found


def wanted(project: dict) -> dict[str, SpecifierSet]:
    """Name -> bounds of everything that pyproject.toml asks for, extras included."""
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    requirements = [Requirement(line) for line in [*project["dependencies"], *extras]]
    return {canonicalize_name(item.name): item.specifier for item in requirements if item.name != project["name"]}


def installed() -> dict[str, str]:
    return {canonicalize_name(item.metadata["Name"]): item.version for item in importlib.metadata.distributions()}


def unbounded(bounds: dict[str, SpecifierSet]) -> list[str]:
    return [
        name
        for name, specifier in bounds.items()
        if not {">=", "<"} <= {item.operator for item in specifier} and name != "packaging"  # calendar versions
    ]


def foreign_members(names: list[str], packages: tuple[str, ...]) -> list[str]:
    """Members of a wheel that belong neither to the packages nor to its metadata, or are left-overs of a run."""
    homes = {*packages, next(name.split("/")[0] for name in names if ".dist-info/" in name)}
    return [name for name in names if name.split("/")[0] not in homes or "__pycache__" in name or name.endswith(".tmp")]


@pytest.fixture(scope="module")
def wheel(files, repository, packages, tmp_path_factory):
    """Built from a copy of what git sees, so that building leaves nothing behind and is not disturbed."""
    from hatchling.builders.wheel import WheelBuilder

    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in files:
        copy = source / path.relative_to(repository)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    (source / packages[0] / "__pycache__").mkdir()
    (source / packages[0] / "__pycache__" / "left_over.pyc").write_bytes(b"")
    (built,) = WheelBuilder(str(source)).build(directory=str(target), versions=["standard"])
    return zipfile.ZipFile(built)


def test_the_wheel_holds_the_four_packages_and_nothing_else(wheel, packages):
    assert not foreign_members(wheel.namelist(), packages)


def test_the_wheel_holds_every_file_of_the_packages(wheel, files, repository, packages):
    names = [path.relative_to(repository) for path in files]
    inside = {name.as_posix() for name in names if name.parts[0] in packages}
    assert inside - set(wheel.namelist()) == set()
    assert "lightning_modules/py.typed" in inside


def test_the_wheel_says_what_it_is(wheel, project):
    (path,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = email.message_from_string(wheel.read(path).decode())
    assert metadata["Name"] == "inkspeak"
    assert metadata["License-Expression"] == "MIT"
    assert SpecifierSet(metadata["Requires-Python"]) == SpecifierSet(">=3.11,<3.13")
    assert len(metadata.get_all("Requires-Dist")) >= len(project["dependencies"])


def test_the_command_leads_to_a_function(project):
    module, function = project["scripts"]["inkspeak"].split(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_every_dependency_has_both_bounds(project):
    assert not unbounded(wanted(project))


def test_pins_lie_within_the_bounds(project, repository):
    pinned = pins((repository / "constraints.txt").read_text(encoding="utf-8"))
    for name, specifier in wanted(project).items():
        assert pinned[name] in specifier, name


def test_pins_are_what_is_installed(repository):
    """The set that is called tested is the one these tests run on (a CPU build of torch counts as its version)."""
    text = (repository / "constraints.txt").read_text() + (repository / "requirements-nodeps.txt").read_text()
    here = installed()
    wrong = {
        name: f"{here[name]} installed, {version} pinned"
        for name, version in pins(text).items()
        if name in here and here[name].split("+")[0] != version
    }
    assert not wrong


def test_what_breaks_the_others_stays_out(project, repository):
    pinned = pins((repository / "constraints.txt").read_text(encoding="utf-8"))
    assert not set(KEPT_OUT) & {*wanted(project), *pinned, *installed()}
    assert "torchmetrics[image]" not in "".join(project["dependencies"])


def test_this_python_is_in_the_range(project):
    assert ".".join(map(str, sys.version_info[:3])) in SpecifierSet(project["requires-python"])


def test_the_checks_can_fail():
    names = ["inkspeak-1.dist-info/METADATA", "callbacks/a.py", "tests/b.py", "callbacks/__pycache__/a.pyc"]
    assert foreign_members(names, ("callbacks",)) == ["tests/b.py", "callbacks/__pycache__/a.pyc"]
    assert unbounded({"a": SpecifierSet(">=1"), "b": SpecifierSet(">=1,<2"), "c": SpecifierSet("<2")}) == ["a", "c"]
    assert pins("# said\nA_b==1.0\n") == {"a-b": "1.0"}
