"""Errors that speak to the user: what was found, and what to do, in one line.

Every error that bad input can cause derives from :class:`InkspeakError`. The command line prints
``str(error)`` on one line and exits with :attr:`InkspeakError.exit_code`; nothing else is printed unless ``--debug``.
"""

from __future__ import annotations

from pathlib import Path


class InkspeakError(Exception):
    """Base of all errors caused by input, environment or options, as opposed to a bug.

    Args:
        found: what was found, as a clause without a full stop, e.g. ``"no face found in 640×480 pixels"``.
        remedy: what the user can do, as an imperative clause, e.g. ``"use a photo in which the face is visible"``.
        path: the file or folder concerned; it starts the message when given.
    """

    exit_code = 2

    def __init__(self, found: str, remedy: str, path: str | Path | None = None) -> None:
        self.found = " ".join(found.split())
        self.remedy = " ".join(remedy.split())
        self.path = None if path is None else Path(path)
        prefix = "" if path is None else f"{path}: "
        super().__init__(f"{prefix}{self.found}; {self.remedy}")


class PhotoError(InkspeakError):
    """A photo that cannot be read or used: missing, not an image, truncated, too small, too large."""


class NoFaceError(PhotoError):
    """No face was found in a photo; the message names the size and what was tried."""


class FaceChoiceError(PhotoError):
    """The face that was asked for (``--face N``) is not among those found; the message lists the boxes."""


class AudioError(InkspeakError):
    """A speech file that cannot be read or used: missing, no audio stream, too short, not finite."""


class TrackError(InkspeakError):
    """A landmark track file that cannot be used: missing, damaged, of another shape or in other units."""


class VideoError(InkspeakError):
    """A video clip that cannot be read or used: missing, no picture, no sound."""


class OutputError(InkspeakError):
    """An output that cannot be written: folder missing or read-only, no space left, the file is an input."""


class BackendError(InkspeakError):
    """A backend that is not installed or whose weights are not at hand; names the extra or the path to give."""


class WeightsError(InkspeakError):
    """A weight file that is wrong, changed, truncated or foreign."""


class ConfigError(InkspeakError):
    """Options that contradict each other or are out of range."""


class PreparedSetError(InkspeakError):
    """A prepared set or record that is damaged, of another format, or made with other settings."""


class MetricError(InkspeakError):
    """A measurement that cannot be made: nothing was measured yet, too few samples, values that are not finite."""


class ReportError(InkspeakError):
    """Records that a page or a table is made from (a summary, metrics, answers): missing, damaged, or not known."""


class TrainingError(InkspeakError):
    """A training run that cannot go on: its gradients stopped being finite."""
