"""What is animated: photos of a folder or of a prepared set, and utterances, each by its own name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from experiments.commands.batch import PHOTOS, SPEECH, distinct_names, expand
from lightning_modules.errors import ConfigError, InkspeakError, PreparedSetError

WRITTEN_RATE: Final = 16000
"""Samples a second of utterances that were cut."""


@dataclass(frozen=True)
class NamedFile:
    """A photo or an utterance.

    Attributes:
        name: by which its results are called; a prepared photo has its record's.
        path: the file.
    """

    name: str
    path: Path

    def mark(self) -> str:
        """The sha256 of its bytes.

        Raises:
            InkspeakError: it cannot be read.
        """
        try:
            with self.path.open("rb") as opened:
                return hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            found = f"it cannot be read ({error.strerror})"
            raise InkspeakError(found, "check its name and permissions", self.path) from error


def photos_of(given: Path, only: Path | None = None) -> tuple[list[NamedFile], list[str]]:
    """The photos of a folder or of a prepared set, whose crops are taken.

    Args:
        given: the folder, a photo, or a pattern.
        only: text file with the names to take, one a line; empty lines and those that begin with # are passed over.

    Returns:
        The photos in alphabetical order, and a sentence for what was passed over.

    Raises:
        InkspeakError: there is none, it is no set of photos, or a name is of none of them.
    """
    from datamodules.prepare.prepared_set import SET_NAME

    notes: list[str] = []
    if (given / SET_NAME).is_file():
        found = _prepared(given)
    else:
        files, notes = expand(str(given), PHOTOS)
        found = [NamedFile(name, file) for name, file in zip(distinct_names(files), files, strict=True)]
    return (found if only is None else _chosen(found, only)), notes


def _prepared(folder: Path) -> list[NamedFile]:
    from datamodules.prepare.manifest import RECORDS_NAME, read_manifest
    from datamodules.prepare.prepared_set import read_set
    from datamodules.prepare.record import PHOTO_NAME

    if read_set(folder).get("kind") != "photos":
        raise PreparedSetError("holds no prepared photos", "give a folder of inkspeak prepare photos", folder)
    names = sorted(row["id"] for row in read_manifest(folder))
    return [NamedFile(name, folder / RECORDS_NAME / name / PHOTO_NAME) for name in names]


def _chosen(found: Sequence[NamedFile], only: Path) -> list[NamedFile]:
    try:
        lines = only.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"the list {only} cannot be read", "give a text file with one name a line") from error
    wanted = dict.fromkeys(word for line in lines if (word := line.strip()) and not word.startswith("#"))
    by_name = {one.name: one for one in found}
    unknown = [name for name in wanted if name not in by_name]
    if unknown or not wanted:
        what = f"no photo is called '{unknown[0]}'" if unknown else f"no name is in {only}"
        raise ConfigError(what, "list names of records, or file names without their ending")
    return [by_name[name] for name in wanted]


def utterances_of(words: Sequence[str], seconds: float | None, folder: Path) -> tuple[list[NamedFile], list[str]]:
    """The speech files that were named; long ones are cut.

    Args:
        words: files, folders or patterns.
        seconds: longest utterance; None leaves all as they are.
        folder: where cut ones are written, as ``NAME.wav``.

    Returns:
        The utterances in the order given, and a sentence for what was passed over.

    Raises:
        InkspeakError: there is none, one cannot be read, or a cut one cannot be written.
        ConfigError: the length is shorter than half a second.
    """
    if seconds is not None and not seconds >= 0.5:  # not a number is refused too
        raise ConfigError(f"{seconds:g} seconds of speech", "give half a second or more")
    files: list[Path] = []
    notes: list[str] = []
    for word in words:
        taken, passed = expand(word, SPEECH)
        files += [file for file in taken if file not in files]
        notes += passed
    if not files:
        raise SPEECH.error("no speech is given", "name one or several sound files with --speech")
    named = [NamedFile(name, file) for name, file in zip(distinct_names(files), files, strict=True)]
    return [one if seconds is None else _cut(one, seconds, folder) for one in named], notes


def _cut(given: NamedFile, seconds: float, folder: Path) -> NamedFile:
    import soundfile

    from lightning_modules.audio.loading import read_speech
    from lightning_modules.pipeline.atomic_files import atomic_path

    speech = read_speech(given.path)
    if speech.duration <= seconds:
        return given
    path = folder / f"{given.name}.wav"
    with atomic_path(path) as aside:
        soundfile.write(aside, speech.samples[: round(seconds * WRITTEN_RATE)], WRITTEN_RATE, subtype="PCM_16")
    return NamedFile(given.name, path)
