"""A photo as the methods of ``evaluate clips`` want their clip: a film in which nothing moves, with a sound beside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.evaluation.clips import Clip, FilmedClip
from experiments.evaluation.scene import Scene, Tools
from lightning_modules.geometry.alignment import crop

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from experiments.evaluation.clips import Pixels
    from experiments.portrait_evaluation.inputs import NamedFile
    from lightning_modules.audio.loading import Speech
    from lightning_modules.pipeline.animate import Session


@dataclass(frozen=True, eq=False)
class StillFilm(FilmedClip):
    """A photo that lasts.

    Attributes:
        rgb: (H, W, 3) the whole photo.
    """

    rgb: Pixels

    def first(self, count: int) -> StillFilm:
        """Its first frames alone."""
        return replace(self, landmarks=self.landmarks[:count], pictures=self.pictures[:count])

    def fine_frames(self, side: int) -> Iterator[tuple[Pixels, Pixels]]:
        """The photo, cropped at another size, as often as there are frames; see :class:`FilmedClip`."""
        inside = np.asarray(crop(np.full(self.rgb.shape[:2], 255, np.uint8), self.frame, side, fill=0))
        picture = crop(self.rgb, self.frame, side, fill=255)
        for _ in range(len(self)):
            yield picture, inside


class PhotoScene(Scene):
    """One photo that says one utterance.

    Args:
        photo: the photo.
        speech: the utterance.
        tools: of the evaluation.
        cache: folder in which portraits are kept from one utterance to the next.
    """

    def __init__(self, photo: NamedFile, speech: NamedFile, tools: Tools, cache: Path | None = None) -> None:
        super().__init__(Clip(photo.name, photo.path), tools)
        self._speech, self._cache = speech, cache

    @cached_property
    def speech(self) -> Speech:
        """The utterance.

        Raises:
            AudioError: it cannot be read.
        """
        from lightning_modules.audio.loading import read_speech

        return read_speech(self._speech.path)

    @cached_property
    def whole(self) -> Session:
        """Photo and utterance as ``inkspeak animate`` has them before it draws; all frames.

        Raises:
            InkspeakError: the photo or the sound cannot be used.
        """
        from lightning_modules.pipeline.animate import Session
        from lightning_modules.pipeline.animation_job import SilentProgress

        job = replace(
            self.tools.settings.job(self.clip.path), photo_is_clip=False, speech=self._speech.path, cache=self._cache
        )
        return Session.open(job, SilentProgress(), self.tools.backends)


class SomeFrames(Scene):
    """What the methods are shown: a track made of some poses, and the photo as their film.

    Args:
        scene: the scene.
        landmarks: (T, 68, 3) float32 of the poses, pixels of the portrait.
    """

    def __init__(self, scene: PhotoScene, landmarks: NDArray[np.float32]) -> None:
        super().__init__(scene.clip, scene.tools)
        self._whole, self._landmarks = scene.whole, landmarks

    @cached_property
    def session(self) -> Session:
        """The photo with these poses as its track."""
        return replace(self._whole, track=replace(self._whole.track, landmarks=self._landmarks))

    @cached_property
    def filmed(self) -> StillFilm:
        """The photo, once for each frame."""
        portrait, rgb, settings = self._whole.portrait, self._whole.photo.rgb, self.tools.settings
        rest = portrait.landmarks[:, :2].cpu().numpy().astype(np.float32)
        picture = crop(rgb, portrait.frame, settings.size, fill=255)
        count = len(self._landmarks)
        return StillFilm(
            self.clip.path,
            settings.fps,
            portrait.frame,
            np.broadcast_to(rest, (count, *rest.shape)),
            np.broadcast_to(picture, (count, *picture.shape)),
            rgb,
        )
