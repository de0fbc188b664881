"""The methods by the names that the user types, in the order of the paper's table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lightning_modules.errors import ConfigError

OURS: Final = "ours"
UPD_WARP: Final = "upd_warp"
MAKEITTALK_UPD: Final = "makeittalk_upd"
WARP_THEN_DRAW: Final = "warp_then_draw"
DRAWN_FRAMES: Final = "drawn_frames"
EXTERNAL: Final = "external"

BUILT_IN: Final[dict[str, str]] = {
    MAKEITTALK_UPD: "image translation from landmarks, then drawn frame by frame",
    WARP_THEN_DRAW: "the photo warped by the landmarks, then drawn frame by frame",
    UPD_WARP: "the static drawing warped by the landmarks",
    OURS: "as inkspeak animate draws it",
    DRAWN_FRAMES: "the film itself, drawn frame by frame: the truth",
}
"""Methods that need no videos, in the order of the table, with what they do."""

DEFAULT: Final = (OURS, UPD_WARP, WARP_THEN_DRAW)

_EXTERNAL = re.compile(r"external:([A-Za-z0-9][A-Za-z0-9_.+-]{0,39})=(.+)", re.DOTALL)


@dataclass(frozen=True)
class MethodName:
    """A method that was asked for.

    Attributes:
        name: in tables and of files.
        folder: with the videos of another system; None for a method of this house.
    """

    name: str
    folder: Path | None = None


def parse_methods(words: Sequence[str]) -> list[MethodName]:
    """From the user's words to methods, in the order of the paper's table: other systems first, ours last.

    Args:
        words: names of :data:`BUILT_IN`, or ``external:NAME=FOLDER``.

    Raises:
        ConfigError: a word is none of these, a name comes twice, or there is no such folder.
    """
    if not words:
        raise ConfigError("no method is given", f"name one or several of {', '.join(BUILT_IN)}, external:NAME=FOLDER")
    found = [_method(word) for word in words]
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"the method '{name}' is asked for twice", "name each once")
    order = list(BUILT_IN)
    return sorted(found, key=lambda one: -1 if one.folder is not None else order.index(one.name))


def _method(word: str) -> MethodName:
    if word in BUILT_IN:
        return MethodName(word)
    match = _EXTERNAL.fullmatch(word)
    if match is None:
        known = ", ".join((*BUILT_IN, "external:NAME=FOLDER"))
        raise ConfigError(f"there is no method '{word}'", f"choose from {known}")
    name, folder = match[1], Path(match[2]).expanduser()
    if name in (*BUILT_IN, "reference"):
        raise ConfigError(f"'{name}' is a method of this house", "call the other system otherwise")
    if not folder.is_dir():
        raise ConfigError(f"there is no folder '{folder}' with the videos of '{name}'", "check its name")
    return MethodName(name, folder)
