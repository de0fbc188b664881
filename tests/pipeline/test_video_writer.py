from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightning_modules.errors import ConfigError, OutputError
from lightning_modules.pipeline import output_checks
from lightning_modules.pipeline.frame_rate import exact_frame_rate, frame_count
from lightning_modules.pipeline.video_writer import VideoWriter

RATES = [24, 25, 29.97, 30, 50, 60, 62.5]


def numbered(count: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """Frames that carry their number as ten black or white blocks: (count, H, W)."""
    width, height = size
    frames = np.full((count, height, width), 255, np.uint8)
    for number in range(count):
        for bit in range(10):
            if number >> bit & 1:
                row, column = divmod(bit, 5)
                frames[number, row * 16 : row * 16 + 12, column * 12 : column * 12 + 10] = 0
    return frames


def number_of(image: np.ndarray) -> int:
    blocks = [
        image[row * 16 + 2 : row * 16 + 10, column * 12 + 2 : column * 12 + 8] for row in (0, 1) for column in range(5)
    ]
    return sum((block.mean() < 128) << bit for bit, block in enumerate(blocks))


def decode(path: Path) -> tuple[list[np.ndarray], list[Fraction]]:
    """All frames as RGB, and when each is shown."""
    with av.open(path) as container:
        pictures = list(container.decode(video=0))
        moments = [picture.pts * picture.time_base for picture in pictures]
        return [picture.to_ndarray(format="rgb24") for picture in pictures], moments


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize("count", [1, 7, 130])
@pytest.mark.parametrize("fps", RATES)
def test_every_frame_comes_back_in_order_and_on_time(tmp_path, fps, count):
    path = tmp_path / "a.mp4"
    sound = (np.zeros(int(44100 * 3.1), np.float32), 44100)
    with VideoWriter(path, (64, 48), fps, frames=count, sound=sound) as writer:
        writer.write(numbered(count))
    images, moments = decode(path)
    assert [number_of(image) for image in images] == list(range(count))
    rate = exact_frame_rate(fps)
    assert moments == [number / rate for number in range(count)]
    with av.open(path) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert video.frames == count
        assert video.average_rate == rate
        assert video.duration * video.time_base == count / rate
        assert video.start_time == audio.start_time == 0
        assert abs(audio.duration * audio.time_base - count / rate) < Fraction(1, 40000)
        assert abs(container.duration / 1e6 - float(count / rate)) < 1 / 40000


@pytest.mark.parametrize("suffix", [".mov", ".mkv", ".MP4"])
def test_other_containers_hold_the_same_frames(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    with VideoWriter(path, (64, 48), 62.5, frames=40, sound=(np.zeros(48000, np.float32), 48000)) as writer:
        writer.write(numbered(40))
    images, moments = decode(path)
    assert [number_of(image) for image in images] == list(range(40))
    assert max(abs(moment - number / 62.5) for number, moment in enumerate(moments)) <= 0.0005  # Matroska: 1 ms steps


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fps=st.one_of(st.fractions(1, 120, max_denominator=50), st.sampled_from([23.976, 59.94, 14.985, 100 / 3])),
    count=st.integers(1, 30),
    width=st.integers(61, 90),
    height=st.integers(33, 60),
)
def test_any_rate_count_and_size_comes_back_exactly(tmp_path, fps, count, width, height):
    path = tmp_path / "a.mp4"
    with VideoWriter(path, (width, height), fps, frames=count) as writer:
        writer.write(numbered(count, (width, height)))
    images, moments = decode(path)
    assert [number_of(image) for image in images] == list(range(count))
    assert moments == [number / exact_frame_rate(fps) for number in range(count)]
    even = (height + height % 2, width + width % 2)
    assert images[0].shape == (*even, 3)
    assert (images[0][height:] >= 253).all()
    assert (images[0][:, width:] >= 253).all()
    assert bool(writer.notes) == (even != (height, width))


@pytest.mark.parametrize("channels", [1, 3])
def test_white_stays_white_and_black_stays_black(tmp_path, channels):
    """A black disc crosses white paper; far from it the paper has to stay white, inside it the ink black."""
    path = tmp_path / "a.mp4"
    y, x = np.mgrid[:128, :128]
    away = [np.hypot(x - 20 - 2 * t, y - 64) for t in range(40)]
    frames = np.stack([np.where(distance < 14, 0, 255).astype(np.uint8) for distance in away])
    with VideoWriter(path, (128, 128), 25, frames=40) as writer:
        writer.write(np.repeat(frames[..., None], channels, axis=3))
    images, _ = decode(path)
    for image, distance in zip(images, away, strict=True):
        assert image[distance > 14 + 20].min() >= 253
        assert image[distance < 14 - 4].max() <= 4
    with av.open(path) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
        assert context.pix_fmt == "yuv420p"
        luma = np.frombuffer(memoryview(next(container.decode(stream)).planes[0]), np.uint8)
        assert luma[0] == 235  # white in video levels, whatever a player makes of it


def test_grey_levels_and_colours_come_back(tmp_path):
    """Flat patches of 16 pixels, by the definition of BT.709 in video levels."""
    path = tmp_path / "a.mp4"
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    grey = np.kron(levels.reshape(4, 4), np.ones((16, 16), np.uint8))
    colours = np.array([(200, 30, 60), (20, 160, 40), (40, 60, 210), (240, 200, 20)], np.uint8)
    colour = np.repeat(np.repeat(colours.reshape(2, 2, 3), 32, axis=0), 32, axis=1)
    with VideoWriter(path, (64, 64), 25, frames=2, quality=4) as writer:
        writer.write(grey)
        writer.write(colour)
    (first, second), _ = decode(path)
    assert np.abs(first[8::16, 8::16, 1].ravel().astype(int) - levels).max() <= 2
    assert np.abs(second[16::32, 16::32].reshape(4, 3).astype(int) - colours).max() <= 4


def test_all_forms_of_a_grey_frame_are_the_same(tmp_path):
    frames = numbered(12)
    results = []
    for number, form in enumerate([frames, frames[..., None], list(frames), list(frames[..., None])]):
        path = tmp_path / f"{number}.mp4"
        with VideoWriter(path, (64, 48), 25, frames=12) as writer:
            for part in form if isinstance(form, list) else [form[:5], form[5:]]:
                writer.write(part)
        results.append(path.read_bytes())
    assert len(set(results)) == 1


def test_the_same_frames_and_sound_make_the_same_file(tmp_path):
    """Also when the memory that the encoder gets was used before, which shows if it reads what nobody has set."""
    y, x = np.mgrid[:112, :112]
    frames = np.stack([128 + 127 * np.sin(x / 3 + y / (5 + t / 9)) for t in range(30)]).astype(np.uint8)
    noise = np.random.default_rng(0)
    sound = noise.normal(0, 0.1, 44100)
    results = set()
    for number in range(8):
        used = [np.full(noise.integers(1000, 200_000), 255, np.uint8) for _ in range(100 * number)]
        del used
        with VideoWriter(tmp_path / "a.mp4", (112, 112), 25, frames=30, sound=(sound, 44100)) as writer:
            writer.write(frames)
        results.add((tmp_path / "a.mp4").read_bytes())
    assert len(results) == 1


def test_index_lies_before_the_pictures(tmp_path):
    path = tmp_path / "a.mp4"
    with VideoWriter(path, (64, 48), 25, frames=12) as writer:
        writer.write(numbered(12))
    content = path.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((48, 64), np.float32),
        np.zeros((64, 48), np.uint8),
        np.zeros((2, 48, 64, 4), np.uint8),
        np.zeros((48, 64, 2), np.uint8),
        np.zeros(10, np.uint8),
    ],
)
def test_frames_of_another_kind_are_refused(tmp_path, frames):
    with pytest.raises(ValueError, match="frame"), VideoWriter(tmp_path / "a.mp4", (64, 48), 25, frames=2) as writer:
        writer.write(frames)
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("written", [2, 4])
def test_another_number_of_frames_than_announced_is_refused(tmp_path, written):
    with (
        pytest.raises(ValueError, match="announced"),
        VideoWriter(tmp_path / "a.mp4", (64, 48), 25, frames=3) as writer,
    ):
        writer.write(numbered(written))
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failure_in_the_middle_leaves_nothing_and_keeps_what_was_there(tmp_path, error):
    kept, fresh = tmp_path / "kept.mp4", tmp_path / "new" / "folder" / "a.mp4"
    kept.write_bytes(b"an earlier result")

    def break_off(path: Path) -> None:
        with VideoWriter(path, (64, 48), 25, frames=80) as writer:
            writer.write(numbered(70))
            assert len(left_over(path.parent)) == (2 if path == kept else 1)  # it grows beside its place
            raise error

    for path in (kept, fresh):
        with pytest.raises(error):
            break_off(path)
    assert left_over(tmp_path) == ["kept.mp4"]
    assert kept.read_bytes() == b"an earlier result"


