"""Takes outputs and execution counts out of the notebooks among its arguments, in place (pre-commit)."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def stripped(text: str) -> str:
    """The notebook without what running it added; the same text when there was nothing."""
    notebook = json.loads(text)
    dirty = [
        cell
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and (cell["outputs"] or cell["execution_count"])
    ]
    for cell in dirty:
        cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n" if dirty else text


def main(names: list[str]) -> int:
    """Strip every notebook named; 1 when a file was changed, so that the commit stops and is looked at."""
    changed = 0
    for path in map(Path, names):
        before = path.read_text(encoding="utf-8")
        after = stripped(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"{path}: outputs taken out")  # noqa: T201  this is a command
            changed = 1
    return changed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
