from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from lightning_modules.errors import InkspeakError, VideoError
from lightning_modules.pipeline.video_reader import VideoReader, photo_of_clip
from lightning_modules.pipeline.video_writer import VideoWriter

WHITE, RED, BLACK = (255, 255, 255), (200, 20, 20), (0, 0, 0)


def corners() -> np.ndarray:
    """64×128, black; top left white, top right red: every turn and mirror image looks different."""
    image = np.zeros((64, 128, 3), np.uint8)
    image[:20, :40], image[:20, -40:] = WHITE, RED
    return image


def film(
    path: Path, moments: list[int] | int, *, image=None, sound=False, rotation=None, flip=False, aspect=None
) -> Path:
    """A clip whose frames get lighter from one to the next, or show ``image``; made with PyAV alone."""
    moments = list(range(moments)) if isinstance(moments, int) else moments
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", 25, options={"crf": "5"})
        height, width = (48, 64) if image is None else image.shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            stream.set_display_rotation(rotation, flip)
        audio = container.add_stream("aac", 48000) if sound else None
        for number, moment in enumerate(moments):
            picture = np.full((height, width, 3), 10 + 8 * (number % 30), np.uint8) if image is None else image
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = moment, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None:
            for number in range(len(moments) * 2):
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 48000, 960 * number
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def test_a_clip_tells_what_it_is_and_gives_its_frames(tmp_path):
    with VideoReader(film(tmp_path / "a.mp4", 20, sound=True)) as clip:
        assert (clip.width, clip.height, clip.fps, clip.has_sound, clip.notes) == (64, 48, 25, True, [])
        assert clip.duration == pytest.approx(0.8)
        first = clip.first_frame()
        frames = list(clip.frames())
    assert len(frames) == 20
    assert np.array_equal(first, frames[0])
    assert frames[0].shape == (48, 64, 3)
    assert [round((frame.mean() - 10) / 8) for frame in frames] == list(range(20))


def test_a_clip_without_sound(tmp_path):
    with VideoReader(film(tmp_path / "a.mp4", 3)) as clip:
        assert not clip.has_sound


