"""The page of an evaluation in a browser: videos play as one, clips are sorted, keys work, phones are served."""

from __future__ import annotations

from pathlib import Path

import pytest
from screens import DESK, PHONE, keep_picture, until
from small_evaluation import NASTY

from experiments.pages.evaluation_page import evaluation_page

pytestmark = pytest.mark.browser

TIMES = "evaluationPlayer.videos.map((video) => video.currentTime)"
LOADED = "evaluationPlayer.videos.every((video) => video.readyState >= 2 && !video.seeking)"


@pytest.fixture
def page_file(evaluation, tmp_path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(evaluation_page(evaluation), encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "device"), [("desk", DESK), ("phone", PHONE)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_shown_whole_on_every_screen(open_page, page_file, fits, name, device, scheme):
    page = open_page(page_file, device, color_scheme=scheme)
    until(page, LOADED)
    assert fits(page)
    assert page.locator("#average tbody tr").count() == 3
    assert page.locator("#figures tbody tr").count() == 6
    keep_picture(page, f"evaluation-{name}-{scheme}")


def test_all_videos_of_a_clip_play_as_one(open_page, page_file):
    page = open_page(page_file)
    page.select_option("#clip", label="a (2)")
    until(page, LOADED)
    assert page.locator("#videos video").count() == 3
    page.click("#play")
    until(page, "evaluationPlayer.time > 0.3")
    assert page.evaluate("evaluationPlayer.videos.every((video) => !video.paused)")
    times = page.evaluate(TIMES)
    assert max(times) - min(times) < 0.08
    until(page, "evaluationPlayer.time < 0.2")  # round again
    page.click("#play")
    assert page.evaluate("evaluationPlayer.videos.every((video) => video.paused)")
    assert page.evaluate("evaluationPlayer.videos.map((video) => video.muted)") == [False, True, True]


def test_scrubbing_and_single_frames_move_all_videos(open_page, page_file):
    page = open_page(page_file)
    page.select_option("#clip", label="a (2)")
    until(page, LOADED)
    page.locator("#position").evaluate("(bar) => { bar.value = 0.4; bar.dispatchEvent(new Event('input')); }")
    until(page, LOADED)
    assert page.evaluate(TIMES) == pytest.approx([0.4] * 3, abs=1e-3)
    page.keyboard.press("ArrowRight")
    until(page, LOADED)
    assert page.evaluate(TIMES) == pytest.approx([11.5 / 25] * 3, abs=1e-3)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    until(page, LOADED)
    assert page.evaluate(TIMES) == pytest.approx([9.5 / 25] * 3, abs=1e-3)
    page.keyboard.press("0")
    page.keyboard.press("s")
    assert page.evaluate("evaluationPlayer.videos.map((video) => video.playbackRate)") == [0.25] * 3


def test_the_worst_clip_is_first_and_the_order_follows_the_choice(open_page, page_file):
    page = open_page(page_file)
    names = "[...document.querySelectorAll('#clip option')].map((option) => option.textContent)"
    assert page.evaluate(names) == [f"{NASTY} (failed)", "b (4)", "a (2)"]
    assert page.locator("#videos .no-video").all_inner_texts() == ["no face was found in frame 3"]
    page.select_option("#method", "upd_warp")
    assert page.evaluate(names) == ["a (3)", "b (2.5)", f"{NASTY} (1.25)"]
    page.select_option("#metric", "ssim")
    assert page.evaluate(names) == ["a (0.9)", "b (0.91)", f"{NASTY} (–)"]
    page.locator("#metric").blur()
    page.keyboard.press("ArrowDown")
    assert page.locator("#videos .no-video").all_inner_texts() == ["upd_warp.mp4 is missing"]
    assert page.input_value("#clip") == "1"


def test_the_table_of_clips_sorts_and_filters(open_page, page_file):
    page = open_page(page_file)
    rows = "[...document.querySelectorAll('#figures tbody tr')].filter((row) => !row.hidden)"
    column = f"{rows}.map((row) => row.cells[2].textContent)"
    page.click("#figures thead th:nth-child(3) button")
    assert page.evaluate(column)[:5] == ["1.250", "2.000", "2.500", "3.000", "4.000"]
    page.click("#figures thead th:nth-child(3) button")
    assert page.evaluate(column)[:5] == ["4.000", "3.000", "2.500", "2.000", "1.250"]
    assert page.evaluate(column)[5] == "no face was found in frame 3"
    page.select_option("#shown", "upd_warp")
    assert page.evaluate(column) == ["3.000", "2.500", "1.250"]
    page.click("#figures tbody button[data-clip='1'] >> visible=true")
    assert page.input_value("#clip") == "1"


def test_names_stay_text(open_page, page_file):
    page = open_page(page_file)
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    until(page, LOADED)
    assert page.locator("#average p").first.inner_text() == f"Three clips are few; {NASTY}"
