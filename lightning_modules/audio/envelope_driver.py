"""The envelope driver: a face moved by the loudness of a voice. The sanity baseline of stage 1.

It hears how loud the voice is and how bright, and nothing else: no phonemes, no words, no training. What it promises is
what every better driver must also reach: the mouth opens with the voice and not beside it, closes in silence, lips
never cross, the head stays alive, and the same seed gives the same motion. A trained network takes its place later.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio import idle_motion as idle
from lightning_modules.audio.expression import Expression, HeadPose, displacements, keep_apart, rotation, turn_head
from lightning_modules.audio.face_axes import FaceAxes, face_axes
from lightning_modules.audio.loading import Speech
from lightning_modules.audio.mouth_envelope import mouth_envelope, smooth
from lightning_modules.audio.speech_energy import RATE, speech_energy
from lightning_modules.audio.track import LandmarkTrack
from lightning_modules.pipeline.frame_rate import exact_frame_rate, frame_count

SETTLE_SECONDS = 0.2
"""A video begins in the photo's own pose; within this time the mouth takes its place."""

LEAST_GAP_PIXELS, LEAST_GAP_SHARE = 0.35, 0.0035
"""Inner lips and lids stay this far apart, in pixels and in outer-eye distances, whichever is more."""

_FRAMES_AT_ONCE = 512


class EnvelopeDriver:
    """Moves the landmarks of a face with a recording.

    Args:
        seed: of sway, nods, brows and blinks; not negative.
        jaw: how far the mouth opens; 1 is natural, 0 keeps it closed.
        lips: how far the lips spread, round and part beside the jaw; 1 is natural.
        head: how far the head sways and nods; 1 is natural (yaw and pitch together about 2.5 degrees rms), 0 is still.
        brows: how far the brows rise at accents; 1 is natural.
        blink_rate: blinks per minute; 0 keeps the eyes open.

    Raises:
        ValueError: a gain or the rate is negative or not finite, or the seed is negative.
    """

    name = "envelope"

    def __init__(
        self,
        seed: int = 0,
        *,
        jaw: float = 1.0,
        lips: float = 1.0,
        head: float = 1.0,
        brows: float = 1.0,
        blink_rate: float = 15.0,
    ) -> None:
        if seed < 0 or not all(math.isfinite(gain) and gain >= 0 for gain in (jaw, lips, head, brows, blink_rate)):
            raise ValueError("seed, gains and blink rate are finite and not negative")
        self.seed, self.jaw, self.lips, self.head, self.brows = seed, jaw, lips, head, brows
        self.blink_rate = blink_rate

    def drive(self, speech: Speech, face: NDArray[np.floating], fps: float) -> LandmarkTrack:
        """Move a face with a recording.

        The first frame is the face as given; in silence its lips come together. Lips that are parted in the photo
        (a smile) meet between where they were. Works on faces that are tilted or turned, in the face's own axes; faces
        without depth (z all alike) are moved as if they had the depth of the average face.

        Args:
            speech: the recording.
            face: (68, 3) landmarks at rest; x right, y down, z towards the viewer, pixels.
            fps: frames per second; 29.97 and the like mean the broadcast rates.

        Returns:
            ``round(duration · fps)`` frames, at least one, in the units of ``face``; frame k is for k / fps seconds.

        Raises:
            ConfigError: ``fps`` is no frame rate.
            ValueError: ``face`` is not (68, 3) or not finite.
        """
        axes = face_axes(face)
        times = np.arange(frame_count(speech.duration, fps)) / float(exact_frame_rate(fps))
        expression, pose = self._motion(speech, times)
        rest = np.asarray(face, dtype=np.float64)
        track = np.empty((len(times), 68, 3), dtype=np.float32)
        for start in range(0, len(times), _FRAMES_AT_ONCE):
            stop = start + _FRAMES_AT_ONCE
            track[start:stop] = _pixels(rest, axes, expression.part(start, stop), pose.part(start, stop))
        return LandmarkTrack(track, float(fps))

    def _motion(self, speech: Speech, times: NDArray[np.float64]) -> tuple[Expression, HeadPose]:
        """What face and head do at each of the times."""
        mouth = mouth_envelope(speech_energy(speech.samples))
        clock = np.arange(len(mouth.jaw)) / RATE
        moments, silences = idle.accents(mouth.loudness), idle.pauses(mouth.loudness)
        start = _smooth_step(times / SETTLE_SECONDS)
        blinks = idle.blink_times(self.seed, self.blink_rate, speech.duration, moments, silences)
        noise = idle.sway(self.seed, idle.BROWS, idle.BROW_NOISE, times)
        expression = Expression(
            jaw=start * self.jaw * np.interp(times, clock, mouth.jaw),
            width=start * self.lips * np.interp(times, clock, mouth.width),
            bare=start * self.lips * np.interp(times, clock, mouth.bare),
            closing=start,
            blink=idle.lid_closure(blinks, times),
            brows=self.brows * (idle.brow_raises(self.seed, moments, times) + noise) * start,
        )
        # Heads move less in long pauses.
        lively = np.interp(times, clock, 0.6 + 0.4 * np.minimum(2.0 * smooth(mouth.loudness, 0.8), 1.0)) * self.head

        def sway(purpose: int, deviation: float) -> NDArray[np.float64]:
            moved: NDArray[np.float64] = lively * idle.sway(self.seed, purpose, deviation, times)
            return moved

        nodding = self.head * idle.nods(self.seed, moments, times) * start
        pose = HeadPose(
            pitch=sway(idle.PITCH, math.radians(idle.PITCH_DEGREES)) + nodding,
            yaw=sway(idle.YAW, math.radians(idle.YAW_DEGREES)),
            roll=sway(idle.ROLL, math.radians(idle.ROLL_DEGREES)),
            right=sway(idle.RIGHT, idle.SHIFT_RIGHT),
            down=sway(idle.DOWN, idle.SHIFT_DOWN),
        )
        return expression, pose


def _pixels(rest: NDArray[np.float64], axes: FaceAxes, expression: Expression, pose: HeadPose) -> NDArray[np.float64]:
    """Compose some frames: expression first, then the head about the neck, seen in orthographic projection."""
    least = max(LEAST_GAP_PIXELS, LEAST_GAP_SHARE * axes.unit) + 1e-3  # so that float32 keeps it
    moved = displacements(axes.local, expression, least / axes.unit)
    points = rest + axes.to_pixels(turn_head(axes.local, moved, pose))
    down = (rotation(pose)[:, :, 1] @ axes.axes.T)[:, :2]
    keep_apart(points, down / np.linalg.norm(down, axis=1, keepdims=True), least)
    return points


def _smooth_step(phase: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(phase, 0.0, 1.0)
    return clipped * clipped * (3.0 - 2.0 * clipped)
