"""What a batch shares: made once for equal choices, anew for other ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lightning_modules.faces import face_analyzers, matter
from lightning_modules.pipeline.animation_job import AnimationJob
from lightning_modules.pipeline.backends import Backends

JOB = AnimationJob(Path("me.jpg"), Path("hello.wav"), Path("out.mp4"), matte="none")


@pytest.fixture
def made(monkeypatch):
    """What the makers were asked for."""
    asked = []

    def maker(*arguments, **options):
        asked.append((*arguments, *options.values()))
        return object()

    monkeypatch.setattr(face_analyzers, "make_face_analyzer", maker)
    monkeypatch.setattr(matter, "make_matter", maker)
    return asked


def test_equal_choices_share_and_others_do_not(made):
    backends = Backends()
    other = replace(JOB, photo=Path("you.jpg"), size=512)
    one, two = replace(JOB, landmarks="file", landmarks_file=Path("1.txt")), Path("2.txt")
    assert backends.analyzer(JOB) is backends.analyzer(other)
    assert backends.matter(JOB) is backends.matter(other)
    assert backends.drawer(JOB) is backends.drawer(other)
    assert backends.drawer(JOB) is not backends.drawer(replace(JOB, look="pencil"))
    assert backends.renderer(JOB) is backends.renderer(other)
    assert backends.analyzer(one) is not backends.analyzer(replace(one, landmarks_file=two))
    assert made == [("mediapipe",), ("none", None), ("file", Path("1.txt")), ("file", two)]


def test_what_fails_is_tried_again(monkeypatch):
    def fail(name, weights=None):
        raise RuntimeError(name)

    monkeypatch.setattr(matter, "make_matter", fail)
    backends = Backends()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="none"):
            backends.matter(JOB)
    monkeypatch.setattr(matter, "make_matter", lambda name, **_: name)
    assert backends.matter(JOB) == "none"
