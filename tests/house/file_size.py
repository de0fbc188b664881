"""Names the files among its arguments that are too large for the repository (pre-commit)."""

from __future__ import annotations

import sys
from pathlib import Path

LARGEST = 5 * 2**20  # bytes


def too_large(paths: list[str] | list[Path]) -> list[str]:
    """One line for each file above ``LARGEST``."""
    sizes = {str(path): Path(path).stat().st_size for path in paths}
    return [
        f"{path}: {size / 2**20:.1f} MB; keep it outside and name it" for path, size in sizes.items() if size > LARGEST
    ]


if __name__ == "__main__":
    sys.exit("\n".join(too_large(sys.argv[1:])) or 0)
