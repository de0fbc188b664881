"""Screens that the pages are tried on, and pictures of the pages for people who want to look."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

DESK = {"viewport": {"width": 1200, "height": 900}}
PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


def keep_picture(page: Any, name: str) -> None:
    """Save what is shown, the whole page, to the folder that INKSPEAK_SCREENSHOTS names; nothing without it."""
    if folder := os.environ.get("INKSPEAK_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def until(page: Any, condition: str, seconds: float = 20) -> None:
    """Wait until an expression is true in the page (the pages forbid the evaluation that Playwright waits with)."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"never true: {condition}"
        page.wait_for_timeout(20)
