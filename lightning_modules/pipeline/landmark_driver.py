"""The trained driver: speech moves a face through the networks of stage 1, at any length and frame rate.

The content branch is asked at every feature frame, and its answers are smoothed before they are read at the output
frames. The speaker-aware branch, where the model has one, is asked in segments of 8.2 s that overlap by 2 s and are
faded into each other; without it the head follows the model of :mod:`lightning_modules.audio.head_motion`. Blinks are
of their own seed. What the published system does instead is :mod:`.landmark_driver_published`.

Differences from it (reference §15, B5 to B12): nothing is calibrated or smoothed segment by segment, the last frames
exist, the mouth is measured against what the network says of this recording's pauses, pauses close it, and lips that
nearly meet do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.blinks import BLINKS_PER_MINUTE, blink_times, close_lids
from lightning_modules.audio.content_features import ContentFeature
from lightning_modules.audio.expression import HeadPose, keep_apart, rotation
from lightning_modules.audio.head_motion import FRAMES_PER_SECOND, HeadMotion, head_motion, poses
from lightning_modules.audio.idle_motion import brow_raises, lid_closure
from lightning_modules.audio.loading import Speech
from lightning_modules.audio.track import LandmarkTrack
from lightning_modules.errors import ConfigError
from lightning_modules.export.landmark_model_file import LandmarkModel
from lightning_modules.geometry.head_pose import apply_pose
from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS, JAW, LID_PAIRS, LIPS
from lightning_modules.geometry.smoothing import smooth_track
from lightning_modules.pipeline.frame_rate import exact_frame_rate, frame_count
from lightning_modules.pipeline.landmark_driver_face import RestFace
from lightning_modules.pipeline.landmark_driver_hearing import Heard, hear
from lightning_modules.pipeline.landmark_driver_motion import content_motion, speaker_motion
from lightning_modules.pipeline.lip_contact import close_small_openings

SETTLE_SECONDS = 0.2
"""A video begins in the photo's own pose; within this time parted lips come together."""

HEAD_SETTLE_SECONDS = 0.8
"""Within this time the head leaves the photo's pose."""

HEAD_SHARE = 0.4
"""Of the head motion's model (3 degrees of yaw, 2 of pitch). At this share eyes, nose and ears move 0.3 to 0.5 % of the
outer-eye distance from frame to frame; those of eight recorded speakers (GRID) move 0.2 to 0.5 %. Renderers that bend
one photo show little more well."""

LEAST_GAP_PIXELS, LEAST_GAP_SHARE = 0.35, 0.0035
"""Inner lips and lids stay this far apart, in pixels and in outer-eye distances, whichever is more."""

MOUTH_SECONDS, UPPER_FACE_SECONDS = 0.08, 0.24
"""Windows of the last smoothing, the published ones: of lips and jaw (from 38 frames a second on), and of the rest."""

_FRAMES_AT_ONCE = 1024
_Array = NDArray[np.float64]


@dataclass(frozen=True)
class DriverGains:
    """How strongly each part moves; 1 is natural, 0 holds it still.

    Attributes:
        mouth_x: how far the lips spread and round.
        mouth_y: how far the mouth opens.
        head: how far the head sways and nods.
        brows: how far the brows move.
        blink_rate: blinks per minute; 0 keeps the eyes open.

    Raises:
        ConfigError: a value is negative or not finite.
    """

    mouth_x: float = 1.0
    mouth_y: float = 1.0
    head: float = 1.0
    brows: float = 1.0
    blink_rate: float = 15.0

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not (math.isfinite(value) and value >= 0.0):
                raise ConfigError(f"the motion gain '{one.name}' is {value}", "choose a number from 0")


