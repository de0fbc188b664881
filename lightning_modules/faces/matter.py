"""Foreground mattes: how much of each pixel belongs to the person."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from lightning_modules.errors import ConfigError
from lightning_modules.faces.guided_filter import guided_filter
from lightning_modules.faces.matte_choice import MATTERS, check_matte_weights
from lightning_modules.faces.photo import RgbPixels

Matte = npt.NDArray[np.float32]
# The network sees 256 px; edges are found again at up to this size, and applied at the photo's own.
NETWORK_VIEW = 512
EDGE_VIEW = 640
EDGE_RADIUS = 0.012  # of the longer side: about three of the network's pixels
EDGE_RIDGE = 3e-4
# A part counts with this share of the largest part's area; a hole is filled below this share of it.
SMALLEST_PART = 0.05
LARGEST_HOLE = 0.02
LEAST_COVERAGE = 0.8
"""Share of the face that a matte must count as person to be of use."""
# What the filter leaves of a soft ramp is stretched between these.
BLACK_POINT, WHITE_POINT = 0.12, 0.88


class Matter(Protocol):
    """Separates the person from the background.

    Attributes:
        name: the name by which :func:`make_matter` makes it.
    """

    name: str

    def matte(self, rgb: RgbPixels) -> Matte:
        """Matte of a photo ``(H, W, 3)`` uint8 RGB: ``(H, W)`` float32 in [0, 1], 1 = person."""
        ...


class NoMatter:
    """Everything is foreground: for close-ups, drawings and paintings, or to move the whole picture."""

    name = "none"

    def matte(self, rgb: RgbPixels) -> Matte:
        """All ones, ``(H, W)`` float32."""
        return np.ones(rgb.shape[:2], dtype=np.float32)


class SelfieMatter:
    """The selfie segmentation network inside the mediapipe wheel (its general form), with edges taken from the photo.

    The network is shown the photo and its mirror image, and the mean is taken, so the matte is mirror-symmetric;
    where the person fills little of the photo it is shown that part again. Loose specks are dropped and small holes
    filled; a guided filter then moves the edge of the 256 px mask to the edges of the photo, hair included as far as
    its colour tells it apart.

    Of the two networks in the wheel the general one (256×256) leaves fewer holes in shoulders than the landscape one
    (144×256) on portraits.

    Raises:
        BackendError: mediapipe is missing or unusable.
    """

    name = "selfie"

    def __init__(self) -> None:
        from lightning_modules.faces.mediapipe_graphs import SelfieSegmentation

        self._network = SelfieSegmentation(landscape=False)

    def matte(self, rgb: RgbPixels) -> Matte:
        """Matte of a photo ``(H, W, 3)`` uint8 RGB: ``(H, W)`` float32 in [0, 1], 1 = person."""
        view = _reduced(rgb, EDGE_VIEW)
        coarse = without_specks_and_holes(self._looked_at_twice(view))
        guide = _as_floats(view)
        radius = max(2, round(EDGE_RADIUS * max(coarse.shape)))
        full = _as_floats(rgb) if rgb.shape != view.shape else None
        fine = guided_filter(guide, coarse, radius, EDGE_RIDGE, full)
        return np.asarray(np.clip((fine - BLACK_POINT) / (WHITE_POINT - BLACK_POINT), 0.0, 1.0), dtype=np.float32)

    def _looked_at_twice(self, view: RgbPixels) -> Matte:
        """The network's mask of the whole view, and of the part with the person where that is small."""
        mask = self._both_ways(view)
        rows, columns = np.nonzero(mask > 0.5)
        if len(rows) == 0:
            return mask
        height, width = mask.shape
        reach = max(np.ptp(rows), np.ptp(columns)) * 0.65
        middle_y, middle_x = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
        top, bottom = max(int(middle_y - reach), 0), min(int(middle_y + reach) + 1, height)
        left, right = max(int(middle_x - reach), 0), min(int(middle_x + reach) + 1, width)
        if max(bottom - top, right - left) > 0.75 * max(height, width) or min(bottom - top, right - left) < 32:
            return mask
        closer = np.zeros_like(mask)
        closer[top:bottom, left:right] = self._both_ways(view[top:bottom, left:right])
        return closer

    def _both_ways(self, view: RgbPixels) -> Matte:
        import cv2

        small = _reduced(view, NETWORK_VIEW)
        direct = self._network.mask(small)
        mirrored = self._network.mask(small[:, ::-1])[:, ::-1]
        mean = (direct + mirrored) / 2
        if mean.shape != view.shape[:2]:
            mean = np.asarray(cv2.resize(mean, (view.shape[1], view.shape[0]), interpolation=cv2.INTER_LINEAR))
        return np.asarray(mean, dtype=np.float32)


