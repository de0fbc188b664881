"""Files and folders that are complete or not there, and the questions asked before work begins."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightning_modules.errors import OutputError
from lightning_modules.pipeline.atomic_files import atomic_path, temporary_name
from lightning_modules.pipeline.frame_folder import MARKER, FrameFolder
from lightning_modules.pipeline.output_checks import check_free_space, check_output


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, with the content of files."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def write(path: Path, content: str = "new", *, error: BaseException | None = None, folder: bool = False) -> Path:
    with atomic_path(path, folder=folder) as temporary:
        (temporary / "a.txt" if folder else temporary).write_text(content)
        if error is not None:
            raise error
    return temporary


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "a" / "b" / "out.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == path.parent
        assert temporary.name.startswith(".out.tmp-")
        assert temporary.suffix == ".txt"
        assert not path.exists()
    assert tree(tmp_path) == {"a": None, "a/b": None, "a/b/out.txt": b"new"}


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), OSError("unrelated")])
def test_a_failure_leaves_what_was_there(tmp_path, folder, error):
    write(tmp_path / "out", "old", folder=folder)
    before = tree(tmp_path)
    for path in (tmp_path / "out", tmp_path / "new" / "out"):
        with pytest.raises(type(error)) as caught:
            write(path, error=error, folder=folder)
        assert caught.value is error
    assert tree(tmp_path) == before


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "out"
    path.mkdir()
    (path / "old.txt").write_text("old")
    (path / "deeper").mkdir()
    write(path, folder=True)
    assert tree(tmp_path) == {"out": None, "out/a.txt": b"new"}


def test_the_old_folder_comes_back_when_the_new_one_cannot_be_placed(tmp_path, monkeypatch):
    path = write(tmp_path / "out", "old", folder=True).with_name("out")
    before, rename = tree(tmp_path), Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name.startswith(".out.tmp-") and (self / "a.txt").read_text() == "new":
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OutputError, match="cannot be written"):
        write(path, folder=True)
    assert tree(tmp_path) == before


def test_a_symbolic_link_is_followed(tmp_path):
    (tmp_path / "disk").mkdir()
    real, link = tmp_path / "disk" / "real.txt", tmp_path / "link.txt"
    link.symlink_to(real)
    temporary = write(link)
    assert temporary.parent == real.parent
    assert link.is_symlink()
    assert real.read_text() == "new"


@pytest.mark.parametrize(
    ("number", "found"),
    [
        (errno.ENOSPC, "no space is left to write it"),
        (errno.EDQUOT, "no space is left to write it"),
        (errno.EROFS, "cannot be written"),
        (errno.EIO, "cannot be written"),
    ],
)
def test_a_disk_that_refuses_is_told(tmp_path, number, found):
    with pytest.raises(OutputError, match=found) as caught:
        write(tmp_path / "out.txt", error=OSError(number, os.strerror(number)))
    assert str(caught.value).startswith(f"{tmp_path / 'out.txt'}: ")
    assert tree(tmp_path) == {}


def test_an_error_about_another_file_is_not_taken_for_ours(tmp_path):
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "out.txt", error=FileNotFoundError(errno.ENOENT, "No such file", "elsewhere.txt"))
    with pytest.raises(OutputError), atomic_path(tmp_path / "out.txt") as temporary:
        raise PermissionError(errno.EACCES, "Permission denied", str(temporary))


def test_bytes_are_on_the_disk_before_the_name(tmp_path, monkeypatch):
    order, fsync, replace = [], os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (order.append("fsync"), fsync(handle)))
    monkeypatch.setattr(Path, "replace", lambda self, target: (order.append("replace"), replace(self, target)))
    write(tmp_path / "out.txt")
    assert order == ["fsync", "replace", "fsync"]


def test_permissions_are_those_of_any_new_file(tmp_path):
    write(tmp_path / "out.txt")
    (tmp_path / "other.txt").write_text("")
    assert (tmp_path / "out.txt").stat().st_mode == (tmp_path / "other.txt").stat().st_mode


@pytest.mark.parametrize(
    "name", ["x" * 255, "ä" * 125 + ".mp4", "🙂" * 62 + ".mp4", ".hidden", "no ending", "a.tar.gz"]
)
def test_temporary_names_fit_and_differ(tmp_path, name):
    names = {temporary_name(tmp_path / name).name for _ in range(50)}
    assert len(names) == 50
    assert max(len(os.fsencode(name)) for name in names) <= 255
    write(tmp_path / name)
    assert list(tree(tmp_path)) == [name]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with a photo, a speech, a link to it, an earlier result and a pipe."""
    monkeypatch.chdir(tmp_path)
    for name in ("photo.jpg", "speech.mp4", "earlier.mp4"):
        Path(name).write_text(name)
    Path("folder.mp4").mkdir()
    Path("link.mp4").symlink_to("speech.mp4")
    Path("hard.mp4").hardlink_to("speech.mp4")
    os.mkfifo("pipe.mp4")
    return tmp_path


