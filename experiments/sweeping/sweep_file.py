"""The file of a sweep: what is laid over which configuration, with which seeds, where it runs, what is looked at."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from jsonargparse import ArgumentParser

from lightning_modules.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Overlay:
    """One row of the table: what is changed.

    Attributes:
        title: what the row is called.
        files: configuration files laid over the base, in this order; paths relative to the file of the sweep.
    """

    title: str
    files: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Column:
    """One column of the table: a number that validation logs.

    Attributes:
        title: heading.
        unit: of the number; empty where it has none.
        better: which way is better, or none of both.
        digits: after the point.
    """

    title: str
    unit: str = ""
    better: Literal["lower", "higher", "none"] = "none"
    digits: int = 3


@dataclass(frozen=True)
class Sheet:
    """A contact sheet: the same faces drawn by the generators of several overlays.

    Attributes:
        title: stands above the pictures.
        overlays: columns, in this order.
        show: rows of each portrait: the ``drawing``, and the ``change`` to the drawing of a slightly moved target.
    """

    title: str
    overlays: list[str]
    show: list[Literal["drawing", "change"]] = field(default_factory=lambda: ["drawing"])


@dataclass(frozen=True)
class LauncherSettings:
    """Where the runs are carried out.

    Attributes:
        kind: ``local`` processes of this machine, ``ray`` on one machine or a cluster, ``slurm`` as a job array.
        processes: runs at once; for ray on this machine alone and for the job array also.
        devices: training processes of each run, above 1 with DDP; None leaves it to the configuration.
        gpus: give each run as many GPUs of its own as it has devices.
        threads: threads of each training process on the CPU; None leaves it to torch.
        address: of a Ray cluster, or ``auto``; None starts Ray on this machine.
        cluster: of submitit: None finds SLURM, ``local`` and ``debug`` run here without it.
        slurm: further parameters of submitit's executor, such as ``timeout_min`` and ``slurm_partition``.
    """

    kind: Literal["local", "ray", "slurm"] = "local"
    processes: int = 1
    devices: int | None = None
    gpus: bool = False
    threads: int | None = None
    address: str | None = None
    cluster: Literal["local", "debug"] | None = None
    slurm: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """What ``inkspeak evaluate clips`` measures with the generator of each finished run; no clips: nothing.

    Attributes:
        clips: films of talking people, folders or patterns of them; relative to where the sweep is started.
        options: further options of that command by name, such as ``frames: 75`` and, where the generator warps by flow
            map A, ``flow_weights``.
    """

    clips: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SweepFile:
    """A sweep as its file says it; :func:`read_sweep` checks what a type cannot say.

    Attributes:
        configs: base configuration files of ``inkspeak fit``; paths relative to the file of the sweep.
        overlays: rows of the table, in its order, by name.
        seeds: one run of each overlay with each of these.
        baseline: overlay that the others are compared with.
        columns: columns of the table by the name under which validation logs the number; ``clips/NAME`` for what
            ``evaluate`` measures.
        settings: laid over the base configuration under the overlays; same form as a configuration file.
        seed_keys: dotted names of the values that take the seed.
        sheets: contact sheets by the name of their file.
        portraits: rows of the contact sheets; 0: none.
        launcher: where the runs are carried out.
        evaluate: what is measured at the end besides validation.
        out: folder of the results, relative to where the sweep is started.
        remark: a sentence under the table, such as what the runs were trained on.
    """

    configs: list[str]
    overlays: dict[str, Overlay]
    seeds: list[int]
    baseline: str
    columns: dict[str, Column]
    settings: dict[str, Any] = field(default_factory=dict)
    seed_keys: list[str] = field(default_factory=lambda: ["seed_everything"])
    sheets: dict[str, Sheet] = field(default_factory=dict)
    portraits: int = 4
    launcher: LauncherSettings = field(default_factory=LauncherSettings)
    evaluate: Evaluation = field(default_factory=Evaluation)
    out: str = "runs/sweeps"
    remark: str = ""


def read_sweep(path: str | Path) -> SweepFile:
    """Read and check the file of a sweep; the paths of configurations in the result are absolute.

    Args:
        path: a YAML file.

    Raises:
        ConfigError: it cannot be read, a key is unknown or missing, a value is of another type, a name is not a file
            name, a file that it names is not there, or it speaks of an overlay that it does not have.
    """
    tree = read_mapping(Path(path))
    # Put by as it stands: the parser would make the objects whose classes it names, and these are for the runs.
    aside = {"settings": tree.pop("settings")} if isinstance(tree.get("settings"), dict) else {}
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(SweepFile)
    try:
        parsed = parser.instantiate(parser.parse_object(tree))
    except (argparse.ArgumentError, TypeError, ValueError) as error:
        raise ConfigError(_plain(str(error)), "see experiments/sweeps/ablations.yaml for the form", path) from error
    sweep = SweepFile(**(vars(parsed) | aside))
    _check(sweep, Path(path))
    base = Path(path).resolve().parent
    overlays = {
        name: Overlay(overlay.title, [_file(base, one, path) for one in overlay.files])
        for name, overlay in sweep.overlays.items()
    }
    return SweepFile(
        **(vars(sweep) | {"configs": [_file(base, one, path) for one in sweep.configs], "overlays": overlays})
    )


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises:
        ConfigError: there is no such file, it is no YAML, or not a mapping.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("it cannot be read", "give a YAML file", path) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"it is not YAML ({_plain(str(error))})", "correct the file", path) from error
    if not isinstance(tree, dict):
        raise ConfigError("it holds no mapping of keys to values", "correct the file", path)
    return tree


def _check(sweep: SweepFile, path: Path) -> None:
    launcher, known = sweep.launcher, ", ".join(sweep.overlays)
    smallest = min(launcher.processes, launcher.devices or 1, launcher.threads or 1)
    wrong = [name for name in (*sweep.overlays, *sweep.sheets) if not _NAME.fullmatch(name)]
    checks = [
        (wrong, f"{', '.join(wrong)} cannot name a file", "use letters, digits, - and _"),
        (
            not (sweep.configs and sweep.overlays and sweep.columns and sweep.seeds),
            "configs, overlays, columns or seeds are empty",
            "give at least one of each",
        ),
        (
            len(set(sweep.seeds)) < len(sweep.seeds) or min(sweep.seeds, default=0) < 0,
            f"the seeds are {sweep.seeds}",
            "give each once, 0 or above",
        ),
        (sweep.baseline not in sweep.overlays, f"the baseline is {sweep.baseline!r}", f"name one of {known}"),
        (
            smallest < 1 or sweep.portraits < 0,
            "processes, devices, threads or portraits are out of range",
            "give 1 or more",
        ),
    ]
    for name, sheet in sweep.sheets.items():
        unknown = [one for one in sheet.overlays if one not in sweep.overlays]
        checks.append((unknown, f"sheet {name} shows {', '.join(unknown)}", f"name overlays: {known}"))
        checks.append((not sheet.overlays or not sheet.show, f"sheet {name} shows nothing", f"name overlays: {known}"))
    for is_wrong, found, remedy in checks:
        if is_wrong:
            raise ConfigError(found, remedy, path)


def _file(base: Path, name: str, sweep: str | Path) -> str:
    path = base / Path(name).expanduser()
    if not path.is_file():
        raise ConfigError(
            f"it names {name}, and there is no such file", "correct the path, relative to the sweep", sweep
        )
    return str(path.resolve())


def _plain(message: str) -> str:
    """A parser's message on one line."""
    return " ".join(message.replace('Parser key "', '"').split()).rstrip(". ")
