"""A headless Chromium for the tests marked ``browser``, and the page contexts of a desk and of a phone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from screens import DESK
from small_evaluation import write_evaluation

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"]


@pytest.fixture(scope="session")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``summary.json`` of a small evaluation; not to be changed."""
    return write_evaluation(tmp_path_factory.mktemp("evaluation"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A running browser. It ends with the module: while it runs, no other event loop can in this thread."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("no playwright: pip install 'inkspeak[browser]'")
    program = os.environ.get("INKSPEAK_CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(f"no Chromium: none of {', '.join(PROGRAMS)} is on the path, INKSPEAK_CHROMIUM names none")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Callable[..., Any]]:
    """``open_page(path, PHONE)`` -> the page. Whatever it complains of, or asks of a network, fails the test."""
    contexts, complaints = [], []

    def complain(message: str) -> None:
        complaints.append(message)

    def see(request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            complain(f"asks for {request.url}")

    def open_(path: Path, device: dict[str, Any] = DESK, query: str = "", **options: Any) -> Any:
        context = chromium.new_context(**device, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complain(str(error)))
        page.on("console", lambda said: complain(said.text) if said.type in {"error", "warning"} else None)
        page.on("request", see)
        page.goto(path.resolve().as_uri() + query)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not complaints, complaints


@pytest.fixture
def fits() -> Callable[[Any], bool]:
    """Whether a page needs no scrolling to the side."""
    return lambda page: page.evaluate(f"document.documentElement.scrollWidth <= {page.viewport_size['width']}")
