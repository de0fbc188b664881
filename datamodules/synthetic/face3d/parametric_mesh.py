"""A face mesh that needs no file: a mask spanned over the parametric 68 points of :mod:`datamodules.synthetic.faces`.

It is convex where faces are and turns like one, but it is no measured face: the skin stretches over the open mouth and
over the eyes. For debug runs, tests, and whoever has no 3D face model; what ships was trained on ICT-FaceKit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datamodules.synthetic.face3d.mesh import FaceMesh, Vertices
from datamodules.synthetic.faces import moved_face, random_face, template
from lightning_modules.geometry.landmark_groups import LEFT_BROW, RIGHT_BROW

_SPACING: Final = 0.05  # eye distances
_FOREHEAD: Final = (0.0, -0.45, -0.1)  # from the brows to the upper end of the mask
_SMOOTHING: Final = 1e-3  # lips that touch are two points in one place, which a spline cannot pass exactly
_BROWS: Final = (*RIGHT_BROW, *LEFT_BROW)


@dataclass(frozen=True, eq=False)
class ParametricMesh(FaceMesh):
    """A mask over 68 points.

    Attributes:
        spread: (V, 68) how much of each landmark's displacement a vertex takes part in; the first 68 vertices are the
            landmarks.
        offset: (V, 3) what is added: the upper end of the forehead lies above the brows.
    """

    spread: NDArray[np.float64]
    offset: NDArray[np.float64]

    def identity(self, generator: np.random.Generator) -> Vertices:
        """See the base class."""
        return self._vertices(random_face(generator))

    def expressed(self, identity: Vertices, generator: np.random.Generator) -> Vertices:
        """See the base class: the mouth opens, the lids close."""
        face = identity[:68].astype(np.float64)
        blink = generator.uniform(0, 1) if generator.random() < 0.25 else 0.0
        return self._vertices(moved_face(face, mouth=generator.uniform(0, 0.25), blink=blink))

    def _vertices(self, face: NDArray[np.float64]) -> Vertices:
        return (self.spread @ face + self.offset).astype(np.float32)


def parametric_mesh() -> ParametricMesh:
    """Build the mask over the mean face."""
    from scipy.interpolate import RBFInterpolator
    from scipy.spatial import Delaunay

    mean = template()
    controls = np.vstack([mean, mean[list(_BROWS)] + _FOREHEAD])
    hull = Delaunay(controls[:, :2])
    low, high = controls[:, :2].min(axis=0), controls[:, :2].max(axis=0)
    axes = [np.arange(a, b, _SPACING) for a, b in zip(low, high, strict=True)]
    places = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    places = places[hull.find_simplex(places) >= 0]
    across = RBFInterpolator(controls[:, :2], np.eye(len(controls)), kernel="thin_plate_spline", smoothing=_SMOOTHING)(
        places
    )
    # A control of the forehead goes with the brow point below it.
    spread = across[:, :68].copy()
    spread[:, list(_BROWS)] += across[:, 68:]
    offset = across[:, 68:].sum(axis=1, keepdims=True) * np.array(_FOREHEAD)
    spread, offset = np.vstack([np.eye(68), spread]), np.vstack([np.zeros((68, 3)), offset])
    triangles = Delaunay((spread @ mean + offset)[:, :2]).simplices.astype(np.int32)
    return ParametricMesh(
        triangles=_clockwise(triangles, (spread @ mean + offset)[:, :2]),
        is_face=np.ones(len(triangles), bool),
        landmarks=np.arange(68, dtype=np.int32),
        contours=np.zeros((2, 0), np.int32),
        spread=spread,
        offset=offset,
    )


def _clockwise(triangles: NDArray[np.int32], places: NDArray[np.float64]) -> NDArray[np.int32]:
    a, b, c = (places[triangles[:, corner]] for corner in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    turned = np.where(area[:, None] < 0, triangles[:, ::-1], triangles)
    return np.ascontiguousarray(turned)
