"""Face identities for synthetic speech (reference §19.8): the template with proportions and irregularities of its own.

Proportions come from :mod:`datamodules.synthetic.faces`; here a smooth random field makes faces asymmetric as real ones
are, and some mouths are a little open at rest, as in many photos. Everything is scaled to an outer-eye distance of 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from datamodules.synthetic.faces import random_face, template
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.geometry.head_pose import face_frame
from lightning_modules.geometry.landmark_groups import LOWER_INNER_LIP, LOWER_OUTER_LIP

_FIELD_WIDTH, _FIELD_SIZE = 0.4, 0.02
_OPEN_SHARE, _MOST_OPEN = 0.3, 0.05


def sample_face(seed: int, number: int) -> npt.NDArray[np.float64]:
    """Return one face at rest, (68, 3) face units: origin midway between the outer eye corners, which are 1 apart.

    Args:
        seed: of the population.
        number: of the face in it; 0 is the template itself.
    """
    if number == 0:
        return in_face_units(template())
    generator = np.random.default_rng([seed, number, 3])
    points = random_face(generator)
    points += _smooth_field(points, generator)
    _meet(points)
    if generator.random() < _OPEN_SHARE:
        opening = generator.uniform(0, _MOST_OPEN)
        points[list(LOWER_INNER_LIP), 1] += opening * np.array([0.75, 1.0, 0.75])
        points[list(LOWER_OUTER_LIP), 1] += opening * np.array([0.4, 0.8, 1.0, 0.8, 0.4])
    return in_face_units(points)


def turned_to_the_front(
    static: npt.NDArray[np.floating], track: npt.NDArray[np.floating]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return a face at rest and in motion with the depth of measured faces, seen from the front as a photo's face is.

    The template is flat: turned to the front by eye corners and nose, as drivers turn the faces of photos, it would
    look 20 degrees up. The rules of motion are tuned to it, so faces move flat and get their depth afterwards.

    Args:
        static: (68, 3) the face at rest, face units.
        track: (T, 68, 3) the same in motion.
    """
    depth = np.zeros((68, 3))
    depth[:, 2] = frontal_face()[:, 2] - in_face_units(template())[:, 2]
    frame = face_frame(static + depth, frontal_face())
    return frame.to_face_units(static + depth), frame.to_face_units(track + depth)


def in_face_units(points: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return points (..., 68, 3) moved and scaled by the first frame's, or the only face's, outer eye corners.

    Afterwards their midpoint is the origin and their distance in the picture plane is 1; all axes scale alike.
    """
    first = np.asarray(points, np.float64).reshape(-1, 68, 3)[0]
    across = first[45] - first[36]
    return np.asarray((points - (first[36] + first[45]) / 2) / np.hypot(across[0], across[1]))


def _smooth_field(points: npt.NDArray[np.float64], generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """Displacements (68, 3) that neighbours share: normal, mean square 0.02², correlated over 0.4."""
    squared = np.sum((points[:, None] - points) ** 2, axis=2)
    kernel = np.exp(-0.5 * squared / _FIELD_WIDTH**2)
    mixed = kernel @ generator.standard_normal((68, 3))
    return np.asarray(_FIELD_SIZE * mixed / np.sqrt(np.sum(kernel**2, axis=1))[:, None])


def _meet(points: npt.NDArray[np.float64]) -> None:
    """Close the mouth again, which the field has pulled apart."""
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        points[[upper, lower], 1] = points[[upper, lower], 1].mean()
