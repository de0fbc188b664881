"""Files and folders that are either complete or not there: written aside in the same folder, then renamed into place.

An interrupted run leaves what was there before; whoever watches the folder never meets half a file.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from lightning_modules.errors import OutputError

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the operating system answers when a disk, a quota or a file size limit is used up."""

_BROKEN_DISK = frozenset({errno.EIO, errno.EROFS})
_LONGEST_NAME = 255  # bytes; the limit of the usual file systems


def temporary_name(target: Path) -> Path:
    """A fresh hidden name beside ``target``: ``out.mp4`` gives ``.out.tmp-3f9c01ab.mp4``. Nothing is created.

    The suffix stays, because image and video libraries choose the format by it. A very long name is shortened to what
    a file system accepts.
    """
    tail = f".tmp-{secrets.token_hex(4)}{target.suffix}"
    stem = target.stem.encode("utf-8", "surrogateescape")[: _LONGEST_NAME - 1 - len(os.fsencode(tail))]
    return target.with_name("." + stem.decode("utf-8", "ignore") + tail)


def output_error(error: OSError, path: str | Path) -> OutputError:
    """Say in one sentence why ``path`` could not be written.

    Args:
        error: what the operating system (or the video library in its name) answered.
        path: the output that the user asked for.
    """
    if error.errno in NO_SPACE:
        return OutputError("no space is left to write it", "free some space or choose another folder", path)
    if error.errno == errno.ENAMETOOLONG:
        return OutputError("its name is too long", "choose a shorter name", path)
    reason = os.strerror(error.errno) if error.errno else str(error)
    return OutputError(f"it cannot be written ({reason})", "choose a folder in which you may write", path)


def make_folders(folder: Path) -> list[Path]:
    """Create ``folder`` and its missing parents; return those that were created, the deepest first.

    Raises:
        OSError: one cannot be created; those created before it are removed again.
    """
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    created: list[Path] = []
    try:
        for level in reversed(missing):
            level.mkdir(exist_ok=True)
            created.insert(0, level)
    except OSError:
        remove_empty(created)
        raise
    return created


def remove_empty(folders: list[Path]) -> None:
    """Remove those of ``folders`` (the deepest first) that are still empty."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def atomic_path(path: str | Path, *, folder: bool = False) -> Iterator[Path]:
    """Lend a temporary path beside ``path``; rename it into place when the block ends well, remove it otherwise.

    Missing parent folders are created, and removed again when the block fails. A symbolic link is followed: the file
    it points to is replaced. With ``folder`` the temporary folder exists when the block begins, and a folder already
    at ``path`` is replaced as a whole (who calls has made sure that this is wanted).

    Args:
        path: the output, as the user named it.
        folder: write a folder instead of a file.

    Yields:
        The temporary path to write to; the block has to close what it opens there.

    Raises:
        OutputError: the disk is full or broken, the place cannot be written, or the rename failed.
    """
    target = Path(os.path.realpath(path))
    temporary = temporary_name(target)
    created: list[Path] = []
    try:
        try:
            created = make_folders(target.parent)
            if folder:
                temporary.mkdir()
        except OSError as error:
            raise output_error(error, path) from error
        try:
            yield temporary
        except OSError as error:
            if error.errno in NO_SPACE | _BROKEN_DISK or _concerns(error, temporary):
                raise output_error(error, path) from error
            raise
        try:
            _settle(temporary)
            _replace(temporary, target, folder=folder)
        except OSError as error:
            raise output_error(error, path) from error
    except BaseException:
        _remove(temporary)
        remove_empty(created)
        raise


def _concerns(error: OSError, temporary: Path) -> bool:
    """Whether an error names the temporary or something inside it, so that it is about writing."""
    name = error.filename
    if not isinstance(name, (str, bytes, os.PathLike)):
        return False
    return Path(os.fsdecode(name)).is_relative_to(temporary)


def _settle(temporary: Path) -> None:
    """Have the operating system put the bytes on the disk, so that the rename cannot come before them."""
    if temporary.is_dir():
        # Side by side the file system settles many files in one go: 1250 took 0.1 s instead of 2.6 s.
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(_fsync, (place for place in temporary.rglob("*") if place.is_file())))
    _fsync(temporary)


def _fsync(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some file systems know no fsync of a folder, or of a file opened for reading; they do not fail to write.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES}:
            raise
    finally:
        os.close(handle)


def _replace(temporary: Path, target: Path, *, folder: bool) -> None:
    if folder and target.is_dir() and any(target.iterdir()):
        # A full folder cannot be renamed over: step it aside, and back if the new one does not make it.
        previous = temporary_name(target)
        target.rename(previous)
        try:
            temporary.rename(target)
        except OSError:
            previous.rename(target)
            raise
        shutil.rmtree(previous, ignore_errors=True)
    else:
        temporary.replace(target)
    with suppress(OSError):
        _fsync(target.parent)


def _remove(temporary: Path) -> None:
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        with suppress(OSError):
            temporary.unlink()
