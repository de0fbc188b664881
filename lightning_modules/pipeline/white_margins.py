"""White margins of a scan or of a crop that stuck out of its photo: their edge is no line of the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WHITE: Final = 250
"""Level from which a pixel counts as white, of 255, in all three channels."""


def inside_margins(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Where a photo shows something: all but the rows and columns at its sides that are white throughout.

    A white wall behind a head is cut off as well, which changes nothing: there is nothing to draw.

    Args:
        rgb: (H, W, 3).

    Returns:
        (H, W): 255 inside, 0 in the margins; all 255 where the whole picture is white.
    """
    rows, columns = (np.flatnonzero(rgb.min(axis=across) < WHITE) for across in ((1, 2), (0, 2)))
    inside = np.zeros(rgb.shape[:2], np.uint8)
    if not len(rows):
        return np.full_like(inside, 255)
    inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = 255
    return inside
