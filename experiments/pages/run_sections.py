"""Which curve goes where on the page of a run, and which way is better."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

ABLATED: Final = "ablated/"
OVERVIEW: Final = "Overview"
OTHER: Final = "More"

SECTIONS: Final = (
    (OVERVIEW, ("fid", "kid", "inter_frame_ssim", "lip_", "lmd", "validation/", "val/", "test/", "evaluation/")),
    ("Objective: the terms as they are (dashed: ablated)", ("raw/", "term/", ABLATED)),
    ("Objective: weighted, and their sums", ("weighted/", "loss/", "gradient_share/")),
    (
        "Discriminators and gradients",
        ("logits/", "health/", "discriminator", "classifier", "gradient_norm/"),
    ),
    ("Pace and system", ("throughput/", "updates/", "lr", "system/", "progress")),
)
"""Headings and the beginnings of the names of their columns, in the order of the page."""

_HIGHER: Final = ("similarity", "ssim", "accuracy", "overlap", "correlation", "agreement", "auc", "closures")
_NEITHER: Final = ("motion", "ink", "still", "count")


def section_of(column: str) -> str:
    """The heading under which a column is drawn; :data:`OTHER` for names that nobody foresaw."""
    return next((title for title, starts in SECTIONS if column.startswith(starts)), OTHER)


def chart_of(column: str) -> tuple[str, bool]:
    """The chart of a column, and whether it is dashed: an ablated term is drawn where the term itself is."""
    if column.startswith(ABLATED):
        return f"raw/{column.removeprefix(ABLATED)}", True
    return column, False


def sectioned(columns: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Headings with their charts, both in order; headings without a chart are not there."""
    by_title: dict[str, set[str]] = {}
    for column in columns:
        by_title.setdefault(section_of(column), set()).add(chart_of(column)[0])
    order = [*(title for title, _ in SECTIONS), OTHER]
    return [(title, sorted(by_title[title])) for title in order if title in by_title]


def better(column: str) -> Literal["lower", "higher", "none"]:
    """Which way a figure of the overview is better, judged by its name; errors and distances are the rule."""
    last = column.rpartition("/")[2]
    if any(word in last for word in _NEITHER):
        return "none"
    return "higher" if any(word in column for word in _HIGHER) else "lower"
