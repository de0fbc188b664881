"""Entry point of the command line: ``inkspeak ...`` or ``python -m experiments ...``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from experiments.cli import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments after the program name; those of this process when ``None``.

    Returns:
        The exit code: 0, 2 for wrong input or options, 130 after Ctrl-C, 1 for a bug.
    """
    # Read when torch loads its threads. By default a waiting thread spins, which costs the other programs of a busy
    # machine their time and this one four fifths of its frames; a sleeping one costs microseconds.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return run(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
