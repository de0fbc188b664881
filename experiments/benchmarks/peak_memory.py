"""How much memory a process took at most."""

from __future__ import annotations

import sys
from pathlib import Path


def peak_resident() -> int:
    """Largest resident memory of this process since its program started, bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # where it does, what getrusage tells began with the size of the parent process
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
