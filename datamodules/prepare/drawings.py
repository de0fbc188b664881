"""Prepare a folder of real drawings: find the face in each, crop it, and work out part masks. Nothing is redrawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from datamodules.prepare.crop_pictures import gray, part_mask_picture
from datamodules.prepare.drawing_record import KIND, PreparedDrawing, write_drawing
from datamodules.prepare.drawn_faces import SHOWINGS, face_is_doubtful, find_drawn_faces, no_drawn_face
from datamodules.prepare.findings import Accepted, much_enlarged, poor_faces, several_faces
from datamodules.prepare.photos import SMALLEST_FRAME
from datamodules.prepare.preparation import SourceItem
from datamodules.prepare.provenance import PortraitFaces, PortraitSource
from datamodules.prepare.report import Entry, PreparationReport
from datamodules.prepare.runner import Progress
from datamodules.prepare.setting_checks import (
    FaceChoice,
    check_channels,
    check_face_choice,
    check_landmarks,
    check_limit,
    check_size,
)
from datamodules.prepare.sources import find_files
from datamodules.prepare.whole_set import SetBuilder, checked_workers, plan_files, prepare_set
from lightning_modules.errors import ConfigError, PhotoError
from lightning_modules.faces.face import FaceAnalyzer, FaceList, choose_face, head_turn
from lightning_modules.faces.face_analyzers import make_face_analyzer
from lightning_modules.faces.photo import Photo, read_photo
from lightning_modules.geometry.alignment import crop, portrait_frame, to_crop
from lightning_modules.pipeline.output_checks import check_free_space

SET_KIND: Final = "drawings"
EDITION: Final = 2
"""Part of the settings; raise it whenever the same drawing would be prepared differently."""

AnalyzerMaker = Callable[[str], FaceAnalyzer]


@dataclass(frozen=True)
class DrawingSettings:
    """What shapes a prepared drawing.

    Args:
        size: side of the crop in pixels, 64 to 2048.
        channels: 1 turns colour to gray, 3 keeps it.
        face: ``"largest"`` or the 1-based number of the face from the left.
        landmarks: face backend, a name of ``lightning_modules.faces.face_analyzers.make_face_analyzer``.
        most_turn: faces turned further to the side, in degrees, are rejected: the landmarks of profiles are guesses.

    Raises:
        ConfigError: a value is out of its range.
    """

    size: int = 512
    channels: int = 1
    face: FaceChoice = "largest"
    landmarks: str = "mediapipe"
    most_turn: float = 50.0

    def __post_init__(self) -> None:
        check_size(self.size)
        check_channels(self.channels)
        check_face_choice(self.face)
        if not 0 < self.most_turn <= 90:
            raise ConfigError(f"a turn of at most {self.most_turn}° was asked for", "give more than 0, at most 90")
        check_landmarks(self.landmarks)


def drawing_of(item: SourceItem, photo: Photo, settings: DrawingSettings, analyzer: FaceAnalyzer) -> PreparedDrawing:
    """Compute the record of one drawing.

    Where several analyzers stand behind one name, the next is asked when one finds no face, or none that can be
    trusted.

    Raises:
        PhotoError: it shows no face or not the chosen one, or the face is tiny or none.
    """
    faces, showing, analyzer = _found_in(photo, settings, analyzer)
    face = choose_face(faces, settings.face, photo)
    frame = portrait_frame(face.landmarks)
    if frame.side < SMALLEST_FRAME:
        raise PhotoError(f"the face is only {face.box.width:.0f} px wide", "use a larger drawing", item.path)
    turn = abs(head_turn(face.landmarks))
    if turn > settings.most_turn:
        raise PhotoError(f"the head is turned by about {turn:.0f}°", "use faces seen from the front", item.path)
    picture = crop(photo.rgb, frame, settings.size, fill=255)
    if settings.channels == 1:
        picture = gray(picture)
    landmarks = np.asarray(to_crop(face.landmarks, frame, settings.size), dtype=np.float32)
    return PreparedDrawing(
        id=item.id,
        drawing=picture,
        part_masks=part_mask_picture(landmarks, settings.size),
        landmarks=landmarks,
        frame=frame,
        source=PortraitSource.of_photo(item.name, photo, item.terms),
        faces=PortraitFaces.of_photo(faces, face, photo),
        help=showing,
        tools={"landmarks": analyzer.name},
        fingerprint=item.fingerprint,
    )


def _found_in(photo: Photo, settings: DrawingSettings, analyzer: FaceAnalyzer) -> tuple[FaceList, str, FaceAnalyzer]:
    """The faces of a drawing, what it took to find them, and who found them."""
    failure: PhotoError | None = None
    for part in getattr(analyzer, "parts", (analyzer,)):
        faces, showing = find_drawn_faces(photo.rgb, part)
        if not faces:
            failure = failure or no_drawn_face(photo, faces)
            continue
        face = choose_face(faces, settings.face, photo)
        if abs(head_turn(face.landmarks)) > settings.most_turn:
            return faces, showing, part
        doubt = face_is_doubtful(photo.rgb, face, showing, part)
        if not doubt:
            return faces, showing, part
        remedy = "leave it out, or crop it to one head"
        failure = PhotoError(f"what looks like a face is none: {doubt}", remedy, photo.path)
    raise failure or no_drawn_face(photo, FaceList())


@dataclass(frozen=True)
class DrawingWork:
    """The work function of one process: drawing in, record written."""

    settings: DrawingSettings
    analyzer: FaceAnalyzer
    records: Path

    def __call__(self, item: SourceItem) -> str:
        """Prepare one drawing; return the id of its record."""
        drawing = drawing_of(item, read_photo(item.path), self.settings, self.analyzer)
        return write_drawing(self.records, drawing).name


def make_drawing_work(settings: DrawingSettings, make_analyzer: AnalyzerMaker, records: Path) -> DrawingWork:
    """Build the work function; called once in each process."""
    return DrawingWork(settings, make_analyzer(settings.landmarks), records)


def prepare_drawings(  # noqa: PLR0913 - every setting is an option of the command line
    source: str | Path,
    destination: str | Path,
    *,
    size: int = 512,
    channels: int = 1,
    face: FaceChoice = "largest",
    landmarks: str = "mediapipe",
    most_turn: float = 50.0,
    licence: str | None = None,
    workers: int | None = None,
    limit: int | None = None,
    contact_sheets: bool = True,
    progress: Progress | None = None,
    make_analyzer: AnalyzerMaker = make_face_analyzer,
) -> PreparationReport:
    """Prepare all drawings of a folder into a set of records with manifest, report and contact sheets.

    Run again, it does only what is missing or has changed. The records do not depend on the number of processes.

    Args:
        source: a folder, searched with all folders below it, or one drawing.
        destination: folder of the prepared set, outside of the source; made if missing.
        size: side of the crops in pixels, 64 to 2048.
        channels: 1 turns colour to gray, 3 keeps it.
        face: which face of a drawing with several: ``"largest"`` or its number from the left.
        landmarks: face backend.
        most_turn: faces turned further to the side, in degrees, are rejected.
        licence: of all drawings; None looks for it in the nearest ``SOURCE.md`` above each.
        workers: number of processes; None for one a processor, 0 to work in this process.
        limit: prepare only the first so many drawings.
        contact_sheets: whether to write pages to look at under ``sheets/``.
        progress: told after every drawing.
        make_analyzer: builds the face backend in each process; must be picklable.

    Returns:
        The report, also written as ``report.json`` and ``report.md``.

    Raises:
        PhotoError: there is no picture in the source.
        OutputError: the destination cannot be written, is or holds something else, or has too little space.
        PreparedSetError: the destination was prepared with other settings or in another format.
        ConfigError: a setting is out of its range.
        BackendError: the face backend is not installed or lacks its weights.
    """
    source, destination = Path(source), Path(destination)
    settings = DrawingSettings(size, channels, face, landmarks, most_turn)
    check_limit(limit, "drawings")
    workers = checked_workers(workers)
    found = find_files(source, what="drawings")
    check_free_space(destination, 0.3 * len(found.names[:limit]) * size * size * channels)
    builder = SetBuilder(
        kind=SET_KIND,
        record_kind=KIND,
        settings={"edition": EDITION, **asdict(settings), "showings": [asdict(showing) for showing in SHOWINGS]},
        tools=lambda: {"landmarks": make_analyzer(landmarks).name},
        plan=partial(plan_files, found, limit, licence),
        make_work=lambda records: partial(make_drawing_work, settings, make_analyzer, records),
        findings=drawing_findings,
    )
    return prepare_set(builder, source, destination, workers=workers, contact_sheets=contact_sheets, progress=progress)


def drawing_findings(accepted: Accepted) -> Mapping[str, tuple[Entry, ...]]:
    """Return what is worth knowing about accepted drawings, by heading."""
    helped = [Entry(item.name, facts["help"]) for item, facts in accepted if facts["help"] != SHOWINGS[0].name]
    finders = [facts["tools"]["landmarks"] for _, facts in accepted]
    found_by = [Entry(item.name, finder) for (item, _), finder in zip(accepted, finders, strict=True)]
    return {
        "Several faces": several_faces(accepted),
        "Who found the face": tuple(found_by) if len(set(finders)) > 1 else (),
        "Face found with help: look at its landmarks": tuple(helped),
        "Hard to use": poor_faces(accepted),
        "Enlarged more than twice": much_enlarged(accepted),
    }
