"""Folders that belong to inkspeak on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where prepared portraits are kept: ``$INKSPEAK_CACHE``, else ``inkspeak`` in the user's cache folder.

    The folder need not exist yet; whoever writes into it creates it. Deleting it is always safe.
    """
    if own := os.environ.get("INKSPEAK_CACHE"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "inkspeak"
