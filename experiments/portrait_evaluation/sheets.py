"""Contact sheets: a row a photo, with its drawing and the five moments as every method draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.portrait_evaluation.poses import POSES, Pose
from lightning_modules.pipeline.contact_sheet import save_image
from lightning_modules.pipeline.presentation import captioned, grid, letterbox

if TYPE_CHECKING:
    from experiments.evaluation.results import Result

CELL: Final = 192
"""Side of a picture on a sheet, pixels."""
ROWS: Final = 8
"""Photos on a sheet."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class PhotoRow:
    """What a sheet shows of one photo.

    Attributes:
        name: of the photo.
        photo: (S, S, 3).
        static: (S, S, C) its drawing.
        poses: method -> pose -> (S, S, C); of a method that failed none.
        chosen: pose -> the moment, and the utterance from which it is.
    """

    name: str
    photo: Pixels
    static: Pixels
    poses: Mapping[str, Mapping[str, Pixels]]
    chosen: Mapping[str, tuple[Pose, str]]

    def picture(self, cell: int = CELL) -> Pixels:
        """The row of pictures with captions, (H, W, 3).

        Args:
            cell: side of each picture, pixels.
        """
        cells = [_cell(self.photo, self.name, cell), _cell(self.static, "static drawing", cell)]
        for method, poses in self.poses.items():
            for pose in POSES:
                if pose in poses:
                    cells.append(_cell(poses[pose], f"{method}: {self.chosen[pose][0].caption}", cell))
                else:
                    cells.append(_cell(np.full((cell, cell), 255, np.uint8), f"{method} failed", cell))
        return grid(cells, len(cells), gap=4)


def photo_row(name: str, methods: Mapping[str, Mapping[str, Result]]) -> PhotoRow | None:
    """Choose the moments of one photo over its utterances: each where it is strongest.

    All methods show the same moments: those that are strongest among the utterances that all methods drew, if there
    are any, or else those of each.

    Args:
        name: of the photo.
        methods: method -> utterance -> its result.

    Returns:
        None where every result failed.
    """
    good = {
        method: {utterance: one for utterance, one in results.items() if one.failed is None}
        for method, results in methods.items()
    }
    drawn = [results for results in good.values() if results]
    if not drawn:
        return None
    common = [utterance for utterance in drawn[0] if all(utterance in results for results in drawn)] or list(drawn[0])
    arrays = {utterance: drawn[0][utterance].arrays for utterance in common}
    moments = {utterance: poses_in(one) for utterance, one in arrays.items()}
    chosen: dict[str, tuple[Pose, str]] = {}
    for place, pose in enumerate(POSES):
        best = max(common, key=lambda utterance: moments[utterance][place].strength)
        chosen[pose] = (moments[best][place], best)
    pictures = {
        method: {
            pose: results[utterance].arrays["poses"][place]
            for place, (pose, (_, utterance)) in enumerate(chosen.items())
            if utterance in results
        }
        for method, results in good.items()
    }
    first = arrays[common[0]]
    return PhotoRow(name, first["photo"], first["static"], pictures, chosen)


def poses_in(arrays: Mapping[str, NDArray[Any]]) -> list[Pose]:
    """The moments of a result, in the order of :data:`POSES`."""
    facts = zip(POSES, arrays["pose_frames"], arrays["pose_values"], strict=True)
    return [Pose(pose, int(frame), float(value)) for pose, frame, value in facts]


def write_sheets(rows: Sequence[PhotoRow], folder: Path, *, most: int = ROWS) -> list[Path]:
    """Write ``sheet_01.png`` and so on, so many photos on each.

    Args:
        rows: of all photos.
        folder: in which they are written.
        most: photos on a sheet.

    Raises:
        OutputError: one cannot be written.
    """
    written = []
    for number, start in enumerate(range(0, len(rows), most), 1):
        path = folder / f"sheet_{number:02}.png"
        save_image(path, grid([row.picture() for row in rows[start : start + most]], 1, gap=0))
        written.append(path)
    return written


def write_worst(rows: Sequence[tuple[PhotoRow, str]], path: Path) -> None:
    """Write the sheet of the worst photos, each with what makes it one under it.

    Args:
        rows: rows and their sentences, the worst first; nothing is written where there are none.
        path: the image.

    Raises:
        OutputError: it cannot be written.
    """
    if rows:
        save_image(path, grid([captioned(row.picture(), why, height=24) for row, why in rows], 1, gap=0))


def _cell(picture: Pixels, text: str, cell: int) -> Pixels:
    return captioned(letterbox(picture, (cell, cell)), text)
