"""Contact sheets of a sweep (paper Fig. 6 and 7): the same photos and targets, drawn by each run's generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from experiments.sweeping.one_run import DRAWINGS
from experiments.sweeping.plan import Run
from experiments.sweeping.record import RunRecord
from experiments.sweeping.sweep_file import SweepFile
from lightning_modules.pipeline.contact_sheet import save_image
from lightning_modules.pipeline.presentation import captioned, grid, letterbox

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAD: Final = {"photo": "photo", "landmarks": "target"}
_CELLS: Final = (160, 256)  # sides, pixels: captions want room, and a sheet must fit a page


def write_sheets(sweep: SweepFile, results: Sequence[tuple[Run, RunRecord]], out: Path) -> list[Path]:
    """Write every sheet of the sweep for which a run has drawn, each from the first seed that an overlay has finished.

    Args:
        sweep: the sweep.
        results: every run with its record.
        out: folder of the results.

    Returns:
        The pictures written.

    Raises:
        OutputError: one cannot be written.
    """
    folders: dict[str, Path] = {}
    for run, record in results:
        if record.state == "finished" and (run.folder / DRAWINGS).is_dir():
            folders.setdefault(run.overlay, run.folder / DRAWINGS)
    written = []
    for name, sheet in sweep.sheets.items():
        titles = {one: sweep.overlays[one].title for one in sheet.overlays}
        if any(one in folders for one in titles):
            path = out / f"{name}.png"
            save_image(path, captioned(sheet_picture(folders, titles, sheet.show), sheet.title))
            written.append(path)
    return written


def sheet_picture(
    folders: Mapping[str, Path], titles: Mapping[str, str], show: Sequence[str] = ("drawing",)
) -> NDArray[np.uint8]:
    """Rows of portraits: photo, target landmarks, then what each overlay drew; white where it has not.

    Args:
        folders: overlay -> its pictures, as :class:`~callbacks.kept_drawings.KeptDrawings` writes them.
        titles: overlay -> caption, in the order of the columns; at least one has a folder.
        show: rows of each portrait, ``drawing`` or ``change``.

    Returns:
        (H, W, 3).
    """
    first = next(folders[one] for one in titles if one in folders)
    numbers = sorted(path.name.partition("_")[0] for path in first.glob("*_photo.png"))
    least, most = _CELLS
    with Image.open(first / f"{numbers[0]}_photo.png") as photo:
        side = min(most, max(least, photo.width))
    cells = []
    for number in numbers:
        for kind in show:
            cells += [captioned(_picture(first / f"{number}_{name}.png", side), text) for name, text in _LEAD.items()]
            for one, title in titles.items():
                path = folders[one] / f"{number}_{kind}.png" if one in folders else None
                text = title if kind == "drawing" else kind
                cells.append(captioned(_picture(path, side), text if one in folders else f"{title}: no run"))
    return grid(cells, len(_LEAD) + len(titles))


def _picture(path: Path | None, side: int) -> NDArray[np.uint8]:
    if path is None or not path.is_file():
        return np.full((side, side, 3), 255, np.uint8)
    with Image.open(path) as image:
        return letterbox(np.asarray(image.convert("RGB")), (side, side))
