"""From what the user named (files, folders, patterns) to the list of animations to make, each with its own name.

Nothing is opened here: a file that cannot be read is found when its turn comes, so that the others still get theirs.
"""

from __future__ import annotations

import difflib
import glob
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning_modules.errors import AudioError, ConfigError, InkspeakError, PhotoError, VideoError


@dataclass(frozen=True)
class MediaKind:
    """One kind of input.

    Attributes:
        name: what it is called in messages.
        suffixes: file name endings, lower case, that count as this kind in folders and patterns.
        error: the error raised about it.
    """

    name: str
    suffixes: frozenset[str]
    error: type[InkspeakError]


_CLIP_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"})
PHOTOS = MediaKind(
    "photo",
    frozenset({".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}),
    PhotoError,
)
SPEECH = MediaKind(
    "speech file",
    frozenset({".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".au", ".wma"})
    | _CLIP_SUFFIXES,
    AudioError,
)
CLIPS = MediaKind("video clip", _CLIP_SUFFIXES, VideoError)


@dataclass(frozen=True)
class Pair:
    """One photo and one speech file (the same clip twice with ``--video``), and the file name stem of their result."""

    photo: Path
    speech: Path
    name: str


def expand(given: str, kind: MediaKind) -> tuple[list[Path], list[str]]:
    """Files meant by one word of the command line.

    An existing file is taken whatever it is called. From a folder (not from those inside it) and from a pattern
    (``*``, ``?``, ``[...]``, ``**``) only files with the endings of this kind are taken, hidden ones never.

    Args:
        given: path of a file or folder, or a pattern that the shell has left alone.
        kind: what is looked for.

    Returns:
        The files in alphabetical order, and a sentence for everything that was passed over.

    Raises:
        InkspeakError: of the kind's own type, when nothing is found.
    """
    path = Path(given).expanduser()
    try:
        if path.is_file():
            return [path], []
        if path.is_dir():
            found = [entry for entry in path.iterdir() if not entry.name.startswith(".") and entry.is_file()]
            where = "this folder"
        elif glob.has_magic(given):
            matches = map(Path, glob.glob(str(path), recursive=True))  # noqa: PTH207 - Path.glob knows no absolute ones
            found = [match for match in matches if match.is_file()]
            where = "what this pattern matches"
        else:
            raise kind.error("there is no such file or folder", _nearest_name(path), given)
    except OSError as error:
        raise kind.error(f"it cannot be read ({error.strerror})", "check its name and permissions", given) from error
    taken = sorted(entry for entry in found if entry.suffix.lower() in kind.suffixes)
    passed = sorted(entry.name for entry in found if entry.suffix.lower() not in kind.suffixes)
    if not taken:
        raise kind.error(f"no {kind.name} is in {where}", f"name files ending in {_examples(kind)}", given)
    return taken, [f"{given}: passed over {_enumerate(passed)}, not a {kind.name}"] if passed else []


def split_inputs(inputs: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tell photos from speech among the words of the command line.

    A shell may have turned ``photos/*.jpg`` into many words, so that position alone does not tell. A word with an
    ending that says what it is goes there; of the others (folders, patterns) the first is photos and the last speech.

    Args:
        inputs: the words, in order.

    Returns:
        The words for photos and those for speech, none of them empty.

    Raises:
        ConfigError: one of the two sides is missing.
    """
    photos: list[str] = []
    speech: list[str] = []
    for position, word in enumerate(inputs):
        suffix = Path(word).suffix.lower()
        if suffix in PHOTOS.suffixes:
            photos.append(word)
        elif suffix in SPEECH.suffixes or (position > 0 and (position == len(inputs) - 1 or speech)):
            speech.append(word)
        else:
            photos.append(word)
    if not photos or not speech:
        missing = "photo" if not photos else "speech"
        given = _enumerate(list(inputs)) if inputs else "nothing"
        clip = any(Path(word).suffix.lower() in CLIPS.suffixes for word in inputs) and not photos
        example = "animate a clip with --video CLIP" if clip else "for example: inkspeak animate me.jpg hello.wav"
        raise ConfigError(f"a photo and a speech file are needed, {given} was given (no {missing})", example)
    return photos, speech


def pair_inputs(photos: Sequence[Path], speech: Sequence[Path]) -> list[Pair]:
    """Every photo with every speech file, named ``PHOTO_SPEECH``; no two results share a name.

    Args:
        photos: photo files; one named twice counts once.
        speech: speech files, the same.

    Returns:
        The pairs, photo by photo.
    """
    photos, speech = _without_repeats(photos), _without_repeats(speech)
    names = [
        (photo, sound, f"{photo_name}_{sound_name}")
        for photo, photo_name in zip(photos, distinct_names(photos), strict=True)
        for sound, sound_name in zip(speech, distinct_names(speech), strict=True)
    ]
    numbered = _numbered([name for _, _, name in names])
    return [Pair(photo, sound, name) for (photo, sound, _), name in zip(names, numbered, strict=True)]


def pair_clips(clips: Sequence[Path]) -> list[Pair]:
    """Each clip with itself: its first frame and its sound."""
    clips = _without_repeats(clips)
    return [Pair(clip, clip, name) for clip, name in zip(clips, distinct_names(clips), strict=True)]


def distinct_names(files: Sequence[Path]) -> list[str]:
    """File name stems without repeats, also where capitals or accents written in two ways make no difference.

    Files that share a stem get their ending added (``me-jpg``, ``me-png``), and if that is the same too, a number.

    Args:
        files: the files; the order decides who gets which number.

    Returns:
        A name per file.
    """
    stems = [_folded(file.stem) for file in files]
    names = [
        file.stem if stems.count(stem) == 1 else f"{file.stem}-{file.suffix.lstrip('.')}"
        for file, stem in zip(files, stems, strict=True)
    ]
    return _numbered(names)


def _numbered(names: Sequence[str]) -> list[str]:
    """Names with ``-2``, ``-3`` ... added where they would come again."""
    taken: set[str] = set()
    result = []
    for name in names:
        number, candidate = 1, name
        while _folded(candidate) in taken:
            number += 1
            candidate = f"{name}-{number}"
        taken.add(_folded(candidate))
        result.append(candidate)
    return result


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _without_repeats(files: Sequence[Path]) -> list[Path]:
    return list({file.resolve(): file for file in reversed(files)}.values())[::-1]


def _enumerate(names: list[str], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _examples(kind: MediaKind) -> str:
    first = {"photo": ".jpg, .png", "speech file": ".wav, .mp3, .flac"}.get(kind.name, ".mp4, .mov")
    return f"{first} or similar"


def _nearest_name(path: Path) -> str:
    """What to do about a name that does not exist: a similar one beside it, if there is one."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return "check the path"
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.7)
    return f"did you mean {path.parent / near[0]}?" if near else "check the path"
