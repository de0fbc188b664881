"""What preparing photos, drawings and film have in common, from the checks before to the pages to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datamodules.prepare.contact_sheets import write_contact_sheets
from datamodules.prepare.preparation import Facts, Preparation, SourceItem, plan_items, usable_processors
from datamodules.prepare.prepared_set import check_destination, check_set, exclusive, write_set
from datamodules.prepare.report import Entry, PreparationReport, write_report
from datamodules.prepare.runner import Progress
from datamodules.prepare.sources import FoundFiles, TermsFinder
from lightning_modules.errors import ConfigError

Work = Callable[[SourceItem], str]
Findings = Callable[[Sequence[tuple[SourceItem, Facts]]], Mapping[str, tuple[Entry, ...]]]


@dataclass(frozen=True)
class SetBuilder:
    """What one kind of set needs to be made.

    Args:
        kind: of the set, in the plural, e.g. ``"drawings"``.
        record_kind: of one record, e.g. ``"drawing"``.
        settings: everything that shapes a record but the backends, JSON values.
        tools: builds the backends once and returns their names and settings, so that a missing model is told before
            anything is written.
        plan: given all settings, what there is to prepare: the files found and the items, one a record.
        make_work: given the ``records`` folder, returns the work function; picklable.
        findings: what is worth reporting of the accepted items.
    """

    kind: str
    record_kind: str
    settings: Mapping[str, Any]
    tools: Callable[[], Facts]
    plan: Callable[[Facts], tuple[FoundFiles, list[SourceItem]]]
    make_work: Callable[[Path], Callable[[], Work]]
    findings: Findings


def checked_workers(workers: int | None) -> int:
    """Return the number of processes: one a processor for None.

    Raises:
        ConfigError: it is negative.
    """
    if workers is not None and workers < 0:
        raise ConfigError(f"{workers} workers were asked for", "give 1 or more, or 0 to work in one process")
    return usable_processors() if workers is None else workers


def plan_files(
    found: FoundFiles, limit: int | None, licence: str | None, settings: Facts
) -> tuple[FoundFiles, list[SourceItem]]:
    """Plan one record for each file, as :class:`SetBuilder` asks for it.

    Args:
        found: the files.
        limit: only the first so many; None for all.
        licence: of all; None looks for it beside the files.
        settings: everything that shapes a record.
    """
    return found, plan_items(found, found.names[:limit], TermsFinder(found.root, licence), settings)


def prepare_set(
    builder: SetBuilder,
    source: Path | None,
    destination: Path,
    *,
    workers: int,
    contact_sheets: bool,
    progress: Progress | None,
) -> PreparationReport:
    """Prepare a set: check, hold the folder, work, report, draw pages.

    Args:
        builder: of the kind wanted.
        source: never changed; None if the set is made by rule, from no source.
        destination: folder of the set.
        workers: number of processes; 0 works in this one.
        contact_sheets: whether to write pages to look at.
        progress: told after every item.

    Returns:
        The report; after Ctrl-C with ``interrupted`` set.

    Raises:
        InkspeakError: source, destination, settings or backends cannot be used.
    """
    check_destination(source, destination)
    check_set(destination, builder.kind, builder.settings, some=True)
    settings = {**builder.settings, "tools": builder.tools()}
    is_known = check_set(destination, builder.kind, settings)
    with exclusive(destination):
        found, items = builder.plan(settings)
        if not is_known:
            write_set(destination, builder.kind, settings)
        preparation = Preparation(builder.kind, builder.record_kind, found, destination, settings)
        make_work = builder.make_work(preparation.records)
        report = preparation.run(items, make_work, findings=builder.findings, workers=workers, progress=progress)
        if contact_sheets and not report.interrupted:
            try:
                write_contact_sheets(destination, workers=workers, progress=progress)
            except KeyboardInterrupt:
                report = replace(report, interrupted=True)
                write_report(report)
    return report