@pytest.mark.parametrize(
    "name", ["new.mp4", "earlier.mp4", "new/deeper/out.mov", "out.MKV", "ünï cödé/🙂.mp4", "folder.mp4/out.mp4"]
)
def test_outputs_that_can_be_written(place, name):
    before = tree(place)
    assert check_output(name, inputs=["photo.jpg", "speech.mp4"]) == Path(name)
    assert tree(place) == before


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("folder.mp4", "it is a folder; name the file to write in it, for example folder.mp4/talking.mp4"),
        (".", "it is a folder"),
        ("out.avi", "files of kind '.avi' cannot be written; choose a name that ends in .mp4, .mov, .mkv"),
        ("out", "its name has no ending; choose"),
        ("speech.mp4", "it is also an input, and inputs are never changed"),
        ("link.mp4", "it is also an input"),
        ("hard.mp4", "it is also an input"),
        ("new/../speech.mp4", "it is also an input"),
        ("pipe.mp4", "it is a device or a pipe"),
        ("photo.jpg/out.mp4", "photo.jpg is a file, not a folder"),
        ("photo.jpg/deeper/out.mp4", "photo.jpg is a file, not a folder"),
        ("x" * 300 + ".mp4", "its name is too long; choose a shorter name"),
        ("/proc/nowhere/out.mp4", "it cannot be written"),
        ("/dev/null/out.mp4", "it cannot be written"),
    ],
)
def test_outputs_that_cannot_be_written(place, name, found):
    before = names(place)
    with pytest.raises(OutputError) as caught:
        check_output(name, inputs=["photo.jpg", "speech.mp4"])
    assert str(caught.value).startswith(f"{name}: ")
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)
    assert names(place) == before


def test_an_existing_file_is_kept_when_asked(place):
    with pytest.raises(OutputError, match="it exists already"):
        check_output("earlier.mp4", overwrite=False)
    check_output("new.mp4", overwrite=False)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to the superuser")
def test_a_folder_without_permission(place):
    (place / "closed").mkdir(mode=0o555)
    with pytest.raises(OutputError, match=r"it cannot be written \(Permission denied\)"):
        check_output("closed/out.mp4")


def test_a_read_only_folder_by_what_the_system_answers(place, monkeypatch):
    def refuse(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match=r"it cannot be written \(Read-only file system\); choose a folder"):
        check_output("new/out.mp4")
    assert not Path("new").exists()


def test_free_space(tmp_path):
    check_free_space(tmp_path / "new" / "out.mp4", 1)
    with pytest.raises(OutputError, match=r"it needs about 1,000,000,000,000 MB and .* MB are free there"):
        check_free_space(tmp_path / "new" / "out.mp4", 1e18)


