"""Whole evaluations of tiny made-up clips: resuming, bad clips, videos of other systems, and the files left behind."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from experiments.__main__ import main
from experiments.commands import evaluate_clips as command
from experiments.evaluation import clip_run, files
from experiments.evaluation.clips import Clip
from experiments.evaluation.drawn_landmarks import DrawnFaceFinder
from experiments.evaluation.frame_drawing import FrameDrawer
from experiments.evaluation.method_names import parse_methods
from experiments.evaluation.run import evaluate
from experiments.evaluation.scene import Tools
from experiments.evaluation.settings import EvaluationSettings
from lightning_modules.errors import ConfigError
from lightning_modules.faces.face import FaceList, make_face
from lightning_modules.faces.matter import NoMatter
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.pipeline.animation_job import SilentProgress
from lightning_modules.pipeline.video_writer import VideoWriter

FRAMES = 6


class BrightestFace:
    """A made-up detector: the face hangs at the brightest spot of the picture; none in a dark one."""

    name = "made-up"

    def find_faces(self, rgb):
        if rgb.max() < 128:
            return FaceList()
        row, column = np.unravel_index(rgb[..., 1].astype(int).argmax(), rgb.shape[:2])
        points = np.asarray(frontal_face(), np.float32)
        points = np.concatenate([points[:, :2] * 30 + (64, 60), np.zeros((68, 1))], 1)
        points[48:, 1] += row / 100 + column / 100
        return FaceList([make_face(points, 1.0)])


class Threshold:
    """A made-up drawer: what is dark is ink."""

    name, channels = "threshold", 1

    def draw(self, photo, *, landmarks=None, matte=None):
        return (photo.mean(1, keepdim=True) > 0.4).float()

    def settings(self):
        return {"method": "threshold"}


class MadeUpTools(Tools):
    """No detector, no network."""

    def __init__(self, settings):
        super().__init__(settings)
        self.__dict__ |= {
            "analyzer": BrightestFace(),
            "finder": DrawnFaceFinder("starter", (BrightestFace(),)),
            "frame_drawer": FrameDrawer(Threshold(), NoMatter(), settings.size),
        }
        self.backends._kept |= {
            ("analyzer", "mediapipe", None): BrightestFace(),
            ("drawer", "ink"): Threshold(),
        }


def write_clip(path, seed, frames=FRAMES):
    generator = np.random.default_rng(seed)
    dark = np.kron(generator.random((16, 16)), np.ones((8, 8))) < 0.3
    sound = (0.3 * np.sin(np.arange(16000 * frames // 25) / 9)).astype(np.float32)
    with VideoWriter(path, (128, 128), 25, frames=frames, sound=(sound, 16000), quality=4) as writer:
        for number in range(frames):
            picture = np.where(np.roll(dark, 2 * number, 1), 40, 180).astype(np.uint8)
            picture[4 * number : 4 * number + 8, 60:68] = 255
            writer.write(picture)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for number, name in enumerate(("anna", "bert")):
        write_clip(folder / f"{name}.mp4", number)
    (folder / "broken.mp4").write_bytes(b"no video at all" * 100)
    return folder


@pytest.fixture(scope="module")
def others(tmp_path_factory, clips):
    """Another system that hands in the clip itself, and of one clip nothing."""
    folder = tmp_path_factory.mktemp("others")
    shutil.copy(clips / "anna.mp4", folder / "anna.mp4")
    return folder


def settings(**changes):
    return EvaluationSettings(size=128, matte="none", driver="envelope", **changes)


def run(clips, output, words, names=("anna", "bert", "broken"), **changes):
    chosen = settings(**changes)
    given = [Clip(name, clips / f"{name}.mp4") for name in names]
    progress = SilentProgress()
    tools = MadeUpTools(chosen)
    outcome = evaluate(given, parse_methods(words), chosen, output, progress, command="inkspeak", tools=tools)
    return outcome, files.write_files(outcome, output)


@pytest.fixture(scope="module")
def finished(clips, others, tmp_path_factory):
    output = tmp_path_factory.mktemp("finished")
    words = ["ours", "upd_warp", "warp_then_draw", "drawn_frames", "makeittalk_upd", f"external:copy={others}"]
    return output, words, *run(clips, output, words)


def test_every_good_clip_is_measured_by_every_method(finished):
    output, _, outcome, _ = finished
    summary = json.loads((output / "summary.json").read_text())
    assert summary == json.loads(json.dumps(outcome.summary))
    assert summary["methods"] == ["copy", "warp_then_draw", "upd_warp", "ours", "drawn_frames"]
    for clip in summary["clips"][:2]:
        for name, result in clip["methods"].items():
            if (clip["name"], name) == ("bert", "copy"):
                continue
            assert result["failed"] is None
            assert {"ssim", "lmd", "nme", "warping_error", "faces_found"} <= set(result["figures"])
            assert (output / result["video"]).stat().st_size > 0
    assert set(summary["average"]["ours"]["ssim"]) == {"value", "low", "high"}
    assert summary["noise"].keys() == {"lmd", "lmd_eye", "nme"}


def test_bad_clips_missing_videos_and_missing_files_are_reported_and_not_fatal(finished):
    _, _, outcome, table = finished
    told = "\n".join(outcome.failures)
    assert "broken: " in told
    assert "bert, copy: " in told
    assert "makeittalk_upd: " in told
    assert len(outcome.failures) == 3
    assert "## Failed" in table
    broken = outcome.summary["clips"][2]
    assert broken["reference"] is None
    assert all(result["failed"] and result["video"] is None for result in broken["methods"].values())


def test_the_clip_itself_as_another_systems_video_is_as_good_as_the_truth(finished):
    anna = finished[2].summary["clips"][0]["methods"]
    assert anna["copy"]["figures"] == anna["drawn_frames"]["figures"]
    frechet = finished[2].summary["average"]["drawn_frames"]["stand_in_frechet"]["value"]
    assert frechet == pytest.approx(0, abs=1e-5)
    assert finished[2].summary["average"]["ours"]["stand_in_frechet"]["value"] > frechet + 1e-3


def test_who_renders_is_said(finished):
    told = "\n".join(finished[2].summary["remarks"])
    assert "ours: drawn by the starter generator" in told
    assert "no FID" in told or "not an FID" in told


def test_all_files_are_left(finished):
    output = finished[0]
    names = {path.name for path in output.iterdir()}
    assert {"summary.json", "figures.csv", "table.md", "worst.png", "index.html", "plots", "clips"} == names
    assert (output / "plots" / "figures.png").stat().st_size > 1000
    assert not [path for path in output.rglob("*") if ".tmp-" in path.name]


def test_a_second_run_makes_nothing_anew_and_gives_the_same_table(finished, clips, monkeypatch):
    output, words, outcome, _ = finished
    made = []
    original = clip_run.ClipRun._made

    def watched(self, name, *rest):
        made.append(name)
        return original(self, name, *rest)

    monkeypatch.setattr(clip_run.ClipRun, "_made", watched)
    before = (output / "figures.csv").read_bytes()
    again, _ = run(clips, output, words)
    assert made == []
    assert again.summary["average"] == outcome.summary["average"]
    assert (output / "figures.csv").read_bytes() == before


def test_a_run_that_was_interrupted_goes_on_to_the_same_table(finished, clips, tmp_path, monkeypatch):
    words = ["ours", "upd_warp"]
    original = clip_run.ClipRun._made
    made = []

    def interrupted(self, name, *rest):
        if self.clip.name == "bert" and name == "ours" and not made.count("stopped"):
            made.append("stopped")
            raise KeyboardInterrupt
        made.append(f"{self.clip.name} {name}")
        return original(self, name, *rest)

    monkeypatch.setattr(clip_run.ClipRun, "_made", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(clips, tmp_path, words, ("anna", "bert"))
    outcome, _ = run(clips, tmp_path, words, ("anna", "bert"))
    assert len(set(made)) == len(made)
    average = finished[2].summary["average"]
    assert outcome.summary["average"] == {name: average[name] for name in ("upd_warp", "ours")}


def test_other_settings_and_other_content_are_measured_anew(clips, tmp_path, monkeypatch):
    folder = tmp_path / "clips"
    folder.mkdir()
    shutil.copy(clips / "anna.mp4", folder / "anna.mp4")
    run(folder, tmp_path / "out", ["drawn_frames"], ("anna",))
    first = json.loads((tmp_path / "out/clips/anna/reference.json").read_text())["marks"]
    run(folder, tmp_path / "out", ["drawn_frames"], ("anna",), frames=4)
    second = json.loads((tmp_path / "out/clips/anna/reference.json").read_text())["marks"]
    assert {key for key in first if first[key] != second[key]} == {"frames"}
    shutil.copy(clips / "bert.mp4", folder / "anna.mp4")
    run(folder, tmp_path / "out", ["drawn_frames"], ("anna",), frames=4)
    third = json.loads((tmp_path / "out/clips/anna/reference.json").read_text())["marks"]
    assert {key for key in first if third[key] != second[key]} == {"clip"}


def test_where_no_method_can_be_set_up_the_reason_is_the_error(clips, tmp_path):
    with pytest.raises(ConfigError, match="image translation"):
        run(clips, tmp_path, ["makeittalk_upd"])
    assert not (tmp_path / "summary.json").exists()


def test_files_after_evaluate_mean_clips(tmp_path, monkeypatch, capsys):
    seen = []

    def stands_in(videos: list[str], *, frames: int | None = None) -> int:
        """Stand in.

        Args:
            videos: clips
            frames: how many
        """
        seen.append((videos, frames))
        return 0

    from experiments.commands import evaluate as module

    monkeypatch.setitem(module.SUBCOMMANDS, "clips", stands_in)
    assert main(["evaluate", "some.mp4", "other.mp4", "--frames", "3"]) == 0
    assert main(["evaluate", "clips", "some.mp4"]) == 0
    assert seen == [(["some.mp4", "other.mp4"], 3), (["some.mp4"], None)]
    assert main(["evaluate", "landmrks"]) == 2
    assert "did you mean 'inkspeak evaluate landmarks'" in capsys.readouterr().err


def test_bad_input_is_one_line(tmp_path, capsys):
    for words in (["nothing.mp4"], [str(tmp_path)], ["clips", "a.mp4", "--methods", "gan"], ["clips"]):
        assert main(["evaluate", *words, "-o", str(tmp_path / "out")]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_command_line_is_told_as_it_was_given():
    import inspect

    given = {one.name: one.default for one in inspect.signature(command.evaluate_clips).parameters.values()}
    given |= {"videos": ["my clip.mp4"], "frames": 5, "methods": ["ours"]}
    told = command.command_line(given)
    assert told == "inkspeak evaluate clips 'my clip.mp4' --methods ours --frames 5"
