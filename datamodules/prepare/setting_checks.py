"""The ranges of the options that all kinds of preparation share."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from lightning_modules.errors import ConfigError

FaceChoice = Literal["largest"] | int


def check_size(size: int) -> None:
    """Make sure that crops can have this side, pixels.

    Raises:
        ConfigError: it is not from 64 to 2048.
    """
    if not 64 <= size <= 2048:
        raise ConfigError(f"the size {size} is out of range", "give a size from 64 to 2048 pixels")


def check_channels(channels: int) -> None:
    """Make sure that drawings can have so many channels.

    Raises:
        ConfigError: it is neither 1 nor 3.
    """
    if channels not in (1, 3):
        raise ConfigError(f"{channels} channels were asked for", "give 1 for gray or 3 for colour")


def check_face_choice(face: FaceChoice) -> None:
    """Make sure that a choice among several faces is one.

    Raises:
        ConfigError: it is neither ``"largest"`` nor a number from 1.
    """
    if face != "largest" and face < 1:
        raise ConfigError(f"the face {face!r} is no choice", "give 'largest' or a number from 1")


def check_landmarks(landmarks: str, *, one: str = "picture", many: str = "folder") -> None:
    """Make sure that a face backend can serve a whole set.

    Args:
        landmarks: name of the backend.
        one: what a file of landmarks belongs to, for the message.
        many: what is prepared, for the message.

    Raises:
        ConfigError: the landmarks are to come from a file.
    """
    if landmarks == "file":
        raise ConfigError(f"landmarks from a file belong to one {one}, not to a {many}", "choose mediapipe")


def check_limit(limit: int | None, what: str) -> None:
    """Make sure that a limit leaves something to prepare.

    Args:
        limit: None for no limit.
        what: is counted, in the plural, for the message.

    Raises:
        ConfigError: it leaves nothing.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"a limit of {limit} {what} leaves none", "give a limit of 1 or more")


def settings_facts(settings: Any) -> dict[str, Any]:
    """Return settings as JSON values that stand in ``set.json``, a file of weights by what is in it.

    Args:
        settings: some with ``matte_weights`` or ``drawer_weights``, which are left out where there are none: sets
            prepared before these existed stay current.

    Raises:
        WeightsError: the file of weights is not there.
    """
    facts = asdict(settings)
    for name in ("matte_weights", "drawer_weights"):
        weights = facts.pop(name, None)
        if weights is not None:
            from lightning_modules.weights.checkpoint_file import weights_mark

            facts[name] = weights_mark(weights)
    return facts
