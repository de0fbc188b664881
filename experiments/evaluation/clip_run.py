"""One clip through all methods: the truth first, then each method made, written and measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from experiments.evaluation import method_names as names
from experiments.evaluation.clips import file_mark
from experiments.evaluation.drawn_landmarks import in_colour
from experiments.evaluation.measuring import Measurer, Truth
from experiments.evaluation.methods import DrawnFrames, Made, Method
from experiments.evaluation.motion_figures import as_tensor
from experiments.evaluation.results import REFERENCE, Result, ResultFolder
from experiments.evaluation.scene import Scene
from lightning_modules.errors import InkspeakError, MetricError
from lightning_modules.pipeline.contact_sheet import evenly_spaced

if TYPE_CHECKING:
    from experiments.evaluation.clips import Clip, Pixels
    from experiments.evaluation.scene import Tools

_NOISE_FRAMES = 6
Watch = Callable[[str], None]


class ClipRun:
    """Evaluates one clip.

    Args:
        clip: the clip.
        folder: for its results.
        tools: of the evaluation.
        measurer: measures.
        settings_marks: what all results are made with.
        watch: told what is done next.
    """

    def __init__(
        self,
        clip: Clip,
        folder: Path,
        tools: Tools,
        measurer: Measurer,
        settings_marks: dict[str, Any],
        watch: Watch = lambda _: None,
    ) -> None:
        self.clip, self.folder = clip, ResultFolder(folder)
        self.tools, self.measurer, self.watch = tools, measurer, watch
        self._settings_marks = settings_marks
        self.scene = Scene(clip, tools)

    @cached_property
    def marks(self) -> dict[str, Any]:
        """What every result of the clip is made with.

        Raises:
            VideoError: the clip cannot be read.
        """
        return {**self._settings_marks, "clip": file_mark(self.clip.path)}

    @cached_property
    def truth(self) -> Truth:
        """What the clip's videos are measured against."""
        from lightning_modules.metrics.silent_mouth import silent_frames, sound_levels

        filmed, fps = self.scene.filmed, self.tools.settings.fps
        levels = sound_levels(self.scene.speech.samples, len(filmed), fps)
        return Truth(filmed.landmarks, silent_frames(levels, fps))

    def run(self, methods: Sequence[Method]) -> tuple[Result, dict[str, Result]]:
        """Evaluate the clip; what is finished already is not done again.

        Returns:
            The reference (the film drawn frame by frame) and each method's result. Where the clip itself cannot be
            used, all of them say why.

        Raises:
            OutputError: a result cannot be written.
        """
        try:
            reference = self.reference()
        except InkspeakError as error:
            lost = Result({}, failed=_one_line(error))
            return lost, {method.name: lost for method in methods}
        return reference, {method.name: self._result(method, reference) for method in methods}

    def reference(self) -> Result:
        """The film drawn frame by frame.

        Raises:
            InkspeakError: the clip cannot be used.
        """
        marks = self.marks
        done = self.folder.finished(REFERENCE, marks)
        if done is not None:
            return done
        self.watch("the film, drawn frame by frame")
        result = self._made(REFERENCE, DrawnFrames().make(self.scene), marks, noise=True)
        self.folder.write(REFERENCE, result)
        return result

    def _result(self, method: Method, reference: Result) -> Result:
        if method.name == names.DRAWN_FRAMES:
            return reference
        try:
            marks = {**self.marks, "method": method.name, **method.marks(self.clip)}
            done = self.folder.finished(method.name, marks)
            if done is not None:
                return done
            self.watch(method.name)
            result = self._made(method.name, method.make(self.scene), marks)
        except InkspeakError as error:
            result = Result({}, failed=_one_line(error))
        self.folder.write(method.name, result)
        return result

    def _made(self, name: str, made: Made, marks: dict[str, Any], *, noise: bool = False) -> Result:
        start = time.perf_counter()
        frames = self._written(name, made)
        drawn = time.perf_counter()
        measured = self.measurer.measure(frames, self.truth, asked=made.asked, pictures=made.pictures)
        arrays = {"features": measured.features, "landmarks": measured.landmarks}
        seconds = {"making": drawn - start, "measuring": time.perf_counter() - drawn}
        if noise:
            arrays |= self._noise(frames)
        return Result(marks, measured.figures, None, seconds, arrays)

    def _written(self, name: str, made: Made) -> Pixels:
        from lightning_modules.pipeline.video_writer import VideoWriter

        settings, count = self.tools.settings, len(self.scene.filmed)
        size = (settings.size, settings.size)
        video = self.folder.video(name)
        kept: list[Pixels] = []
        with VideoWriter(video, size, settings.fps, frames=count, sound=self.clip.path) as writer:
            for frame in _exactly(made.frames, count):
                writer.write(frame)
                kept.append(frame)
        return np.stack(kept)

    def _noise(self, frames: Pixels) -> dict[str, Any]:
        """How far the detector disagrees with itself on drawings of the clip; nothing where it finds no face."""
        from lightning_modules.metrics.detector_noise import detector_noise

        chosen = [in_colour(frames[number]) for number in evenly_spaced(len(frames), _NOISE_FRAMES)]
        try:
            found = detector_noise(self.tools.finder.each, as_tensor(np.stack(chosen)))
        except MetricError:
            return {}
        return {"noise": np.array([found["lmd_pixels"], found["lmd_eye_percent"], found["nme"]])}


def _exactly(frames: Iterator[Pixels], count: int) -> Iterator[Pixels]:
    """The first frames; a method that has fewer is a fault of ours, and the writer says so."""
    with torch.inference_mode():
        for _, frame in zip(range(count), frames, strict=False):
            yield frame


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
