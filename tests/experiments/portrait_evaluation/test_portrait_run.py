"""``inkspeak evaluate portraits`` on made-up faces: resuming, bad photos, sheets, lists of names, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from datamodules.prepare.manifest import MANIFEST_NAME
from datamodules.prepare.prepared_set import write_set
from experiments.__main__ import main
from experiments.evaluation import methods
from experiments.evaluation.drawn_landmarks import DrawnFaceFinder
from experiments.evaluation.frame_drawing import FrameDrawer
from experiments.evaluation.method_names import parse_methods
from experiments.evaluation.results import Result
from experiments.evaluation.scene import Tools
from experiments.evaluation.settings import EvaluationSettings
from experiments.portrait_evaluation.inputs import photos_of, utterances_of
from experiments.portrait_evaluation.run import evaluate_all, write_files
from experiments.portrait_evaluation.sheets import photo_row, write_sheets
from lightning_modules.errors import InkspeakError
from lightning_modules.faces.face import FaceList, make_face
from lightning_modules.faces.matter import NoMatter
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.pipeline.animation_job import SilentProgress


class MadeUpFace:
    """A detector that sees the same face in whatever is not black."""

    name = "made-up"

    def find_faces(self, rgb):
        if rgb.max() < 128:
            return FaceList()
        points = np.asarray(frontal_face(), np.float32) * 40
        points[:, :2] += (64, 64)
        return FaceList([make_face(points, 1.0)])


class Threshold:
    """A drawer: what is dark is ink."""

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
            "analyzer": MadeUpFace(),
            "finder": DrawnFaceFinder("starter", (MadeUpFace(),)),
            "frame_drawer": FrameDrawer(Threshold(), NoMatter(), settings.size),
        }
        self.backends._kept |= {("analyzer", "mediapipe", None): MadeUpFace(), ("drawer", "ink"): Threshold()}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "photos").mkdir()
    for number, name in enumerate(("anna", "bert")):
        blocks = np.random.default_rng(number).random((16, 16, 1)) < 0.3
        picture = np.where(np.kron(blocks, np.ones((8, 8, 3))), 40, 200).astype(np.uint8)
        Image.fromarray(picture).save(folder / "photos" / f"{name}.png")
    Image.new("RGB", (128, 128)).save(folder / "photos" / "nobody.png")
    rate = 16000
    for name, seconds, pitch in (("short", 0.24, 150), ("long", 2.0, 110)):
        time = np.arange(int(rate * seconds)) / rate
        voice = np.sign(np.sin(2 * np.pi * pitch * time)) * np.sin(8 * time) ** 2
        soundfile.write(folder / f"{name}.wav", 0.3 * voice, rate)
    return folder


def run(inputs, output, words=("ours", "upd_warp"), **changes):
    settings = EvaluationSettings(size=128, frames=4, matte="none", driver="envelope", **changes)
    photos, _ = photos_of(inputs / "photos")
    utterances, _ = utterances_of([str(inputs / "long.wav")], 0.5, output / "speech")
    outcome = evaluate_all(
        photos,
        utterances,
        parse_methods(words),
        settings,
        output,
        SilentProgress(),
        command="inkspeak",
        tools=MadeUpTools(settings),
    )
    return outcome, write_files(outcome, output)


@pytest.fixture(scope="module")
def finished(inputs, tmp_path_factory):
    output = tmp_path_factory.mktemp("finished")
    return output, *run(inputs, output, ("ours", "upd_warp", "warp_then_draw"))


def test_every_photo_that_can_be_used_is_looked_at_and_measured(finished):
    output, outcome, table = finished
    summary = json.loads((output / "summary.json").read_text())
    assert summary == json.loads(json.dumps(outcome.summary))
    assert summary["methods"] == ["warp_then_draw", "upd_warp", "ours"]
    for photo in summary["photos"][:2]:
        assert set(photo["utterances"]) == {"long"}
        for one in photo["utterances"]["long"].values():
            assert one["failed"] is None
            assert {"ssim", "nme", "motion_share", "motion_tracked", "nme_rest", "identity_distance"} <= set(
                one["figures"]
            )
            assert (output / one["video"]).stat().st_size > 0
    assert summary["average"]["ours"]["ssim"]["value"] <= 1
    assert "| landmark NME" in table
    with Image.open(output / "sheet_01.png") as sheet:
        # Two rows of 17 pictures of 192 with gaps of 4; captions of 18 below each.
        assert sheet.size == (17 * 196 + 4, 2 * (192 + 18 + 8))


def test_a_bad_photo_is_reported_and_not_fatal(finished):
    _, outcome, table = finished
    (line,) = outcome.summary["failed"]
    assert line.startswith("nobody: ")
    assert "no face" in line
    assert line in table
    assert [row.name for row in outcome.rows] == ["anna", "bert"]


def test_what_is_finished_is_not_done_again(finished, inputs, monkeypatch):
    output, outcome, _ = finished
    (output / "pairs" / "bert" / "long" / "ours.json").unlink()
    made = []
    draw = methods.Driven.make
    monkeypatch.setattr(methods.Driven, "make", lambda self, scene: (made.append(self.name), draw(self, scene))[1])
    again, _ = run(inputs, output, ("ours", "upd_warp", "warp_then_draw"))
    assert made == ["ours"]
    assert again.figures == outcome.figures


def arrays(value, open_value, lids):
    facts = {"pose_frames": np.arange(5), "pose_values": np.array([0, open_value, 0.01, 12.0, lids])}
    poses = np.full((5, 8, 8, 1), value, np.uint8)
    return facts | {"poses": poses, "photo": np.zeros((8, 8, 3), np.uint8), "static": np.zeros((8, 8, 1), np.uint8)}


def test_each_moment_is_taken_from_the_utterance_that_shows_it_best(tmp_path):
    by_method = {
        name: {
            "a": Result({}, arrays=arrays(base + 1, 0.3, 0.03)),
            "b": Result({}, arrays=arrays(base + 2, 0.2, 0.01)),
        }
        for name, base in (("ours", 10), ("upd_warp", 20))
    }
    row = photo_row("anna", by_method)
    assert {pose: utterance for pose, (_, utterance) in row.chosen.items()} == {
        "rest": "a",
        "open": "a",
        "closed": "a",
        "turned": "a",
        "blink": "b",
    }
    assert int(row.poses["ours"]["open"].max()) == 11
    assert int(row.poses["upd_warp"]["blink"].max()) == 22
    by_method["ours"]["a"] = Result({}, failed="broken")
    assert photo_row("anna", by_method).chosen["open"][1] == "b"  # what all methods drew
    assert photo_row("anna", {"ours": {"a": Result({}, failed="broken")}}) is None
    written = write_sheets([row] * 3, tmp_path, most=2)
    assert [path.name for path in written] == ["sheet_01.png", "sheet_02.png"]


def prepared(folder, kind):
    folder.mkdir()
    write_set(folder, kind, {})
    rows = [{"id": name, "kind": "portrait", "files": {}} for name in ("photo-0", "photo-1", "photo-2")]
    (folder / MANIFEST_NAME).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_photos_of_a_prepared_set_and_a_list_of_names(tmp_path):
    folder = prepared(tmp_path / "set", "photos")
    found, _ = photos_of(folder)
    assert [(one.name, one.path.name) for one in found] == [(f"photo-{number}", "photo.png") for number in range(3)]
    names = tmp_path / "names.txt"
    names.write_text("# held out\nphoto-2\n\nphoto-0\n")
    assert [one.name for one in photos_of(folder, names)[0]] == ["photo-2", "photo-0"]
    names.write_text("photo-9\n")
    with pytest.raises(InkspeakError, match="no photo is called 'photo-9'"):
        photos_of(folder, names)
    with pytest.raises(InkspeakError, match="holds no prepared photos"):
        photos_of(prepared(tmp_path / "drawings", "drawings"))


def test_long_speech_is_cut(inputs, tmp_path):
    words = [str(inputs / "short.wav"), str(inputs / "long.wav")]
    short, long = utterances_of(words, 0.5, tmp_path)[0]
    assert short.path == inputs / "short.wav"
    assert soundfile.info(long.path).duration == 0.5
    assert [one.path for one in utterances_of(words, None, tmp_path)[0]] == [Path(word) for word in words]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "no speech"),
        (["--speech", "SHORT", "--methods", "drawn_frames"], "has no film"),
        (["--speech", "SHORT", "--seconds", "0.1"], "0.1 seconds"),
        (["--speech", "SHORT", "--frames", "1"], "1 frames"),
        (["--speech", "SHORT", "--only", "/no/such/list"], "cannot be read"),
        (["--speech", "SHORT", "--drawings", "/no/such/set"], "no prepared set"),
    ],
)
def test_what_cannot_be_evaluated_is_told_in_one_line(more, told, inputs, tmp_path, capsys):
    words = [str(inputs / "short.wav") if word == "SHORT" else word for word in more]
    command = ["evaluate", "portraits", str(inputs / "photos"), "-o", str(tmp_path / "out"), "--quiet"]
    assert main([*command, *words]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("inkspeak: ")]
    assert told in line
