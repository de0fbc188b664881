"""Prepare a folder of real drawings: find the face in each, crop it, and work out part masks. Nothing is redrawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from datamodules.prepare.drawing_record import KIND, PreparedDrawing, write_drawing
from datamodules.prepare.drawn_faces import SHOWINGS, find_drawn_faces, no_drawn_face
from datamodules.prepare.photos import SMALLEST_FRAME, FaceChoice
from datamodules.prepare.preparation import Facts, SourceItem, plan_items
from datamodules.prepare.provenance import PortraitFaces, PortraitSource
from datamodules.prepare.report import Entry, PreparationReport
from datamodules.prepare.runner import Progress
from datamodules.prepare.sources import FoundFiles, TermsFinder, find_files
from datamodules.prepare.whole_set import SetBuilder, checked_workers, prepare_set
from lightning_modules.errors import ConfigError, PhotoError
from lightning_modules.faces.face import FaceAnalyzer, FaceBox, choose_face, face_notes, head_turn, make_face_analyzer
from lightning_modules.faces.photo import Photo, read_photo
from lightning_modules.geometry.alignment import crop, portrait_frame, to_crop
from lightning_modules.pipeline.output_checks import check_free_space

SET_KIND: Final = "drawings"
EDITION: Final = 1
"""Part of the settings; raise it whenever the same drawing would be prepared differently."""

AnalyzerMaker = Callable[[str], FaceAnalyzer]


@dataclass(frozen=True)
class DrawingSettings:
    """What shapes a prepared drawing.

    Args:
        size: side of the crop in pixels, 64 to 2048.
        channels: 1 turns colour to gray, 3 keeps it.
        face: ``"largest"`` or the 1-based number of the face from the left.
        landmarks: face backend, a name of ``lightning_modules.faces.face.make_face_analyzer``.
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
        if not 64 <= self.size <= 2048:
            raise ConfigError(f"the size {self.size} is out of range", "give a size from 64 to 2048 pixels")
        if self.channels not in (1, 3):
            raise ConfigError(f"{self.channels} channels were asked for", "give 1 for gray or 3 for colour")
        if self.face != "largest" and self.face < 1:
            raise ConfigError(f"the face {self.face!r} is no choice", "give 'largest' or a number from 1")
        if not 0 < self.most_turn <= 90:
            raise ConfigError(f"a turn of at most {self.most_turn}° was asked for", "give more than 0, at most 90")
        if self.landmarks == "file":
            raise ConfigError("landmarks from a file belong to one picture, not to a folder", "choose mediapipe")


def drawing_of(item: SourceItem, photo: Photo, settings: DrawingSettings, analyzer: FaceAnalyzer) -> PreparedDrawing:
    """Compute the record of one drawing.

    Raises:
        PhotoError: it shows no face or not the chosen one, or the face is tiny.
    """
    import numpy as np
    import torch

    from lightning_modules.geometry.part_masks import part_masks
    from lightning_modules.pipeline.portrait import image_array

    faces, showing = find_drawn_faces(photo.rgb, analyzer)
    if not faces:
        raise no_drawn_face(photo, faces)
    face = choose_face(faces, settings.face, photo)
    frame = portrait_frame(face.landmarks)
    if frame.side < SMALLEST_FRAME:
        raise PhotoError(f"the face is only {face.box.width:.0f} px wide", "use a larger drawing", item.path)
    turn = abs(head_turn(face.landmarks))
    if turn > settings.most_turn:
        raise PhotoError(f"the head is turned by about {turn:.0f}°", "use faces seen from the front", item.path)
    picture = crop(photo.rgb, frame, settings.size, fill=255)
    if settings.channels == 1:
        luminance = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
        picture = np.asarray(np.rint(luminance), np.uint8)
    landmarks = np.asarray(to_crop(face.landmarks, frame, settings.size), dtype=np.float32)
    with torch.inference_mode():
        masks = part_masks(torch.from_numpy(landmarks)[None], settings.size)
    return PreparedDrawing(
        id=item.id,
        drawing=picture,
        part_masks=image_array(torch.cat([masks.nose, masks.eyes, masks.lips], dim=1))[0],
        landmarks=landmarks,
        frame=frame,
        source=PortraitSource(
            name=item.name,
            sha256=photo.sha256,
            width=photo.rgb.shape[1],
            height=photo.rgb.shape[0],
            notes=photo.notes,
            licence=item.terms.licence,
            attribution=item.terms.attribution,
        ),
        faces=PortraitFaces(
            boxes=tuple(found.box for found in faces),
            chosen=1 + next(i for i, found in enumerate(faces) if found is face),
            confidence=face.confidence,
            notes=face_notes(face, photo),
        ),
        help=showing,
        tools={"landmarks": analyzer.name},
        fingerprint=item.fingerprint,
    )


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
    if limit is not None and limit < 1:
        raise ConfigError(f"a limit of {limit} drawings leaves none", "give a limit of 1 or more")
    workers = checked_workers(workers)
    found = find_files(source, what="drawings")
    check_free_space(destination, 0.3 * len(found.names[:limit]) * size * size * channels)

    def plan(facts: Facts) -> tuple[FoundFiles, list[SourceItem]]:
        return found, plan_items(found, found.names[:limit], TermsFinder(found.root, licence), facts)

    builder = SetBuilder(
        kind=SET_KIND,
        record_kind=KIND,
        settings={"edition": EDITION, **asdict(settings), "showings": [asdict(showing) for showing in SHOWINGS]},
        tools=lambda: {"landmarks": make_analyzer(landmarks).name},
        plan=plan,
        make_work=lambda records: partial(make_drawing_work, settings, make_analyzer, records),
        findings=drawing_findings,
    )
    return prepare_set(builder, source, destination, workers=workers, contact_sheets=contact_sheets, progress=progress)


def drawing_findings(accepted: Sequence[tuple[SourceItem, Mapping[str, Any]]]) -> Mapping[str, tuple[Entry, ...]]:
    """Return what is worth knowing about accepted drawings, by heading."""
    several, helped, poor, enlarged = [], [], [], []
    for item, facts in accepted:
        faces, frame = facts["faces"], facts["frame"]
        if len(faces["boxes"]) > 1:
            listed = ", ".join(f"{number}: {FaceBox(*box)}" for number, box in enumerate(faces["boxes"], start=1))
            several.append(Entry(item.name, f"took {faces['chosen']} of {listed}"))
        if facts["help"] != SHOWINGS[0].name:
            helped.append(Entry(item.name, facts["help"]))
        if faces["notes"]:
            poor.append(Entry(item.name, "; ".join(faces["notes"])))
        if frame["size"] > 2 * frame["side"]:
            enlarged.append(Entry(item.name, f"{frame['side']} px shown as {frame['size']}"))
    return {
        "Several faces": tuple(several),
        "Face found with help: look at its landmarks": tuple(helped),
        "Hard to use": tuple(poor),
        "Enlarged more than twice": tuple(enlarged),
    }
