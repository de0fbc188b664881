"""Pages to look at, many records of a prepared set to a page.

A prepared set that nobody looked at is not prepared. Photos show picture, landmarks, matte and drawing; drawings show
themselves and their landmarks; clips show six of their frames and the landmarks of the last. In the landmark cell the
part masks are tinted (nose red, eyes green, lips blue); in the matte cell the background is replaced by a flat green.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from datamodules.prepare.clip_record import KIND as CLIP_KIND
from datamodules.prepare.clip_record import PreparedClip, read_clip
from datamodules.prepare.drawing_record import KIND as DRAWING_KIND
from datamodules.prepare.drawing_record import PreparedDrawing, read_drawing
from datamodules.prepare.manifest import RECORDS_NAME, read_manifest
from datamodules.prepare.prepared_set import fingerprint
from datamodules.prepare.record import PreparedPortrait, read_record
from datamodules.prepare.record_folder import read_facts
from datamodules.prepare.runner import Progress, run_items
from lightning_modules.errors import PreparedSetError
from lightning_modules.geometry.landmark_groups import (
    INNER_LIP,
    JAW,
    LEFT_BROW,
    LEFT_EYE,
    NOSE_BASE,
    NOSE_BRIDGE,
    OUTER_LIP,
    RIGHT_BROW,
    RIGHT_EYE,
)
from lightning_modules.pipeline.atomic_files import atomic_path

if TYPE_CHECKING:
    from PIL.Image import Image

SHEETS_NAME: Final = "sheets"
CELL: Final = 160
CAPTION: Final = 16
GAP: Final = 8
ACROSS: Final = 3
DOWN: Final = 7
_LAYOUT: Final = 1  # raise it when a page would look different
_OPEN: Final = (JAW, RIGHT_BROW, LEFT_BROW, NOSE_BRIDGE, NOSE_BASE)
_CLOSED: Final = (RIGHT_EYE, LEFT_EYE, OUTER_LIP, INNER_LIP)
_BEHIND: Final = (70, 190, 110)

Record = PreparedPortrait | PreparedDrawing | PreparedClip
"""What pages can show."""


@dataclass(frozen=True)
class SheetPage:
    """One page: its number from 1, the ids it shows, and a key that changes when what it shows does."""

    number: int
    ids: tuple[str, ...]
    key: str


def plan_pages(destination: Path, ids: Sequence[str] | None = None) -> list[SheetPage]:
    """Divide the records of a prepared set into pages, in the order of the manifest.

    Args:
        destination: the prepared set.
        ids: which records to show; None for all.
    """
    rows = [row for row in read_manifest(destination) if ids is None or row["id"] in ids]
    starts = range(0, len(rows), ACROSS * DOWN)
    pages = [rows[start : start + ACROSS * DOWN] for start in starts]
    return [
        SheetPage(number, tuple(row["id"] for row in page), fingerprint(_LAYOUT, [row["files"] for row in page]))
        for number, page in enumerate(pages, start=1)
    ]


def write_contact_sheets(destination: Path, *, workers: int = 0, progress: Progress | None = None) -> list[Path]:
    """Write the contact sheets of a prepared set as ``sheets/page_001.png`` and so on; pages that are current stay.

    Args:
        destination: the prepared set, with its manifest.
        workers: number of processes.
        progress: told after every page.

    Returns:
        The pages, in order.

    Raises:
        PreparedSetError: a page cannot be made because a record is damaged.
        OutputError: the disk refuses.
        KeyboardInterrupt: the user stopped it; finished pages stay.
    """
    folder = destination / SHEETS_NAME
    pages = plan_pages(destination)
    paths = [page_path(folder, page) for page in pages]
    run = run_items(
        pages,
        partial(_make_page_work, destination),
        workers=min(workers, len(pages)),
        existing=partial(_current_page, folder),
        name=lambda page: f"contact sheet {page.number}",
        progress=progress,
    )
    if run.interrupted:
        raise KeyboardInterrupt
    for outcome in run.outcomes:
        if outcome.reason is not None:
            raise PreparedSetError(outcome.reason, "run the preparation again", paths[outcome.index])
    for stale in set(folder.glob("page_*.png")) - set(paths):
        stale.unlink()
    return paths


def page_path(folder: Path, page: SheetPage) -> Path:
    """Return the file of a page."""
    return folder / f"page_{page.number:03d}.png"


def draw_page(portraits: Sequence[Record]) -> Image:
    """Draw one page of up to ``ACROSS * DOWN`` records, column by column of a few cells, captions below."""
    from PIL import Image, ImageDraw, ImageFont

    columns = max(len(cells_of(portrait)) for portrait in portraits)
    width, height = columns * CELL + GAP, CELL + CAPTION
    across = min(ACROSS, len(portraits))
    page = Image.new("RGB", (across * width - GAP, -(-len(portraits) // across) * height), "white")
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(11)
    for index, portrait in enumerate(portraits):
        left, top = index % across * width, index // across * height
        for column, cell in enumerate(cells_of(portrait)):
            page.paste(cell, (left + column * CELL, top))
        pen.text((left + 2, top + CELL), _caption(portrait), fill="black", font=font)
    return page


def cells_of(record: Record) -> list[Image]:
    """Return the cells of one record, ``CELL`` px square: see the module's head."""
    if isinstance(record, PreparedDrawing):
        return [_small(record.drawing), _landmark_cell(record.drawing, record.part_masks, record.landmarks)]
    if isinstance(record, PreparedClip):
        shown = [round(place * (len(record) - 1) / 5) for place in range(6)]
        last = _landmark_cell(record.frames[-1], None, record.landmarks[-1])
        return [*(_small(record.frames[number]) for number in shown), last]
    cells = [
        _small(record.photo),
        _landmark_cell(record.photo, record.part_masks, record.landmarks),
        _small(_on_flat_background(record.photo, record.matte)),
    ]
    if record.drawing is not None:
        cells.append(_small(record.drawing))
    return cells


