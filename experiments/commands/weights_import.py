"""``inkspeak weights import``: the checkpoints of the published system become a set that animate reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.progress import make_progress
from experiments.tables import as_json, readable_size, text_table
from lightning_modules.errors import ConfigError
from lightning_modules.weights.weight_sets import OFFICIAL, SetMember, WeightSet, set_folder

if TYPE_CHECKING:
    from lightning_modules.weights.import_published import ImportReport


def import_weights(
    folders: list[Path],
    *,
    name: str = OFFICIAL,
    pick: list[str] = [],  # noqa: B006 - never changed
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Import the published checkpoints that you have, as a set of weights for animate.

    FOLDER is Module1/checkpoints or Module2/checkpoints of the published system, or what lies above them: every file
    below is looked at, and known by its content, whatever it is called. The two small tables that the content branch
    needs lie beside the published code, so name the folder Module1 itself if you have it. What is recognised is written
    again as safetensors; the files given are only read, and no code in them is run. Import again to add or renew files.

    Args:
        folders: folders, or single files, of published checkpoints
        name: name of the set
        pick: which of several files is to play a role, as ROLE=FILE
        json: print JSON instead of tables
        quiet: no progress

    Returns:
        0 when something was imported and no file was refused, else 2.

    Raises:
        InkspeakError: a folder does not exist, a pick is none of the files found, or the set cannot be written.

    Example:
        inkspeak weights import AnimatePortrait/Module1 AnimatePortrait/Module2/checkpoints
        inkspeak animate me.jpg hello.wav --weights official --compat official
    """
    if not folders:
        raise ConfigError("no folder is given", "name that of the published checkpoints")
    folder, picks = set_folder(name), dict(map(_picked, pick))
    progress = make_progress(quiet=quiet)
    from lightning_modules.weights.import_published import import_published

    try:
        progress.start("weights")
        report = import_published(folders, folder, picks=picks, listener=progress.note)
    finally:
        progress.close()
    print(as_json(report_facts(report)) if json else report_text(report))
    return 0 if report.imported and not report.refused else 2


def _picked(word: str) -> tuple[str, Path]:
    role, sign, file = word.partition("=")
    if not sign or not role or not file:
        raise ConfigError(f"--pick is '{word}'", "give ROLE=FILE, such as drawing_generator=70_net_G_A.pth")
    return role, Path(file)


def report_facts(report: ImportReport) -> dict[str, Any]:
    """What an import did, as plain values."""
    import dataclasses

    return {
        "set": report.weights.name,
        "folder": str(report.weights.folder),
        "imported": report.imported,
        "kept": report.kept,
        "members": [dataclasses.asdict(member) for member in report.weights.members],
        "missing": dict(missing_roles(report.weights)),
        "choices": report.choices,
        "remarks": report.remarks,
        "refused": [str(error) for error in report.refused],
        "skipped": report.skipped,
    }


def report_text(report: ImportReport) -> str:
    """What an import did, as text: what was refused and chosen, the table of roles, and what is missing."""
    lines = [f"refused: {error}" for error in report.refused]
    lines += [f"chosen: {choice}" for choice in report.choices]
    lines += report.remarks
    if report.skipped:
        lines.append(f"{report.skipped} other files hold no weights and were passed over")
    if report.weights.members:
        rows = [
            (
                member.role,
                "imported" if member.role in report.imported else "from before",
                member.kind,
                readable_size(member.size),
                member.source_file,
            )
            for member in in_order(report.weights)
        ]
        lines += ["", text_table([("role", "", "kind", "size", "from"), *rows])]
    missing = missing_roles(report.weights)
    if missing:
        lines += ["", text_table([("missing", "without it"), *missing])]
    if report.imported:
        lines += ["", f"the set '{report.weights.name}' is in {report.weights.folder}"]
        lines.append(f"use it with: inkspeak animate PHOTO SPEECH --weights {report.weights.name} --compat official")
    else:
        lines += ["", "nothing was imported"]
    return "\n".join(lines).strip("\n")


def in_order(weights: WeightSet) -> list[SetMember]:
    """The files of a set in the order of the table of roles."""
    from lightning_modules.weights.published_roles import ROLES

    order = {role.name: place for place, role in enumerate(ROLES)}
    return sorted(weights.members, key=lambda member: (order.get(member.role, len(order)), member.role))


def missing_roles(weights: WeightSet) -> list[tuple[str, str]]:
    """Roles that animations ask for and a set lacks, with what happens without each."""
    from lightning_modules.weights.published_roles import ROLES

    return [(role.name, role.without) for role in ROLES if role.without and weights.member(role.name) is None]
