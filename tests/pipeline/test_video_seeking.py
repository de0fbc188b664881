"""A frame that is found by its mark is the frame that reading from the beginning gives, in every kind of file."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from lightning_modules.pipeline.video_reader import FrameMark, VideoReader

COUNT, GROUP = 60, 12


def film(path: Path, codec: str, **options: str) -> Path:
    """A clip in which something moves, a complete picture every twelve frames."""
    generator = np.random.default_rng(3)
    texture = generator.integers(0, 255, (64, 64 + 3 * COUNT, 3), np.uint8)
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, 25, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 64, "yuv420p", GROUP
        for number in range(COUNT):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(texture[:, 3 * number :][:, :64]), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


KINDS = {
    "h264.mp4": ("libx264", {"bf": "3"}),
    "open.mkv": ("libx264", {"bf": "3", "x264-params": "open-gop=1"}),
    "mpeg4.avi": ("mpeg4", {}),
    "mpeg2.mpg": ("mpeg2video", {"bf": "2"}),
}


@pytest.mark.parametrize("name", KINDS)
def test_seeking_changes_no_frame(tmp_path, name):
    codec, options = KINDS[name]
    path = film(tmp_path / name, codec, **options)
    with VideoReader(path) as clip:
        frames, marks = zip(*clip.marked_frames(), strict=True)
    assert len(frames) == COUNT
    assert [mark.number for mark in marks] == list(range(COUNT))
    assert len({mark.checksum for mark in marks}) == COUNT
    for number in (0, 1, GROUP - 1, GROUP, GROUP + 1, 31, COUNT - 1):
        with VideoReader(path) as clip:
            found = list(islice(clip.frames_from(marks[number]), 5))
        assert np.array_equal(found, frames[number : number + 5]), number


@pytest.fixture
def decoded(monkeypatch):
    """The frames that were decoded, as they come."""
    pictures = []
    decode = VideoReader._decode

    def watched(self, count=0):
        for picture in decode(self, count):
            pictures.append(picture)
            yield picture

    monkeypatch.setattr(VideoReader, "_decode", watched)
    return pictures


def test_reading_begins_shortly_before_the_mark(tmp_path, decoded):
    path = film(tmp_path / "a.mp4", "libx264", bf="0")
    with VideoReader(path) as clip:
        marks = [mark for _, mark in clip.marked_frames()]
    decoded.clear()
    with VideoReader(path) as clip:
        list(islice(clip.frames_from(marks[50]), 3))
    assert len(decoded) <= 1 + GROUP + 3


@pytest.mark.parametrize("wrong", [{"checksum": 1}, {"pts": None}, {"pts": 10**9}])
def test_where_seeking_leads_elsewhere_the_clip_is_read_from_its_beginning(tmp_path, decoded, wrong):
    path = film(tmp_path / "a.mp4", "libx264")
    with VideoReader(path) as clip:
        frames, marks = zip(*clip.marked_frames(), strict=True)
    decoded.clear()
    with VideoReader(path) as clip:
        found = list(islice(clip.frames_from(replace(marks[40], **wrong)), 3))
    assert np.array_equal(found, frames[40:43])
    assert len(decoded) > 40


def test_a_clip_is_read_once(tmp_path):
    with VideoReader(film(tmp_path / "a.mp4", "libx264")) as clip:
        next(clip.frames_from(FrameMark(0, 0, 0)))
        for again in (clip.marked_frames(), clip.frames_from(FrameMark(0, 0, 0)), clip.frames()):
            with pytest.raises(ValueError, match="has been read already"):
                next(again)
