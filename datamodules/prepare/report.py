"""What a preparation says when it is through: one object, and the same as ``report.json`` and ``report.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from datamodules.prepare.runner import duration
from lightning_modules.pipeline.atomic_files import atomic_path

REPORT_JSON: Final = "report.json"
REPORT_MARKDOWN: Final = "report.md"


@dataclass(frozen=True)
class Entry:
    """One line about one source file.

    Args:
        source: name of the file relative to the prepared folder.
        text: what there is to say about it.
    """

    source: str
    text: str


@dataclass(frozen=True)
class PreparationReport:
    """The outcome of one preparation.

    Args:
        kind: what was prepared, e.g. ``"photos"``.
        source: the folder that was prepared.
        destination: the prepared set.
        settings: everything that shaped the records.
        total: items that there were to prepare.
        prepared: items done in this run.
        kept: items that an earlier run had done.
        rejected: the rest, each with its reason; fewer than the rest if the run was interrupted.
        licences: number of accepted items by licence, ``"unknown"`` among them.
        findings: what else is worth knowing, by heading, e.g. the photos with several faces.
        notes: single remarks on the whole run.
        workers: processes that worked.
        seconds: wall-clock time of the run.
        seconds_per_item: mean time that one process spent on one item; None if nothing was done.
        interrupted: whether the user stopped the run; started again, it goes on where it was.
    """

    kind: str
    source: str
    destination: str
    settings: Mapping[str, Any]
    total: int
    prepared: int
    kept: int
    rejected: tuple[Entry, ...]
    licences: Mapping[str, int]
    findings: Mapping[str, tuple[Entry, ...]]
    notes: tuple[str, ...]
    workers: int
    seconds: float
    seconds_per_item: float | None
    interrupted: bool

    @property
    def accepted(self) -> int:
        """Items that are in the prepared set now."""
        return self.prepared + self.kept

    def summary(self) -> str:
        """Return the outcome in one line."""
        share = f" ({100 * self.accepted / self.total:.1f} %)" if self.total else ""
        parts = [f"{self.accepted} of {self.total} {self.kind} prepared{share}"]
        if self.kept:
            parts.append(f"{self.kept} of them earlier")
        if self.rejected:
            parts.append(f"{len(self.rejected)} rejected, see {Path(self.destination, REPORT_MARKDOWN)}")
        parts.append(f"took {duration(self.seconds)}")
        if self.interrupted:
            parts.insert(0, "interrupted; run it again to go on")
        return ", ".join(parts)

    def markdown(self) -> str:
        """Return the report for people."""
        pace = "" if self.seconds_per_item is None else f", {self.seconds_per_item:.2f} s per item in each process"
        lines = [
            f"# Prepared {self.kind}",
            "",
            f"{self.summary()}.",
            "",
            "| | |",
            "|---|---|",
            f"| source | {_cell(self.source)} |",
            f"| destination | {_cell(self.destination)} |",
            f"| items | {self.total} |",
            f"| prepared now | {self.prepared} |",
            f"| prepared earlier | {self.kept} |",
            f"| rejected | {len(self.rejected)} |",
            f"| time | {duration(self.seconds)}, {self.workers} worker processes{pace} |",
            *(f"| setting: {_cell(key)} | {_cell(json.dumps(value))} |" for key, value in self.settings.items()),
            *(f"| licence: {_cell(licence)} | {count} |" for licence, count in self.licences.items()),
            "",
        ]
        lines += [f"* {note}" for note in self.notes]
        for heading, entries in {"Rejected": self.rejected, **self.findings}.items():
            if entries:
                lines += ["", f"## {heading} ({len(entries)})", "", "| file | |", "|---|---|"]
                lines += [f"| {_cell(entry.source)} | {_cell(entry.text)} |" for entry in entries]
        return "\n".join(lines).rstrip() + "\n"


def write_report(report: PreparationReport) -> None:
    """Write ``report.json`` and ``report.md`` into the prepared set, each atomically.

    Raises:
        OutputError: the disk refuses.
    """
    destination = Path(report.destination)
    facts = {**asdict(report), "accepted": report.accepted, "summary": report.summary()}
    with atomic_path(destination / REPORT_JSON) as aside:
        aside.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    with atomic_path(destination / REPORT_MARKDOWN) as aside:
        aside.write_text(report.markdown(), encoding="utf-8")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