def test_what_the_writer_writes_is_what_the_reader_reads(tmp_path):
    drawing = np.where(np.hypot(*np.mgrid[-32:32, -32:32]) < 20, 0, 255).astype(np.uint8)
    with VideoWriter(tmp_path / "a.mov", (64, 64), 29.97, frames=5) as writer:
        writer.write(np.repeat(drawing[None], 5, axis=0))
    with VideoReader(tmp_path / "a.mov") as clip:
        assert clip.fps == Fraction(30000, 1001)
        for frame in clip.frames():
            assert np.abs(frame[..., 1].astype(int) - drawing).mean() < 1


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270, -90])
def test_a_turned_clip_is_set_upright(tmp_path, rotation, flip):
    """The file asks to be turned counterclockwise, then mirrored, as the functions of libav define it."""
    path = film(tmp_path / "a.mp4", 3, image=corners(), rotation=rotation, flip=flip)
    wanted = np.rot90(corners(), rotation // 90)
    wanted = wanted[:, ::-1] if flip else wanted
    with VideoReader(path) as clip:
        frame = clip.first_frame()
        assert (clip.height, clip.width) == wanted.shape[:2] == frame.shape[:2]
        assert bool(clip.notes) == bool(rotation or flip)
        assert np.array_equal(next(clip.frames()), frame)
    assert np.abs(frame.astype(int) - wanted).mean() < 3
    assert frame.flags.c_contiguous


def test_pixels_become_square(tmp_path):
    """DVD pictures are 720 wide and shown 768 wide; the same here in small, a disc stays a disc."""
    disc = np.where(np.hypot(*np.mgrid[-32:32, -60:60] * np.array([1, 16 / 15])[:, None, None]) < 25, 0, 255)
    image = np.repeat(disc.astype(np.uint8)[..., None], 3, axis=2)
    with VideoReader(film(tmp_path / "a.mp4", 3, image=image, aspect=Fraction(16, 15))) as clip:
        assert (clip.width, clip.height) == (128, 64)
        black = clip.first_frame()[..., 1] < 128
    rows, columns = np.nonzero(black)
    assert columns.std() / rows.std() == pytest.approx(1, abs=0.015)  # as stored it would be 0.94


def test_a_varying_rate_becomes_a_constant_one(tmp_path):
    """Frames at 0, 1, 4, 5, 9 25ths of a second: each stays on screen until the next."""
    path = film(tmp_path / "a.mp4", [0, 1, 4, 5, 9])
    with VideoReader(path) as clip:
        shown = [round((frame.mean() - 10) / 8) for frame in clip.frames(25)]
    assert shown[:10] == [0, 1, 1, 1, 2, 3, 3, 3, 3, 4]
    assert len(shown) <= 14  # the last one stays as long as the file says
    with VideoReader(path) as clip:
        assert len(list(clip.frames())) == 5


@pytest.mark.parametrize(("fps", "count"), [(12.5, 10), (50, 40), (62.5, 50), (Fraction(30000, 1001), 24)])
def test_another_rate_keeps_the_duration(tmp_path, fps, count):
    with VideoReader(film(tmp_path / "a.mp4", 20)) as clip:
        shown = [round((frame.mean() - 10) / 8) for frame in clip.frames(fps)]
    assert len(shown) == count
    assert shown == [int(Fraction(number) / Fraction(fps) * 25) for number in range(count)]


def test_reading_is_one_pass(tmp_path):
    with VideoReader(film(tmp_path / "a.mp4", 3)) as clip:
        next(clip.frames())
        with pytest.raises(ValueError, match="already"):
            clip.first_frame()
        with pytest.raises(ValueError, match="already"):
            next(clip.frames())


def test_the_first_frame_becomes_a_photo(tmp_path):
    path = film(tmp_path / "a.mp4", 3, image=corners(), rotation=90)
    photo = photo_of_clip(path)
    assert photo.path == path
    assert photo.rgb.shape == (128, 64, 3)
    assert photo.notes == ("the first frame of the clip is the photo", "turned upright as the clip asks")
    assert photo.sha256 == photo_of_clip(path).sha256
    assert photo.sha256 != photo_of_clip(film(tmp_path / "b.mp4", 3, image=corners()[::-1])).sha256


def broken_files(folder: Path) -> dict[str, Path]:
    whole = {suffix: film(folder / f"whole.{suffix}", 100, sound=True).read_bytes() for suffix in ("mp4", "mkv")}
    with VideoWriter(folder / "whole.mov", (64, 48), 25, frames=60) as writer:
        writer.write(np.random.default_rng(0).integers(0, 256, (60, 48, 64), dtype=np.uint8))
    indexed = (folder / "whole.mov").read_bytes()
    noise = np.random.default_rng(0).bytes(3000)
    files = {
        "empty.mp4": b"",
        "noise.mp4": noise,
        "text.mp4": b"not a film\n" * 50,
        "cut, without its index.mp4": whole["mp4"][: len(whole["mp4"]) * 9 // 10],
        "cut, with its index.mov": indexed[: len(indexed) * 9 // 10],
        "cut early.mkv": whole["mkv"][:700],
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    soundfile.write(folder / "sound only.wav", np.zeros(8000), 8000)
    (folder / "a folder").mkdir()
    return {name: folder / name for name in [*files, "sound only.wav", "a folder", "missing.mp4"]}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("missing.mp4", "there is no such file"),
        ("a folder", "it is a folder"),
        ("empty.mp4", "the file is empty (0 bytes)"),
        ("noise.mp4", "it cannot be opened as a video (3000 bytes"),
        ("text.mp4", "it cannot be opened as a video (550 bytes"),
        ("cut, without its index.mp4", "it cannot be opened as a video"),
        ("cut, with its index.mov", "it is cut off: "),
        ("cut early.mkv", ""),
        ("sound only.wav", "it has sound but no picture"),
    ],
)
def test_what_is_no_clip_is_refused_in_one_line(tmp_path, name, found):
    path = broken_files(tmp_path)[name]
    with pytest.raises(VideoError) as caught:
        VideoReader(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {found}")
    assert "\n" not in message
    assert caught.value.remedy


def test_a_picture_is_no_clip(tmp_path, astronaut):
    from PIL import Image

    Image.fromarray(astronaut).save(tmp_path / "a.png")
    with pytest.raises(VideoError, match="it is a picture, not a video; give it as the photo"):
        VideoReader(tmp_path / "a.png")


def test_the_cover_of_a_song_is_no_clip(tmp_path, astronaut):
    """A sound file with an embedded picture: libav shows it as a video of one frame."""
    from PIL import Image

    Image.fromarray(astronaut[:64, :64]).save(tmp_path / "cover.png")
    with av.open(tmp_path / "a.m4a", "w", format="mp4") as container, av.open(tmp_path / "cover.png") as cover:
        picture = container.add_stream_from_template(cover.streams.video[0])
        picture.disposition = av.stream.Disposition.attached_pic
        audio = container.add_stream("aac", 48000)
        container.start_encoding()
        for packet in cover.demux(cover.streams.video[0]):
            if packet.size:
                packet.stream = picture
                packet.pts = packet.dts = 0
                container.mux(packet)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 48000, 0
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    with pytest.raises(VideoError, match="it has sound but no picture"):
        VideoReader(tmp_path / "a.m4a")


def test_a_clip_that_breaks_off_says_so_when_it_is_read_to_the_end(tmp_path):
    whole = film(tmp_path / "whole.mkv", 100, sound=True).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole[: len(whole) // 2])
    with VideoReader(cut) as clip, pytest.raises(VideoError, match=r"it promises 4\.0\d s and breaks off after"):
        for _ in clip.frames():
            pass


def test_damage_in_the_middle_is_told_with_its_place(tmp_path):
    path = tmp_path / "a.mp4"
    with VideoWriter(path, (64, 48), 25, frames=60) as writer:
        writer.write(np.random.default_rng(0).integers(0, 256, (60, 48, 64), dtype=np.uint8))
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = np.random.default_rng(1).bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    with VideoReader(path) as clip, pytest.raises(VideoError, match=r"damaged after frame \d+ \("):
        for _ in clip.frames():
            pass


def test_real_clips(shared_data):
    clips = sorted((shared_data / "videos" / "grid_lipnet").glob("*.mpg"))
    if not clips:
        pytest.skip("no clips there")
    for path in clips[:3]:
        with VideoReader(path) as clip:
            assert (clip.width, clip.height, clip.fps, clip.has_sound) == (360, 288, 25, True)
            assert clip.first_frame().std() > 20
            assert sum(1 for _ in clip.frames()) == 75


def test_playlists_cannot_name_other_files(tmp_path):
    film(tmp_path / "secret.mp4", 3)
    playlist = tmp_path / "a.mp4"
    playlist.write_text(f"ffconcat version 1.0\nfile {tmp_path / 'secret.mp4'}\n")
    with pytest.raises(InkspeakError):
        VideoReader(playlist)
