"""The page of an evaluation says every figure once, escapes every name and tells what is missing."""

from __future__ import annotations

import base64
import json
import re
import shutil
from html.parser import HTMLParser

import pytest
from small_evaluation import NASTY, small_summary

from experiments.pages.evaluation_page import best_methods, evaluation_page, plain_facts
from experiments.pages.evaluation_summary import read_summary, worst_first
from experiments.pages.page_parts import data_uri, figure_text
from lightning_modules.errors import ReportError


class Outline(HTMLParser):
    """Tags, the text in them, and every address of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.addresses: list[str] = []
        self.feed(page)
        self.rows = [[cell.strip() for cell in row] for row in self.rows]

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in {"src", "href", "srcset", "action"}]
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"} and self.rows:
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def data_of(page: str) -> dict:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def changed(evaluation, tmp_path, **values):
    content = small_summary() | values
    (tmp_path / "summary.json").write_text(json.dumps(content))
    return tmp_path / "summary.json"


def test_the_table_has_every_figure_with_interval_and_the_papers(evaluation):
    rows = Outline(evaluation_page(evaluation)).rows
    head, ours, warp, noise = rows[:4]
    assert head == ["method", "LMD ↓ px", "SSIM ↑", "motion px"]
    assert ours == ["ours", "3.000(2.000 – 4.000)paper 2.640", "0.9700", "–"]
    assert warp == ["upd_warp", "2.250(1.250 – 3.000)", "0.9050", "–"]
    assert noise[:2] == ["measurement alone", "0.7500"]


def test_the_best_is_marked_by_the_direction_of_the_metric(evaluation):
    summary = read_summary(evaluation)
    assert [best_methods(summary, metric) for metric in summary.metrics] == [{"upd_warp"}, {"ours"}, set()]
    page = evaluation_page(evaluation)
    assert page.count('class="best"') == 2


def test_every_clip_and_method_has_a_row(evaluation):
    rows = [row for row in Outline(evaluation_page(evaluation)).rows if row[0] in {"a", "b", NASTY}]
    assert [row[:4] for row in rows] == [
        ["a", "ours", "2.000", "0.9500"],
        ["a", "upd_warp", "3.000", "0.9000"],
        ["b", "ours", "4.000", "0.9900"],
        ["b", "upd_warp", "2.500", "0.9100"],
        [NASTY, "ours", "no face was found in frame 3"],
        [NASTY, "upd_warp", "1.250", "–"],
    ]


def test_names_cannot_become_markup(evaluation):
    page = evaluation_page(evaluation)
    assert "<script>alert" not in page
    assert Outline(page).tags.count("script") == 4  # the data and three scripts of ours
    assert data_of(page)["clips"][2]["name"] == NASTY


def test_nothing_is_fetched(evaluation):
    page = evaluation_page(evaluation)
    assert Outline(page).addresses == []
    assert "default-src 'none'" in page
    assert not re.findall(r"https?://", page)


def test_videos_are_inside_and_missing_ones_are_said(evaluation):
    clips = data_of(evaluation_page(evaluation))["clips"]
    films = [[clip["reference"], *clip["results"]] for clip in clips]
    assert [["video" in film for film in row] for row in films] == [
        [True, True, True],
        [True, True, False],
        [True, False, True],
    ]
    assert films[1][2]["missing"] == "upd_warp.mp4 is missing"
    assert films[2][1]["failed"] == "no face was found in frame 3"
    inside = base64.b64decode(films[0][1]["video"].removeprefix("data:video/mp4;base64,"))
    assert inside == (evaluation.parent / "clips/a/ours.mp4").read_bytes()


def test_the_worst_clips_keep_their_videos_when_not_all_fit(evaluation):
    summary = read_summary(evaluation)
    first, second = worst_first(summary, "lmd", "ours")[:2]
    size = sum(path.stat().st_size for path in evaluation.parent.joinpath("clips/c").iterdir())
    size += sum(path.stat().st_size for path in evaluation.parent.joinpath("clips/b").iterdir())
    page = evaluation_page(evaluation, video_bytes=size)
    inside = [clip["name"] for clip in data_of(page)["clips"] if "video" in clip["reference"]]
    assert inside == [second.name, first.name]
    assert "Videos of 1 clip are not embedded" in page
    none = evaluation_page(evaluation, video_bytes=size - 1)
    assert sum("video" in clip["reference"] for clip in data_of(none)["clips"]) == 1


def test_worst_first(evaluation):
    summary = read_summary(evaluation)
    assert [clip.name for clip in worst_first(summary, "lmd", "ours")] == [NASTY, "b", "a"]
    assert [clip.name for clip in worst_first(summary, "lmd", "upd_warp")] == ["a", "b", NASTY]
    assert [clip.name for clip in worst_first(summary, "ssim", "upd_warp")] == ["a", "b", NASTY]  # c has no figure


def test_the_machine_is_told_as_one_list():
    facts = small_summary()["hardware"]
    assert plain_facts(facts) == {
        "processor": "a <fast> one",
        "cores physical": "2",
        "cores logical": "4",
        "gpu": "–",
    }
    assert plain_facts({"gpus": ["A", "B"]}) == {"gpus": "A, B"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0"),
        (2.6449, "2.645"),
        (135.24, "135.2"),
        (0.97441, "0.9744"),
        (-0.01234567, "-0.01235"),
        (12345.6, "12,346"),
        (1.5e-7, "1.500e-07"),
        (2e9, "2.000e+09"),
    ],
)
def test_numbers_have_four_digits(value, text):
    assert figure_text(value) == text


def test_a_folder_stands_for_its_summary(evaluation):
    assert evaluation_page(evaluation.parent) == evaluation_page(evaluation)


def test_a_summary_that_is_not_one_is_refused(tmp_path, evaluation):
    with pytest.raises(ReportError, match="it cannot be read"):
        evaluation_page(tmp_path / "summary.json")
    (tmp_path / "summary.json").write_text("{")
    with pytest.raises(ReportError, match="it is not a JSON file"):
        evaluation_page(tmp_path)
    (tmp_path / "summary.json").write_text("[]")
    with pytest.raises(ReportError, match="it is not the summary of an evaluation"):
        evaluation_page(tmp_path)
    content = small_summary()
    del content["methods"]
    (tmp_path / "summary.json").write_text(json.dumps(content))
    with pytest.raises(ReportError, match="'methods' is missing"):
        evaluation_page(tmp_path)
    with pytest.raises(ReportError, match="a method twice"):
        evaluation_page(changed(evaluation, tmp_path, methods=["ours", "ours"]))


def test_a_page_publishes_only_files_of_its_own_folder(tmp_path, evaluation):
    content = small_summary()
    content["clips"][0]["reference"] = "../secret.mp4"
    with pytest.raises(ReportError, match="outside its own folder"):
        evaluation_page(changed(evaluation, tmp_path, clips=content["clips"]))


def test_an_evaluation_without_clips_still_has_a_page(tmp_path, evaluation):
    page = evaluation_page(changed(evaluation, tmp_path, clips=[]))
    assert 'id="watch"' not in page
    assert "3.000" in page


def test_only_known_kinds_are_embedded(tmp_path):
    with pytest.raises(ReportError, match=r"ending in '\.svg'"):
        data_uri(tmp_path / "a.svg")
    shutil.copy(__file__, tmp_path / "a.png")
    assert data_uri(tmp_path / "a.png", b"ab") == "data:image/png;base64,YWI="
