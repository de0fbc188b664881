"""Prepare a folder of photos: crop, 68 landmarks, matte, part masks and static drawing of each, once and for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from datamodules.prepare.crop_pictures import part_mask_picture
from datamodules.prepare.findings import Accepted, much_enlarged, poor_faces, several_faces
from datamodules.prepare.preparation import Facts, SourceItem
from datamodules.prepare.provenance import PortraitFaces, PortraitSource
from datamodules.prepare.record import KIND, PreparedPortrait, write_portrait
from datamodules.prepare.report import Entry, PreparationReport
from datamodules.prepare.runner import Progress
from datamodules.prepare.setting_checks import (
    FaceChoice,
    check_face_choice,
    check_landmarks,
    check_limit,
    check_size,
    settings_facts,
)
from datamodules.prepare.sources import find_files
from datamodules.prepare.whole_set import SetBuilder, checked_workers, plan_files, prepare_set
from lightning_modules.errors import ConfigError, PhotoError
from lightning_modules.faces.face import Face, FaceAnalyzer, choose_face
from lightning_modules.faces.matte_choice import check_matte_weights
from lightning_modules.faces.photo import Photo, read_photo
from lightning_modules.geometry.alignment import crop, portrait_frame, to_crop
from lightning_modules.pipeline.output_checks import check_free_space

if TYPE_CHECKING:
    from lightning_modules.drawing.drawer import StaticDrawer
    from lightning_modules.faces.matter import Matter

SET_KIND: Final = "photos"
DEFAULT_LOOK = "ink"  # as lightning_modules.drawing.drawer, which would import torch
EDITION = 1
"""Part of the settings; raise it whenever the same photo would be prepared differently, so that no set is a mixture."""

SMALLEST_FRAME = 48
"""Frames of fewer photo pixels are rejected: their faces are less than about 26 px wide."""

MUCH_OUTSIDE = 0.2
"""Share of a crop outside of its photo above which the report points it out."""


@dataclass(frozen=True)
class PhotoSettings:
    """What shapes a prepared photo.

    Args:
        size: side of the crop in pixels, 64 to 2048.
        face: ``"largest"`` or the 1-based number of the face from the left.
        landmarks: face backend, a name of ``lightning_modules.faces.face_analyzers.make_face_analyzer``.
        matte: matte backend, a name of ``lightning_modules.faces.matter.make_matter``.
        look: of the static drawing, a name of ``lightning_modules.drawing.drawer.make_drawer``; None for no drawing.
        matte_weights: file of the matting network, for the matte backends that are one.
        drawer_weights: file of a network that draws in place of the look; None for the look.

    Raises:
        ConfigError: a value is out of its range, or a network should draw where nothing is drawn.
    """

    size: int = 512
    face: FaceChoice = "largest"
    landmarks: str = "mediapipe"
    matte: str = "selfie"
    look: str | None = DEFAULT_LOOK
    matte_weights: Path | None = None
    drawer_weights: Path | None = None

    def __post_init__(self) -> None:
        check_size(self.size)
        check_matte_weights(self.matte, self.matte_weights)
        check_face_choice(self.face)
        check_landmarks(self.landmarks, one="photo")
        if self.drawer_weights is not None and self.look is None:
            raise ConfigError("a network was given to draw, but no drawing is asked for", "leave one of the two out")


@dataclass(frozen=True)
class PhotoTools:
    """The backends that one process works with."""

    analyzer: FaceAnalyzer
    matter: Matter
    drawer: StaticDrawer | None

    def facts(self) -> dict[str, Any]:
        """Return names and settings of the backends, JSON values."""
        facts: dict[str, Any] = {"landmarks": self.analyzer.name, "matte": self.matter.name}
        if self.drawer is not None:
            facts["drawing"] = {"name": self.drawer.name, **self.drawer.settings()}
        return facts


ToolMaker = Callable[[PhotoSettings], PhotoTools]


def make_photo_tools(settings: PhotoSettings) -> PhotoTools:
    """Build the backends that the settings name.

    Raises:
        ConfigError: a name is unknown.
        BackendError: a backend is not installed or lacks its weights.
        WeightsError: a file of weights cannot be used.
    """
    from lightning_modules.faces.face_analyzers import make_face_analyzer
    from lightning_modules.faces.matter import make_matter

    drawer: StaticDrawer | None = None
    if settings.drawer_weights is not None:
        from lightning_modules.weights.drawer_file import load_drawer

        drawer = load_drawer(settings.drawer_weights)
    elif settings.look is not None:
        from lightning_modules.drawing.drawer import make_drawer

        drawer = make_drawer(settings.look)
    return PhotoTools(
        make_face_analyzer(settings.landmarks), make_matter(settings.matte, weights=settings.matte_weights), drawer
    )


def prepare_portrait_record(item: SourceItem, settings: PhotoSettings, tools: PhotoTools) -> PreparedPortrait:
    """Compute the record of one photo.

    Raises:
        PhotoError: the photo cannot be read, shows no face or not the chosen one, or the face is tiny.
    """
    photo = read_photo(item.path)
    faces = tools.analyzer.find_faces(photo.rgb)
    return portrait_of(item, photo, faces, settings, tools)


def portrait_of(
    item: SourceItem, photo: Photo, faces: list[Face], settings: PhotoSettings, tools: PhotoTools
) -> PreparedPortrait:
    """Compute the record of one photo whose faces are known; as :func:`prepare_portrait_record`."""
    import numpy as np
    import torch

    from lightning_modules.pipeline.portrait import draw_within, image_array, image_tensor

    face = choose_face(faces, settings.face, photo)
    found_by = {"landmarks": name} if (name := getattr(faces, "found_by", "")) else {}
    frame = portrait_frame(face.landmarks)
    if frame.side < SMALLEST_FRAME:
        width = f"{face.box.width:.0f}"
        raise PhotoError(f"the face is only {width} px wide", "use a photo in which it is larger", item.path)
    size = settings.size
    rgb = crop(photo.rgb, frame, size, fill=255)
    inside = crop(np.full(photo.rgb.shape[:2], 255, np.uint8), frame, size, fill=0)
    landmarks = np.asarray(to_crop(face.landmarks, frame, size), dtype=np.float32)
    with torch.inference_mode():
        points = torch.from_numpy(landmarks)[None]
        valid = image_tensor(inside)
        matte = torch.from_numpy(np.ascontiguousarray(tools.matter.matte(rgb)))[None, None].float() * valid
        drawing = None
        if tools.drawer is not None:
            drawn = image_array(draw_within(image_tensor(rgb), valid, tools.drawer, points, matte))[0]
            drawing = drawn[..., 0] if drawn.shape[-1] == 1 else drawn
        return PreparedPortrait(
            id=item.id,
            photo=rgb,
            drawing=drawing,
            matte=image_array(matte)[0, ..., 0],
            part_masks=part_mask_picture(landmarks, size),
            landmarks=landmarks,
            frame=frame,
            source=PortraitSource.of_photo(item.name, photo, item.terms),
            faces=PortraitFaces.of_photo(faces, face, photo),
            tools={"size": settings.size, "face": settings.face, **tools.facts(), **found_by},
            fingerprint=item.fingerprint,
        )


@dataclass(frozen=True)
class PhotoWork:
    """The work function of one process: photo in, record written."""

    settings: PhotoSettings
    tools: PhotoTools
    records: Path

    def __call__(self, item: SourceItem) -> str:
        """Prepare one photo; return the id of its record."""
        return write_portrait(self.records, prepare_portrait_record(item, self.settings, self.tools)).name


def make_photo_work(settings: PhotoSettings, make_tools: ToolMaker, records: Path) -> PhotoWork:
    """Build the work function; called once in each process."""
    return PhotoWork(settings, make_tools(settings), records)


def prepare_photos(  # noqa: PLR0913 - every setting is an option of the command line
    source: str | Path,
    destination: str | Path,
    *,
    size: int = 512,
    face: FaceChoice = "largest",
    landmarks: str = "mediapipe",
    matte: str = "selfie",
    look: str = DEFAULT_LOOK,
    licence: str | None = None,
    workers: int | None = None,
    limit: int | None = None,
    drawing: bool = True,
    contact_sheets: bool = True,
    matte_weights: Path | None = None,
    drawer_weights: Path | None = None,
    progress: Progress | None = None,
    make_tools: ToolMaker = make_photo_tools,
) -> PreparationReport:
    """Prepare all photos of a folder into a set of records with manifest, report and contact sheets.

    Run again, it does only what is missing or has changed. The records do not depend on the number of processes.

    Args:
        source: a folder, searched with all folders below it, or one photo.
        destination: folder of the prepared set, outside of the source; made if missing.
        size: side of the crops in pixels, 64 to 2048.
        face: which face of a photo with several: ``"largest"`` or its number from the left.
        landmarks: face backend.
        matte: matte backend.
        look: of the static drawings.
        licence: of all photos; None looks for a line ``Licence: …`` in the nearest ``SOURCE.md`` above each photo.
        workers: number of processes; None for one a processor, 0 to work in this process.
        limit: prepare only the first so many photos.
        drawing: whether to make the static drawings, the slowest part.
        contact_sheets: whether to write pages to look at under ``sheets/``.
        matte_weights: file of the matting network, with ``matte="modnet"`` or ``"modnet-256"``.
        drawer_weights: file of a network that draws instead of the look: a static drawing generator, photo2cartoon.
        progress: told after every photo.
        make_tools: builds the backends in each process; must be picklable.

    Returns:
        The report, also written as ``report.json`` and ``report.md``. After Ctrl-C its ``interrupted`` is set.

    Raises:
        PhotoError: there is no photo in the source.
        OutputError: the destination cannot be written, is or holds something else, or has too little space.
        PreparedSetError: the destination was prepared with other settings or in another format.
        ConfigError: a setting is out of its range or names an unknown backend.
        BackendError: a backend is not installed or lacks its weights.
        WeightsError: the file of a network cannot be used.
    """
    source, destination = Path(source), Path(destination)
    settings = PhotoSettings(size, face, landmarks, matte, look if drawing else None, matte_weights, drawer_weights)
    check_limit(limit, "photos")
    workers = checked_workers(workers)
    found = find_files(source)
    check_free_space(destination, float(len(found.names[:limit])) * size * size)
    builder = SetBuilder(
        kind=SET_KIND,
        record_kind=KIND,
        settings={"edition": EDITION, **settings_facts(settings)},
        tools=lambda: make_tools(settings).facts(),
        plan=partial(plan_files, found, limit, licence),
        make_work=lambda records: partial(make_photo_work, settings, make_tools, records),
        findings=photo_findings,
    )
    return prepare_set(builder, source, destination, workers=workers, contact_sheets=contact_sheets, progress=progress)


def photo_findings(accepted: Accepted) -> Mapping[str, tuple[Entry, ...]]:
    """Return what is worth knowing about accepted photos, by heading."""
    outside, changed = [], []
    for item, facts in accepted:
        blank, notes = _share_outside(facts["frame"], facts["source"]), facts["source"]["notes"]
        if blank > MUCH_OUTSIDE:
            outside.append(Entry(item.name, f"{100 * blank:.0f} % of the crop is blank"))
        if notes:
            changed.append(Entry(item.name, "; ".join(notes)))
    return {
        "Several faces": several_faces(accepted),
        "Hard to draw": poor_faces(accepted),
        "Crop sticks out of the photo": tuple(outside),
        "Enlarged more than twice": much_enlarged(accepted),
        "Changed while reading": tuple(changed),
    }


def _share_outside(frame: Facts, source: Facts) -> float:
    """Return the share of a crop's area that lies outside of its photo, in [0, 1]."""
    side = frame["side"]
    across = min(frame["left"] + side, source["width"]) - max(frame["left"], 0)
    down = min(frame["top"] + side, source["height"]) - max(frame["top"], 0)
    return float(1 - max(across, 0) * max(down, 0) / side**2)