def test_a_new_result_replaces_the_old_one(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"an earlier result")
    with VideoWriter(path, (64, 48), 25, frames=3) as writer:
        writer.write(numbered(3))
    assert len(decode(path)[0]) == 3
    assert left_over(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize(
    "name", ["mit Leerzeichen.mp4", "ünï-表情-🙂.mp4", "%d.mp4", "a:b?c#d.mp4", "-x.mp4", "x" * 251 + ".mp4"]
)
def test_unusual_names(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with VideoWriter(name, (64, 48), 25, frames=3) as writer:
        writer.write(numbered(3))
    assert left_over(tmp_path) == [name]
    assert len(decode(tmp_path / name)[0]) == 3


def test_leaving_the_folder_while_writing_does_no_harm(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with VideoWriter("a.mp4", (64, 48), 25, frames=3) as writer:
        monkeypatch.chdir("/")
        writer.write(numbered(3))
    assert left_over(tmp_path) == ["a.mp4"]


def test_what_does_not_fit_on_the_disk_is_not_begun(tmp_path, monkeypatch):
    usage = output_checks.shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(output_checks.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match=r"a\.mp4: it needs about .* MB and 1\.0 MB are free there; free some space"):
        VideoWriter(tmp_path / "a.mp4", (512, 512), 25, frames=25 * 60)
    VideoWriter(tmp_path / "a.mp4", (64, 48), 25, frames=25)
    assert left_over(tmp_path) == []


FILL = """
import resource, sys
import numpy as np
from lightning_modules.pipeline.video_writer import VideoWriter
if sys.argv[2] != "0":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
noise = np.random.default_rng(0)
with VideoWriter(sys.argv[1], (128, 128), 25, frames=150, preset="ultrafast", sound=(np.zeros(96000), 16000)) as writer:
    for _ in range(150):
        writer.write(noise.integers(0, 256, (128, 128), dtype=np.uint8))
"""


def fill(path: Path, *, limit: int = 0, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-c", FILL, str(path), str(limit)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("limit", [100, 40_000, 400_000])
def test_a_limit_hit_while_writing_is_told_and_leaves_nothing(tmp_path, limit):
    """A limit on the size of files: the operating system refuses writes in the middle, as on a full disk."""
    path = tmp_path / "a.mp4"
    path.write_bytes(b"an earlier result")
    result = fill(path, limit=limit)
    assert result.returncode == 1
    assert result.stderr.strip().endswith("no space is left to write it; free some space or choose another folder")
    assert left_over(tmp_path) == ["a.mp4"]
    assert path.read_bytes() == b"an earlier result"


def test_the_same_without_a_limit_succeeds(tmp_path):
    assert fill(tmp_path / "a.mp4").returncode == 0
    assert (tmp_path / "a.mp4").stat().st_size > 500_000


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = ("unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size=400k tmpfs "{small}" && exec "$@"; exit 77', "sh")
    try:
        trial = subprocess.run([*mounted, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if trial.returncode != 0:
        pytest.skip("no disk can be mounted here")
    result = fill(small / "a.mp4", before=(*mounted[:-1], "sh"))
    assert result.returncode == 1
    assert "no space is left to write it" in result.stderr


def test_a_disk_that_fails_at_the_very_end_is_told(tmp_path, monkeypatch):
    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with (
        pytest.raises(OutputError, match="no space is left"),
        VideoWriter(tmp_path / "a.mp4", (64, 48), 25, frames=3) as w,
    ):
        w.write(numbered(3))
    assert left_over(tmp_path) == []


MEMORY = """
import sys
import numpy as np
from lightning_modules.pipeline.video_writer import VideoWriter
def megabytes(field):
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith(field))
frames, sound = int(sys.argv[2]), sys.argv[3] or None
y, x = np.mgrid[:256, :256]
with VideoWriter(sys.argv[1], (256, 256), 25, frames=frames, sound=sound) as writer:
    for number in range(frames):
        angle = number / 25
        wave = 100 + 40 * np.sin(x / 20 + angle)
        writer.write(np.where(np.abs(y - wave) < 2, 0, 255).astype(np.uint8))
        if number == 200:
            settled = megabytes("VmHWM")
print(megabytes("VmHWM") - settled)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory from /proc")
def test_memory_does_not_grow_with_the_number_of_frames(tmp_path):
    import wave

    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setparams((2, 2, 48000, 0, "NONE", "NONE"))
        file.writeframes(bytes(4 * 48000 * 81))
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "a.mp4"), "2000", str(tmp_path / "long.wav")]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert float(result.stdout) < 6  # MB; the frames are 131 MB and the sound is 31 MB


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (25, 25),
        (62.5, Fraction(125, 2)),
        (29.97, Fraction(30000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (np.float32(29.97), Fraction(30000, 1001)),
        ("30000/1001", Fraction(30000, 1001)),
        (Fraction(2997, 100), Fraction(2997, 100)),
        (12.5, Fraction(25, 2)),
        (100 / 3, Fraction(100, 3)),
        (24.0, 24),
        (30.01, Fraction(3001, 100)),
    ],
)
def test_a_rate_means_the_fraction_behind_it(given, meant):
    assert exact_frame_rate(given) == meant


@pytest.mark.parametrize("given", [0, -25, 241, float("nan"), float("inf"), "fast", "1/0"])
def test_an_impossible_rate_is_refused(given):
    with pytest.raises(ConfigError, match="frames per second"):
        exact_frame_rate(given)


def test_frames_last_as_long_as_the_sound():
    assert frame_count(10, 25) == 250
    assert frame_count(2.002, 29.97) == 60
    assert frame_count(1.019, 25) == 25
    assert frame_count(1.021, 25) == 26
    assert frame_count(0.001, 25) == 1
    assert (frame_count(0.25, 10), frame_count(0.75, 10)) == (3, 8)  # halves go up, not to the even number
    assert frame_count(Fraction(1, 30), 15) == 1
    assert frame_count(3600, 29.97) == 107892  # 3600 × 30000/1001 = 107892.1
