"""Depth for landmarks that come without it: the pose of an average face is fitted to them, and its depth is taken.

The average face is :func:`lightning_modules.audio.face_axes.average_face`. It is seen by a scaled orthographic
camera, that is without perspective: ``point = scale · R[:2] · model + shift``. The best affine camera is found by
weighted least squares and brought to the nearest rotation and scale by singular values; ``z = scale · R[2] · model``
then, so a turned head gets the depth of a turned head. What the fit leaves over (a long chin, a caricature) changes x
and y only.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lightning_modules.geometry.landmark_groups import JAW, LEFT_BROW, LIPS, RIGHT_BROW


def with_depth(points: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Add z to 68 landmarks.

    Args:
        points: ``(68, 2)`` pixels, x right, y down.

    Returns:
        ``(68, 3)`` float32: the same x and y, z in the same pixels, positive towards the viewer, 0 between the outer
        eye corners.

    Raises:
        ValueError: another shape, or the points lie on one line.
    """
    from lightning_modules.audio.face_axes import average_face

    flat = np.asarray(points, dtype=np.float64)
    model = average_face()
    if flat.shape != (len(model), 2):
        raise ValueError(f"expected landmarks of shape (68, 2), got {flat.shape}")
    weight = np.ones(len(model))
    weight[[*JAW, *RIGHT_BROW, *LEFT_BROW]] = 0.3  # the outline and what expression moves tell less about the pose
    weight[list(LIPS)] = 0.2
    share = (weight / weight.sum())[:, None]
    centred, moved = model - (share * model).sum(0), flat - (share * flat).sum(0)
    camera = np.linalg.lstsq(np.sqrt(share) * centred, np.sqrt(share) * moved, rcond=None)[0].T
    u, singular, vt = np.linalg.svd(camera, full_matrices=False)
    if singular[1] < 1e-6 * max(singular[0], 1e-12) or not np.isfinite(singular).all():
        raise ValueError("the landmarks lie on one line or at one place")
    rows = u @ vt
    depth_axis = np.cross(rows[0], rows[1])  # the third row of a proper rotation
    z = float(singular.mean()) * (model @ depth_axis)
    z -= (z[36] + z[45]) / 2
    return np.concatenate([flat, z[:, None]], axis=1).astype(np.float32)
