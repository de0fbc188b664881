"""What the tests of the house look at: the repository, its files and its modules."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("lightning_modules", "datamodules", "callbacks", "experiments")
NOT_OURS = {".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "out", "runs"}


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def packages() -> tuple[str, ...]:
    return PACKAGES


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Every file that is or may become part of the repository: what git tracks, or would offer to track."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0:
        found = [REPOSITORY / name for name in listing.stdout.decode().split("\0") if name]
    else:  # an unpacked archive
        found = [path for path in REPOSITORY.rglob("*") if not NOT_OURS & set(path.relative_to(REPOSITORY).parts)]
    return sorted(path for path in set(found) if path.is_file())


@pytest.fixture(scope="session")
def modules(files: list[Path]) -> dict[str, Path]:
    """Dotted name -> file, for every module of the four packages."""
    found = {}
    for path in files:
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        if path.suffix == ".py" and parts[0] in PACKAGES:
            found[".".join(parts).removesuffix(".__init__")] = path
    assert set(PACKAGES) <= set(found)
    return found
