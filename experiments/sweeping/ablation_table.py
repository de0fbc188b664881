"""The table that a sweep ends in, as Markdown for people and CSV for programs.

It holds nothing but what the runs gave: no dates and no durations, so that a sweep that was cut short and gone on with
writes the same bytes as one that ran through.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Final

from experiments.sweeping.plan import Run
from experiments.sweeping.record import RunRecord
from experiments.sweeping.statistics import Summary, summarise
from experiments.sweeping.sweep_file import Column, SweepFile

Results = Sequence[tuple[Run, RunRecord]]

_ARROWS: Final = {"lower": " ↓", "higher": " ↑", "none": ""}
_NONE: Final = "–"
_MINUS: Final = "−"


def summaries(sweep: SweepFile, results: Results) -> dict[str, dict[str, Summary]]:
    """Overlay -> column -> what its runs say together.

    Args:
        sweep: says which overlays and columns there are.
        results: every run with its record, finished or not.
    """
    found: dict[str, dict[str, dict[int, float]]] = {
        name: {key: {} for key in sweep.columns} for name in sweep.overlays
    }
    for run, record in results:
        if record.state == "finished":
            for key in sweep.columns:
                value = record.figures.get(key)
                if value is not None:
                    found[run.overlay][key][run.seed] = value
    base = found[sweep.baseline]
    return {
        name: {key: summarise(values, {} if name == sweep.baseline else base[key]) for key, values in by_key.items()}
        for name, by_key in found.items()
    }


def markdown_table(sweep: SweepFile, results: Results) -> str:
    """The table with its notes.

    Args:
        sweep: the sweep.
        results: every run with its record.
    """
    rows = summaries(sweep, results)
    columns = {key: column for key, column in sweep.columns.items() if any(rows[name][key].values for name in rows)}
    heads = [_heading(column) for column in columns.values()]
    lines = [_row(["model", "runs", *heads]), _row(["---", "---", *["---"] * len(heads)])]
    for name, overlay in sweep.overlays.items():
        own = [(run, record) for run, record in results if run.overlay == name]
        done = sum(record.state == "finished" for _, record in own)
        cells = [_cell(rows[name][key], column) for key, column in columns.items()]
        lines.append(_row([overlay.title, f"{done}" if done == len(own) else f"{done} of {len(own)}", *cells]))
    return "\n".join([*lines, "", *_notes(sweep, results, columns)]) + "\n"


def _heading(column: Column) -> str:
    unit = f" ({column.unit})" if column.unit else ""
    return f"{column.title}{unit}{_ARROWS[column.better]}"


def _cell(summary: Summary, column: Column) -> str:
    if summary.mean is None:
        return _NONE
    text = _number(summary.mean, column.digits)
    if summary.spread is not None:
        text += f" ± {_number(summary.spread, column.digits)}"
    if summary.difference is not None:
        change = f"{'' if summary.difference < 0 else '+'}{_number(summary.difference, column.digits)}"
        text += f" (**{change}**)" if summary.clear else f" ({change})"
    return text


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", _MINUS)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _notes(sweep: SweepFile, results: Results, columns: Mapping[str, Column]) -> list[str]:
    seeds = len({run.seed for run, record in results if record.state == "finished"})
    spread = f"Mean ± standard deviation over {seeds} seeds" if seeds > 1 else "One seed finished: no spread is known"
    title = sweep.overlays[sweep.baseline].title
    notes = [f"{spread}; in brackets the difference from “{title}”, run by run of the same seed."]
    if seeds > 2:
        notes[0] += " Bold: above two standard errors of that difference."
    elif seeds == 2:
        notes[0] += " Two seeds cannot tell a difference from chance."
    photos = sorted(
        {record.photos for _, record in results if record.state == "finished" and record.photos is not None}
    )
    if photos:
        seen = f"{photos[0]:,}" if len(photos) == 1 else f"{photos[0]:,} to {photos[-1]:,}"
        notes.append(f"Each run saw {seen} samples.")
    missing = [column.title for key, column in sweep.columns.items() if key not in columns]
    if missing:
        notes.append(f"Not measured by any finished run: {', '.join(missing)}.")
    if sweep.remark:
        notes.append(sweep.remark)
    notes += [
        f"Failed: {run.name} ({record.failed[-1] if record.failed else 'no word'})."
        for run, record in results
        if record.state == "failed"
    ]
    return notes


def csv_table(sweep: SweepFile, results: Results) -> str:
    """One line for each overlay: the numbers of the table, unrounded.

    Args:
        sweep: the sweep.
        results: every run with its record.
    """
    head = ["overlay", "title", "runs"]
    for key in sweep.columns:
        head += [key, f"{key}:spread", f"{key}:difference", f"{key}:difference_error"]
    lines: list[list[str]] = [head]
    for name, by_key in summaries(sweep, results).items():
        done = sum(record.state == "finished" for run, record in results if run.overlay == name)
        line = [name, sweep.overlays[name].title, str(done)]
        for one in by_key.values():
            line += [_plain(one.mean), _plain(one.spread), _plain(one.difference), _plain(one.difference_error)]
        lines.append(line)
    return _csv(lines)


def csv_of_runs(results: Results) -> str:
    """One line for each run with everything that was measured at its end.

    Args:
        results: every run with its record.
    """
    keys = sorted({key for _, record in results for key in record.figures})
    lines = [["overlay", "seed", "state", "samples", *keys]]
    for run, record in results:
        seen = "" if record.photos is None else str(record.photos)
        state = record.state if record.state in {"finished", "failed"} else "missing"
        lines.append([run.overlay, str(run.seed), state, seen, *(_plain(record.figures.get(key)) for key in keys)])
    return _csv(lines)


def _plain(value: float | None) -> str:
    return "" if value is None else repr(value)


def _csv(lines: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
