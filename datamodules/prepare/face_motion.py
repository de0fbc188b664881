"""From detected landmarks of one face to the motion that a speech record holds, and the sound of the same stretch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from datamodules.prepare.speech_record import FRAMES_PER_SECOND, SAMPLE_RATE
from datamodules.prepare.video_tracks import VIDEO_RATE
from lightning_modules.errors import AudioError
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.geometry.head_pose import face_frame, register, remove_pose
from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS
from lightning_modules.geometry.smoothing import resample_track, smooth_track

_POSE_SMOOTHING: Final = (5, 2)  # window and order; for the head alone: lips are faster than that


@dataclass(frozen=True, eq=False)
class FaceMotion:
    """The motion of a detected face, as a record holds it.

    Attributes:
        registered: (T, 68, 3) float32 face units, head pose removed; blinks are in it.
        pose: (T, 7) float32.
        static: (68, 3) float32 the face at rest: the frame with the smallest mouth opening.
        eye_distance: of the static face, pixels.
    """

    registered: npt.NDArray[np.float32]
    pose: npt.NDArray[np.float32]
    static: npt.NDArray[np.float32]
    eye_distance: float


def face_motion(landmarks: npt.NDArray[np.floating], count: int) -> FaceMotion:
    """Register a detected track and bring it to 62.5 frames a second.

    The pose is that of the smoothed track, so that the trembling of the T-shape does not get into the lips; the lips
    themselves are not smoothed.

    Args:
        landmarks: (K, 68, 3) pixels, 25 frames a second.
        count: frames wanted, T; beyond the last video frame it is held.
    """
    points = np.asarray(landmarks, np.float64)
    steady = np.asarray(smooth_track(points, *_POSE_SMOOTHING), np.float64)
    rest = points[int(np.argmin(mouth_opening(points)))]
    frame = face_frame(rest, frontal_face())
    static = frame.to_face_units(rest)
    pose = register(frame.to_face_units(steady), static).pose
    registered = remove_pose(frame.to_face_units(points), pose)
    wanted = np.asarray(resample_track(registered, VIDEO_RATE, FRAMES_PER_SECOND, count), np.float32)
    poses = resample_track(pose, VIDEO_RATE, FRAMES_PER_SECOND, count)
    poses[:, :4] /= np.linalg.norm(poses[:, :4], axis=1, keepdims=True)
    return FaceMotion(wanted, np.asarray(poses, np.float32), np.asarray(static, np.float32), frame.unit)


def mouth_opening(landmarks: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the mean distance in x and y of the three pairs of inner lip points, (...,), of landmarks (..., 68, 3).

    The published set-up adds the areas of triangles from point 60 without their signs (§10.1); for lips that are curved
    when closed, that sum is smallest when the mouth is a little open.
    """
    upper, lower = (list(points) for points in zip(*INNER_LIP_PAIRS, strict=True))
    apart = landmarks[..., lower, :2] - landmarks[..., upper, :2]
    return np.asarray(np.hypot(apart[..., 0], apart[..., 1]).mean(axis=-1))


def sound_of(path: Path, first: int, stop: int) -> npt.NDArray[np.int16]:
    """Return the sound of a stretch of a video, 16 kHz mono.

    The difference of the time stamps of sound and picture is made up for; what the sound does not cover is silent.

    Args:
        path: of the video.
        first: number of the first frame at 25 frames a second.
        stop: number of the frame after the last.

    Raises:
        AudioError: there is no sound, or it ends before the stretch begins.
    """
    from lightning_modules.audio.loading import read_speech
    from lightning_modules.audio.loudness import to_int16

    samples = to_int16(read_speech(path).samples)
    begin = round((first / VIDEO_RATE - sound_delay(path)) * SAMPLE_RATE)
    count = round((stop - first) / VIDEO_RATE * SAMPLE_RATE)
    heard = samples[max(begin, 0) : max(begin + count, 0)]
    if len(heard) < count // 2:
        raise AudioError("the sound does not cover the picture", "give videos with sound all through", path)
    before = max(-begin, 0)
    return np.pad(heard, (before, count - len(heard) - before))


def sound_delay(path: Path) -> float:
    """Return by how many seconds the sound of a video begins after its picture; 0 where time stamps are missing."""
    import av

    with av.open(str(path)) as container:
        if not container.streams.video or not container.streams.audio:
            return 0.0
        begins = [
            float(stream.start_time * stream.time_base)
            for stream in (container.streams.video[0], container.streams.audio[0])
            if stream.start_time is not None and stream.time_base is not None
        ]
    return begins[1] - begins[0] if len(begins) == 2 else 0.0
