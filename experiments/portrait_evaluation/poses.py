"""The five moments of a talking face that are looked at: found in the landmarks that drive it, and a turned head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.head_motion import HeadMotion, poses
from lightning_modules.geometry.head_pose import OUTER_EYE_CORNERS, apply_pose
from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS, LID_PAIRS, NOSE_TIP
from lightning_modules.pipeline.landmark_driver_face import RestFace

Track = NDArray[np.floating[Any]]

POSES: Final = ("rest", "open", "closed", "turned", "blink")
"""At rest, an open vowel, lips closed after speech began, a turned head, eyes closed: in the order of the sheets."""

TITLES: Final = {
    "rest": "at rest",
    "open": "open vowel",
    "closed": "closed lips",
    "turned": "head turned",
    "blink": "blink",
}


REST_FRAME: Final = -1
"""Number of the pose of the photo itself, which need not occur in a track."""
TURNED_FRAME: Final = -2
"""Number of the pose of the photo with its head turned; speaking, it turns by 1 to 3 degrees, too little to see."""
TURN_DEGREES: Final = 12.0
"""How far it is turned."""


@dataclass(frozen=True)
class Pose:
    """A moment.

    Attributes:
        name: one of :data:`POSES`.
        frame: its number, from 0; :data:`REST_FRAME` at rest, :data:`TURNED_FRAME` where the head is turned.
        value: by which it was chosen: opening of the inner lips in outer-eye distances; yaw against the photo in
            degrees, positive to the viewer's right; opening of the lids in percent of that in the photo; 0 at rest.
    """

    name: str
    frame: int
    value: float

    @property
    def strength(self) -> float:
        """How much of what it is to show it shows; the larger, the better."""
        signed = {"open": self.value, "closed": -self.value, "blink": -self.value}
        return signed.get(self.name, 0.0)

    @property
    def caption(self) -> str:
        """Its name for a reader, with what tells how far a head turned or lids closed."""
        told = {"turned": f" {self.value:+.0f}°", "blink": f", lids {self.value:.0f} %"}
        return TITLES[self.name] + told.get(self.name, "")


def chosen_poses(track: Track, rest: Track) -> list[Pose]:
    """Find the moments of a track.

    The open vowel is where the inner lips are widest; lips count as closed where they are narrowest after they first
    opened half as wide as that; of frames that are equal the first is taken. Head turned: see :func:`turned_head`.

    Args:
        track: (T, 68, 3) landmarks, T at least 2, pixels, x right, y down, z towards the viewer.
        rest: (68, 3) those of the photo.

    Returns:
        In the order of :data:`POSES`.

    Raises:
        ValueError: the track or the face has another shape, or the track has one frame only.
    """
    if track.ndim != 3 or track.shape[1:] != (68, 3) or len(track) < 2 or rest.shape != (68, 3):
        found = f"{track.shape} and {rest.shape}"
        raise ValueError(f"a track of poses is (T, 68, 3) with T of at least 2, of a face (68, 3), not {found}")
    points, face = track.astype(np.float64), rest.astype(np.float64)
    lips = opening(points, INNER_LIP_PAIRS)
    lids = 100 * opening(points, LID_PAIRS) / opening(face[None], LID_PAIRS)
    widest = int(lips.argmax())
    began = int(np.argmax(lips >= (lips.min() + lips[widest]) / 2))
    after = range(began + 1, len(points)) if began + 1 < len(points) else range(len(points))
    closed = min(after, key=lambda frame: (lips[frame], frame))
    shut = int(lids.argmin())
    return [
        Pose("rest", REST_FRAME, 0.0),
        Pose("open", widest, float(lips[widest])),
        Pose("closed", closed, float(lips[closed])),
        Pose("turned", TURNED_FRAME, turn_of(face)),
        Pose("blink", shut, float(lids[shut])),
    ]


def opening(points: Track, pairs: tuple[tuple[int, int], ...]) -> NDArray[np.float64]:
    """Mean distance of pairs of points in each frame, in outer-eye distances.

    Args:
        points: (T, 68, 2 | 3).
        pairs: numbers of the points.
    """
    upper, lower = (list(side) for side in zip(*pairs, strict=True))
    right, left = OUTER_EYE_CORNERS
    plane = points[..., :2]
    gaps = np.linalg.norm(plane[:, upper] - plane[:, lower], axis=-1).mean(1)
    wide: NDArray[np.float64] = gaps / np.linalg.norm(plane[:, left] - plane[:, right], axis=-1)
    return wide


def turn_of(rest: Track) -> float:
    """Degrees by which a face (68, 3) is turned to be looked at: away from where it looks, which uncovers most."""
    right, left = OUTER_EYE_CORNERS
    to_the_right = rest[NOSE_TIP, 0] > (rest[right, 0] + rest[left, 0]) / 2
    return -TURN_DEGREES if to_the_right else TURN_DEGREES


def turned_head(rest: Track, degrees: float) -> NDArray[np.float32]:
    """A face (68, 3), in pixels, with its head turned about the neck, as the drivers of films turn it.

    Args:
        rest: landmarks of the photo.
        degrees: positive to the viewer's right.
    """
    face = RestFace.of(rest)
    still = np.zeros(1)
    motion = HeadMotion(still, np.radians([degrees]), still, np.zeros((1, 3)))
    turned: NDArray[np.float32] = face.to_pixels(apply_pose(face.local[None], poses(motion, face.closed)))[0]
    return turned.astype(np.float32)
