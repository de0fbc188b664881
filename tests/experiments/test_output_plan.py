"""Names and folders of results, and what is refused before work begins."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from experiments.commands.batch import Pair
from experiments.commands.output_plan import plan_outputs
from lightning_modules.errors import OutputError

ONE = [Pair(Path("in/me.jpg"), Path("in/hello.wav"), "me_hello")]
TWO = [*ONE, Pair(Path("in/you.jpg"), Path("in/hello.wav"), "you_hello")]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name in ("me.jpg", "you.jpg", "hello.wav"):
        (tmp_path / "in" / name).write_text(name)
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


BEFORE = ["in", "in/hello.wav", "in/me.jpg", "in/you.jpg"]


def test_without_an_output_the_folder_out(here):
    (plan,) = plan_outputs(ONE, None)
    assert (plan.video, plan.frames, plan.contact_sheet) == (Path("out/me_hello.mp4"), None, None)
    assert names(here) == BEFORE


@pytest.mark.parametrize(
    ("output", "video"),
    [
        ("x.mp4", "x.mp4"),
        ("new/deep/x.MP4", "new/deep/x.MP4"),
        ("new", "new/me_hello.mp4"),
        ("in", "in/me_hello.mp4"),
        ("mit Leer/ü.mp4", "mit Leer/ü.mp4"),
    ],
)
def test_an_output_is_a_file_or_a_folder(here, output, video):
    (plan,) = plan_outputs(ONE, Path(output))
    assert plan.video == Path(video)
    assert names(here) == BEFORE


def test_an_existing_folder_with_a_dot_is_a_folder(here):
    (here / "out.d").mkdir()
    assert plan_outputs(ONE, Path("out.d"))[0].video == Path("out.d/me_hello.mp4")


def test_home_is_understood(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    assert plan_outputs(ONE, Path("~/x.mp4"))[0].video == here / "x.mp4"


def test_several_get_a_file_each():
    plans = plan_outputs(TWO, Path("o"), Path("f"), Path("s"))
    assert [str(plan.video) for plan in plans] == ["o/me_hello.mp4", "o/you_hello.mp4"]
    assert [str(plan.frames) for plan in plans] == ["f/me_hello", "f/you_hello"]
    assert [str(plan.contact_sheet) for plan in plans] == ["s/me_hello_sheet.png", "s/you_hello_sheet.png"]


def test_a_sheet_beside_the_video():
    assert plan_outputs(ONE, Path("o/x.mp4"), contact_sheet="auto")[0].contact_sheet == Path("o/x_sheet.png")
    sheets = [plan.contact_sheet for plan in plan_outputs(TWO, Path("o"), contact_sheet="auto")]
    assert sheets == [Path("o/me_hello_sheet.png"), Path("o/you_hello_sheet.png")]


def test_single_frames_and_sheet_of_one_pair():
    (plan,) = plan_outputs(ONE, Path("x.mp4"), Path("frames"), Path("sheets/a.png"))
    assert (plan.frames, plan.contact_sheet) == (Path("frames"), Path("sheets/a.png"))


@pytest.mark.parametrize(
    ("pairs", "options", "found"),
    [
        (TWO, {"output": Path("x.mp4")}, "x.mp4: this is one file, and 2 animations are to be made; name a folder"),
        (ONE, {"output": Path("x.avi")}, "x.avi: files of kind '.avi' cannot be written"),
        (ONE, {"output": Path("in/me.jpg/x.mp4")}, "is a file, not a folder"),
        (ONE, {"output": Path("x.mp4"), "contact_sheet": Path("s.pdf")}, "s.pdf: files of kind '.pdf' cannot be"),
        (ONE, {"output": Path("x.mp4"), "frames": Path("in")}, "in: "),
        (ONE, {"output": Path("x.mp4"), "frames": Path("in/me.jpg")}, "in/me.jpg: "),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_is_left(here, pairs, options, found):
    with pytest.raises(OutputError) as caught:
        plan_outputs(pairs, **options)
    assert found in str(caught.value)
    assert names(here) == BEFORE


def test_an_output_never_replaces_an_input(here):
    clip = here / "in" / "clip.mp4"
    clip.write_text("clip")
    pair = Pair(clip, clip, "clip")
    (here / "link.mp4").symlink_to(clip)
    for output in (clip, Path("in"), Path("in/../in/clip.mp4"), Path("link.mp4")):
        with pytest.raises(OutputError, match="also an input"):
            plan_outputs([pair], output)
    assert clip.read_text() == "clip"


def test_a_sheet_never_replaces_the_photo(here):
    photo = here / "in" / "me.png"
    photo.write_text("photo")
    with pytest.raises(OutputError, match="also an input"):
        plan_outputs([Pair(photo, Path("in/hello.wav"), "x")], Path("x.mp4"), contact_sheet=photo)


def test_a_full_disk_is_told_before_work_begins(monkeypatch):
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10_000_000))
    with pytest.raises(OutputError, match=r"10\.0 MB are free"):
        plan_outputs(ONE, Path("x.mp4"))
