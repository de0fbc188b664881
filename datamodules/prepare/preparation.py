"""One preparation from plan to report, whatever is prepared: photos now, drawings and film later.

A builder finds its files, names its settings, gives a work function that writes the record of one item, and says what
is worth reporting. Everything else happens here: resuming, parallel work, rejections, manifest and report.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules.prepare.manifest import RECORDS_NAME, write_manifest
from datamodules.prepare.prepared_set import fingerprint
from datamodules.prepare.record_folder import (
    read_facts,
    read_file,
    record_folders,
    remove_record,
    sha256_of_file,
    sweep_leftovers,
)
from datamodules.prepare.report import Entry, PreparationReport, write_report
from datamodules.prepare.runner import Progress, Run, run_items
from datamodules.prepare.sources import FoundFiles, Terms, TermsFinder, record_id
from lightning_modules.errors import PreparedSetError

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class SourceItem:
    """One source file with all that decides what its record will be.

    Args:
        id: name of its record.
        name: of the file, relative to the prepared folder, with ``/``.
        path: of the file.
        sha256: of its bytes; empty if it cannot be read.
        terms: licence and attribution.
        fingerprint: of the bytes, the name, the terms and the settings.
    """

    id: str
    name: str
    path: Path
    sha256: str
    terms: Terms
    fingerprint: str


def plan_items(found: FoundFiles, names: Sequence[str], terms: TermsFinder, settings: Facts) -> list[SourceItem]:
    """Return the items for some of the found files, in the order of the names."""
    items = []
    for name in names:
        path = found.root / name
        try:
            digest = sha256_of_file(path)
        except OSError:
            digest = ""  # the work function will say what is wrong with it
        own = terms.terms_of(name)
        mark = fingerprint(name, digest, own.licence, own.attribution, settings)
        items.append(SourceItem(record_id(name), name, path, digest, own, mark))
    return items


class FinishedRecords:
    """Knows which items need no work: their record is there, whole, and has the item's fingerprint.

    Args:
        records: the ``records`` folder of the set.
        kind: of record.
    """

    def __init__(self, records: Path, kind: str) -> None:
        self._records = records
        self._kind = kind

    def __call__(self, item: SourceItem) -> str | None:
        """Return the record's id, or None if the item has to be worked on."""
        folder = self._records / item.id
        if not folder.is_dir():
            return None
        try:
            facts = read_facts(folder, self._kind)
            if facts.get("fingerprint") != item.fingerprint:
                return None
            for name in facts["files"]:
                read_file(folder, facts, name)
        except PreparedSetError:
            return None  # damaged: made anew
        return item.id


def usable_processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Preparation:
    """What one builder prepares, and where.

    Args:
        kind: of the whole, in the plural, e.g. ``"photos"``.
        record_kind: of one record, e.g. ``"portrait"``.
        found: the source files.
        destination: the prepared set; its ``set.json`` is written.
        settings: everything that shapes a record, JSON values.
    """

    kind: str
    record_kind: str
    found: FoundFiles
    destination: Path
    settings: Facts

    @property
    def records(self) -> Path:
        """The folder of the records."""
        return self.destination / RECORDS_NAME

    def run(
        self,
        items: Sequence[SourceItem],
        make_work: Callable[[], Callable[[SourceItem], str]],
        *,
        findings: Callable[[Sequence[tuple[SourceItem, Facts]]], Mapping[str, tuple[Entry, ...]]],
        workers: int,
        progress: Progress | None,
    ) -> PreparationReport:
        """Prepare all items, then write manifest and report.

        Args:
            items: from :func:`plan_items`.
            make_work: as in :func:`datamodules.prepare.runner.run_items`; the work function writes the record of one
                item and returns its id.
            findings: given the accepted items with the facts of their records, what is worth reporting, by heading.
            workers: number of processes; 0 works in this one.
            progress: told after every item.

        Returns:
            The report; after Ctrl-C with ``interrupted`` set, and manifest and report tell what is done.

        Raises:
            InkspeakError: what no item can escape, e.g. a full disk.
        """
        sweep_leftovers(self.records)
        try:
            run = run_items(
                items,
                make_work,
                workers=workers,
                existing=FinishedRecords(self.records, self.record_kind),
                name=lambda item: item.name,
                progress=progress,
            )
        finally:
            sweep_leftovers(self.records)
        for outcome in run.outcomes:
            if outcome.reason is not None:  # an older photo of this name may have been accepted
                remove_record(self.records / items[outcome.index].id)
        write_manifest(self.destination)
        report = self._report(items, run, findings, workers)
        write_report(report)
        return report

    def _report(
        self,
        items: Sequence[SourceItem],
        run: Run[str],
        findings: Callable[[Sequence[tuple[SourceItem, Facts]]], Mapping[str, tuple[Entry, ...]]],
        workers: int,
    ) -> PreparationReport:
        accepted = [items[outcome.index] for outcome in run.outcomes if outcome.reason is None]
        facts = [(item, read_facts(self.records / item.id, self.record_kind)) for item in accepted]
        worked = [outcome.seconds for outcome in run.outcomes if not outcome.kept]
        kept = sum(outcome.kept for outcome in run.outcomes)
        note = self.found.passed_over_note()
        return PreparationReport(
            kind=self.kind,
            source=str(self.found.root),
            destination=str(self.destination),
            settings=self.settings,
            total=len(items),
            prepared=len(accepted) - kept,
            kept=kept,
            rejected=tuple(
                Entry(items[outcome.index].name, _without_path(outcome.reason, items[outcome.index].path))
                for outcome in run.outcomes
                if outcome.reason is not None
            ),
            licences=dict(sorted(Counter(item.terms.licence for item in accepted).items())),
            findings={**findings(facts), **_repeated(accepted), **self._strangers()},
            notes=(note,) if note else (),
            workers=workers,
            seconds=round(run.seconds, 3),
            seconds_per_item=round(sum(worked) / len(worked), 3) if worked else None,
            interrupted=run.interrupted,
        )

    def _strangers(self) -> dict[str, tuple[Entry, ...]]:
        """Records whose source is gone: they stay, but nobody should train on them unaware."""
        here = {record_id(name) for name in self.found.names}
        gone = tuple(
            Entry(f"{RECORDS_NAME}/{folder.name}", "delete this folder and run again, if the photo was withdrawn")
            for folder in record_folders(self.records)
            if folder.name not in here
        )
        return {"Records without a file in the source": gone}


def _repeated(items: Sequence[SourceItem]) -> dict[str, tuple[Entry, ...]]:
    by_content = defaultdict(list)
    for item in items:
        by_content[item.sha256].append(item.name)
    again = [Entry(name, f"the same bytes as {names[0]}") for names in by_content.values() for name in names[1:]]
    return {"Identical files": tuple(sorted(again, key=lambda entry: entry.source))}


def _without_path(reason: str, path: Path) -> str:
    """The report's line begins with the name; the message need not repeat it."""
    return reason.removeprefix(f"{path}: ")
