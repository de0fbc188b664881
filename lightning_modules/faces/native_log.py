"""Hold back the harmless chatter of native libraries on the error stream, and let everything else through.

MediaPipe and TensorFlow Lite write information and warning records straight to file descriptor 2, past Python's
logging and past every switch that Python can reach. Around the few calls that do so the error stream is collected,
known harmless lines are dropped and the rest is handed on unchanged, so that a real error is still seen.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator

HARMLESS_LINES = (
    # Google log records of level information or warning: letter, month and day, time, thread, file:line].
    re.compile(r"^[IW]\d{4} \d{2}:\d{2}:\d+\.\d+"),
    re.compile(r"^WARNING: All log messages before absl::InitializeLog"),
    re.compile(r"^INFO: (Created|Initialized) TensorFlow Lite"),
    # protobuf 6 asks its old registry for a method that is gone, finds it gone, prints this and goes on.
    re.compile(r"^AttributeError: 'MessageFactory' object has no attribute 'GetPrototype'"),
)
_lock = threading.RLock()
_collecting = threading.Event()


def is_harmless(line: str) -> bool:
    """Whether one line of the error stream is known chatter (see :data:`HARMLESS_LINES`) or empty."""
    return not line.strip() or any(pattern.match(line) for pattern in HARMLESS_LINES)


@contextlib.contextmanager
def harmless_lines_dropped() -> Iterator[None]:
    """Collect the error stream of the whole process while inside; drop harmless lines, hand on all others afterwards.

    May be nested (only the outermost collects). Lines that other threads write meanwhile are handed on too, a little
    later. Python warnings raised by protobuf's own modules are silenced inside as well. An exception passes through.
    """
    with _collected_error_stream(is_harmless), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"google\.protobuf")
        warnings.filterwarnings("ignore", message=r".*GetPrototype.*")
        yield


@contextlib.contextmanager
def native_lines_dropped() -> Iterator[None]:
    """Drop what image decoders print about damaged files, where the failure itself is caught and told in our own words.

    Only for a short call whose every outcome is reported by other means.
    """
    with _collected_error_stream(lambda _: True):
        yield


@contextlib.contextmanager
def _collected_error_stream(is_dropped: Callable[[str], bool]) -> Iterator[None]:
    with _lock:
        if _collecting.is_set():
            yield
            return
        python_stream, python_lines = sys.stderr, io.StringIO()
        try:
            python_stream.flush()
            saved = os.dup(2)
        except (AttributeError, OSError, ValueError):  # no usable error stream, as in a service: nothing to keep tidy
            yield
            return
        _collecting.set()
        with tempfile.TemporaryFile() as native_lines:
            os.dup2(native_lines.fileno(), 2)
            sys.stderr = python_lines
            try:
                yield
            finally:
                sys.stderr = python_stream
                os.dup2(saved, 2)
                os.close(saved)
                _collecting.clear()
                native_lines.seek(0)
                text = native_lines.read().decode("utf-8", "replace") + python_lines.getvalue()
                kept = [line for line in text.splitlines() if not is_dropped(line)]
                if kept:
                    python_stream.write("\n".join(kept) + "\n")
                    python_stream.flush()
