"""Known chatter is dropped; everything else reaches the error stream."""

from __future__ import annotations

import os
import sys

import pytest

from lightning_modules.faces.native_log import harmless_lines_dropped, is_harmless, native_lines_dropped

CHATTER = [
    "W0000 00:00:1795372954.913731    8199 inference_feedback_manager.cc:114] Feedback manager requires a model",
    "I1122 18:33:01.123456 77 gl_context.cc:357] GL version: 3.2",
    "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.",
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "AttributeError: 'MessageFactory' object has no attribute 'GetPrototype'",
]
ERRORS = [
    "E0000 00:00:1795372954.913731    8199 graph.cc:1] cannot open the model",
    "F1122 18:33:01.123456 77 check.cc:3] Check failed",
    "AttributeError: 'Photo' object has no attribute 'x'",
    "Traceback (most recent call last):",
    "Warning: something else",
]


def test_lines():
    assert all(is_harmless(line) for line in [*CHATTER, "", "   "])
    assert not any(is_harmless(line) for line in ERRORS)


def test_both_streams_are_filtered(capfd):
    with harmless_lines_dropped():
        os.write(2, "\n".join([*CHATTER, *ERRORS[:2], ""]).encode())
        sys.stderr.write(f"{CHATTER[4]}\n{ERRORS[3]}\n")
        with harmless_lines_dropped():  # nested
            os.write(2, (ERRORS[4] + "\n").encode())
    assert capfd.readouterr().err.splitlines() == [*ERRORS[:2], ERRORS[4], ERRORS[3]]
    sys.stderr.write("after\n")
    os.write(2, b"wards\n")
    assert sorted(capfd.readouterr().err.splitlines()) == ["after", "wards"]


def test_an_exception_passes_and_the_stream_is_restored(capfd):
    stream = sys.stderr

    def fail():
        with harmless_lines_dropped():
            os.write(2, b"last words\n")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert sys.stderr is stream
    assert capfd.readouterr().err == "last words\n"


def test_decoder_lines_are_dropped(capfd):
    with native_lines_dropped():
        os.write(2, b"TIFFReadDirectory: failed\n")
    assert capfd.readouterr().err == ""


def test_without_an_error_stream(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with harmless_lines_dropped():
        pass
