"""Reading a photo: whatever the file holds becomes upright 8-bit RGB, or an error that says why not.

The bytes of the file are read once (for the hash and for decoding); the file is never written. Pillow decodes,
restricted to the formats in :data:`FORMATS`: some others would run outside programs.
"""

from __future__ import annotations

import hashlib
import io
import stat
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lightning_modules.errors import PhotoError

if TYPE_CHECKING:
    from PIL import Image

RgbPixels = npt.NDArray[np.uint8]

# Those that Pillow knows without loading all its plug-ins come first.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "JPEG2000", "AVIF")
SMALLEST_SIDE = 32
# Formats that cannot be decoded at a reduced size take 3 to 4 bytes of memory a pixel.
MOST_PIXELS_DECODED = 250_000_000
MOST_BYTES = 1 << 30
_READABLE = "JPEG, PNG, WebP, TIFF, BMP, GIF or AVIF"
_limit_lock = threading.RLock()
_RAW_SUFFIXES = {".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw"}
_SIGNATURES = {
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript document",
    b"8BPS": "a Photoshop document",
    b"\x00\x00\x00\x0cJXL ": "a JPEG XL picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"\x1aE\xdf\xa3": "a video clip",
    b"PK\x03\x04": "a zip archive",
}
# What the decoders are known to raise for damaged files.
_DECODING_ERRORS = (
    OSError, ArithmeticError, AttributeError, EOFError, LookupError, RuntimeError, SyntaxError, TypeError, ValueError,
    struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo as the rest of the house sees it.

    Attributes:
        path: its file, or None for pixels from memory.
        rgb: ``(H, W, 3)`` uint8, upright.
        sha256: hexadecimal hash of the file's bytes, or of the shape and pixels where there is no file.
        notes: what was changed on the way, in words for the user.
    """

    path: Path | None
    rgb: RgbPixels
    sha256: str
    notes: tuple[str, ...] = ()


def read_photo(path: str | Path, *, longest_side: int = 4096) -> Photo:
    """Read a photo.

    EXIF rotation is applied, colour profiles are converted to sRGB, transparent parts are laid on white, more than 8
    bits a channel are reduced, of an animation the first frame is taken, and a photo whose longer side exceeds
    ``longest_side`` pixels is reduced to that. Each such change is listed in :attr:`Photo.notes`.

    Args:
        path: the file.
        longest_side: upper limit of width and height, pixels.

    Raises:
        PhotoError: missing, a folder, unreadable, empty, not an image, of an unknown format, truncated, broken,
            smaller than 32 pixels, or too large to be decoded.
    """
    from lightning_modules.faces.photo_pixels import upright_rgb

    path = Path(path)
    data = _file_bytes(path)
    notes: list[str] = []
    with _no_size_limit():
        image = _open(path, data)
        width, height = image.size
        if min(width, height) < SMALLEST_SIDE:
            raise PhotoError(
                f"the picture is only {width}×{height} pixels",
                f"use a photo of at least {SMALLEST_SIDE}×{SMALLEST_SIDE}, better 256×256, pixels",
                path,
            )
        # JPEG is decoded at a half, quarter or eighth where that is enough
        image.draft(None, (longest_side, longest_side))
        if image.width * image.height > MOST_PIXELS_DECODED:
            raise PhotoError(
                f"the picture has {width}×{height} pixels, too many to decode",
                f"reduce it to at most {longest_side} pixels on its longer side",
                path,
            )
        try:
            with _quiet_decoder(image), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rgb = upright_rgb(image, data, (width, height), longest_side, notes)
        except MemoryError as error:
            raise PhotoError(
                f"there is not enough memory to decode its {width}×{height} pixels", "reduce the picture", path
            ) from error
        except _DECODING_ERRORS as error:
            raise _broken(path, error) from error
    return Photo(path, rgb, hashlib.sha256(data).hexdigest(), tuple(notes))


def photo_from_pixels(rgb: RgbPixels, *, path: Path | None = None, notes: tuple[str, ...] = ()) -> Photo:
    """A photo from pixels in memory, e.g. the first frame of a clip.

    Args:
        rgb: ``(H, W, 3)`` uint8.
        path: where the pixels came from, for messages.
        notes: see :class:`Photo`.

    Raises:
        PhotoError: smaller than 32 pixels.
        ValueError: another shape or type.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise ValueError(f"expected uint8 pixels of shape (H, W, 3), got {rgb.dtype} {rgb.shape}")
    if min(rgb.shape[:2]) < SMALLEST_SIDE:
        raise PhotoError(
            f"the picture is only {rgb.shape[1]}×{rgb.shape[0]} pixels",
            f"use one of at least {SMALLEST_SIDE}×{SMALLEST_SIDE}, better 256×256, pixels",
            path,
        )
    rgb = np.ascontiguousarray(rgb)
    digest = hashlib.sha256(f"rgb {rgb.shape[1]}x{rgb.shape[0]} ".encode() + rgb.tobytes())
    return Photo(path, rgb, digest.hexdigest(), notes)


def _file_bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise PhotoError("this is a folder, not a photo", "give a photo, or a pattern such as FOLDER/*.jpg", path)
        if not stat.S_ISREG(status.st_mode):
            raise PhotoError("this is not an ordinary file", "give an image file", path)
        if status.st_size == 0:
            raise PhotoError("the file is empty (0 bytes)", "copy or download it again", path)
        if status.st_size > MOST_BYTES:
            raise PhotoError(f"the file has {status.st_size / 2**30:.1f} GiB", "use a photo of less than 1 GiB", path)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise PhotoError("there is no such file", _remedy_for_missing(path), path) from error
    except PermissionError as error:
        raise PhotoError("the file may not be read (permission denied)", "change its permissions", path) from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise PhotoError(f"the file cannot be read ({reason})", "check the path", path) from error


def _remedy_for_missing(path: Path) -> str:
    import difflib

    try:
        names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    except OSError:
        names = []
    if close := difflib.get_close_matches(path.name, names, n=1):
        return f"check the path (did you mean {close[0]}?)"
    return "check the path"


@contextmanager
def _no_size_limit() -> Iterator[None]:
    """Lift Pillow's limit on pixels, which would refuse large JPEG files that decode well at a reduced size."""
    from PIL import Image

    with _limit_lock:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _quiet_decoder(image: Image.Image) -> AbstractContextManager[None]:
    """The TIFF library prints its own messages about damaged files beside the exception."""
    from lightning_modules.faces.native_log import native_lines_dropped

    return native_lines_dropped() if image.format == "TIFF" else nullcontext()


def _open(path: Path, data: bytes) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    if known := _known_but_unreadable(path, data):
        raise PhotoError(f"this is {known}, which cannot be read here", f"export it as {_READABLE}", path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        what = _what_it_is_instead(data)
        raise PhotoError(f"this is not a picture ({what})", f"give a {_READABLE} file", path) from error
    except _DECODING_ERRORS as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> PhotoError:
    reason = str(error).strip() or type(error).__name__
    if "truncated" in reason.lower() or "premature" in reason.lower() or isinstance(error, EOFError):
        return PhotoError("the picture is truncated: the file ends too early", "copy or download it again", path)
    return PhotoError(f"the picture is broken ({reason})", "open and save it again with an image program", path)


def _known_but_unreadable(path: Path, data: bytes) -> str:
    brand = data[8:12]
    if data[4:8] == b"ftyp" and b"avif" not in data[8:64]:
        heic = brand in {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}
        return "a HEIC photo (as iPhones take them)" if heic else "a video clip"
    if path.suffix.lower() in _RAW_SUFFIXES:
        return "a raw camera file"
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            return kind
    return "an SVG drawing" if b"<svg" in data[:4096].lower() else ""


def _what_it_is_instead(data: bytes) -> str:
    if data.startswith((b"II*\0", b"MM\0*")):
        return "a TIFF file, but of an unknown kind or damaged"
    if data.startswith((b"\xff\xd8", b"\x89PNG", b"GIF8", b"RIFF", b"BM")):
        return "it starts like one, but is damaged"
    sample = data[:1024]
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError:
        return "its first bytes are of no known image format"
    return "it holds text" if b"\0" not in sample else "its first bytes are of no known image format"
