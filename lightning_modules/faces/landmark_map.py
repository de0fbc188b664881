"""From the 478 points of the MediaPipe face mesh to the 68 landmarks of the 300-W / Multi-PIE order.

Every landmark is a fixed weighted sum of one to three mesh points. The table is our own: for each landmark the mesh
edge it lies on was chosen (the lip rings, the lid rings, the brow rows, the ridge of the nose, the oval of the face)
and the weights were fitted by least squares to hand-placed points on the portraits of 62 people; right and left were
fitted together, so the table is mirror symmetric. Where hand-placed points and landmarks do not coincide the target
was built from them:

* jaw 0-16: 17 points at equal distances along the visible outline from the junction of ear and cheek at the height of
  the eyes, over the chin. The oval of the mesh runs a little inside the outline between cheek and chin, hence the
  small negative weight of mesh point 2 (foot of the nose): it moves those points outward by 3 % of their distance
  from it;
* brows 17-26: along the brow at equal steps, between its middle and its upper edge (60 % of the way up from the lower
  edge);
* lids: at 30 % and 68 % of the way from the outer to the inner corner (0.30 and 0.67 in the standard 68-point face);
* nose 31, 35: lower end of the wings; 33: foot of the nose; 32, 34 half-way; 30: tip;
* inner lip: the inner ring of the mesh, so that an open mouth is open.

Mean error on the portraits of 70 other people, in percent of the distance of the outer eye corners: eyes 1.1, inner
lip 1.2, outer lip 1.4, nose 1.9, brows 2.9, jaw 3.9, of which 1.7 is off the outline and the rest along it, where
nothing marks the place.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

MESH_POINTS: Final = 478

MESH_WEIGHTS: Final[dict[int, tuple[tuple[int, float], ...]]] = {
    0: ((127, 0.83), (162, 0.17)),
    1: ((234, 0.94), (93, 0.06)),
    2: ((93, 0.72), (132, 0.28)),
    3: ((132, 0.6), (58, 0.41), (2, -0.01)),
    4: ((58, 0.44), (172, 0.59), (2, -0.03)),
    5: ((136, 1.0), (150, 0.03), (2, -0.03)),
    6: ((149, 0.66), (150, 0.37), (2, -0.03)),
    7: ((148, 0.5), (176, 0.53), (2, -0.03)),
    8: ((152, 1.03), (2, -0.03)),
    9: ((377, 0.5), (400, 0.53), (2, -0.03)),
    10: ((378, 0.66), (379, 0.37), (2, -0.03)),
    11: ((365, 1.0), (379, 0.03), (2, -0.03)),
    12: ((288, 0.44), (397, 0.59), (2, -0.03)),
    13: ((361, 0.6), (288, 0.41), (2, -0.01)),
    14: ((323, 0.72), (361, 0.28)),
    15: ((454, 0.94), (323, 0.06)),
    16: ((356, 0.83), (389, 0.17)),
    17: ((70, 0.35), (156, 0.65)),
    18: ((53, 0.57), (63, 0.43)),
    19: ((52, 0.56), (66, 0.22), (105, 0.22)),
    20: ((65, 0.65), (66, 0.19), (107, 0.16)),
    21: ((55, 0.62), (107, 0.38)),
    22: ((285, 0.62), (336, 0.38)),
    23: ((295, 0.65), (296, 0.19), (336, 0.16)),
    24: ((282, 0.56), (296, 0.22), (334, 0.22)),
    25: ((283, 0.57), (293, 0.43)),
    26: ((300, 0.35), (383, 0.65)),
    27: ((6, 0.49), (168, 0.51)),
    28: ((195, 0.21), (197, 0.79)),
    29: ((5, 0.55), (195, 0.45)),
    30: ((4, 0.99), (1, 0.01)),
    31: ((97, 0.39), (98, 0.61)),
    32: ((99, 0.92), (97, 0.08)),
    33: ((2, 0.52), (94, 0.48)),
    34: ((328, 0.92), (326, 0.08)),
    35: ((326, 0.39), (327, 0.61)),
    36: ((33, 0.71), (7, 0.29)),
    37: ((159, 0.62), (160, 0.38)),
    38: ((157, 0.55), (158, 0.45)),
    39: ((133, 0.73), (112, 0.27)),
    40: ((153, 0.76), (154, 0.24)),
    41: ((144, 0.8), (145, 0.2)),
    42: ((362, 0.73), (341, 0.27)),
    43: ((384, 0.55), (385, 0.45)),
    44: ((386, 0.62), (387, 0.38)),
    45: ((263, 0.71), (249, 0.29)),
    46: ((373, 0.8), (374, 0.2)),
    47: ((380, 0.76), (381, 0.24)),
    48: ((61, 0.92), (57, 0.08)),
    49: ((39, 0.59), (40, 0.41)),
    50: ((37, 1.0),),
    51: ((0, 1.0),),
    52: ((267, 1.0),),
    53: ((269, 0.59), (270, 0.41)),
    54: ((291, 0.92), (287, 0.08)),
    55: ((321, 0.79), (405, 0.1), (406, 0.11)),
    56: ((314, 0.6), (405, 0.3), (406, 0.1)),
    57: ((17, 0.93), (18, 0.07)),
    58: ((84, 0.6), (181, 0.3), (182, 0.1)),
    59: ((91, 0.79), (181, 0.1), (182, 0.11)),
    60: ((78, 1.0),),
    61: ((81, 0.42), (82, 0.58)),
    62: ((13, 1.0),),
    63: ((311, 0.42), (312, 0.58)),
    64: ((308, 1.0),),
    65: ((317, 0.57), (402, 0.43)),
    66: ((14, 1.0),),
    67: ((87, 0.57), (178, 0.43)),
}
"""For each landmark the pairs (mesh point, weight); weights of a landmark sum to 1."""


def mesh_matrix() -> npt.NDArray[np.float64]:
    """The table as a matrix ``(68, 478)``: ``landmarks = matrix @ mesh``."""
    matrix = np.zeros((len(MESH_WEIGHTS), MESH_POINTS))
    for landmark, pairs in MESH_WEIGHTS.items():
        for mesh_point, weight in pairs:
            matrix[landmark, mesh_point] = weight
    return matrix


_MATRIX: Final = mesh_matrix()


def landmarks_from_mesh(mesh: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """The 68 landmarks of a mesh.

    Args:
        mesh: ``(..., 478, D)`` in any frame; the map commutes with every affine change of frame.

    Returns:
        ``(..., 68, D)`` float32 in the same frame.

    Raises:
        ValueError: the mesh does not have 478 points.
    """
    if mesh.ndim < 2 or mesh.shape[-2] != MESH_POINTS:
        raise ValueError(f"expected a mesh of {MESH_POINTS} points, got an array of shape {mesh.shape}")
    return np.asarray(_MATRIX @ mesh, dtype=np.float32)
