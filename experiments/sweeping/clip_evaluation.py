"""The ``evaluate`` section of a sweep: each run's generator through ``inkspeak evaluate clips``, and its figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from experiments.sweeping.plan import Run
from lightning_modules.errors import ConfigError

SUMMARY: Final = "summary.json"
METHOD: Final = "ours"
PREFIX: Final = "clips/"
"""Before the names of these figures, which stand beside those of validation."""
_FOLDER, _WEIGHTS = "evaluated", "generator.safetensors"


def require_evaluation(clips: list[str]) -> None:
    """Say at once, not after hours of training, that the clips cannot be evaluated.

    Args:
        clips: films that the sweep names; none asks for nothing.

    Raises:
        ConfigError: a clip is missing, or this version cannot evaluate clips.
    """
    if not clips:
        return
    from experiments.commands.evaluate import SUBCOMMANDS

    if "clips" not in SUBCOMMANDS:
        raise ConfigError("the sweep names clips, and there is no inkspeak evaluate clips", "leave evaluate out")
    for clip in clips:
        if not any(sign in clip for sign in "*?[") and not Path(clip).expanduser().exists():
            raise ConfigError("there is no such clip", "correct evaluate.clips", clip)


def evaluation_steps(run: Run, checkpoint: Path) -> list[list[str]]:
    """Command lines that measure a run's generator on the clips of the sweep; none without clips.

    Args:
        run: a trained run.
        checkpoint: its last one.
    """
    if not run.clips:
        return []
    weights = run.folder / _WEIGHTS
    export = ["weights", "export", str(checkpoint), str(weights), "--source", f"run {run.name} of a sweep"]
    words = ["evaluate", "clips", *run.clips, "--methods", METHOD, "--generator", str(weights)]
    words += ["--output", str(run.folder / _FOLDER)]
    return [export, words + _as_options(dict(run.clip_options or {}))]


def evaluated_figures(run: Run) -> dict[str, float | None]:
    """What was measured on the clips: ``clips/METRIC`` -> mean over the clips; empty without clips.

    Raises:
        ConfigError: the summary is not of the form that it is known to have.
    """
    if not run.clips:
        return {}
    path = run.folder / _FOLDER / SUMMARY
    try:
        average = json.loads(path.read_text(encoding="utf-8"))["average"][METHOD]
        return {PREFIX + name: _number(found["value"]) for name, found in average.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError("it is no summary of evaluated clips", "evaluate the run again", path) from error


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _as_options(options: dict[str, Any]) -> list[str]:
    words = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else "--no-" + flag[2:])
        else:
            words += [flag, *map(str, value if isinstance(value, list) else [value])]
    return words
