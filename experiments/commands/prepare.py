"""``inkspeak prepare photos|drawings|film|speech-…``: work out once what training and evaluation need of every item."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

from experiments.commands.prepare_speech import SPEECH_SUBCOMMANDS
from experiments.preparation_run import run_preparation
from experiments.signature_parser import Option
from lightning_modules.pipeline.animation_job import AnimationJob, Look, MatteSource

OPTIONS = {
    "source": Option(metavar="SRC"),
    "destination": Option(metavar="DST"),
    "licence": Option(metavar="NAME"),
    "matte_weights": Option(metavar="FILE"),
    "drawer_weights": Option(metavar="FILE"),
}


def photos(  # noqa: PLR0913 - every choice of the user is an argument
    source: Path,
    destination: Path,
    *,
    size: int = 512,
    face: Literal["largest"] | int = "largest",
    landmarks: Literal["mediapipe", "starter", "mediapipe+starter", "face-alignment"] = "mediapipe",
    matte: MatteSource = "selfie",
    matte_weights: Path | None = None,
    look: Look = AnimationJob.look,
    drawer_weights: Path | None = None,
    drawing: bool = True,
    contact_sheets: bool = True,
    licence: str | None = None,
    workers: int | None = None,
    limit: int | None = None,
    quiet: bool = False,
) -> int:
    """Crop every photo of a folder around its face and work out landmarks, matte, masks and static drawing.

    Writes a prepared set: a record per photo, a manifest with hashes and licences, a report of what was rejected and
    why, and contact sheets to look at. Interrupted or run again, it does only what is missing.

    Args:
        source: a folder of photos, searched with all folders below it, or one photo
        destination: folder of the prepared set, outside of the source
        size: side of the crops in pixels, 64 to 2048
        face: which of several faces, the largest or a number counted from the left
        landmarks: who finds the face and its 68 landmarks
        matte: who separates the person from the background; modnet is a network of your own
        matte_weights: the matting network, with --matte modnet (or modnet-256, which shows it the photo at 256 px)
        look: of the static drawing: pen, pencil, or a cartoon in colour
        drawer_weights: a network that draws the photos instead, e.g. photo2cartoon_weights.pt
        drawing: make the static drawings, the slowest part, or not (default: make)
        contact_sheets: write pages to look at, or not (default: write)
        licence: licence of all photos; else the nearest SOURCE.md says it
        workers: processes; 0 works in this one (default: one a processor)
        limit: prepare only the first so many photos
        quiet: no progress

    Returns:
        0 when at least one photo is in the set, 2 when none is, 130 after Ctrl-C.

    Raises:
        InkspeakError: the source holds no photo, the destination cannot be used, or an option is wrong.

    Example:
        inkspeak prepare photos ~/portraits prepared/portraits
        inkspeak prepare photos ~/portraits prepared/portraits --size 256 --limit 20 --no-drawing
    """
    from datamodules.prepare.photos import prepare_photos

    work = partial(
        prepare_photos,
        source.expanduser(),
        destination.expanduser(),
        size=size,
        face=face,
        landmarks=landmarks,
        matte=matte,
        matte_weights=matte_weights,
        look=look,
        drawer_weights=drawer_weights,
        drawing=drawing,
        contact_sheets=contact_sheets,
        licence=licence,
        workers=workers,
        limit=limit,
    )
    return run_preparation(work, stages=("photos", "sheets"), quiet=quiet)


def drawings(  # noqa: PLR0913 - every choice of the user is an argument
    source: Path,
    destination: Path,
    *,
    size: int = 512,
    channels: Literal[1, 3] = 1,
    face: Literal["largest"] | int = "largest",
    landmarks: Literal["mediapipe", "starter", "mediapipe+starter", "face-alignment"] = "mediapipe",
    most_turn: float = 50.0,
    contact_sheets: bool = True,
    licence: str | None = None,
    workers: int | None = None,
    limit: int | None = None,
    quiet: bool = False,
) -> int:
    """Crop every real drawing of a folder around its face and work out landmarks and masks.

    The drawings themselves are kept as they are. Detectors know photographs, so each drawing is also shown to them
    enlarged, reduced, bordered and with its hatching melted; the contact sheets tell where that was needed.

    Args:
        source: a folder of drawings, searched with all folders below it, or one drawing
        destination: folder of the prepared set, outside of the source
        size: side of the crops in pixels, 64 to 2048
        channels: 1 for gray, 3 to keep colour
        face: which of several faces, the largest or a number counted from the left
        landmarks: who finds the face and its 68 landmarks
        most_turn: faces turned further to the side, in degrees, are rejected
        contact_sheets: write pages to look at, or not (default: write)
        licence: licence of all drawings; else the nearest SOURCE.md says it
        workers: processes; 0 works in this one (default: one a processor)
        limit: prepare only the first so many drawings
        quiet: no progress

    Returns:
        0 when at least one drawing is in the set, 2 when none is, 130 after Ctrl-C.

    Raises:
        InkspeakError: the source holds no drawing, the destination cannot be used, or an option is wrong.

    Example:
        inkspeak prepare drawings ~/pen_portraits prepared/drawings
        inkspeak prepare drawings ~/cartoons prepared/cartoons --channels 3
    """
    from datamodules.prepare.drawings import prepare_drawings

    work = partial(
        prepare_drawings,
        source.expanduser(),
        destination.expanduser(),
        size=size,
        channels=channels,
        face=face,
        landmarks=landmarks,
        most_turn=most_turn,
        licence=licence,
        workers=workers,
        limit=limit,
        contact_sheets=contact_sheets,
    )
    return run_preparation(work, stages=("drawings", "sheets"), quiet=quiet)


def film(  # noqa: PLR0913 - every choice of the user is an argument
    source: Path,
    destination: Path,
    *,
    size: int = 256,
    lines: bool = True,
    channels: Literal[1, 3] = 1,
    shortest: int = 5,
    longest: int = 48,
    landmarks: Literal["mediapipe", "starter", "mediapipe+starter", "face-alignment"] = "mediapipe",
    matte: MatteSource = "selfie",
    matte_weights: Path | None = None,
    look: Look = AnimationJob.look,
    contact_sheets: bool = True,
    licence: str | None = None,
    workers: int | None = None,
    limit: int | None = None,
    quiet: bool = False,
) -> int:
    """Cut films into shots, follow the face in each, and keep clips of consecutive frames as line drawings.

    A film is a video file or a folder of numbered frames. All frames of a clip share one crop. Shots without a steady
    face are rejected, and the report says why.

    Args:
        source: a folder of films, searched with all folders below it, or one video file
        destination: folder of the prepared set, outside of the source
        size: side of the frames in pixels, 64 to 2048
        lines: draw lines, or keep the frames of films that are drawn already (default: draw)
        channels: 1 for gray; 3 keeps the colour of films that are drawn already
        shortest: clips of fewer frames are rejected
        longest: longer shots are cut into pieces of so many frames
        landmarks: who finds the face and its 68 landmarks
        matte: who separates the person from the background; modnet is a network of your own
        matte_weights: the matting network, with --matte modnet (or modnet-256, which shows it the photo at 256 px)
        look: pen, pencil, or (with --channels 3 in colour) a cartoon
        contact_sheets: write pages to look at, or not (default: write)
        licence: licence of all films; else the nearest SOURCE.md says it
        workers: processes; 0 works in this one (default: one a processor)
        limit: prepare only the first so many films
        quiet: no progress

    Returns:
        0 when at least one clip is in the set, 2 when none is, 130 after Ctrl-C.

    Raises:
        InkspeakError: the source holds no film, the destination cannot be used, or an option is wrong.

    Example:
        inkspeak prepare film ~/films prepared/film
        inkspeak prepare film ~/cartoon_frames prepared/cartoon_film --no-lines --channels 3
    """
    from datamodules.prepare.film import FilmSettings, prepare_film

    work = partial(
        prepare_film,
        source.expanduser(),
        destination.expanduser(),
        FilmSettings(size, lines, channels, shortest, longest, landmarks, matte, look, matte_weights=matte_weights),
        licence=licence,
        workers=workers,
        limit=limit,
        contact_sheets=contact_sheets,
    )
    return run_preparation(work, stages=("shots", "sheets"), quiet=quiet)


SUBCOMMANDS = {"photos": photos, "drawings": drawings, "film": film, **SPEECH_SUBCOMMANDS}
