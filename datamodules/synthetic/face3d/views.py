"""Random pairs of views of a 3D face: landmarks, flow and visibility (auxiliary, section 6.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.synthetic.face3d.mesh import FaceMesh, Vertices
from datamodules.synthetic.face3d.rasteriser import corresponding_flow

_EYE_DISTANCE: Final = 0.33
"""Of the picture's side: what the paper's crop gives a mean face."""
_TOLERANCE: Final = 0.034  # 0.3 cm in eye distances


@dataclass(frozen=True)
class ViewSettings:
    """How views are drawn at random. Angles in degrees.

    Args:
        yaw: largest turn to a side.
        pitch: largest nod.
        roll: largest tilt.
        scale: largest deviation of the size, of 1.
        shift: largest deviation of the place, of the picture's side.
        other_person: share of pairs whose two views are of different people: in training, targets are other people's.
        contour: share of views whose jaw points lie on the head's outline, as detectors of 2D points report them,
            instead of on the jaw itself.
        noise: largest standard deviation of the landmarks' errors, pixels at 256.
    """

    yaw: float = 32.0
    pitch: float = 17.0
    roll: float = 11.0
    scale: float = 0.15
    shift: float = 0.03
    other_person: float = 0.3
    contour: float = 0.3
    noise: float = 1.0


class FlowPair(NamedTuple):
    """Two views of a face."""

    source: NDArray[np.float32]
    """(68, 2) landmarks of the photo, order (x, y), pixels of a 256 x 256 picture."""
    target: NDArray[np.float32]
    """(68, 2) landmarks to show."""
    flow: NDArray[np.float32]
    """(2, S, S) backward flow in pixels of S x S; 0 on the background."""
    visibility: NDArray[np.uint8]
    """(S, S): 0 visible in the photo, 1 occluded there, 2 background."""


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Matrix (3, 3) of a head that turns, nods, then tilts; degrees; x right, y down, z towards the viewer."""
    y, p, r = np.radians((yaw, pitch, roll))
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    tilt = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(tilt @ nod @ turn)


def posed(
    vertices: Vertices, mesh: FaceMesh, generator: np.random.Generator, settings: ViewSettings, size: int
) -> Vertices:
    """A face in a picture, by weak perspective: (V, 3), x and y in pixels, z in the same unit."""
    yaw, pitch, roll = (generator.uniform(-reach, reach) for reach in (settings.yaw, settings.pitch, settings.roll))
    scale = _EYE_DISTANCE * size * (1 + generator.uniform(-settings.scale, settings.scale))
    place = np.array((0.5, generator.uniform(0.55, 0.58))) + generator.uniform(-settings.shift, settings.shift, 2)
    matrix = (scale * rotation(yaw, pitch, roll)).astype(np.float32)
    middle = vertices[mesh.landmarks].mean(axis=0)
    offset = -(matrix @ middle)
    offset[:2] += (place * size - 0.5).astype(np.float32)
    moved: Vertices = vertices @ matrix.T
    moved += offset
    return moved


def seen_landmarks(view: Vertices, mesh: FaceMesh, *, contour: bool) -> NDArray[np.float32]:
    """Landmarks of a view, (68, 2) pixels.

    Args:
        view: (V, 3) from :func:`posed`.
        mesh: the mesh.
        contour: let the jaw points of a side lie on the outline where that is outside of them: each takes the place of
            the outermost vertex of the jaw line around its own height.
    """
    points: NDArray[np.float32] = view[mesh.landmarks, :2].copy()
    count = mesh.contours.shape[1]
    if not contour or count == 0:
        return points
    for side, numbers, outwards in ((mesh.contours[0], range(8), -1.0), (mesh.contours[1], range(9, 17), 1.0)):
        line = view[side, :2]
        for number in numbers:
            near = np.abs(line[:, 1] - points[number, 1])
            candidates = line[np.argsort(near, kind="stable")[:3]]
            best = candidates[np.argmax(outwards * candidates[:, 0])]
            if outwards * (best[0] - points[number, 0]) > 0:
                points[number] = best
    return points


def random_pair(
    mesh: FaceMesh, generator: np.random.Generator, settings: ViewSettings, size: int = 224, landmark_size: int = 256
) -> FlowPair:
    """One pair.

    Args:
        mesh: the face.
        generator: of everything random; as much as it gives decides the pair.
        settings: see there.
        size: side of flow and visibility, pixels.
        landmark_size: side of the picture in whose pixels landmarks are given.
    """
    person = mesh.identity(generator)
    other = mesh.identity(generator) if generator.random() < settings.other_person else person
    source, target = (posed(mesh.expressed(one, generator), mesh, generator, settings, size) for one in (person, other))
    flow, visibility = corresponding_flow(
        source, target, mesh.triangles, mesh.is_face, size, _TOLERANCE * _EYE_DISTANCE * size
    )
    found = []
    for view in (source, target):
        points = seen_landmarks(view, mesh, contour=generator.random() < settings.contour)
        # Corners stay corners: positions between pixel centres scale with the picture.
        points = (points + 0.5) * (landmark_size / size) - 0.5
        noise = generator.uniform(0, settings.noise)
        found.append((points + noise * generator.standard_normal((68, 2))).astype(np.float32))
    return FlowPair(found[0], found[1], flow, visibility)
