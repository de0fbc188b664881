"""What the published animation does around its networks (reference stage2 §8): landmarks at 512 pixels, and edited.

The published system drives the landmarks of a crop of 512 pixels, in which it first thins the lips by a pixel and
widens the eyes by two, and shows its generator the edited landmarks as those of the photo.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_modules.audio.loading import Speech
from lightning_modules.audio.published_motion import edited_points
from lightning_modules.audio.track import LandmarkTrack
from lightning_modules.pipeline.landmark_driver_published import PublishedLandmarkDriver

if TYPE_CHECKING:
    from lightning_modules.pipeline.portrait import Portrait

PUBLISHED_SIZE: Final = 256
"""Side in pixels of the published drawings, the only one."""

PUBLISHED_FRAME_RATE: Final = 62.5

_CROP: Final = 512


class PublishedCropDriver:
    """The published driver, working in the published crop of 512 pixels for a portrait of 256.

    Args:
        driver: does the work.
    """

    name = "trained, as published, at 512 pixels"

    def __init__(self, driver: PublishedLandmarkDriver) -> None:
        self.driver = driver

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the last recording."""
        return self.driver.notes

    def drive(self, speech: Speech, face: NDArray[np.floating], fps: float) -> LandmarkTrack:
        """Move a face with a recording; as that of :class:`PublishedLandmarkDriver`, but in pixels of 256 x 256."""
        track = self.driver.drive(speech, _enlarged(face), fps)
        return LandmarkTrack(_reduced(track.landmarks).astype(np.float32), track.fps)


def _enlarged(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Points of 256 pixels in 512; pixel centres are at integers in both."""
    large = np.array(points, np.float64) * (_CROP / PUBLISHED_SIZE)
    large[..., :2] += 0.5
    return large


def _reduced(points: NDArray[np.floating]) -> NDArray[np.float64]:
    small = np.array(points, np.float64)
    small[..., :2] -= 0.5
    return small * (PUBLISHED_SIZE / _CROP)


def with_edited_landmarks(portrait: Portrait) -> Portrait:
    """The portrait with the landmarks that the published generator is shown as those of the photo.

    Args:
        portrait: of 256 pixels.
    """
    points = portrait.landmarks.cpu().numpy()
    large = _enlarged(points)
    large[:, :2] = edited_points(large)
    edited = torch.from_numpy(_reduced(large).astype(np.float32))
    return replace(portrait, landmarks=edited.to(portrait.landmarks.device))
