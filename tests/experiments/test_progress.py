"""Progress on a terminal, in a log, and not at all."""

from __future__ import annotations

import io

from experiments.progress import ProgressBar, ProgressLines, make_progress
from lightning_modules.pipeline.animation_job import SilentProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_kind_follows_the_stream():
    assert isinstance(make_progress(stream=io.StringIO()), ProgressLines)
    assert isinstance(make_progress(stream=Terminal()), ProgressBar)
    assert isinstance(make_progress(quiet=True, stream=Terminal()), SilentProgress)


def test_lines_come_every_tenth_with_the_time_left():
    stream, clock = io.StringIO(), Clock()
    progress = ProgressLines(stream, clock)
    progress.start("frames", 200)
    for _ in range(200):
        clock.now += 0.1
        progress.advance()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[:3] == [
        "frames: 200 steps",
        "frames: 10 % (20 of 200), 18 s left",
        "frames: 20 % (40 of 200), 16 s left",
    ]
    assert lines[-1] == "frames: 100 % (200 of 200), done in 20.0 s"


def test_big_steps_give_fewer_lines():
    stream = io.StringIO()
    progress = ProgressLines(stream, Clock())
    progress.start("frames", 3)
    progress.advance(2)
    progress.advance(1)
    assert [line.split(",")[0] for line in stream.getvalue().splitlines()] == [
        "frames: 3 steps",
        "frames: 66 % (2 of 3)",
        "frames: 100 % (3 of 3)",
    ]


def test_a_stage_of_unknown_length_is_one_line_at_its_end_if_it_was_long():
    stream, clock = io.StringIO(), Clock()
    progress = ProgressLines(stream, clock)
    for stage, seconds in [("photo", 0.9), ("face", 2.1)]:
        progress.start(stage)
        progress.advance(5)
        clock.now += seconds
    progress.start("nothing to do", 0)
    progress.advance(0)
    progress.note("two faces")
    progress.start("encoding")
    clock.now += 9
    progress.close()  # as when it fails: nothing is said to be done
    progress.start("more")
    assert stream.getvalue().splitlines() == ["face: done in 2.1 s", "nothing to do: 0 steps", "two faces"]


def test_the_bar_shows_stages_counts_and_notes():
    stream = Terminal()
    progress = ProgressBar(stream)
    progress.note("before")
    progress.start("face")
    progress.start("frames", 4)
    progress.advance(3)
    progress.note("two [faces]")
    progress.advance()
    progress.close()
    progress.close()
    text = stream.getvalue()
    for part in ("before", "face", "frames", "4/4", "two [faces]", "left"):
        assert part in text
    assert text.rstrip().endswith("\x1b[?25h") or "\x1b[?25h" in text  # the cursor is given back


def test_the_bar_can_be_used_again_after_it_was_closed():
    stream = Terminal()
    progress = ProgressBar(stream)
    for total in (2, 5):
        progress.start("frames", total)
        progress.advance(total)
        progress.close()
    assert "2/2" in stream.getvalue()
    assert "5/5" in stream.getvalue()


def test_silence():
    progress = SilentProgress()
    progress.start("x", 3)
    progress.advance(2)
    progress.note("y")
    progress.close()