def shades(count: int, *shape: int) -> np.ndarray:
    return (np.arange(count).reshape(count, *[1] * len(shape)) * 3 + np.zeros(shape)).astype(np.uint8)


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (20, 30, 3)])
def test_frames_become_pictures_in_order(tmp_path, shape):
    folder, frames = tmp_path / "my frames", shades(25, *shape)
    with FrameFolder(folder, frames=25, fps=29.97, sources=["a/Bild ü.jpg", Path("b/speech.wav")]) as sink:
        sink.write(frames[:16])
        sink.write(frames[16])
        sink.write(frames[17:])
        assert not folder.exists()
    assert names(folder) == [*(f"{number:05d}.png" for number in range(25)), MARKER]
    for number in range(25):
        with Image.open(folder / f"{number:05d}.png") as picture:
            assert picture.mode == ("RGB" if shape[-1] == 3 else "L")
            assert np.array_equal(np.asarray(picture).reshape(shape), frames[number])
    facts = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    assert facts == {
        "made_by": "inkspeak",
        "frames": 25,
        "fps": "30000/1001",
        "sources": ["Bild ü.jpg", "speech.wav"],
    }
    assert names(tmp_path)[-1] == "my frames/frames.json"


def test_its_own_folder_is_replaced_and_an_empty_one_is_used(tmp_path):
    (tmp_path / "frames").mkdir()
    for count in (12, 5):
        with FrameFolder(tmp_path / "frames", frames=count, fps=25) as sink:
            sink.write(shades(count, 20, 30))
        assert len(names(tmp_path / "frames")) == count + 1
    (tmp_path / "frames" / ".DS_Store").touch()
    FrameFolder(tmp_path / "frames", frames=5, fps=25)


@pytest.mark.parametrize("extra", ["holiday.jpg", "00005.png", "00000.PNG", "subfolder"])
def test_a_folder_with_anything_else_in_it_is_refused(tmp_path, extra):
    folder = tmp_path / "frames"
    with FrameFolder(folder, frames=5, fps=25) as sink:
        sink.write(shades(5, 20, 30))
    (folder / extra).mkdir() if extra == "subfolder" else (folder / extra).write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(OutputError, match=f"the folder holds other files, for example '{extra}'; name a new"):
        FrameFolder(folder, frames=5, fps=25)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("marker", [None, "{}", "not json", "[]", '{"made_by": "someone", "frames": 1}'])
def test_pictures_of_somebody_else_are_refused(tmp_path, marker):
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "00000.png").write_text("mine")
    if marker is not None:
        (folder / MARKER).write_text(marker)
    with pytest.raises(OutputError, match="the folder holds other files"):
        FrameFolder(folder, frames=1, fps=25)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "frames").write_text("mine")
    with pytest.raises(OutputError, match="it is a file, not a folder"):
        FrameFolder(tmp_path / "frames", frames=1, fps=25)


@pytest.mark.parametrize("written", [4, 6])
def test_another_number_of_frames_leaves_the_old_ones(tmp_path, written):
    folder = tmp_path / "frames"
    with FrameFolder(folder, frames=2, fps=25) as sink:
        sink.write(shades(2, 20, 30))
    before = tree(tmp_path)
    with pytest.raises(ValueError, match="announced"), FrameFolder(folder, frames=5, fps=25) as sink:
        sink.write(shades(written, 20, 30))
    assert tree(tmp_path) == before


def test_names_of_a_hundred_thousand_frames_still_sort(tmp_path):
    def begin() -> None:
        with FrameFolder(tmp_path / "frames", frames=100_001, fps=25) as sink:
            sink.write(np.zeros((2, 8, 8), np.uint8))
            assert names(sink._temporary) == ["000000.png", "000001.png"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin()


def test_a_full_disk_in_the_middle_of_the_frames(tmp_path, monkeypatch):
    save = Image.Image.save

    def fail(self: Image.Image, place: Path, **options: object) -> None:
        if place.name == "00003.png":
            raise OSError(errno.ENOSPC, "No space left on device")
        save(self, place, **options)

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OutputError, match="no space is left"), FrameFolder(tmp_path / "f", frames=5, fps=25) as sink:
        sink.write(shades(5, 20, 30))
    assert tree(tmp_path) == {}
