"""Whether an output can be written at all: asked before work begins, so that nobody waits an hour for a refusal."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lightning_modules.errors import OutputError
from lightning_modules.pipeline.atomic_files import make_folders, output_error, remove_empty, temporary_name

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv")
"""Kinds of video file that :class:`~lightning_modules.pipeline.video_writer.VideoWriter` writes."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
"""Kinds of image file that contact sheets are written to."""


def check_output(
    path: str | Path,
    *,
    inputs: Iterable[str | Path] = (),
    overwrite: bool = True,
    suffixes: tuple[str, ...] = VIDEO_SUFFIXES,
) -> Path:
    """Make sure that a file can be written, without leaving anything behind.

    The missing folders and a file beside the output are made for a trial and removed again.

    Args:
        path: the file to be written.
        inputs: files that are read; none of them may be the output, under whatever name or link.
        overwrite: whether an existing file may be replaced.
        suffixes: the kinds of file that are possible, in lower case with the dot.

    Returns:
        The path, as a :class:`~pathlib.Path`.

    Raises:
        OutputError: a folder is in the way, the kind is unknown, the output is an input, or the folder cannot be
            written.
    """
    output = Path(path)
    kinds = ", ".join(suffixes)
    check_name(output)
    if output.is_dir():
        example = output / f"talking{suffixes[0]}"
        raise OutputError("it is a folder", f"name the file to write in it, for example {example}", path)
    if output.suffix.lower() not in suffixes:
        found = f"files of kind '{output.suffix}' cannot be written" if output.suffix else "its name has no ending"
        raise OutputError(found, f"choose a name that ends in {kinds}", path)
    _refuse_inputs(output, inputs)
    if output.exists() and not output.is_file():
        raise OutputError("it is a device or a pipe", "choose the name of an ordinary file", path)
    if output.exists() and not overwrite:
        raise OutputError("it exists already", "choose another name, or remove it first", path)
    check_folder_of(output)
    return output


def check_name(path: str | Path) -> None:
    """Make sure that the operating system takes the name at all, whether or not something is there.

    Raises:
        OutputError: the name is too long, or cannot be asked for.
    """
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise output_error(error, path) from error


def check_folder_of(path: str | Path) -> None:
    """Make sure that something called ``path`` can be created where it is, without leaving anything behind.

    Raises:
        OutputError: its folder is a file, or can be neither created nor written.
    """
    target = Path(os.path.realpath(path))
    created: list[Path] = []
    trial = temporary_name(target)
    try:
        created = make_folders(target.parent)
        os.close(os.open(trial, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except OSError as error:
        in_the_way = next((level for level in target.parents if level.is_file()), None)
        if in_the_way is not None:
            raise OutputError(f"{in_the_way} is a file, not a folder", "choose another folder", path) from error
        raise output_error(error, path) from error
    finally:
        with suppress(OSError):
            trial.unlink()
        remove_empty(created)


def check_free_space(path: str | Path, needed: float) -> None:
    """Refuse to begin what clearly does not fit on the disk.

    Args:
        path: the output; it need not exist, nor its folder.
        needed: bytes that it will take at the very least.

    Raises:
        OutputError: fewer bytes are free.
    """
    folder = Path(os.path.realpath(path)).parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(
            f"it needs about {_megabytes(needed)} MB and {_megabytes(free)} MB are free there",
            "free some space or choose another folder",
            path,
        )


def _refuse_inputs(output: Path, inputs: Iterable[str | Path]) -> None:
    for source in map(Path, inputs):
        same = output.exists() and source.exists() and output.samefile(source)
        if same or os.path.realpath(output) == os.path.realpath(source):
            raise OutputError("it is also an input, and inputs are never changed", "choose another output", output)


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.1f}" if count < 1e8 else f"{count / 1e6:,.0f}"
