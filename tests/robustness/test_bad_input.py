"""Whatever a user hands in: one line that names the file, what was found and what to do; exit code 2; nothing left."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from experiments.__main__ import main
from experiments.demo import DEMO_PHOTO, DEMO_SPEECH

Make = Callable[[Path], Path]


def _written(name: str, data: bytes) -> Make:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data)
        return path

    return make


def _cut(source: Path, name: str, share: float) -> Make:
    data = source.read_bytes()
    return _written(name, data[: int(len(data) * share)])


def _picture(name: str, pixels: np.ndarray) -> Make:
    def make(folder: Path) -> Path:
        Image.fromarray(pixels).save(folder / name)
        return folder / name

    return make


def _sound(name: str, samples: np.ndarray, rate: int = 16000, **options: str) -> Make:
    def make(folder: Path) -> Path:
        soundfile.write(folder / name, samples, rate, **options)
        return folder / name

    return make


def _silent_film(folder: Path) -> Path:
    path = folder / "silent.mp4"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")))
        film.mux(stream.encode())
    return path


def _folder(folder: Path) -> Path:
    path = folder / "folder.jpg"
    path.mkdir()
    (path / "notes.txt").write_text("no photo here")
    return path


def _backs_of_heads(folder: Path) -> Path:
    """A dark ball of hair on shoulders: round like a head, without a face."""
    rows, columns = np.mgrid[:300, :300]
    picture = np.full((300, 300, 3), 210, np.uint8)
    picture[np.hypot((rows - 130) / 1.2, columns - 150) < 70] = (45, 30, 25)
    picture[(rows > 215) & (abs(columns - 150) < 60 + (rows - 215))] = (60, 70, 120)
    noise = np.random.default_rng(0).integers(-12, 12, picture.shape)
    Image.fromarray((picture + noise).clip(0, 255).astype(np.uint8)).save(folder / "back.png")
    return folder / "back.png"


PHOTOS: dict[str, Make] = {
    "missing": lambda folder: folder / "missing.jpg",
    "zero bytes": _written("zero.jpg", b""),
    "text": _written("text.jpg", b"this is not a picture\n" * 40),
    "cut off": _cut(DEMO_PHOTO, "cut.jpg", 0.4),
    "header only": _cut(DEMO_PHOTO, "header.jpg", 0.01),
    "a folder": _folder,
    "sound": lambda folder: shutil.copy(DEMO_SPEECH, folder / "sound.jpg"),
    "blank": _picture("blank.png", np.full((200, 200, 3), 180, np.uint8)),
    "texture": _picture("noise.png", np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)),
    "back of a head": _backs_of_heads,
    "tiny": _picture("tiny.png", np.full((9, 9, 3), 128, np.uint8)),
}
SOUNDS: dict[str, Make] = {
    "missing": lambda folder: folder / "missing.wav",
    "zero bytes": _written("zero.wav", b""),
    "text": _written("text.wav", b"this is not a sound\n" * 40),
    "header only": _cut(DEMO_SPEECH, "header.flac", 0.001),
    "a folder": _folder,
    "a photo": lambda folder: shutil.copy(DEMO_PHOTO, folder / "photo.wav"),
    "no sound track": _silent_film,
    "too short": _sound("short.wav", np.zeros(100, np.float32)),
    "not finite": _sound("nan.wav", np.full(16000, np.nan, np.float32), subtype="FLOAT"),
}


def _contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


def _refused(capsys: pytest.CaptureFixture[str], folder: Path, arguments: list[str], bad: Path) -> str:
    """Run the command line, check all that is common to refusals, and return the line."""
    before = _contents(folder)
    code = main(arguments)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("inkspeak: error:")]
    assert code == 2
    assert len(lines) == 1
    assert bad.name in lines[0]
    assert "; " in lines[0]  # what was found; what to do
    assert "Traceback" not in lines[0]
    assert _contents(folder) == before
    return lines[0]


@pytest.mark.parametrize("row", PHOTOS)
def test_bad_photos(row: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = PHOTOS[row](tmp_path)
    _refused(capsys, tmp_path, ["animate", str(photo), str(DEMO_SPEECH), "-o", str(tmp_path / "out.mp4")], photo)


@pytest.mark.parametrize("row", SOUNDS)
def test_bad_sounds(row: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = SOUNDS[row](tmp_path)
    _refused(capsys, tmp_path, ["animate", str(DEMO_PHOTO), str(sound), "-o", str(tmp_path / "out.mp4")], sound)


def test_two_faces_are_listed_and_one_is_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Image.open(DEMO_PHOTO) as one:
        both = Image.new("RGB", (2 * one.width, one.height))
        both.paste(one, (0, 0))
        both.paste(one.resize((one.width * 3 // 4, one.height * 3 // 4)), (one.width, 40))
    photo = tmp_path / "two.png"
    both.save(photo)
    common = ["animate", str(photo), str(DEMO_SPEECH), "--size", "128", "--fps", "5"]
    line = _refused(capsys, tmp_path, [*common, "--face", "3", "-o", str(tmp_path / "out.mp4")], photo)
    assert line.count("×") >= 2
    assert main([*common, "-o", str(tmp_path / "out.mp4")]) == 0
    told = capsys.readouterr()
    assert "2 faces found" in told.out + told.err


def test_the_output_is_never_an_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = tmp_path / "talk.mp4"
    shutil.copy(_silent_film(tmp_path), clip)
    _refused(capsys, tmp_path, ["animate", str(DEMO_PHOTO), str(clip), "-o", str(clip)], clip)


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/self").exists(), reason="needs a folder nobody can write")
def test_an_unwritable_folder_is_refused_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = Path("/proc/self/out.mp4")
    _refused(capsys, tmp_path, ["animate", str(DEMO_PHOTO), str(DEMO_SPEECH), "-o", str(target)], target)


def test_in_a_batch_the_rest_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(DEMO_PHOTO, photos / "good one.jpg")
    (photos / "bad.jpg").write_bytes(b"nothing")
    options = ["-o", str(tmp_path / "out"), "--size", "128", "--fps", "5"]
    assert main(["animate", str(photos), str(DEMO_SPEECH), *options]) == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good one_speech.mp4"]
    assert "bad.jpg" in capsys.readouterr().err


def test_termination_leaves_nothing(tmp_path: Path) -> None:
    samples, rate = soundfile.read(DEMO_SPEECH)
    speech = tmp_path / "long.wav"
    soundfile.write(speech, np.tile(samples, 40), rate)
    arguments = ["animate", str(DEMO_PHOTO), str(speech), "-o", str(tmp_path / "out.mp4"), "--size", "128"]
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments", *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(list(tmp_path.iterdir())) == 2  # the unfinished video is there, under another name
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "inkspeak: terminated" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["long.wav"]
