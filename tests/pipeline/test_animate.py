"""From photo and speech to video, for real: exact lengths, untouched inputs, nothing left behind."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from experiments.demo import DEMO_PHOTO, DEMO_SPEECH
from lightning_modules.errors import AudioError, FaceChoiceError, InkspeakError, NoFaceError, OutputError
from lightning_modules.pipeline.animate import animate_photo
from lightning_modules.pipeline.animation_job import AnimationJob, MotionGains, SilentProgress


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("portraits")


@pytest.fixture
def short_speech(tmp_path: Path) -> Path:
    """Half a second of the demo sentence, as 48 kHz stereo."""
    samples, rate = soundfile.read(DEMO_SPEECH)
    piece = np.repeat(samples[round(0.3 * rate) : round(0.828 * rate)], 3)
    path = tmp_path / "kurz ñ.wav"
    soundfile.write(path, np.stack([piece, piece], 1), 48000)
    return path


@pytest.fixture
def job(tmp_path: Path, short_speech: Path, cache: Path) -> AnimationJob:
    return AnimationJob(photo=DEMO_PHOTO, speech=short_speech, output=tmp_path / "out.mp4", size=128, cache=cache)


def decoded(path: Path) -> tuple[list[np.ndarray], float, float]:
    """All frames as grey, the length of the picture and of the sound in seconds."""
    with av.open(str(path)) as film:
        video, audio = film.streams.video[0], film.streams.audio[0]
        lengths = float(video.duration * video.time_base), float(audio.duration * audio.time_base)
        frames = [frame.to_ndarray(format="gray") for frame in film.decode(video=0)]
    return frames, *lengths


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 50, 60, 62.5])
def test_frame_count_and_length_are_exact(job: AnimationJob, fps: float) -> None:
    report = animate_photo(replace(job, fps=fps), SilentProgress())
    frames, picture, sound = decoded(job.output)
    assert len(frames) == report.frames == round(0.528 * fps)
    assert abs(picture - sound) <= 1 / fps
    assert abs(picture - 0.528) <= 1 / fps


def test_inputs_stay_as_they_are_and_the_result_repeats(job: AnimationJob) -> None:
    before = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (job.photo, job.speech)]
    animate_photo(job, SilentProgress())
    first = job.output.read_bytes()
    animate_photo(replace(job, cache=None), SilentProgress())
    assert job.output.read_bytes() == first
    assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in (job.photo, job.speech)] == before


def test_another_seed_moves_otherwise(job: AnimationJob) -> None:
    animate_photo(job, SilentProgress())
    first = job.output.read_bytes()
    animate_photo(replace(job, seed=1), SilentProgress())
    assert job.output.read_bytes() != first


def test_the_mouth_opens_with_the_voice(job: AnimationJob) -> None:
    still = MotionGains(jaw=1.0, lips=1.0, head=0.0, blink_rate=0.0)
    animate_photo(replace(job, gains=still), SilentProgress())
    frames, _, _ = decoded(job.output)
    change = [np.abs(frame.astype(float) - frames[0]) for frame in frames]
    mouth = max(part[75:105, 45:85].mean() for part in change)
    brow = max(part[20:40, 45:85].mean() for part in change)
    assert mouth > 8.0
    assert mouth > 4 * brow


def test_everything_beside_the_video(job: AnimationJob, tmp_path: Path) -> None:
    full = replace(
        job, frames=tmp_path / "frames", contact_sheet=tmp_path / "sheet.png", side_by_side=True, paste_back=True
    )
    report = animate_photo(full, SilentProgress())
    assert report.written == (full.output, full.frames, full.contact_sheet)
    names = sorted(path.name for path in (tmp_path / "frames").glob("*.png"))
    assert names == [f"{number:05d}.png" for number in range(report.frames)]
    with Image.open(DEMO_PHOTO) as photo, Image.open(tmp_path / "frames" / names[0]) as frame:
        assert frame.height == photo.height
        assert frame.width > 2 * photo.width
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["frames", "kurz ñ.wav", "out.mp4", "sheet.png"])


def test_a_clip_gives_its_first_frame_and_its_sound(job: AnimationJob, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    from lightning_modules.pipeline.video_writer import VideoWriter

    with Image.open(DEMO_PHOTO) as photo:
        picture = np.asarray(photo.convert("RGB"))
    with VideoWriter(clip, (picture.shape[1], picture.shape[0]), 25, frames=12, sound=job.speech) as writer:
        for _ in range(12):
            writer.write(picture)
    report = animate_photo(replace(job, photo=clip, speech=clip, photo_is_clip=True), SilentProgress())
    assert abs(report.frames - 12) <= 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda job, folder: replace(job, photo=_blank(folder)), NoFaceError),
        (lambda job, _: replace(job, face=3), FaceChoiceError),
        (lambda job, _: replace(job, speech=DEMO_PHOTO), AudioError),
        (lambda job, folder: replace(job, output=folder / "out.txt"), OutputError),
        (
            lambda job, folder: replace(job, output=job.speech.with_suffix(".mp4"), contact_sheet=folder / "x.gif"),
            OutputError,
        ),
    ],
)
def test_what_cannot_be_used_leaves_nothing(
    job: AnimationJob, tmp_path: Path, change: object, error: type[InkspeakError]
) -> None:
    changed = change(job, tmp_path)  # type: ignore[operator]
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error) as caught:
        animate_photo(changed, SilentProgress())
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def _blank(folder: Path) -> Path:
    path = folder / "blank.png"
    Image.new("RGB", (300, 300), (200, 180, 160)).save(path)
    return path


def test_a_failure_in_the_middle_leaves_nothing(
    job: AnimationJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning_modules.pipeline.guided_renderer import GuidedRenderer

    whole, calls = GuidedRenderer.render, []

    def fails_later(self: GuidedRenderer, *arguments: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return whole(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(GuidedRenderer, "render", fails_later)
    before = sorted(tmp_path.iterdir())
    with pytest.raises((OSError, OutputError)):
        animate_photo(
            replace(job, batch=4, frames=tmp_path / "frames", contact_sheet=tmp_path / "s.png"), SilentProgress()
        )
    assert len(calls) == 2
    assert sorted(tmp_path.iterdir()) == before
