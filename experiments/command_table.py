"""Every command of ``inkspeak``: its name, the module that carries it and one line about it. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CommandEntry:
    """One row of the table.

    Attributes:
        name: what the user types after ``inkspeak``.
        module: import path of the module that carries the command; imported only when the command is chosen.
        summary: one line for ``inkspeak --help``.
        group: heading under which the command is listed.
    """

    name: str
    module: str
    summary: str
    group: str


MAKE = "Make drawings talk"
LOOK_AFTER = "Look after the installation"
TRAIN = "Train (arguments of a Lightning trainer, YAML files with --config)"

COMMANDS: tuple[CommandEntry, ...] = (
    CommandEntry("animate", "experiments.commands.animate", "turn face photos and speech into talking drawings", MAKE),
    CommandEntry("demo", "experiments.commands.demo", "animate the portrait and the sentence that come along", MAKE),
    CommandEntry("landmarks", "experiments.commands.landmarks", "turn speech into the motion of 68 landmarks", MAKE),
    CommandEntry("prepare", "experiments.commands.prepare", "work out faces, mattes and drawings of a data set", MAKE),
    CommandEntry("weights", "experiments.commands.weights", "list, verify, import and export weights", LOOK_AFTER),
    CommandEntry("doctor", "experiments.commands.doctor", "check this installation and say what to do", LOOK_AFTER),
    CommandEntry("benchmark", "experiments.commands.benchmark", "measure speed and memory here, as JSON", LOOK_AFTER),
    CommandEntry(
        "evaluate", "experiments.commands.evaluate", "measure talking drawings and what they are made of", LOOK_AFTER
    ),
    CommandEntry("report", "experiments.commands.report", "show training runs as one page", LOOK_AFTER),
    CommandEntry("dashboard", "experiments.commands.dashboard", "the dashboard: show it, make it in W&B", LOOK_AFTER),
    CommandEntry("study", "experiments.commands.study", "ask people which drawings they prefer", LOOK_AFTER),
    CommandEntry("fit", "experiments.training_cli", "train a model", TRAIN),
    CommandEntry("sweep", "experiments.commands.sweep", "train overlays x seeds, ending in the ablation table", TRAIN),
    CommandEntry("validate", "experiments.training_cli", "run a model's validation", TRAIN),
    CommandEntry("test", "experiments.training_cli", "run a model's test", TRAIN),
    CommandEntry("predict", "experiments.training_cli", "run a model's prediction", TRAIN),
)


def find_command(name: str) -> CommandEntry | None:
    """Return the row with this name, or ``None``."""
    return next((entry for entry in COMMANDS if entry.name == name), None)