def _landmark_cell(
    picture: npt.NDArray[np.uint8], part_masks: npt.NDArray[np.uint8] | None, landmarks: npt.NDArray[np.float32]
) -> Image:
    """The picture with tinted part masks and the landmark lines; drawn twice as large, so that lines get fine."""
    from PIL import Image, ImageDraw

    colour = np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture
    tint = 0.0 if part_masks is None else part_masks.astype(np.float32) * 0.4
    tinted = np.clip(colour * 0.75 + tint, 0, 255).astype(np.uint8)
    large = Image.fromarray(tinted).resize((2 * CELL, 2 * CELL), Image.Resampling.BOX)
    pen = ImageDraw.Draw(large)
    scale = 2 * CELL / len(picture)
    points = [((x + 0.5) * scale, (y + 0.5) * scale) for x, y, _ in landmarks.tolist()]
    for group in _OPEN:
        pen.line([points[i] for i in group], fill=(255, 240, 0), width=2)
    for group in _CLOSED:
        pen.line([points[i] for i in (*group, group[0])], fill=(255, 240, 0), width=2)
    return large.resize((CELL, CELL), Image.Resampling.BOX)


def _on_flat_background(photo: npt.NDArray[np.uint8], matte: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    share = matte[..., None].astype(np.float32) / 255.0
    mixed = photo * share + np.array(_BEHIND, np.float32) * (1.0 - share)
    return np.asarray(np.rint(mixed), dtype=np.uint8)


def _small(pixels: npt.NDArray[np.uint8]) -> Image:
    from PIL import Image

    image = Image.fromarray(pixels).convert("RGB")
    return image.resize((CELL, CELL), Image.Resampling.BOX if image.width >= CELL else Image.Resampling.NEAREST)


def _caption(record: Record) -> str:
    name = record.source.name
    if isinstance(record, PreparedClip):
        name = f"{name}, {len(record)} frames from {record.first}"
    shortened = name if len(name) <= 64 else f"…{name[-63:]}"
    if isinstance(record, PreparedDrawing):
        shortened = name if len(name) <= 34 else f"…{name[-33:]}"
        return f"{shortened} · {record.help}"
    if isinstance(record, PreparedClip):
        return shortened
    faces = len(record.faces.boxes)
    return shortened + (f" · face {record.faces.chosen} of {faces}" if faces > 1 else "")


def _read(folder: Path) -> Record:
    kind = read_facts(folder)["kind"]
    if kind == DRAWING_KIND:
        return read_drawing(folder)
    return read_clip(folder) if kind == CLIP_KIND else read_record(folder)


def _make_page_work(destination: Path) -> partial[int]:
    return partial(_write_page, destination)


def _write_page(destination: Path, page: SheetPage) -> int:
    from PIL.PngImagePlugin import PngInfo

    sheet = draw_page([_read(destination / RECORDS_NAME / record) for record in page.ids])
    note = PngInfo()
    note.add_text("key", page.key)
    with atomic_path(page_path(destination / SHEETS_NAME, page)) as aside:
        sheet.save(aside, pnginfo=note)
    return page.number


def _current_page(folder: Path, page: SheetPage) -> int | None:
    from PIL import Image

    path = page_path(folder, page)
    if not path.is_file():
        return None
    try:
        with Image.open(path) as image:
            return page.number if image.info.get("key") == page.key else None
    except (OSError, SyntaxError, ValueError):
        return None
