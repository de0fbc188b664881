"""What the methods share: the networks of an evaluation, and all that is known of one clip."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from experiments.evaluation.clips import Clip, FilmedClip, read_filmed
from experiments.evaluation.drawn_landmarks import DrawnFaceFinder
from experiments.evaluation.frame_drawing import FrameDrawer
from lightning_modules.pipeline.animation_job import SilentProgress
from lightning_modules.pipeline.backends import Backends
from lightning_modules.pipeline.frame_rate import frame_count

if TYPE_CHECKING:
    import torch

    from experiments.evaluation.settings import EvaluationSettings
    from lightning_modules.audio.loading import Speech
    from lightning_modules.faces.face import FaceAnalyzer
    from lightning_modules.pipeline.animate import Session


class Tools:
    """Everything that is loaded once for all clips, each when it is first asked for.

    Args:
        settings: of the evaluation.
    """

    def __init__(self, settings: EvaluationSettings) -> None:
        self.settings = settings
        self.backends = Backends()

    @cached_property
    def device(self) -> torch.device:
        """Where pictures are drawn."""
        from lightning_modules.pipeline.preparation import choose_device

        return choose_device(self.settings.device)

    @cached_property
    def analyzer(self) -> FaceAnalyzer:
        """Who finds the face in films."""
        from pathlib import Path

        return self.backends.analyzer(self.settings.job(Path("clip")))

    @cached_property
    def finder(self) -> DrawnFaceFinder:
        """Who finds it in drawings."""
        return DrawnFaceFinder(self.settings.drawn_landmarks)

    @cached_property
    def frame_drawer(self) -> FrameDrawer:
        """Who draws films frame by frame: with the drawer and the matte of the portraits."""
        from pathlib import Path

        job = self.settings.job(Path("clip"))
        return FrameDrawer(self.backends.drawer(job), self.backends.matter(job), self.settings.size, self.device)

    def filmed(self, clip: Clip, most: int | None = None) -> FilmedClip:
        """Read a film as the evaluation wants it; see :func:`~experiments.evaluation.clips.read_filmed`."""
        settings = self.settings
        return read_filmed(clip.path, self.analyzer, fps=settings.fps, size=settings.size, most=most)


class Scene:
    """One clip: its film, its sound, and its first frame animated.

    Args:
        clip: the clip.
        tools: of the evaluation.
    """

    def __init__(self, clip: Clip, tools: Tools) -> None:
        self.clip, self.tools = clip, tools

    @cached_property
    def speech(self) -> Speech:
        """Its sound.

        Raises:
            AudioError: there is none, or it cannot be read.
        """
        from lightning_modules.audio.loading import read_speech

        return read_speech(self.clip.path)

    @cached_property
    def filmed(self) -> FilmedClip:
        """The truth: as many frames as film and sound both last.

        Raises:
            InkspeakError: the film or its sound cannot be read, or it shows no face.
        """
        spoken = frame_count(self.speech.duration, self.tools.settings.fps)
        most = self.tools.settings.frames
        return self.tools.filmed(self.clip, spoken if most is None else min(spoken, most))

    @cached_property
    def session(self) -> Session:
        """The first frame with the sound, as ``inkspeak animate`` has them before it draws.

        Raises:
            InkspeakError: the photo or the sound cannot be used.
        """
        from lightning_modules.pipeline.animate import Session

        return Session.open(self.tools.settings.job(self.clip.path), SilentProgress(), self.tools.backends)
