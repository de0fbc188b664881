"""A video drawn frame by frame, as the paper does with the videos of other systems, and with the truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from lightning_modules.pipeline.portrait import default_detail, draw_within, image_array, image_tensor

if TYPE_CHECKING:
    from experiments.evaluation.clips import FilmedClip, Pixels, Points
    from lightning_modules.drawing.drawer import StaticDrawer
    from lightning_modules.faces.matter import Matter


class FrameDrawer:
    """Draws each frame by itself: nothing is carried over from one frame to the next.

    Frames are drawn twice as large as the result where a portrait would be, and averaged down, so that lines look alike
    in every method.

    Args:
        drawer: draws one picture.
        matter: tells the person from the background.
        size: S, side of the drawings, pixels.
        device: where to compute.
    """

    def __init__(self, drawer: StaticDrawer, matter: Matter, size: int, device: torch.device | str = "cpu") -> None:
        self.drawer, self.matter, self.size, self.device = drawer, matter, size, device
        self.detail = default_detail(size)

    @property
    def side(self) -> int:
        """Side of the pictures that it wants, pixels."""
        return self.size * self.detail

    @torch.inference_mode()
    def draw(self, picture: Pixels, inside: Pixels | None = None, landmarks: Points | None = None) -> Pixels:
        """Draw one picture.

        Args:
            picture: (side, side, 3) RGB.
            inside: (side, side), 255 where there is a picture; None: everywhere.
            landmarks: (68, 2) pixels of the drawing at size S; None, or NaN, where they are not known.

        Returns:
            (S, S, C) uint8, 255 = paper.
        """
        colour = image_tensor(picture).to(self.device)
        valid = torch.ones_like(colour[:, :1]) if inside is None else image_tensor(inside).to(self.device)
        matte = torch.from_numpy(np.ascontiguousarray(self.matter.matte(picture)))[None, None].float()
        points = None
        if landmarks is not None and np.isfinite(landmarks).all():
            fine = (torch.from_numpy(landmarks).float() + 0.5) * self.detail - 0.5
            points = fine[None].to(self.device)
        drawing = draw_within(colour, valid, self.drawer, points, matte.to(self.device))
        made: Pixels = image_array(functional.avg_pool2d(drawing, self.detail))[0]
        return made

    def draw_clip(self, filmed: FilmedClip) -> Iterator[Pixels]:
        """Draw every frame of a clip, (S, S, C) each."""
        for (picture, inside), landmarks in zip(filmed.fine_frames(self.side), filmed.landmarks, strict=True):
            yield self.draw(picture, inside, landmarks)