def without_specks_and_holes(matte: Matte) -> Matte:
    """A matte without loose small parts and without small holes.

    Args:
        matte: ``(H, W)`` float32 in [0, 1]. Parts are connected regions above 0.5; a part below 5 % of the largest is
            set to 0, with the soft rim around it; a hole below 2 % of it that does not touch the border is set to 1.
    """
    import cv2

    cleaned = matte.copy()
    count, labels, stats, _ = cv2.connectedComponentsWithStats((matte > 0.5).astype(np.uint8), connectivity=8)
    if count <= 1:
        return cleaned
    areas = stats[1:, cv2.CC_STAT_AREA]
    largest = int(areas.max())
    kept = np.isin(labels, 1 + np.flatnonzero(areas >= SMALLEST_PART * largest))
    # a soft rim belongs to the kept parts if it is connected to them above a low level
    rims, rim_labels = cv2.connectedComponents((matte > 0.1).astype(np.uint8), connectivity=8)
    near_kept = np.zeros(rims, dtype=bool)
    near_kept[np.unique(rim_labels[kept])] = True
    near_kept[0] = True
    cleaned[~near_kept[rim_labels] | ((matte > 0.5) & ~kept)] = 0.0
    holes, hole_labels, hole_stats, _ = cv2.connectedComponentsWithStats((~kept).astype(np.uint8), connectivity=4)
    height, width = matte.shape
    for hole in range(1, holes):
        left, top, hole_width, hole_height, area = hole_stats[hole]
        at_border = left == 0 or top == 0 or left + hole_width == width or top + hole_height == height
        if area < LARGEST_HOLE * largest and not at_border:
            cleaned[hole_labels == hole] = 1.0
    return cleaned


def face_coverage(matte: Matte, landmarks: npt.NDArray[np.floating]) -> float:
    """Share of the face, inside the polygon of jaw and brows, that a matte counts as person, in [0, 1].

    Below :data:`LEAST_COVERAGE` the matte has missed the face.

    Args:
        matte: ``(H, W)``.
        landmarks: ``(68, 2|3)`` in its pixels.
    """
    import cv2

    outline = np.concatenate([landmarks[0:17, :2], landmarks[26:16:-1, :2]])
    inside = np.zeros(matte.shape, dtype=np.uint8)
    cv2.fillPoly(inside, [np.rint(outline).astype(np.int32)], 1)
    pixels = matte[inside > 0]
    return float(pixels.mean()) if pixels.size else 0.0


def make_matter(name: str = "selfie", *, weights: str | Path | None = None, **options: Any) -> Matter:
    """Make a matter by name.

    Args:
        name: ``"selfie"`` (default; network inside the mediapipe package), ``"none"`` (all ones), or a matting network
            of your own, shown the photo at a shorter side of 512 px (``"modnet"``) or, as the published talking
            drawings do, of 256 px (``"modnet-256"``).
        weights: file of the matting network, for those names and only them; inkspeak comes without one.
        options: none are known yet.

    Raises:
        ConfigError: no matter has this name, options are given, or weights are missing or not wanted.
        BackendError: its package is missing.
        WeightsError: the file of weights cannot be used.
    """
    if options:
        raise ConfigError(f"the matter {name!r} has no option {', '.join(sorted(options))}", "leave it out")
    if name not in MATTERS:
        raise ConfigError(f"there is no matter named {name!r}", f"choose one of {', '.join(MATTERS)}")
    check_matte_weights(name, weights)
    if weights is not None:
        from lightning_modules.faces.network_matter import MATTER_NAMES, NetworkMatter

        rule = next(rule for rule, matter in MATTER_NAMES.items() if matter == name)
        return NetworkMatter.from_file(weights, rule)
    return SelfieMatter() if name == "selfie" else NoMatter()


def _as_floats(rgb: RgbPixels) -> npt.NDArray[np.float32]:
    return np.asarray(rgb, dtype=np.float32) / np.float32(255)


def _reduced(rgb: RgbPixels, side: int) -> RgbPixels:
    import cv2

    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return rgb
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
