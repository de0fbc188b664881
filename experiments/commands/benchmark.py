"""``inkspeak benchmark``: measure speed and memory on this machine, with the facts that make a figure worth keeping."""

from __future__ import annotations

import importlib
import json as json_format
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.signature_parser import Option
from experiments.tables import as_json, text_table
from lightning_modules.errors import ConfigError
from lightning_modules.pipeline.output_checks import check_output

OPTIONS = {"json": Option(metavar="FILE"), "only": Option(metavar="NAME")}


def benchmark(*, json: Path | None = None, only: list[str] = [], quick: bool = False) -> int:  # noqa: B006 - never changed
    """Measure speed and memory on this machine.

    Prints a table; with --json also writes every figure together with hardware, versions, commit and date.

    Args:
        json: write the figures to this file as well
        only: run these benchmarks instead of all
        quick: small and few runs, to see that everything works; not for quoting

    Returns:
        0.

    Raises:
        ConfigError: there is no benchmark of that name.
        OutputError: the file cannot be written.

    Example:
        inkspeak benchmark
        inkspeak benchmark --only portrait frames --json figures.json
    """
    from experiments.benchmarks.environment import environment
    from experiments.benchmarks.registry import BENCHMARKS

    for name in only:
        if name not in BENCHMARKS:
            raise ConfigError(f"there is no benchmark '{name}'", f"choose from {', '.join(BENCHMARKS)}")
    if json is not None:
        check_output(json, suffixes=(".json",))
    figures: dict[str, Any] = {}
    for name in only or BENCHMARKS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        figures[name] = importlib.import_module(BENCHMARKS[name]).run(quick=quick)
        print(text_table([(f"{name} {path}", shown(value)) for path, value in leaves(figures[name])]), flush=True)
    if json is not None:
        write_figures(json, {"quick": quick, "environment": environment(), "benchmarks": figures})
        print(f"written: {json}", file=sys.stderr)
    return 0


def write_figures(path: Path, figures: Mapping[str, Any]) -> None:
    """Write figures as JSON, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    from lightning_modules.pipeline.atomic_files import atomic_path

    with atomic_path(path) as aside:
        aside.write_text(as_json(figures) + "\n", encoding="utf-8")


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every figure of a nested result with the words that lead to it.

    Args:
        value: nested mappings and lists of plain values.
        path: words so far.

    Yields:
        ``("256 seconds median", 1.25)`` and so on, in order.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, f"{path} {key}".strip().replace("_", " "))
    else:
        yield path, value


def shown(value: Any) -> str:
    """A figure with four significant digits, whole numbers whole; lists as JSON."""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return value if isinstance(value, str) else json_format.dumps(value)
