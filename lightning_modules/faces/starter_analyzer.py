"""The face analyzer that needs nothing but this package and OpenCV, and that knows drawings too.

Proposals come from OpenCV's face cascades and, where these see nothing or the picture is a drawing, from a lattice of
squares over the picture; the package's own landmark network decides which of them are faces:
:mod:`~lightning_modules.faces.consistent_faces`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from lightning_modules.errors import ConfigError
from lightning_modules.faces.consistent_faces import Judged, LandmarkNetwork, candidate_of, judged, refined
from lightning_modules.faces.depth_from_model import with_depth
from lightning_modules.faces.face import Face, FaceList, make_face
from lightning_modules.faces.face_proposals import FRONTAL, FRONTAL_LENIENT, PROFILE, cascade_regions, lattice_regions
from lightning_modules.faces.face_region import FaceRegion
from lightning_modules.faces.photo import RgbPixels
from lightning_modules.faces.plausibility import looks_like_a_face, roll
from lightning_modules.faces.starter_network import load_landmark_network

LATTICE_SIDES: Final = (1.3, 0.87, 0.58)
"""Sides of the lattice's squares, shares of the picture's shorter side: faces from a third of it to all of it, each
size within a factor of 1.25."""

MOST_SPREAD, SPREAD_PER_SUPPORT, MUCH_SUPPORT = 0.042, 0.0015, 20
"""How far the landmarks of a face may move, in face sizes: of one without support, more for each proposal, up to 20."""

SPREAD_SCALE: Final = 0.008
"""How much further makes a confidence of a half one of a quarter or so, in face sizes."""

MOST_ROLL: Final = 60.0
"""Degrees; a face on its side is not animated in place: its photo should be turned first."""

SAME_FACE_OVERLAP: Final = 0.35


class StarterAnalyzer:
    """Finds faces with OpenCV's cascades and the landmark network of the package, on the processor.

    z comes from the pose of an average face (:func:`~.depth_from_model.with_depth`). ``confidence`` is
    :func:`confidence_of` what moved when the picture was shown in eight ways.

    Args:
        weights: an exported landmark network; None for the one of the package.
        certainty: smallest confidence at which a face counts, in (0, 1).
        network: the network itself, instead of weights.

    Raises:
        BackendError: the weights of the package are not there, or OpenCV lacks its cascades.
        WeightsError: the weights cannot be used.
        ConfigError: ``certainty`` is out of range.
    """

    name = "starter"

    def __init__(
        self,
        weights: str | Path | None = None,
        *,
        certainty: float = 0.5,
        network: LandmarkNetwork | None = None,
    ) -> None:
        if not 0.0 < certainty < 1.0:
            raise ConfigError(f"a certainty of {certainty}", "choose a number between 0 and 1")
        self._certainty = certainty
        self._network = network or load_landmark_network(weights)

    def find_faces(self, rgb: RgbPixels) -> FaceList:
        """All faces of a picture.

        Args:
            rgb: ``(H, W, 3)`` uint8 RGB.

        Returns:
            The faces, left to right; its ``tried`` names the steps that were taken.

        Raises:
            ValueError: another shape or type.
        """
        return self._search(rgb, PHOTO_STEPS)

    def find_drawn_faces(self, rgb: RgbPixels) -> FaceList:
        """All faces of a drawing; as :meth:`find_faces`, but looks everywhere: the cascades know photographs only."""
        return self._search(rgb, DRAWING_STEPS)

    def _search(self, rgb: RgbPixels, steps: tuple[Step, ...]) -> FaceList:
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise ValueError(f"expected uint8 pixels of shape (H, W, 3), got {rgb.dtype} {rgb.shape}")
        tried: list[str] = []
        for name, propose, least_support in steps:
            tried.append(name)
            found = self._faces_of(rgb, propose(rgb), least_support)
            upright = [face for face in found if abs(roll(face.landmarks)) <= MOST_ROLL]
            if upright:
                return FaceList(upright, tried=tuple(tried))
        return FaceList(tried=tuple(tried))

    def find_faces_in_frames(self, frames: Iterable[RgbPixels]) -> Iterator[FaceList]:
        """Faces of each frame of a clip, found once and then followed.

        Where every face is lost the whole search is run on the frame; so a face that enters beside another one is not
        noticed.

        Args:
            frames: pictures ``(H, W, 3)`` uint8 RGB, in order of time; read one at a time.

        Yields:
            The faces of one frame, left to right; empty where none is seen.
        """
        last = FaceList()
        for frame in frames:
            known = [candidate_of(face.landmarks) for face in last]
            followed = self._certain(frame, judged(frame, known, self._network))
            last = FaceList(followed, tried=("following the last frame",)) if followed else self.find_faces(frame)
            yield last

    def _faces_of(self, rgb: RgbPixels, regions: list[FaceRegion], least_support: int) -> list[Face]:
        candidates = refined(rgb, regions, self._network, least_support=least_support)
        return self._certain(rgb, judged(rgb, candidates, self._network))

    def _certain(self, rgb: RgbPixels, candidates: list[Judged]) -> list[Face]:
        """The candidates that are faces, surest first, each face once."""
        height, width = rgb.shape[:2]
        faces: list[Face] = []
        for one in sorted(candidates, key=lambda one: -confidence_of(one)):
            confidence = confidence_of(one)
            if confidence < self._certainty or not looks_like_a_face(one.landmarks, width, height):
                continue
            face = make_face(with_depth(one.landmarks), confidence)
            if all(face.box.overlap(other.box) < SAME_FACE_OVERLAP for other in faces):
                faces.append(face)
        return faces


def confidence_of(candidate: Judged) -> float:
    """How sure it is that a candidate is a face, in (0, 1): a half where its landmarks move as far as they may.

    They may move the further, the more proposals led to the same face.
    """
    most = MOST_SPREAD + SPREAD_PER_SUPPORT * min(candidate.support, MUCH_SUPPORT)
    return 1 / (1 + math.exp(min((candidate.spread - most) / SPREAD_SCALE, 50.0)))


def _in_bordered(rgb: RgbPixels) -> list[FaceRegion]:
    return cascade_regions(rgb, (FRONTAL, FRONTAL_LENIENT, PROFILE), longest_side=480, border=0.2)


def _lattice(rgb: RgbPixels) -> list[FaceRegion]:
    return lattice_regions(rgb.shape[1], rgb.shape[0], sides=LATTICE_SIDES)


def _everywhere(rgb: RgbPixels) -> list[FaceRegion]:
    return [*cascade_regions(rgb), *_lattice(rgb)]


Step = tuple[str, Callable[[RgbPixels], list[FaceRegion]], int]
"""What is done, the proposals of it, and how many of these must lead to the same face."""

PHOTO_STEPS: Final[tuple[Step, ...]] = (
    ("the face cascade", cascade_regions, 1),
    ("two more cascades, with a white border", _in_bordered, 1),
    ("squares all over the picture", _lattice, 2),
)
DRAWING_STEPS: Final[tuple[Step, ...]] = (("the face cascade and squares all over the drawing", _everywhere, 2),)
