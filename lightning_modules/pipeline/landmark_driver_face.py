"""The photo's face as the landmark networks know faces: turned to the front, eyes 1 apart, lips closed.

Face units: outer-eye distance 1, origin midway between the outer eye corners, x right, y down, z towards the viewer.
The networks move a closed, frontal face; what they say is carried back to the photo's own place, size and tilt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.expression import closing_of
from lightning_modules.audio.face_axes import FLAT_BELOW
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.geometry.head_pose import face_frame

_Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RestFace:
    """A face at rest.

    Attributes:
        pixels: (68, 3) as given.
        local: (68, 3) the same in face units, turned to the front.
        closing: (68, 3) displacement in face units that brings parted lips together; 0 for closed ones.
        axes: (3, 3) columns are the face's x, y and z in the picture.
        unit: pixels of a face unit.
    """

    pixels: _Array
    local: _Array
    closing: _Array
    axes: _Array
    unit: float

    @classmethod
    def of(cls, face: NDArray[np.floating]) -> RestFace:
        """Find the frame of a face by its eye corners and its nose.

        Args:
            face: (68, 3) pixels; x right, y down, z towards the viewer. With z all alike (drawn or hand-placed
                landmarks) only the tilt within the picture is found, and depth is that of a frontal face.

        Raises:
            ValueError: the shape is another, a value is not finite, or the outer eye corners coincide.
        """
        pixels = np.asarray(face, np.float64)
        if pixels.shape != (68, 3) or not np.isfinite(pixels).all():
            raise ValueError(f"a face has (68, 3) finite landmarks, not {pixels.shape}")
        if float(np.linalg.norm(pixels[45, :2] - pixels[36, :2])) < 1e-6:
            raise ValueError("the outer eye corners of the face coincide")
        front = frontal_face()
        flat = float(np.ptp(pixels[:, 2])) < FLAT_BELOW * float(np.linalg.norm(pixels[45, :2] - pixels[36, :2]))
        if flat:
            plane = np.array([1.0, 1.0, 0.0])
            frame = face_frame(pixels * plane, front * plane)
            local = frame.to_face_units(pixels * plane)
            local[:, 2] = front[:, 2]
        else:
            frame = face_frame(pixels, front)
            local = frame.to_face_units(pixels)
        return cls(pixels, local, closing_of(local), frame.rotation.T, frame.unit)

    @property
    def closed(self) -> _Array:
        """(68, 3) the face with closed lips, face units: what the networks are given."""
        closed: _Array = self.local + self.closing
        return closed

    def to_pixels(self, landmarks: _Array) -> _Array:
        """Landmarks (T, 68, 3) in face units as pixels of the picture; ``local`` becomes ``pixels`` exactly."""
        moved: _Array = (landmarks - self.local) @ (self.unit * self.axes.T)
        return self.pixels + moved
