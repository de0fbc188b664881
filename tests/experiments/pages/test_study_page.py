"""A study keeps its methods secret, has sound everywhere, and says what it left out."""

from __future__ import annotations

import json
import re

import av
import numpy as np
import pytest
from small_evaluation import small_summary, write_evaluation, write_film

from experiments.__main__ import main
from experiments.pages.study_page import QUESTIONS, make_study
from experiments.pages.study_sound import copy_with_sound, has_sound
from lightning_modules.errors import ConfigError, OutputError, ReportError, VideoError


def data_of(folder) -> dict:
    page = (folder / "page/index.html").read_text(encoding="utf-8")
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


@pytest.fixture
def complete(tmp_path):
    """An evaluation of two methods and three clips, nothing missing; a third method beside."""
    write_evaluation(tmp_path / "evaluation")
    content = small_summary()
    content["methods"].append("external:other")
    for clip in content["clips"]:
        home = clip["reference"].rsplit("/", 1)[0]
        for method in content["methods"]:
            name = method.replace(":", "_")
            clip["methods"][method] = {"video": f"{home}/{name}.mp4", "figures": {}, "failed": None}
            if not (tmp_path / "evaluation" / home / f"{name}.mp4").is_file():
                write_film(tmp_path / "evaluation" / home / f"{name}.mp4", 20, shade=60)
    (tmp_path / "evaluation/summary.json").write_text(json.dumps(content))
    return tmp_path / "evaluation"


def test_the_page_does_not_know_the_methods(complete, tmp_path):
    key = make_study(complete, tmp_path / "study")
    public = (tmp_path / "study/page/index.html").read_text(encoding="utf-8")
    for method in key["methods"]:
        assert not re.search(rf"\b{method}\b", public)
    names = sorted(path.stem for path in (tmp_path / "study/page/videos").iterdir())
    assert names == sorted(key["videos"])
    assert all(re.fullmatch("[0-9a-f]{16}", name) for name in names)
    assert sorted(path.name for path in (tmp_path / "study").iterdir()) == ["key.json", "page"]
    assert sorted(path.name for path in (tmp_path / "study/page").iterdir()) == ["index.html", "videos"]


def test_the_key_leads_back_to_every_video(complete, tmp_path):
    key = make_study(complete, tmp_path / "study")
    assert key == json.loads((tmp_path / "study/key.json").read_text())
    for code, origin in key["videos"].items():
        clip = next(item for item in small_summary()["clips"] if item["name"] == origin["clip"])
        home = complete / clip["reference"].rsplit("/", 1)[0]
        original = home / f"{origin['method'].replace(':', '_')}.mp4"
        assert (tmp_path / f"study/page/videos/{code}.mp4").read_bytes() == original.read_bytes()


def test_all_methods_together_or_the_first_beside_each_other(complete, tmp_path):
    together = make_study(complete, tmp_path / "all")
    assert [len(trial["videos"]) for trial in together["trials"]] == [3, 3, 3]
    pairs = make_study(complete, tmp_path / "pairs", compare="pairs")
    methods = [[pairs["videos"][code]["method"] for code in trial["videos"]] for trial in pairs["trials"]]
    assert methods == [["ours", "upd_warp"], ["ours", "external:other"]] * 3
    two = make_study(complete, tmp_path / "two", methods=["upd_warp", "ours"], trials=2)
    assert two["methods"] == ["upd_warp", "ours"]
    assert data_of(tmp_path / "two")["each"] == 2
    assert len({together["study"], pairs["study"], two["study"]}) == 3


def test_the_same_study_is_the_same_and_another_seed_another(complete, tmp_path):
    keys = [make_study(complete, tmp_path / str(number), seed=seed) for number, seed in enumerate((0, 0, 1))]
    assert keys[0] == keys[1]
    assert not set(keys[0]["videos"]) & set(keys[2]["videos"])


def test_the_four_questions_are_asked(complete, tmp_path):
    make_study(complete, tmp_path / "study")
    assert [question["key"] for question in data_of(tmp_path / "study")["questions"]] == [
        "quality",
        "lips",
        "head",
        "overall",
    ]
    assert len({question.text for question in QUESTIONS}) == 4


def test_clips_that_lack_a_video_are_left_out_and_said(tmp_path, capsys):
    write_evaluation(tmp_path / "evaluation")
    assert main(["study", "make", str(tmp_path / "evaluation"), "-o", str(tmp_path / "study")]) == 0
    text = capsys.readouterr().out
    assert ": 1 sets of videos, ours, upd_warp" in text
    assert "left out: b (no video of upd_warp)" in text
    assert "(no video of ours)" in text
    content = small_summary()
    content["clips"] = content["clips"][1:]
    (tmp_path / "evaluation/summary.json").write_text(json.dumps(content))
    with pytest.raises(ReportError, match="no clip has a video of each"):
        make_study(tmp_path / "evaluation", tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["ours"]}, "two or more different methods"),
        ({"methods": ["ours", "ours"]}, "two or more different methods"),
        ({"methods": ["ours", "sda"]}, "no method 'sda'"),
        ({"trials": 0}, "0 trials"),
    ],
)
def test_what_cannot_be_asked_is_refused(evaluation, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        make_study(evaluation, tmp_path / "study", **options)


def test_a_full_folder_is_not_touched(evaluation, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not an empty folder"):
        make_study(evaluation, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_title_cannot_become_markup(evaluation, tmp_path):
    make_study(evaluation, tmp_path / "study", title="<script>alert(1)</script>")
    assert "<script>alert" not in (tmp_path / "study/page/index.html").read_text()


def frames_of(path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])


def samples_of(path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def test_a_silent_video_gets_the_sound_of_its_reference(tmp_path):
    write_film(tmp_path / "silent.mp4", 20, sound=False)
    write_film(tmp_path / "reference.mp4", 30, shade=50)
    assert copy_with_sound(tmp_path / "silent.mp4", tmp_path / "reference.mp4", tmp_path / "joined.mp4")
    np.testing.assert_array_equal(frames_of(tmp_path / "joined.mp4"), frames_of(tmp_path / "silent.mp4"))
    heard, spoken = samples_of(tmp_path / "joined.mp4"), samples_of(tmp_path / "reference.mp4")
    assert len(heard) / 16000 == pytest.approx(0.8, abs=2048 / 16000)  # as long as the picture, in blocks of AAC
    inner = slice(2048, len(heard) - 2048)
    np.testing.assert_allclose(heard[inner], spoken[inner], atol=1e-3)


def test_a_video_with_sound_is_left_alone(tmp_path):
    write_film(tmp_path / "own.mp4", 20)
    assert not copy_with_sound(tmp_path / "own.mp4", None, tmp_path / "joined.mp4")
    assert not (tmp_path / "joined.mp4").exists()


def test_a_study_without_sound_is_refused(tmp_path):
    write_film(tmp_path / "silent.mp4", 5, sound=False)
    for reference in (None, tmp_path / "silent.mp4", tmp_path / "nothing.mp4"):
        with pytest.raises(VideoError, match="has sound"):
            copy_with_sound(tmp_path / "silent.mp4", reference, tmp_path / "joined.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VideoError, match="cannot be read as a video"):
        has_sound(tmp_path / "text.mp4")


def test_videos_of_a_study_all_have_sound(tmp_path):
    write_evaluation(tmp_path / "evaluation", sound=False)
    make_study(tmp_path / "evaluation", tmp_path / "study")
    videos = list((tmp_path / "study/page/videos").iterdir())
    assert len(videos) == 2
    assert all(has_sound(path) for path in videos)
