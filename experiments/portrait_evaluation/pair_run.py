"""One photo that says one utterance, by every method: the frames that are looked at and those that are measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from experiments.evaluation.drawn_landmarks import in_colour
from experiments.evaluation.measuring import Measurer, Truth
from experiments.evaluation.results import Result, ResultFolder
from experiments.portrait_evaluation.pair_figures import at_rest, identity_distance, lines_tracked, shown_motion
from experiments.portrait_evaluation.poses import REST_FRAME, TURNED_FRAME, Pose, chosen_poses, turn_of, turned_head
from experiments.portrait_evaluation.still_scene import PhotoScene, SomeFrames
from lightning_modules.errors import InkspeakError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from experiments.evaluation.clips import Pixels
    from experiments.evaluation.methods import Method
    from experiments.evaluation.scene import Tools
    from experiments.portrait_evaluation.inputs import NamedFile
    from lightning_modules.losses.identity import FaceFeatures

MOST_FRAMES = 50
"""Consecutive frames that are measured, two seconds at 25 a second."""
EDITION = 4
"""Raised whenever the same photo and utterance would give another result."""


class PairRun:
    """Draws and measures one photo and utterance.

    The same frames for every method: the first ``settings.frames`` of the track, which are measured and written as a
    video, and the moments that are looked at, wherever they are.

    Args:
        photo: the photo.
        speech: the utterance.
        folder: for the results.
        tools: of the evaluation.
        measurer: measures; its finder looks for the face in drawings.
        features: of the starter's identity loss.
        marks: what all results are made with.
        cache: folder for portraits.
    """

    def __init__(
        self,
        photo: NamedFile,
        speech: NamedFile,
        folder: Path,
        *,
        tools: Tools,
        measurer: Measurer,
        features: FaceFeatures,
        marks: dict[str, Any],
        cache: Path | None = None,
    ) -> None:
        self.photo, self.utterance, self.folder = photo, speech, ResultFolder(folder)
        self.tools, self.measurer, self.features = tools, measurer, features
        self._marks = marks
        self.scene = PhotoScene(photo, speech, tools, cache)

    @cached_property
    def marks(self) -> dict[str, Any]:
        """What every result of the pair is made with.

        Raises:
            InkspeakError: photo or utterance cannot be read.
        """
        own = {"portraits": EDITION, "photo": self.photo.mark(), "speech": self.utterance.mark()}
        return {**self._marks, **own}

    @cached_property
    def window(self) -> int:
        """How many frames are measured.

        Raises:
            InkspeakError: the utterance is shorter than two frames.
        """
        count = min(len(self.scene.whole.track), self.tools.settings.frames or MOST_FRAMES)
        if count < 2:
            raise InkspeakError("it lasts for one frame", "give longer speech", self.utterance.path)
        return count

    @cached_property
    def poses(self) -> list[Pose]:
        """The moments that are looked at."""
        return chosen_poses(self.scene.whole.track.landmarks, self.face)

    @cached_property
    def face(self) -> NDArray[np.float32]:
        """The photo's own landmarks, (68, 3)."""
        return self.scene.whole.portrait.landmarks.cpu().numpy().astype(np.float32)

    @cached_property
    def frames(self) -> list[int]:
        """Numbers of all frames that are drawn: the measured ones, then what is only looked at."""
        return [*range(self.window), *sorted({pose.frame for pose in self.poses} - set(range(self.window)))]

    @cached_property
    def shown(self) -> SomeFrames:
        """What the methods are shown."""
        track = self.scene.whole.track.landmarks
        made = {REST_FRAME: self.face, TURNED_FRAME: turned_head(self.face, turn_of(self.face))}
        poses = [made[number] if number in made else track[number] for number in self.frames]
        return SomeFrames(self.scene, np.stack(poses))

    @cached_property
    def static(self) -> Pixels:
        """The static drawing, (S, S, C)."""
        from torch.nn import functional

        from lightning_modules.pipeline.portrait import image_array

        portrait = self.scene.whole.portrait
        static: Pixels = image_array(functional.avg_pool2d(portrait.drawing, portrait.detail))[0]
        return static

    @cached_property
    def rest(self) -> dict[str, float]:
        """What the detector makes of the static drawing."""
        return at_rest(self.measurer.finder, self.static, self.face[:, :2])

    @cached_property
    def truth(self) -> Truth:
        """What the measures are told: the landmarks asked for, and when nobody speaks."""
        from lightning_modules.metrics.silent_mouth import silent_frames, sound_levels

        whole, fps = self.scene.whole, self.tools.settings.fps
        asked = np.ascontiguousarray(whole.track.landmarks[: self.window, :, :2], np.float32)
        silent = silent_frames(sound_levels(self.scene.speech.samples, len(whole.track), fps), fps)[: self.window]
        found = self.measurer.finder.track(in_colour(self.static)[None])[0]
        return Truth(asked, silent, None, (self.static, found))

    def run(self, methods: Sequence[Method], watch: Callable[[str], None] = lambda _: None) -> dict[str, Result]:
        """Draw and measure; what is finished already is not done again.

        Args:
            methods: all of them.
            watch: told what is done next.

        Returns:
            The result of each; where one failed it says why.

        Raises:
            OutputError: a result cannot be written.
        """
        return {method.name: self._result(method, watch) for method in methods}

    def _result(self, method: Method, watch: Callable[[str], None]) -> Result:
        try:
            marks = {**self.marks, "method": method.name, **method.marks(self.scene.clip)}
            done = self.folder.finished(method.name, marks)
            if done is not None:
                return done
            watch(method.name)
            result = self._made(method, marks)
        except InkspeakError as error:
            return Result({}, failed=" ".join(str(error).split()))
        self.folder.write(method.name, result)
        return result

    def _made(self, method: Method, marks: dict[str, Any]) -> Result:
        start = time.perf_counter()
        with torch.inference_mode():
            frames = np.stack(list(method.make(self.shown).frames))
        drawn = time.perf_counter()
        measured, asked = frames[: self.window], self.truth.landmarks
        told = self.measurer.measure(measured, self.truth, asked=asked)
        more = shown_motion(told.landmarks, asked, frames.shape[1])
        rest = self.face[:, :2]
        more |= lines_tracked(self.static, rest, measured, asked)
        more["identity_distance"] = identity_distance(self.features, measured, asked, self.static, rest)
        figures = told.figures | {
            name: None if np.isnan(value) else value for name, value in (more | self.rest).items()
        }
        self._write_video(method.name, measured)
        seconds = {"making": drawn - start, "measuring": time.perf_counter() - drawn}
        return Result(marks, figures, None, seconds, {"features": told.features, **self._looked_at(frames)})

    def _looked_at(self, frames: Pixels) -> dict[str, Any]:
        place = {number: index for index, number in enumerate(self.frames)}
        return {
            "poses": np.stack([frames[place[pose.frame]] for pose in self.poses]),
            "pose_frames": np.array([pose.frame for pose in self.poses]),
            "pose_values": np.array([pose.value for pose in self.poses]),
            "photo": np.asarray(self.shown.filmed.pictures[0]),
            "static": self.static,
        }

    def _write_video(self, name: str, frames: Pixels) -> None:
        from lightning_modules.pipeline.video_writer import VideoWriter

        size, path = (frames.shape[2], frames.shape[1]), self.folder.video(name)
        with VideoWriter(path, size, self.tools.settings.fps, frames=len(frames), sound=self.utterance.path) as writer:
            writer.write(frames)
