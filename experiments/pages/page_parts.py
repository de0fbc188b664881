"""What the pages share: templates beside this file, values made safe for HTML, files as data URIs, numbers as text."""

from __future__ import annotations

import base64
import functools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lightning_modules.errors import ReportError

TEMPLATES: Final = Path(__file__).parent / "templates"

MEDIA_TYPES: Final = {
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}
"""Kinds of files that a page can embed, by suffix."""

NOTHING: Final = "–"


def render(template: str, values: Mapping[str, Any]) -> str:
    """Fill a template of the folder ``templates``.

    Every value is escaped, so that a name may hold anything, ``<script>`` included. A template takes style sheets and
    scripts in with ``part("name.css")``, data for a script with ``value | tojson``.

    Args:
        template: file name of the template.
        values: what it names; a name that is missing is an error.
    """
    return _environment().get_template(template).render(values)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["figure"] = figure_text
    environment.globals["part"] = _part
    return environment


def _part(name: str) -> Markup:
    """A style sheet or a script of ours, to stand in a page as it is."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - a file of this package


def data_uri(path: Path, content: bytes | None = None) -> str:
    """A file as ``data:video/mp4;base64,…``.

    Args:
        path: says the kind by its suffix, one of :data:`MEDIA_TYPES`.
        content: the bytes; those of the file when ``None``.

    Raises:
        ReportError: a page cannot show such a file, or it cannot be read.
    """
    kind = MEDIA_TYPES.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(MEDIA_TYPES)
        raise ReportError(f"a page cannot show a file ending in '{path.suffix}'", f"use one of {known}", path)
    content = read_bytes(path) if content is None else content
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def read_bytes(path: Path) -> bytes:
    """Read a file.

    Raises:
        ReportError: it is not there or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ReportError(f"it cannot be read ({error.strerror})", "check the path", path) from error


def read_json(path: Path) -> Any:
    """Read a JSON file in UTF-8.

    Raises:
        ReportError: it is not there, cannot be read, or is not JSON.
    """
    try:
        return json.loads(read_bytes(path).decode("utf-8"))
    except ValueError as error:
        raise ReportError("it is not a JSON file", "check that it was copied whole", path) from error


def figure_text(value: float | None) -> str:
    """A number as people read it: four digits that count, ``–`` where there is none.

    Args:
        value: any number; ``None`` and what is not finite count as none.
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        digits = 3 if value == 0 else max(0, 3 - math.floor(math.log10(abs(value))))
        return f"{value:,.{digits}f}" if value else "0"
    return f"{value:.3e}"
