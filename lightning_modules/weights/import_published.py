"""From the folders that users of the published system have to a set of weights that inkspeak reads.

Every file below them is looked at, and known by what it holds. What is recognised is loaded through the register of
published networks, written as safetensors with what builds it, read back and compared with the file that it came from,
value by value. The list of the set is written last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.export.generator_file import GeneratorTraining
from lightning_modules.export.network_file import NETWORKS, load_network, save_network
from lightning_modules.portrait_gan_inputs import InputRecipe
from lightning_modules.weights.published import PUBLISHED
from lightning_modules.weights.published_roles import NOT_KEPT, ROLES, PublishedRole, role_of
from lightning_modules.weights.published_tables import load_table, save_table
from lightning_modules.weights.recognition import Recognised
from lightning_modules.weights.registry import sha256_of
from lightning_modules.weights.weight_search import Found, files_below, is_about_weights, read_table, read_weights
from lightning_modules.weights.weight_sets import SetMember, WeightSet, is_set_folder, read_set, write_set

PUBLISHED_SIZE: Final = 256
"""Side in pixels of the pictures that the published generators were trained on."""

Listener = Callable[[str], None]
"""Told what is being done, a few words each time."""


@dataclass(frozen=True)
class Candidate:
    """A file that could play a role.

    Attributes:
        path: the file.
        role: what it could play.
        sha256: of the file.
    """

    path: Path
    role: PublishedRole
    sha256: str


@dataclass
class ImportReport:
    """What an import did.

    Attributes:
        weights: the set as it is now.
        imported: roles that this import brought.
        kept: roles that were in the set before and stay.
        refused: an error for each file that was no good.
        choices: a sentence for each role that several files could have played.
        remarks: what else is to be known, a sentence each.
        skipped: number of files that are no weights.
    """

    weights: WeightSet
    imported: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    refused: list[WeightsError] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    skipped: int = 0


def import_published(
    places: Sequence[Path],
    folder: Path,
    *,
    picks: Mapping[str, Path] | None = None,
    listener: Listener | None = None,
) -> ImportReport:
    """Make or renew a set of weights.

    Args:
        places: folders, or files, of published checkpoints.
        folder: of the set. What it has and what is not found this time stays.
        picks: role -> the file that is to play it.
        listener: told of every file of weights.

    Returns:
        What was done. A set of which nothing was found is not written.

    Raises:
        ConfigError: a place does not exist, or a pick is none of the candidates.
        OutputError: the set cannot be written; it is then as it was.
        WeightsError: the list of the old set is damaged.
    """
    listener = listener or (lambda _: None)
    before = read_set(folder) if is_set_folder(folder) else WeightSet(folder)
    report = ImportReport(before)
    candidates = _candidates(files_below(places), report, listener)
    chosen = _chosen(candidates, picks or {}, report)
    old = {member.role: member for member in before.members}
    written: list[SetMember] = []
    try:
        for candidate in chosen:
            listener(f"converting {candidate.path.name}")
            try:
                written.append(_converted(candidate, folder))
            except WeightsError as error:
                report.refused.append(error)
    except BaseException:
        _forget(folder, written, old.values())
        raise
    if not written:
        _forget(folder, written, old.values())
    else:
        report.imported = [member.role for member in written]
        report.kept = [role for role in old if role not in report.imported]
        try:
            report.weights = write_set(folder, (old | {member.role: member for member in written}).values())
        except BaseException:
            _forget(folder, written, old.values())
            raise
    return report


def _forget(folder: Path, written: Iterable[SetMember], old: Iterable[SetMember]) -> None:
    """Remove the files of an import that did not come to its end, but for those that the set had before."""
    before = {member.file for member in old}
    for member in written:
        if member.file not in before:
            with suppress(OSError):
                (folder / member.file).unlink()
    with suppress(OSError):
        folder.rmdir()  # only one that is empty


# Search ---------------------------------------------------------------------------------------------------------------


def _candidates(paths: Iterable[Path], report: ImportReport, listener: Listener) -> list[Candidate]:
    """Look into every file; what is in it is let go again, so that never more than one is in memory."""
    found: list[Candidate] = []
    seen: dict[str, Path] = {}
    for path in paths:
        try:
            about = is_about_weights(path)
            held = _read(path, listener) if about else read_table(path)
            if held is None:
                report.skipped += 1
                continue
            sha256 = sha256_of(path)
        except WeightsError as error:
            report.refused.append(error)
            continue
        except OSError as error:
            report.refused.append(WeightsError(f"it cannot be read ({error.strerror})", "check its permissions", path))
            continue
        if sha256 in seen:
            report.remarks.append(f"{path} is the same file as {seen[sha256]}")
            continue
        seen[sha256] = path
        found += [Candidate(path, role, sha256) for role in _roles(path, held, report)]
    return found


def _read(path: Path, listener: Listener) -> Found:
    listener(f"reading {path.name}")
    return read_weights(path)


def _roles(path: Path, held: Found, report: ImportReport) -> list[PublishedRole]:
    """The roles that a file can play; a remark for each network in it that is not kept."""
    roles = [] if held.table is None else [role_of(held.table[0], {})]
    for network in held.networks:
        if network.kind in NETWORKS and network.kind not in NOT_KEPT:
            role = role_of(network.kind, network.sizes)
            roles += [] if role in roles else [role]
        else:
            why = NOT_KEPT.get(network.kind, "this version cannot keep it")
            report.remarks.append(f"{path}: a {network.kind.replace('_', ' ')}, left out ({why})")
    return roles


# Choice ---------------------------------------------------------------------------------------------------------------


def _chosen(candidates: list[Candidate], picks: Mapping[str, Path], report: ImportReport) -> list[Candidate]:
    """One candidate a role, in the order of the table of roles."""
    by_role: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        by_role.setdefault(candidate.role.name, []).append(candidate)
    for role, path in picks.items():
        if path.resolve() not in [one.path.resolve() for one in by_role.get(role, [])]:
            known = ", ".join(str(one.path) for one in by_role.get(role, [])) or "none"
            raise ConfigError(f"{path} cannot be the {role}", f"the files found for that role are: {known}")
    order = [role.name for role in ROLES]
    chosen = []
    for role, several in sorted(
        by_role.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)
    ):
        if role in picks:
            (best,) = [one for one in several if one.path.resolve() == picks[role].resolve()]
        else:
            best = max(several, key=_preference)
        if len(several) > 1:
            others = ", ".join(str(one.path) for one in several if one is not best)
            why = "as picked" if role in picks else RULE
            report.choices.append(f"{role}: {best.path} ({why}); not {others}; choose with --pick {role}=FILE")
        chosen.append(best)
    return chosen


RULE: Final = "named as published, then the highest number in the name, then the newest"
"""How one of several files for a role is chosen."""


def _preference(candidate: Candidate) -> tuple[int, int, float, str]:
    path = candidate.path
    words = "/".join(path.resolve().parts[-3:]).lower()
    named = sum(word in words for word in candidate.role.named)
    numbers = [int(digits) for digits in re.findall(r"\d+", path.stem)]
    return named, max(numbers, default=-1), path.stat().st_mtime, str(path)


# Conversion -----------------------------------------------------------------------------------------------------------


def _converted(candidate: Candidate, folder: Path) -> SetMember:
    """Write what a candidate holds into the set's folder, and read it back.

    Raises:
        WeightsError: what it holds is not finite, or does not come back as it was.
    """
    role, source = candidate.role, candidate.path
    held = read_table(source) if not is_about_weights(source) else read_weights(source)
    path = folder / f"{role.name}-{candidate.sha256[:12]}.safetensors"
    facts = {
        "licence": role.licence,
        "source": role.source,
        "source_file": "/".join(source.resolve().parts[-2:]),
        "source_sha256": candidate.sha256,
    }
    if held is not None and held.table is not None:
        kind, tensors = held.table
        save_table(kind, tensors, path, facts)
        _require_same(tensors, load_table(kind, path), source)
    else:
        networks = () if held is None else held.networks
        (recognised,) = [one for one in networks if role_of(one.kind, one.sizes).name == role.name][:1]
        kind = recognised.kind
        _convert_network(recognised, path, facts, source)
    return SetMember(
        role=role.name,
        kind=kind,
        file=path.name,
        size=path.stat().st_size,
        sha256=sha256_of(path),
        licence=role.licence,
        source=role.source,
        source_file=facts["source_file"],
        source_sha256=candidate.sha256,
    )


def _convert_network(recognised: Recognised, path: Path, facts: dict[str, str], source: Path) -> None:
    published = PUBLISHED[recognised.kind]
    try:
        network = published.load(recognised.state)
    except WeightsError as error:
        raise WeightsError(error.found, error.remedy, source) from error
    save_network(recognised.kind, network, path, _facts(recognised.kind, facts))
    try:
        own, names = load_network(path).network.state_dict(), published.names_at(recognised.sizes)
        given = {name: value for name, value in recognised.state.items() if name in names}
        _require_same(given, {name: own[key] for name, key in names.items()}, source)
    except WeightsError:
        path.unlink(missing_ok=True)
        raise


def _facts(kind: str, facts: dict[str, str]) -> dict[str, Any]:
    """What the file of a network says about it; of a generator how it was trained, which rendering asks for."""
    if kind != "portrait_generator":
        return dict(facts)
    where = f"{facts['source']}: {facts['source_file']}, sha256 {facts['source_sha256']}"
    training = GeneratorTraining(
        recipe=InputRecipe.official(),
        flow_a="regressed",
        image_size=PUBLISHED_SIZE,
        licence=facts["licence"],
        source=where,
    )
    return training.facts()


def _require_same(given: Mapping[str, Tensor], stored: Mapping[str, Tensor], source: Path) -> None:
    """Require that what was stored is what was given, value by value.

    Raises:
        WeightsError: it is not.
    """
    for name, values in given.items():
        if name not in stored or not torch.equal(values.to(stored[name].dtype), stored[name]):
            found = f"what was stored of it differs at {name}"
            raise WeightsError(found, "import it again; if it happens twice, the disk is broken", source)
