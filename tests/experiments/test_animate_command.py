"""The animate and demo commands: which job they build, and how a batch goes on when one item fails.

The pipeline itself is tested in its own room; here a recorder stands in for it, so that the command line alone is seen.
"""

from __future__ import annotations

import dataclasses
import inspect
import wave
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from experiments.__main__ import main
from experiments.commands import animate as animate_command
from experiments.folders import cache_folder
from lightning_modules.errors import ConfigError, NoFaceError
from lightning_modules.pipeline.animation_job import AnimationJob, AnimationReport, Look, MotionGains


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("me.jpg", "you.jpg", "bad.jpg"):
        (tmp_path / name).write_text(name)
    for name in ("hello.wav", "bye.wav"):
        with wave.open(str(tmp_path / name), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(16000)
            sound.writeframes(b"\x10\x20" * 16000)
    return tmp_path


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[AnimationJob]:
    """What reached the pipeline. Photos called bad have no face, those called bug raise what nobody expected."""
    from lightning_modules.pipeline import animate

    seen: list[AnimationJob] = []
    shared: dict[str, object] = {}

    def record(job, progress, backends):
        assert backends is shared.setdefault("backends", backends)  # those of the first job serve all
        seen.append(job)
        if job.photo.stem == "bad":
            raise NoFaceError("no face found", "use another photo", job.photo)
        if job.photo.stem == "bug":
            raise ZeroDivisionError("division by zero")
        progress.start("frames", 25)
        progress.advance(25)
        progress.close()
        return AnimationReport(job.output, 25, job.fps, 1.0, {"frames": 0.5}, (job.output,))

    monkeypatch.setattr(animate, "animate_photo", record)
    return seen


def test_defaults_of_the_command_are_those_of_the_job(here, jobs):
    assert main(["animate", "me.jpg", "hello.wav"]) == 0
    (job,) = jobs
    expected = AnimationJob(Path("me.jpg"), Path("hello.wav"), Path("out/me_hello.mp4"), cache=cache_folder())
    assert job == expected


def test_every_field_of_the_job_can_be_chosen(here, jobs):
    words = [
        *["animate", "me.jpg", "hello.wav", "-o", "o/x.mp4", "--size", "512", "--fps", "29.97", "--look", "pencil"],
        *["--renderer", "warp", "--landmarks", "file", "--landmarks-file", "points.csv", "--matte", "none"],
        *[
            "--face",
            "2",
            "--paste-back",
            "--frames",
            "o/frames",
            "--side-by-side",
            "--contact-sheet",
            "o/s.png",
            "--seed",
            "7",
        ],
        *["--jaw", "0.5", "--lips", "0.25", "--head", "2", "--blink-rate", "9", "--no-cache", "--device", "cpu"],
        *["--batch", "4", "--quiet"],
    ]
    assert main(words) == 0
    assert jobs == [
        AnimationJob(
            photo=Path("me.jpg"),
            speech=Path("hello.wav"),
            output=Path("o/x.mp4"),
            size=512,
            fps=29.97,
            look="pencil",
            renderer="warp",
            landmarks="file",
            landmarks_file=Path("points.csv"),
            matte="none",
            face=2,
            paste_back=True,
            frames=Path("o/frames"),
            side_by_side=True,
            contact_sheet=Path("o/s.png"),
            seed=7,
            gains=MotionGains(jaw=0.5, lips=0.25, head=2.0, blink_rate=9.0),
            cache=None,
            device="cpu",
            batch=4,
        )
    ]


def test_no_field_of_the_job_is_forgotten():
    options = set(inspect.signature(animate_command.animate).parameters)
    fields = {field.name for field in dataclasses.fields(AnimationJob)} - {"photo", "speech", "photo_is_clip", "gains"}
    fields |= {field.name for field in dataclasses.fields(MotionGains)}
    assert fields <= options
    assert set(animate_command.OPTIONS) <= options


def test_choices_are_those_that_exist():
    from lightning_modules.drawing.cartoon_drawer import CARTOON
    from lightning_modules.drawing.drawer import DEFAULT_LOOK
    from lightning_modules.drawing.looks import LOOKS

    assert set(get_args(Look)) == {CARTOON, *LOOKS}
    assert AnimationJob.look == DEFAULT_LOOK
    assert get_type_hints(animate_command.animate)["look"] == Look


def test_a_clip_is_its_own_photo_and_sound(here, jobs):
    (here / "hello.wav").rename(here / "clip.mp4")
    assert main(["animate", "--video", "clip.mp4", "-o", "x.mp4"]) == 0
    assert (jobs[0].photo, jobs[0].speech, jobs[0].photo_is_clip) == (Path("clip.mp4"), Path("clip.mp4"), True)


def test_a_batch_goes_on_after_a_bad_item_and_exits_with_2(here, jobs, capsys):
    assert main(["animate", "*.jpg", "hello.wav", "-o", "o"]) == 2
    captured = capsys.readouterr()
    assert [job.photo.name for job in jobs] == ["bad.jpg", "me.jpg", "you.jpg"]
    assert "inkspeak: error: bad.jpg: no face found; use another photo\n" in captured.err
    assert "Traceback" not in captured.err
    lines = captured.out.splitlines()
    assert lines[0].startswith("2 of 3 made in ")
    assert lines[0].endswith(", 1 failed:")
    assert lines[1:] == ["  bad_hello.mp4: bad.jpg: no face found; use another photo"]
    assert "[1/3] bad_hello.mp4" in captured.err


def test_a_bug_in_one_item_does_not_stop_the_others(here, jobs, capsys):
    (here / "bug.jpg").touch()
    assert main(["animate", "bug.jpg", "me.jpg", "hello.wav"]) == 2
    captured = capsys.readouterr()
    assert "inkspeak: error: unexpected ZeroDivisionError: division by zero; add --debug" in captured.err
    assert captured.out.splitlines()[1] == "  bug_hello.mp4: division by zero"
    assert main(["animate", "bug.jpg", "me.jpg", "hello.wav", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_good_batch_exits_with_0(here, jobs, capsys):
    assert main(["animate", "me.jpg", "you.jpg", "hello.wav", "bye.wav"]) == 0
    assert len(jobs) == 4
    assert capsys.readouterr().out.startswith("4 of 4 made in ")


def test_the_only_item_fails_with_one_line_and_no_summary(here, jobs, capsys):
    assert main(["animate", "bad.jpg", "hello.wav", "--quiet"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "inkspeak: error: bad.jpg: no face found; use another photo\n"
    assert captured.out == ""


def test_a_bad_sound_is_refused_before_the_photo_is_worked_on(here, jobs, capsys):
    (here / "noise.wav").write_bytes(b"not a sound at all")
    assert main(["animate", "me.jpg", "noise.wav", "--quiet"]) == 2
    assert jobs == []
    error = capsys.readouterr().err
    assert error.startswith("inkspeak: error: noise.wav: ")
    assert error.count("\n") == 1


def test_an_option_out_of_range_is_refused_before_anything_is_made(here, jobs, capsys):
    assert main(["animate", "me.jpg", "hello.wav", "--size", "100"]) == 2
    assert jobs == []
    assert "the size is 100 pixels; choose a multiple of 8" in capsys.readouterr().err


def test_results_that_are_there_can_be_kept(here, jobs, capsys):
    (here / "out").mkdir()
    (here / "out" / "me_hello.mp4").write_text("made earlier")
    assert main(["animate", "me.jpg", "you.jpg", "hello.wav", "--no-overwrite"]) == 0
    assert [job.photo.name for job in jobs] == ["you.jpg"]
    assert "out/me_hello.mp4: kept, it exists already (--no-overwrite)" in capsys.readouterr().err
    assert main(["animate", "me.jpg", "hello.wav", "--no-overwrite"]) == 0
    assert len(jobs) == 1


def test_files_passed_over_are_told(here, jobs, capsys):
    (here / "photos").mkdir()
    (here / "me.jpg").rename(here / "photos" / "me.jpg")
    (here / "photos" / "list.txt").touch()
    assert main(["animate", "photos", "hello.wav"]) == 0
    assert "photos: passed over list.txt, not a photo\n" in capsys.readouterr().err


def test_quiet_says_nothing(here, jobs, capsys):
    assert main(["animate", "me.jpg", "you.jpg", "hello.wav", "--quiet"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_demo_needs_nothing_and_says_what_it_wrote(here, jobs, capsys):
    assert main(["demo"]) == 0
    (job,) = jobs
    assert (job.output, job.contact_sheet) == (Path("out/demo.mp4"), Path("out/demo_sheet.png"))
    assert job.photo.is_file()
    assert job.speech.is_file()
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["out/demo.mp4: 25 frames, 1.0 s at 25 fps; took 0.5 s", "  frames 0.5 s"]


def test_demo_into_another_file(here, jobs):
    assert main(["demo", "--output", "a b/ü.mp4", "--size", "512"]) == 0
    assert (jobs[0].output, jobs[0].contact_sheet, jobs[0].size) == (Path("a b/ü.mp4"), Path("a b/ü_sheet.png"), 512)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"size": 260}, "the size is 260 pixels"),
        ({"size": 4096}, "the size is 4096 pixels"),
        ({"fps": 0.5}, "the frame rate is 0.5"),
        ({"fps": float("nan")}, "the frame rate is nan"),
        ({"face": 0}, "the face is '0'"),
        ({"face": "left"}, "the face is 'left'"),
        ({"batch": 0}, "the batch is 0"),
        ({"seed": -1}, "the seed is -1"),
        ({"landmarks": "file"}, "no file is given; name it with --landmarks-file"),
        ({"landmarks_file": Path("x")}, "landmarks come from 'mediapipe'"),
    ],
)
def test_a_job_refuses_what_is_out_of_range(change, told):
    with pytest.raises(ConfigError) as caught:
        AnimationJob(Path("a"), Path("b"), Path("c"), **change)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "change", [{"jaw": -0.1}, {"lips": 3.1}, {"head": float("nan")}, {"blink_rate": 61.0}, {"blink_rate": -1.0}]
)
def test_gains_out_of_range_are_refused(change):
    with pytest.raises(ConfigError, match=r"choose a value from 0 to"):
        MotionGains(**change)
