"""A user study in a browser: answered by keys and by touch, kept over a reload, handed over as a file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from screens import DESK, PHONE, keep_picture, until
from small_evaluation import small_summary, write_film

from experiments.pages.study_analysis import analyse, read_votes
from experiments.pages.study_page import make_study

pytestmark = pytest.mark.browser

READY = "studyPlayer.videos.every((video) => video.readyState >= 2)"
SHOWN = "[...document.querySelectorAll('#videos video')].map((video) => video.src.split('/').pop().split('.')[0])"
QUESTIONS = ("quality", "lips", "head", "overall")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """Two methods, six clips."""
    folder = tmp_path_factory.mktemp("study")
    content = small_summary()
    clips = []
    for number in range(6):
        methods = {}
        for shade, method in enumerate(content["methods"]):
            video = f"clips/{number}/{method}.mp4"
            write_film(folder / "evaluation" / video, 15, shade=40 * shade + 10)
            methods[method] = {"video": video, "figures": {}, "failed": None}
        clips.append({"name": str(number), "reference": None, "methods": methods})
    content["clips"] = clips
    (folder / "evaluation/summary.json").write_text(json.dumps(content))
    make_study(folder / "evaluation", folder / "study")
    return folder / "study"


@pytest.fixture
def page_file(study) -> Path:
    return study / "page/index.html"


@pytest.fixture
def key(study) -> dict:
    return json.loads((study / "key.json").read_text())


def begin(page, name: str) -> None:
    page.fill("#participant", name)
    page.click("#begin")
    until(page, READY)


@pytest.mark.parametrize(("name", "device"), [("desk", DESK), ("phone", PHONE)])
def test_it_fits_every_screen(open_page, page_file, fits, name, device):
    page = open_page(page_file, device, color_scheme="light" if name == "desk" else "dark")
    assert fits(page)
    keep_picture(page, f"study-welcome-{name}")
    begin(page, "ann")
    assert fits(page)
    boxes = page.locator("fieldset .choices label").all()
    assert len(boxes) == 8
    assert min(box.bounding_box()["height"] for box in boxes) >= 44  # a thumb
    boxes[1].tap() if name == "phone" else boxes[1].click()
    keep_picture(page, f"study-trial-{name}")
    assert page.locator("fieldset.marked legend").inner_text() == "Whose lips fit the speech best?"


def test_answered_by_keys_alone_and_handed_over(open_page, page_file, key, tmp_path):
    page = open_page(page_file)
    page.focus("#participant")
    page.keyboard.type("ann & <ben>")
    page.keyboard.press("Enter")
    until(page, READY)
    told = []
    for _ in range(6):
        shown = page.evaluate(SHOWN)
        page.keyboard.press("Enter")  # not before all is answered
        assert page.evaluate(SHOWN) == shown
        for letter in ("a", "b", "1", "2"):
            page.keyboard.press(letter)
        told.append(dict(zip(QUESTIONS, [shown[0], shown[1], shown[0], shown[1]], strict=True)))
        page.keyboard.press("Enter")
    keep_picture(page, "study-end-desk")
    with page.expect_download() as waiting:
        page.click("#save")
    assert waiting.value.suggested_filename == f"answers_{key['study']}_ann-ben-.json"
    waiting.value.save_as(tmp_path / "answers.json")
    content = json.loads((tmp_path / "answers.json").read_text())
    assert [trial["answers"] for trial in content["trials"]] == told
    assert content["participant"] == "ann & <ben>"
    assert all(trial["seconds"] >= 0 for trial in content["trials"])
    votes = read_votes([tmp_path / "answers.json"], key)
    assert len(votes) == 24
    assert analyse(votes, key)["first_place"]["share"] == 0.5
    assert page.input_value("#answers") == json.dumps(content, indent=1, ensure_ascii=False)


def test_the_clipboard_gets_the_same(open_page, page_file):
    page = open_page(page_file, permissions=["clipboard-read", "clipboard-write"])
    begin(page, "ann")
    for _ in range(6):
        for _ in QUESTIONS:
            page.keyboard.press("a")
        page.keyboard.press("Enter")
    page.click("#copy")
    until(page, "document.querySelector('#told').textContent === 'Copied.'")
    assert page.evaluate("navigator.clipboard.readText()") == page.input_value("#answers")


def test_a_reload_goes_on_where_it_was(open_page, page_file):
    page = open_page(page_file)
    begin(page, "ann")
    for _ in QUESTIONS:
        page.keyboard.press("b")
    page.keyboard.press("Enter")
    page.keyboard.press("a")
    shown = page.evaluate(SHOWN)
    page.reload()
    until(page, READY)
    assert page.locator("#heading").inner_text() == "Set 2 of 6"
    assert page.evaluate(SHOWN) == shown
    assert page.locator("input:checked").evaluate_all("(all) => all.map((box) => box.name)") == ["quality"]
    page.keyboard.press("Backspace")
    assert page.locator("#heading").inner_text() == "Set 1 of 6"
    assert page.locator("input:checked").count() == 4


def orders(page) -> list[list[str]]:
    found = []
    for _ in range(6):
        found.append(page.evaluate(SHOWN))
        for _ in QUESTIONS:
            page.keyboard.press("a")
        page.keyboard.press("Enter")
    return found


def test_order_and_sides_follow_from_the_name(open_page, page_file, key):
    def seen(name: str) -> list[list[str]]:
        page = open_page(page_file, query=f"?participant={name}")
        page.click("#begin")
        return orders(page)

    first, again, second = seen("ann"), seen("ann"), seen("ben")
    assert first == again
    assert first != second
    clips = [[key["videos"][code]["clip"] for code in trial] for trial in first]
    assert all(left == right for left, right in clips)
    assert sorted(left for left, _ in clips) == list("012345")
    left = Counter(key["videos"][trial[0]]["method"] for trial in [*first, *second])
    assert set(left) == {"ours", "upd_warp"}  # both methods are on the left now and then


def test_videos_play_together_and_alone(open_page, page_file):
    page = open_page(page_file)
    begin(page, "ann")
    page.keyboard.press(" ")
    until(page, "studyPlayer.time > 0.1 && studyPlayer.playing")
    assert page.evaluate("studyPlayer.videos.map((video) => video.muted)") == [False, True]
    until(page, "!studyPlayer.playing")
    page.click("#videos button:nth-child(2)")
    until(page, "studyPlayer.videos[1].currentTime > 0.1")
    assert page.evaluate("studyPlayer.videos.map((video) => video.muted)") == [True, False]
    assert page.evaluate("studyPlayer.videos[0].paused")
