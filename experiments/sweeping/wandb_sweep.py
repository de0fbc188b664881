"""The same file as a sweep of W&B: ``wandb agent`` on any number of machines then carries its runs out.

Overlay and seed are the parameters; an agent starts ``inkspeak sweep FILE --overlay=NAME --seed=N`` for each pair. So a
run is skipped, resumed and recorded as everywhere else; agents that share the folder of results fill one table.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.sweeping.sweep_file import SweepFile
from lightning_modules.errors import BackendError


def wandb_configuration(sweep: SweepFile, file: Path, words: Sequence[str] = ()) -> dict[str, Any]:
    """The sweep as W&B writes it; needs neither network nor key.

    Args:
        sweep: the sweep.
        file: its file, as the agents' machines know it.
        words: further arguments that every agent gives to ``inkspeak sweep``.
    """
    key, column = next(((key, one) for key, one in sweep.columns.items() if one.better != "none"), (None, None))
    command = ["${env}", "${interpreter}", "-m", "experiments", "sweep", str(file), "--launcher", "local", *words]
    configuration: dict[str, Any] = {
        "name": file.stem,
        "description": f"{len(sweep.overlays)} overlays x {len(sweep.seeds)} seeds of {file.name}",
        "program": "inkspeak",
        "method": "grid",
        "parameters": {"overlay": {"values": list(sweep.overlays)}, "seed": {"values": list(sweep.seeds)}},
        "command": [*command, "${args}"],
    }
    if key is not None and column is not None:
        goal = {"lower": "minimize", "higher": "maximize"}[column.better]
        configuration["metric"] = {"name": key, "goal": goal}
    return configuration


def create_sweep(configuration: Mapping[str, Any], project: str) -> str:
    """Hand the sweep to W&B.

    Args:
        configuration: see :func:`wandb_configuration`.
        project: ``PROJECT`` or ``ENTITY/PROJECT``.

    Returns:
        What ``wandb agent`` is given.

    Raises:
        BackendError: there is no key, W&B is offline, or it does not answer.
    """
    if os.environ.get("WANDB_MODE", "") in {"offline", "disabled", "dryrun"}:
        raise BackendError("W&B is offline (WANDB_MODE)", "unset it, or keep the file with --wandb-file")
    import wandb

    if not wandb.api.api_key:
        raise BackendError("there is no key for W&B", "run wandb login, or keep the file with --wandb-file")
    entity, _, name = project.rpartition("/")
    try:
        identifier = wandb.sweep(dict(configuration), project=name, entity=entity or None)
    except (wandb.Error, OSError, ValueError) as error:
        raise BackendError(f"W&B did not take the sweep ({' '.join(str(error).split())[:200]})", "try again") from error
    return f"{project}/{identifier}"