class LandmarkDriver:
    """Moves the landmarks of a face with a recording, by a trained model.

    Args:
        model: the networks and what they hear.
        seed: of blinks, and of the head where the model has no speaker-aware branch; not negative.
        gains: how strongly each part moves.
        content: makes the content feature; None for models that hear the log-mel.

    Attributes:
        notes: what the user should know about the last recording.

    Raises:
        ConfigError: the seed is negative.
    """

    name = "trained"

    def __init__(
        self,
        model: LandmarkModel,
        seed: int = 0,
        gains: DriverGains | None = None,
        content: ContentFeature | None = None,
    ) -> None:
        if seed < 0:
            raise ConfigError(f"the seed is {seed}", "choose 0 or a positive whole number")
        self.model, self.seed, self.gains, self.content = model, seed, gains or DriverGains(), content
        self.notes: tuple[str, ...] = ()

    def drive(self, speech: Speech, face: NDArray[np.floating], fps: float) -> LandmarkTrack:
        """Move a face with a recording.

        Args:
            speech: the recording, of any length.
            face: (68, 3) landmarks at rest; x right, y down, z towards the viewer, pixels. It may be tilted or turned;
                its lips may be parted, and meet in pauses then.
            fps: frames per second; 29.97 and the like mean the broadcast rates.

        Returns:
            ``round(duration · fps)`` frames, at least one, in the units of ``face``; frame k is for k / fps seconds.

        Raises:
            ConfigError: ``fps`` is no frame rate, or the model hears a feature that nothing makes.
            ValueError: ``face`` is not (68, 3) or not finite.
        """
        rest = RestFace.of(face)
        times = np.arange(frame_count(speech.duration, fps)) / float(exact_frame_rate(fps))
        heard = hear(speech, self.model, self.content)
        self.notes = heard.notes
        moved = self.articulate(heard, rest.closed, times)
        smooth_motion(moved, float(fps))
        close_small_openings(moved, rest.closed, self.model.training.gains.contact)
        if self.model.speaker_branch is not None:
            gain = self.gains.head * self.model.training.gains.head
            if gain > 0.0:
                speaker_motion(moved, self.model, heard, times, gain)
        self._compose(moved, heard, rest, times, speech.duration)
        return LandmarkTrack(moved, float(fps))

    def articulate(self, heard: Heard, static: NDArray[np.floating], times: _Array) -> NDArray[np.float32]:
        """What the content branch says, calibrated, with gains, closed in pauses.

        Args:
            heard: the recording.
            static: (68, 3) the face with closed lips, face units.
            times: (N,) seconds.

        Returns:
            (N, 68, 3) displacements from ``static``, face units.
        """
        moved = content_motion(self.model, heard, static, times)
        natural, gains = self.model.training.gains, self.gains
        lips, jaw = list(LIPS), list(JAW)
        moved[:, lips, 0] *= natural.mouth_x * gains.mouth_x
        moved[:, lips, 1] *= natural.mouth_y * gains.mouth_y
        moved[:, jaw, 1] *= natural.mouth_y * gains.mouth_y
        moved[:, 17:27] *= gains.brows
        return moved

    def _compose(self, moved: NDArray[np.float32], heard: Heard, rest: RestFace, times: _Array, seconds: float) -> None:
        """From displacements in face units to pixels, in place."""
        prosody, gains = heard.prosody, self.gains
        blinks = blink_times(prosody, seconds, seed=self.seed, rate=gains.blink_rate / BLINKS_PER_MINUTE)
        motion = self._head(heard, times)
        raised = gains.brows * brow_raises(self.seed, np.array(prosody.accents), times)
        least = max(LEAST_GAP_PIXELS, LEAST_GAP_SHARE * rest.unit) + 1e-3  # so that float32 keeps it
        for start in range(0, len(times), _FRAMES_AT_ONCE):
            part = slice(start, start + _FRAMES_AT_ONCE)
            settled = _smooth_step(times[part] / SETTLE_SECONDS)[:, None, None]
            landmarks = rest.local + settled * rest.closing + moved[part]
            landmarks[:, 17:27, 1] -= raised[part, None]
            landmarks = close_lids(landmarks, lid_closure(blinks, times[part]))
            head = HeadMotion(motion.pitch[part], motion.yaw[part], motion.roll[part], motion.shift[part])
            still = np.zeros(len(head))
            down = (rotation(HeadPose(head.pitch, head.yaw, head.roll, still, still))[:, :, 1] @ rest.axes.T)[:, :2]
            down /= np.linalg.norm(down, axis=1, keepdims=True)
            points = rest.to_pixels(apply_pose(landmarks, poses(head, rest.closed)))
            keep_apart(points, down, least, (*INNER_LIP_PAIRS, *LID_PAIRS))
            moved[part] = points

    def _head(self, heard: Heard, times: _Array) -> HeadMotion:
        """The head over the output frames; still where the speaker-aware branch moves it."""
        gain = 0.0 if self.model.speaker_branch is not None else self.gains.head
        if gain == 0.0:
            still = np.zeros(len(times))
            return HeadMotion(still, still, still, np.zeros((len(times), 3)))
        count = math.ceil(times[-1] * FRAMES_PER_SECOND) + 2
        made = head_motion(heard.prosody, count, seed=self.seed, from_rest=True).scaled(HEAD_SHARE * gain)
        clock = np.arange(count) / FRAMES_PER_SECOND
        start = _smooth_step(times / HEAD_SETTLE_SECONDS)

        def at(values: _Array) -> _Array:
            read: _Array = start * np.interp(times, clock, values)
            return read

        shift = np.stack([at(made.shift[:, axis]) for axis in range(3)], axis=1)
        return HeadMotion(at(made.pitch), at(made.yaw), at(made.roll), shift)


def smooth_motion(moved: NDArray[np.float32], fps: float) -> None:
    """Smooth displacements over time, in place, few points at a time: polynomials of order 3 (Savitzky and Golay).

    The windows are those of the published chain in seconds; where one holds no more than 3 frames, nothing changes.

    Args:
        moved: (N, 68, 3).
        fps: frames per second.
    """
    mouth = [*JAW, *LIPS]
    rest = [point for point in range(68) if point not in mouth]
    for points, seconds in ((mouth, MOUTH_SECONDS), (rest, UPPER_FACE_SECONDS)):
        window = 2 * round((seconds * fps - 1.0) / 2.0) + 1
        if window > 3:
            for first in range(0, len(points), 8):
                some = points[first : first + 8]
                moved[:, some] = smooth_track(moved[:, some], window, 3)


def _smooth_step(phase: _Array) -> _Array:
    clipped = np.clip(phase, 0.0, 1.0)
    return clipped * clipped * (3.0 - 2.0 * clipped)
