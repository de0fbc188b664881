"""``inkspeak sweep``: overlays times seeds, where there is room for them; ends with the ablation table."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Literal

import yaml

from experiments.signature_parser import Option
from experiments.sweeping.clip_evaluation import require_evaluation
from experiments.sweeping.launcher import Outcome, make_launcher
from experiments.sweeping.one_run import checked_record
from experiments.sweeping.plan import Run, chosen_runs, plan, short_digest, with_overrides
from experiments.sweeping.record import LOG_NAME, held
from experiments.sweeping.results import TABLE, write_results
from experiments.sweeping.sweep_file import SweepFile, read_sweep
from experiments.sweeping.wandb_sweep import create_sweep, wandb_configuration
from lightning_modules.errors import ConfigError, TrainingError
from lightning_modules.pipeline.atomic_files import atomic_path

OPTIONS = {
    "file": Option(metavar="FILE"),
    "overlay": Option(metavar="NAME", group="which runs"),
    "seed": Option(group="which runs"),
    "redo": Option(group="which runs"),
    "set": Option(metavar="NAME=VALUE"),
    "launcher": Option(group="where"),
    "processes": Option(group="where"),
    "wandb_file": Option(metavar="FILE", group="W&B"),
    "wandb": Option(metavar="PROJECT", group="W&B"),
}


def sweep(  # noqa: PLR0913 - every choice of the user is an argument
    file: Path,
    *,
    out: Path | None = None,
    overlay: list[str] = [],  # noqa: B006 - never changed
    seed: list[int] = [],  # noqa: B006 - never changed
    redo: bool = False,
    set: list[str] = [],  # noqa: A002, B006 - the option's name; never changed
    launcher: Literal["local", "ray", "slurm"] | None = None,
    processes: int | None = None,
    table: bool = False,
    dry_run: bool = False,
    wandb_file: Path | None = None,
    wandb: str | None = None,
) -> int:
    """Train every overlay with every seed, and put what came of it into one table.

    OUT holds a folder for each run (runs/NAME/seed_N with its log, its record run.json and everything inkspeak fit
    writes), table.md, table.csv, runs.csv and the contact sheets. Start the same sweep again after an interruption:
    finished runs are left as they are, others go on from their last checkpoint, and the table comes out the same. A
    run that fails is recorded and does not keep the others back.

    Args:
        file: what is laid over what; see experiments/sweeps
        out: folder of the results, instead of the file's
        overlay: only these overlays
        seed: only these seeds
        redo: make the chosen runs again that are there with other settings or have failed; what they left is deleted
        set: settings over the file's, such as data.init_args.photos=prepared/photos
        launcher: where the runs are carried out, instead of the file's choice
        processes: runs at once, instead of the file's number
        table: run nothing, only make the table and the sheets of what is there
        dry_run: run nothing, only list the runs
        wandb_file: run nothing, only write the sweep as a file for wandb sweep
        wandb: run nothing, only create the sweep in this project of W&B; its agents do the rest

    Returns:
        0.

    Raises:
        InkspeakError: the file is wrong, runs were made with other settings, or some failed (told when all have ended).

    Example:
        inkspeak sweep experiments/sweeps/ablations.yaml --set data.init_args.photos=prepared/photos
        inkspeak sweep experiments/sweeps/ablations.yaml --launcher slurm --processes 16
        inkspeak sweep experiments/sweeps/debug.yaml --overlay full no_content --seed 0 --out out/sweep
        inkspeak sweep experiments/sweeps/ablations.yaml --wandb my-team/drawings
    """
    read = _as_asked(read_sweep(file), set, launcher, processes)
    folder = Path(read.out if out is None else out).expanduser()
    runs = plan(read, folder.absolute())
    chosen = chosen_runs(runs, overlay, seed)
    if wandb_file is not None or wandb is not None:
        words = [word for text in set for word in ("--set", text)] + ([] if out is None else ["--out", str(out)])
        return _hand_to_wandb(wandb_configuration(read, file, words), wandb_file, wandb)
    if dry_run:
        for run in chosen:
            print(f"{run.name}: {checked_record(run).state}, settings {short_digest(run.fingerprint())}")
            print(f"  inkspeak fit {' '.join(run.arguments(seeded=True))}")
        return 0
    failed: list[Outcome] = []
    if not table:
        require_evaluation(read.evaluate.clips)
        if redo:
            _clear(chosen)
        failed = _carry_out(read, chosen)
    print(write_results(read, runs, folder), end="")
    _say(f"written: {folder / TABLE}")
    if failed:
        names = ", ".join(one.run.name for one in failed[:3]) + (", …" if len(failed) > 3 else "")
        remedy = f"see {LOG_NAME} in their folders, or start the sweep again to try them again"
        raise TrainingError(f"{len(failed)} of {len(chosen)} runs failed: {names}", remedy, folder)
    return 0


def _as_asked(
    read: SweepFile, settings: list[str], launcher: Literal["local", "ray", "slurm"] | None, processes: int | None
) -> SweepFile:
    if processes is not None and processes < 1:
        raise ConfigError(f"--processes is {processes}", "give 1 or more")
    where = replace(
        read.launcher,
        kind=launcher or read.launcher.kind,
        processes=processes or read.launcher.processes,
    )
    return replace(read, launcher=where, settings=with_overrides(read.settings, settings))


def _carry_out(read: SweepFile, chosen: Sequence[Run]) -> list[Outcome]:
    """Carry out what is not finished; returns the runs that failed."""
    waiting = [run for run in chosen if checked_record(run).state != "finished"]
    if len(waiting) < len(chosen):
        _say(f"{len(chosen) - len(waiting)} of {len(chosen)} runs are finished already")
    failed: list[Outcome] = []
    if not waiting:
        return failed
    with closing(make_launcher(read.launcher).launch(waiting)) as outcomes:
        for number, outcome in enumerate(outcomes, 1):
            record = outcome.record
            if record is not None and record.state == "finished":
                word = f"finished after {record.seconds:.0f} s"
            else:
                failed.append(outcome)
                word = f"failed: {outcome.error or (record and record.failed and record.failed[-1]) or 'no word'}"
            _say(f"[{number}/{len(waiting)}] {outcome.run.name} {word}")
    return failed


def _clear(chosen: Sequence[Run]) -> None:
    """Delete what runs left that cannot be used any more: other settings, or failed."""
    for run in chosen:
        if not run.folder.is_dir():
            continue
        with held(run.folder):
            try:
                stale = checked_record(run).state == "failed"
            except ConfigError:
                stale = True
            if stale:
                shutil.rmtree(run.folder)


def _hand_to_wandb(configuration: dict[str, object], target: Path | None, project: str | None) -> int:
    if target is not None:
        with atomic_path(target) as aside:
            aside.write_text(yaml.safe_dump(configuration, sort_keys=False, allow_unicode=True), encoding="utf-8")
        _say(f"written: {target}; create it with wandb sweep {target}")
    if project is not None:
        print(f"wandb agent {create_sweep(configuration, project)}")
    return 0


def _say(line: str) -> None:
    print(f"inkspeak: {line}", file=sys.stderr, flush=True)
