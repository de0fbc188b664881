"""A face seen exactly from the front, with true depth: what "frontal" means for landmarks that have a depth.

The 68 points of the neutral face of ICT-FaceKit, in face units (outer-eye distance 1, origin between the outer eye
corners, x right, y down, z towards the viewer). Frontal portraits measured with a face mesh lie within 3.4 degrees of
it; the flatter average face of :mod:`lightning_modules.audio.face_axes` would tilt them by 17.

ICT-FaceKit (https://github.com/ICT-VGL/ICT-FaceKit): copyright (c) 2020 USC Institute for Creative Technologies, MIT
licence, whose text is that of the file LICENSE beside this package with this copyright line.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

# fmt: off
_POINTS: Final = (
    (-0.826, -0.027, -0.555), (-0.816, 0.218, -0.525), (-0.778, 0.437, -0.456), (-0.735, 0.649, -0.385),
    (-0.642, 0.888, -0.278), (-0.482, 1.081, -0.141), (-0.342, 1.160, 0.019), (-0.172, 1.199, 0.187),
    (0.000, 1.233, 0.205), (0.172, 1.199, 0.187), (0.342, 1.160, 0.019), (0.482, 1.081, -0.141),
    (0.642, 0.888, -0.278), (0.735, 0.649, -0.385), (0.778, 0.437, -0.456), (0.816, 0.218, -0.525),
    (0.826, -0.027, -0.555), (-0.652, -0.198, -0.078), (-0.553, -0.285, 0.043), (-0.425, -0.317, 0.137),
    (-0.271, -0.309, 0.211), (-0.131, -0.278, 0.238), (0.131, -0.278, 0.238), (0.271, -0.309, 0.211),
    (0.425, -0.317, 0.137), (0.553, -0.285, 0.043), (0.652, -0.198, -0.078), (0.000, -0.035, 0.239),
    (0.000, 0.089, 0.327), (0.000, 0.204, 0.415), (0.000, 0.339, 0.501), (-0.141, 0.513, 0.254),
    (-0.068, 0.512, 0.316), (0.000, 0.520, 0.332), (0.068, 0.512, 0.316), (0.141, 0.513, 0.254),
    (-0.500, 0.000, 0.000), (-0.434, -0.050, 0.085), (-0.312, -0.057, 0.104), (-0.207, 0.020, 0.066),
    (-0.306, 0.039, 0.091), (-0.432, 0.040, 0.070), (0.207, 0.020, 0.066), (0.312, -0.057, 0.104),
    (0.434, -0.050, 0.085), (0.500, 0.000, 0.000), (0.432, 0.040, 0.070), (0.306, 0.039, 0.091),
    (-0.284, 0.780, 0.178), (-0.191, 0.696, 0.294), (-0.082, 0.656, 0.351), (0.000, 0.663, 0.363),
    (0.082, 0.656, 0.351), (0.191, 0.696, 0.294), (0.284, 0.780, 0.178), (0.202, 0.840, 0.257),
    (0.116, 0.867, 0.312), (0.000, 0.876, 0.330), (-0.116, 0.867, 0.312), (-0.202, 0.840, 0.257),
    (-0.248, 0.776, 0.171), (-0.112, 0.755, 0.279), (0.000, 0.758, 0.300), (0.112, 0.755, 0.279),
    (0.248, 0.776, 0.171), (0.120, 0.764, 0.273), (0.000, 0.766, 0.297), (-0.120, 0.764, 0.273),
)
# fmt: on


def frontal_face() -> NDArray[np.float64]:
    """The points of the frontal face, lips closed: (68, 3), face units."""
    return np.array(_POINTS, dtype=np.float64)
