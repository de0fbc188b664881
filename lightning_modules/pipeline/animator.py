"""A landmark track becomes a stream of frames, in batches, in memory that does not grow with the length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from lightning_modules.pipeline.portrait import image_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lightning_modules.audio.track import LandmarkTrack
    from lightning_modules.pipeline.portrait import Portrait
    from lightning_modules.pipeline.renderer import Renderer


class Animator:
    """Renders the frames of a track in batches.

    Args:
        renderer: draws the poses.
        batch: frames rendered together. On a GPU that runs out of memory the batch is halved and the rest goes on with
            it; :attr:`batch` then tells the size that worked.
    """

    def __init__(self, renderer: Renderer, batch: int = 16) -> None:
        self.renderer = renderer
        self.batch = batch

    @torch.inference_mode()
    def batches(self, portrait: Portrait, track: LandmarkTrack) -> Iterator[NDArray[np.uint8]]:
        """Render a track.

        Args:
            portrait: the constants of one photo.
            track: landmarks (T, 68, 3) in the portrait's crop pixels.

        Yields:
            (b, S, S, C) uint8 with b ≤ ``batch``; all b together are T. The first frame is drawn by itself: whoever
            waits for it has it sooner.
        """
        device = portrait.drawing.device
        landmarks, start = track.landmarks, 0
        while start < len(landmarks):
            stop = start + self.batch if start else 1
            poses = torch.from_numpy(np.ascontiguousarray(landmarks[start:stop])).to(device)
            try:
                frames = image_array(self.renderer.render(portrait, poses))
            except torch.OutOfMemoryError:
                if self.batch == 1:
                    raise
                self.batch //= 2
                torch.cuda.empty_cache()
                continue
            yield frames
            start += len(frames)
