"""Where a head is: rigid registration of landmarks, poses as quaternion and translation, and the frame of a face.

Convention: landmarks (..., 68, 3), x right, y down, z towards the viewer, all three in one unit. A pose is 7 numbers:
unit quaternion (x, y, z, w), then translation in the unit of the landmarks. It moves a registered face to where the
head is: full = R(quaternion) @ registered + translation.

The points that expression hardly moves give the pose: nose bridge, nose base and eye corners, the "T-shape" of the
published speaker-aware branch. Registration is rigid, without scale. NumPy and SciPy only.
Source: Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976; reference: stage 1, 10.4.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

T_SHAPE: Final = (27, 28, 29, 30, 33, 36, 39, 42, 45)
"""Nose bridge, nose base and the four eye corners."""

OUTER_EYE_CORNERS: Final = (36, 45)

_Array = NDArray[np.floating]


class RigidMotion(NamedTuple):
    """target ≈ rotation @ source + translation.

    Attributes:
        rotation: (..., 3, 3) float64, determinant 1.
        translation: (..., 3) float64.
    """

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]


class RegisteredTrack(NamedTuple):
    """Landmarks without the head's movement, and that movement.

    Attributes:
        registered: (T, 68, 3) float64.
        pose: (T, 7) float64, quaternion (x, y, z, w) of continuous sign, and translation.
    """

    registered: NDArray[np.float64]
    pose: NDArray[np.float64]


def rigid_motion(source: _Array, target: _Array) -> RigidMotion:
    """Rotation and shift that lay points over points with the least squared distance; one SVD for the whole batch.

    Args:
        source: (..., K, 3), K at least 3, not all on one line.
        target: (..., K, 3), broadcast against the source.

    Returns:
        The motion; never a reflection.

    Raises:
        ValueError: the shapes do not fit, or a value is not finite.
    """
    first, second = np.broadcast_arrays(np.asarray(source, np.float64), np.asarray(target, np.float64))
    if first.ndim < 2 or first.shape[-1] != 3 or first.shape[-2] < 3:
        raise ValueError(f"points must be (..., K, 3) with K of at least 3, got {first.shape}")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("points hold values that are not finite")
    middle, place = first.mean(axis=-2, keepdims=True), second.mean(axis=-2, keepdims=True)
    u, _, vt = np.linalg.svd(np.swapaxes(second - place, -1, -2) @ (first - middle))
    sign = np.ones((*first.shape[:-2], 1, 3))
    sign[..., 0, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign) @ vt
    translation = place[..., 0, :] - (rotation @ np.swapaxes(middle, -1, -2))[..., 0]
    return RigidMotion(rotation, translation)


def rotation_of(quaternion: _Array) -> NDArray[np.float64]:
    """Rotation matrices (..., 3, 3) of quaternions (..., 4) in the order x, y, z, w; they need not have length 1.

    Raises:
        ValueError: a quaternion is zero or has another shape.
    """
    from scipy.spatial.transform import Rotation

    given = np.asarray(quaternion, np.float64)
    if given.shape[-1:] != (4,):
        raise ValueError(f"quaternions must be (..., 4), got {given.shape}")
    matrices: NDArray[np.float64] = (
        Rotation.from_quat(given.reshape(-1, 4)).as_matrix().reshape(*given.shape[:-1], 3, 3)
    )
    return matrices


def quaternion_of(rotation: _Array) -> NDArray[np.float64]:
    """Unit quaternions (T, 4), order x, y, z, w, of rotation matrices (T, 3, 3).

    The first has w >= 0; each further one has the sign that is nearer to the one before, so that a track of them can be
    interpolated and smoothed.
    """
    from scipy.spatial.transform import Rotation

    found: NDArray[np.float64] = Rotation.from_matrix(np.asarray(rotation, np.float64)).as_quat(canonical=True)
    flips = np.where((found[1:] * found[:-1]).sum(axis=1) < 0.0, -1.0, 1.0)
    found[1:] *= np.cumprod(flips)[:, None]
    return found


def register(track: _Array, static: _Array) -> RegisteredTrack:
    """Take the head's movement out of a track.

    Args:
        track: (T, 68, 3).
        static: (68, 3) the face whose T-shape every frame is laid over, in the same unit.

    Returns:
        Registered landmarks and poses; :func:`apply_pose` gives the track back.

    Raises:
        ValueError: a shape is wrong or a value is not finite.
    """
    landmarks, rest = np.asarray(track, np.float64), np.asarray(static, np.float64)
    if landmarks.ndim != 3 or landmarks.shape[1:] != (68, 3) or rest.shape != (68, 3):
        raise ValueError(f"expected a track (T, 68, 3) and a face (68, 3), got {landmarks.shape} and {rest.shape}")
    points = list(T_SHAPE)
    rotation, translation = rigid_motion(rest[points], landmarks[:, points])
    registered = (landmarks - translation[:, None]) @ rotation
    return RegisteredTrack(registered, np.concatenate([quaternion_of(rotation), translation], axis=1))


def apply_pose(registered: _Array, pose: _Array) -> NDArray[np.float64]:
    """Move registered landmarks to where the head is: R(quaternion) @ registered + translation.

    Args:
        registered: (T, 68, 3).
        pose: (T, 7).

    Returns:
        (T, 68, 3) float64 in the unit of the registered landmarks.
    """
    rotation = rotation_of(np.asarray(pose)[..., :4])
    moved: NDArray[np.float64] = np.asarray(registered, np.float64) @ np.swapaxes(rotation, -1, -2)
    return moved + np.asarray(pose, np.float64)[..., None, 4:]


def remove_pose(full: _Array, pose: _Array) -> NDArray[np.float64]:
    """Move landmarks back to where the head rests; the inverse of :func:`apply_pose`.

    Args:
        full: (T, 68, 3).
        pose: (T, 7).

    Returns:
        (T, 68, 3) float64.
    """
    back: NDArray[np.float64] = np.asarray(full, np.float64) - np.asarray(pose, np.float64)[..., None, 4:]
    return back @ rotation_of(np.asarray(pose)[..., :4])


class FaceFrame(NamedTuple):
    """From the unit and place of some landmarks to face units.

    Attributes:
        origin: (3,) what becomes 0: midway between the outer eye corners.
        unit: what becomes 1: the distance of the outer eye corners.
        rotation: (3, 3) turns the face to the front.
    """

    origin: NDArray[np.float64]
    unit: float
    rotation: NDArray[np.float64]

    def to_face_units(self, landmarks: _Array) -> NDArray[np.float64]:
        """Landmarks (..., 68, 3) in face units."""
        moved: NDArray[np.float64] = (np.asarray(landmarks, np.float64) - self.origin) / self.unit
        return moved @ self.rotation.T

    def from_face_units(self, landmarks: _Array) -> NDArray[np.float64]:
        """Landmarks (..., 68, 3) in face units, in the unit and place of those that the frame was made from."""
        turned: NDArray[np.float64] = np.asarray(landmarks, np.float64) @ self.rotation
        return turned * self.unit + self.origin


def face_frame(static: _Array, frontal: _Array | None = None) -> FaceFrame:
    """Find the frame in which a face has outer-eye distance 1 and its origin midway between the outer eye corners.

    Args:
        static: (68, 3) the face at rest; x right, y down, z towards the viewer.
        frontal: (68, 3) a face seen from the front, in any unit; the static face is turned so that its T-shape lies
            over that one's. None leaves the orientation as it is.

    Raises:
        ValueError: a shape is wrong, a value is not finite, or the eye corners coincide.
    """
    points = np.asarray(static, np.float64)
    if points.shape != (68, 3) or not np.isfinite(points).all():
        raise ValueError(f"a face has (68, 3) finite landmarks, got {points.shape}")
    corners = points[list(OUTER_EYE_CORNERS)]
    unit = float(np.linalg.norm(corners[1] - corners[0]))
    if unit < 1e-9:
        raise ValueError("the outer eye corners coincide")
    rotation = np.eye(3)
    if frontal is not None:
        shape = list(T_SHAPE)
        front = face_frame(frontal).to_face_units(frontal)
        rotation = rigid_motion((points[shape] - corners.mean(axis=0)) / unit, front[shape]).rotation
    return FaceFrame(corners.mean(axis=0), unit, rotation)
