"""The dashboard in a browser: curves are drawn, scales and smoothing change them, the cursor reads values."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from screens import DESK, PHONE, keep_picture, until
from small_runs import NASTY_RUN, write_run

from experiments.pages.run_page import run_page

pytestmark = pytest.mark.browser

ERROR = '.chart[data-chart="validation/error"]'


@pytest.fixture(scope="module")
def page_file(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    write_run(folder / "runs/a")
    write_run(folder / "runs" / NASTY_RUN, scale=0.5, identity=3.0)
    path = folder / "page.html"
    path.write_text(run_page([folder / "runs"]), encoding="utf-8")
    return path


def paths(page, chart: str, kind: str = ".curve") -> list[str]:
    return page.locator(f"{chart} svg path{kind}").evaluate_all("(all) => all.map((path) => path.getAttribute('d'))")


def numbers(path: str) -> list[list[float]]:
    return [[float(part) for part in point.split()] for point in path.removeprefix("M").split("L")]


@pytest.mark.parametrize(("name", "device"), [("desk", DESK), ("phone", PHONE)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen(open_page, page_file, fits, name, device, scheme):
    page = open_page(page_file, device, color_scheme=scheme)
    assert fits(page)
    for figure in page.locator(".chart").all():
        figure.scroll_into_view_if_needed()
    until(page, "document.querySelectorAll('.chart svg').length === document.querySelectorAll('.chart').length")
    assert page.locator(".chart").count() == 5
    keep_picture(page, f"run-{name}-{scheme}")


def test_both_runs_are_drawn_and_one_can_be_hidden(open_page, page_file):
    page = open_page(page_file)
    until(page, f"document.querySelector('{ERROR} svg') !== null")
    drawn = paths(page, ERROR)
    assert len(drawn) == 2
    # Both go from 32 to 80 images; 0.5 to 0.25 is twice 0.25 to 0.125, and the scale goes from 0.125 to 0.5.
    heights = sorted([y for _, y in numbers(path)] for path in drawn)
    assert heights[0] == pytest.approx([8, 8 + 148 * 2 / 3], abs=0.1)
    assert heights[1] == pytest.approx([8 + 148 * 2 / 3, 156], abs=0.1)
    page.locator("#legend input").first.uncheck()
    assert len(paths(page, ERROR)) == 1


def test_a_logarithmic_scale_makes_equal_ratios_equal_heights(open_page, page_file):
    page = open_page(page_file)
    page.check("#log")
    content = '.chart[data-chart="raw/content"]'
    page.locator(content).scroll_into_view_if_needed()
    until(page, f"document.querySelector('{content} svg') !== null")
    heights = [y for _, y in numbers(paths(page, content)[0])]
    falls = [later - earlier for earlier, later in itertools.pairwise(heights)]
    assert falls == pytest.approx([148 / 3] * 3, abs=0.2)  # 4, 2, 1, 0.5


def test_smoothing_averages_and_keeps_the_raw_curve(open_page, page_file):
    page = open_page(page_file)
    page.locator("#smoothing").evaluate("(bar) => { bar.value = 0.5; bar.dispatchEvent(new Event('input')); }")
    until(page, f"document.querySelector('{ERROR} svg path.raw') !== null")
    assert len(paths(page, ERROR, ".raw")) == 2
    assert page.evaluate("smoothedValues([4, 2, 1], 0.5)") == pytest.approx([4, 8 / 3, 12 / 7])


def test_the_cursor_reads_all_runs(open_page, page_file):
    page = open_page(page_file)
    until(page, f"document.querySelector('{ERROR} svg') !== null")
    page.focus(ERROR)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    said = page.locator(f"{ERROR} .reading span").all_inner_texts()
    assert said[0] == "at 80:"
    assert sorted(said[1:]) == sorted([f"{NASTY_RUN} 0.125", "a 0.25"])
    page.keyboard.press("ArrowLeft")
    assert page.locator(f"{ERROR} .reading span").first.inner_text() == "at 32:"
    box = page.locator(f"{ERROR} svg").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 10, box["y"] + 40)
    assert page.locator(f"{ERROR} .reading span").first.inner_text() == "at 80:"
    page.select_option("#axis", "step")
    page.mouse.move(box["x"] + box["width"] - 12, box["y"] + 60)
    assert page.locator(f"{ERROR} .reading span").first.inner_text() == "at 4:"


def test_charts_are_found_by_name(open_page, page_file):
    page = open_page(page_file)
    page.fill("#find", "ERR val")
    assert page.locator(".chart:visible").evaluate_all("(all) => all.map((one) => one.dataset.chart)") == [
        "validation/error"
    ]
    assert page.locator(".curves:visible").count() == 1


def test_previews_open_and_play(open_page, page_file):
    page = open_page(page_file)
    page.locator("#media .picture").first.click()
    assert page.locator("#large img").evaluate("(image) => image.naturalWidth") == 48
    page.keyboard.press("Escape")
    assert not page.locator("#large").is_visible()
    page.locator("#media video").first.scroll_into_view_if_needed()
    until(page, "document.querySelector('#media video').duration > 0.3")


def test_names_stay_text(open_page, page_file):
    page = open_page(page_file)
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    assert NASTY_RUN in page.locator("#legend").inner_text()
    assert page.locator("img[src='x']").count() == 0


@pytest.mark.parametrize(
    ("ends", "log", "ticks"),
    [
        ((0, 1), False, [0, 0.5, 1]),
        ((0, 10), False, [0, 5, 10]),
        ((-3, 5), False, [-2, 0, 2, 4]),
        ((0.5, 2000), True, [1, 10, 100, 1000]),
        ((2, 8), True, [2, 4, 8]),
    ],
)
def test_ticks_are_round_numbers(open_page, page_file, ends, log, ticks):
    page = open_page(page_file)
    assert page.evaluate("([low, high, log]) => chartTicks(low, high, log)", [*ends, log]) == pytest.approx(ticks)
