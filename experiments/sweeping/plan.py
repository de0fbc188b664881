"""From the file of a sweep to its runs: settings, a fingerprint of them, and the command lines that carry them out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from experiments.sweeping.sweep_file import SweepFile, read_mapping
from lightning_modules.errors import ConfigError
from lightning_modules.weights.registry import STARTERS, require_weight, sha256_of


@dataclass(frozen=True)
class Run:
    """One training of a sweep, complete in itself: it can be sent to another process or machine.

    Attributes:
        overlay: name of its row.
        seed: its seed.
        folder: where everything about it is kept.
        configs: configuration files, laid over each other in this order.
        settings: laid over the base files, under the overlay's.
        overlay_files: the overlay's files.
        seeds: dotted names that take the seed.
        devices: training processes; None leaves it to the configuration.
        threads: threads of each of them; None leaves it to torch.
        portraits: fixed portraits to keep drawings of.
        clips: films to evaluate the generator on.
        clip_options: options of that evaluation.
    """

    overlay: str
    seed: int
    folder: Path
    configs: tuple[str, ...]
    settings: Mapping[str, Any]
    overlay_files: tuple[str, ...]
    seeds: tuple[str, ...]
    devices: int | None = None
    threads: int | None = None
    portraits: int = 0
    clips: tuple[str, ...] = ()
    clip_options: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """``OVERLAY/seed_N``."""
        return f"{self.overlay}/seed_{self.seed}"

    def fingerprint(self) -> dict[str, Any]:
        """Everything that decides what the run gives: contents of its files, settings, seed, starter networks.

        Comments and layout of the files do not count, nor where and beside how many others the run is carried out.

        Raises:
            ConfigError: a file cannot be read any more.
            WeightsError: a network of the package's own is missing or damaged.
        """
        files = {
            "configs": [read_mapping(Path(path)) for path in self.configs],
            "settings": dict(self.settings),
            "overlay": [read_mapping(Path(path)) for path in self.overlay_files],
        }
        starters = {kind: sha256_of(require_weight(STARTERS[kind])) for kind in sorted(_starters_in(files))}
        chosen = {"starters": starters, "seed": self.seed, "seed_keys": list(self.seeds), "devices": self.devices}
        ends = {"portraits": self.portraits, "clips": list(self.clips), "clip_options": dict(self.clip_options or {})}
        # Through JSON and back: what is read from a record later compares equal.
        return json.loads(json.dumps(files | chosen | ends, default=str))  # type: ignore[no-any-return]

    def arguments(self, *, seeded: bool) -> list[str]:
        """Arguments of ``inkspeak fit`` or ``validate`` that give the configuration.

        Args:
            seeded: with the run's seed; validation leaves it out, so that all runs draw the same targets.
        """
        words: list[str] = []
        for path in self.configs:
            words += ["--config", path]
        if self.settings:
            words += ["--config", str(self.settings_file)]
        for path in self.overlay_files:
            words += ["--config", path]
        if seeded:
            words += [f"--{key}={self.seed}" for key in self.seeds]
        return words

    @property
    def settings_file(self) -> Path:
        """Where :attr:`settings` are written for the command line."""
        return self.folder / "settings.yaml"

    def settings_text(self) -> str:
        """:attr:`settings` as YAML."""
        return str(yaml.safe_dump(dict(self.settings), sort_keys=False, allow_unicode=True))


def plan(sweep: SweepFile, out: Path) -> list[Run]:
    """All runs, seed by seed, so that each row of the table has its first run early.

    Args:
        sweep: the sweep.
        out: folder of the results.

    Raises:
        ConfigError: a run over several machines is asked for.
    """
    if sweep.settings.get("trainer", {}).get("num_nodes", 1) != 1:
        found = "the runs of the sweep are to be spread over several machines"
        raise ConfigError(found, "leave trainer.num_nodes out; experiments/cluster says how one run is spread")
    return [
        Run(
            overlay=name,
            seed=seed,
            folder=out / "runs" / name / f"seed_{seed}",
            configs=tuple(sweep.configs),
            settings=sweep.settings,
            overlay_files=tuple(overlay.files),
            seeds=tuple(sweep.seed_keys),
            devices=sweep.launcher.devices,
            threads=sweep.launcher.threads,
            portraits=sweep.portraits if sweep.sheets else 0,
            clips=tuple(sweep.evaluate.clips),
            clip_options=sweep.evaluate.options,
        )
        for seed in sweep.seeds
        for name, overlay in sweep.overlays.items()
    ]


def chosen_runs(runs: Iterable[Run], overlays: list[str], seeds: list[int]) -> list[Run]:
    """Those of the named overlays and seeds; an empty list names all.

    Raises:
        ConfigError: the sweep has no such overlay or seed.
    """
    runs = list(runs)
    for what, asked, known in (
        ("overlay", overlays, dict.fromkeys(run.overlay for run in runs)),
        ("seed", seeds, dict.fromkeys(run.seed for run in runs)),
    ):
        if unknown := [one for one in asked if one not in known]:
            raise ConfigError(f"the sweep has no {what} {unknown[0]}", f"give one of {', '.join(map(str, known))}")
    return [run for run in runs if (not overlays or run.overlay in overlays) and (not seeds or run.seed in seeds)]


def with_overrides(settings: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Settings of a sweep with further ones from the command line over them.

    Args:
        settings: nested mappings.
        overrides: ``dotted.name=value``, the value as YAML writes it.

    Raises:
        ConfigError: one is of another form, or names something below a plain value.
    """
    result = deepcopy(dict(settings))
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not all(key.split(".")):
            raise ConfigError(f"--set got {text!r}", "write dotted.name=value")
        place: Any = result
        *path, last = key.split(".")
        for name in path:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise ConfigError(f"--set got {text!r}, and {name} holds a plain value", "name what the settings hold")
        try:
            place[last] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set got {text!r}", "write the value as YAML does") from error
    return result


def _starters_in(tree: Any) -> set[str]:
    """Kinds of the networks that a configuration takes from the package by a word, which stays when they change."""
    found: set[str] = set()
    if isinstance(tree, Mapping):
        if tree.get("path") == "starter" and tree.get("kind") in STARTERS:
            found.add(tree["kind"])
        tree = list(tree.values())
    for part in tree if isinstance(tree, list) else []:
        found |= _starters_in(part)
    return found


def short_digest(fingerprint: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits of a fingerprint, for people."""
    return hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()[:12]
