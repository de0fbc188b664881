"""The machine and the software a figure was measured with. No host name, user name or path gets in."""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("inkspeak", "torch", "lightning", "numpy", "mediapipe", "opencv-python-headless", "av", "soundfile")


def environment() -> dict[str, Any]:
    """All facts, as plain JSON values.

    Returns:
        ``date`` (UTC, ISO), ``commit`` (``None`` outside a repository), ``changed_since_commit``, ``hardware`` and
        ``versions``.
    """
    commit, changed = commit_state()
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "changed_since_commit": changed,
        "hardware": hardware(),
        "versions": versions(),
    }


def hardware() -> dict[str, Any]:
    """Processor, cores this process may use, their load, memory in bytes, system, the GPU's name if torch sees one."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "processor": processor(),
        "cores": usable_cores(),
        "torch_threads": torch.get_num_threads(),
        "load": load(),
        "memory": memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "gpu": gpu,
    }


def versions() -> dict[str, str | None]:
    """Version of Python and of every package that matters for speed; ``None`` when not installed."""
    return {"python": platform.python_version()} | {package: installed(package) for package in PACKAGES}


def installed(package: str) -> str | None:
    """Version of an installed distribution, or ``None``."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """Model name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores this process may use; fewer than the machine has when it is bound to some of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load() -> float | None:
    """Processes that wanted a core, mean of the last minute: well above the cores, figures are too slow."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def memory() -> int | None:
    """Main memory in bytes, where the system tells."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def commit_state() -> tuple[str | None, bool | None]:
    """Commit of the folder the code runs from, and whether tracked files differ from it; ``None`` when unknown."""
    folder = Path(__file__).parent

    def git(*words: str) -> str:
        command = ["git", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None
