"""How steady the drawing is from frame to frame: the paper's inter-frame SSIM, with the motion beside it.

Logged, from the two drawings of every sample (l_t1 and l_t2 are as far apart as neighbouring frames):

- ``inter_frame_ssim/similarity``: -1 to 1, higher is steadier; a still picture has 1.
- ``inter_frame_ssim/motion``: mean absolute change of grey, 0 to 1; neither direction is better. A similarity that
  rises while this falls means that the face stopped moving, not that flicker went away.
- ``inter_frame_ssim/compensated_similarity``: with the landmarks' motion taken out, -1 to 1, higher is less flicker.
- ``inter_frame_ssim/landmark_motion``: mean way of a landmark, pixels, 0 and up; how much was asked for.
- ``inter_frame_ssim/film/similarity`` and ``…/film/motion``: the same of the neighbouring film frames, to compare with.
"""

from __future__ import annotations

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from callbacks.validation_measure import ValidationMeasure
from lightning_modules.batches import PortraitBatch
from lightning_modules.metrics.inter_frame_ssim import InterFrameSSIM


class FrameSteadiness(ValidationMeasure):
    """Inter-frame SSIM of the drawings and of the film frames; see the module's docstring."""

    def __init__(self) -> None:
        super().__init__()
        self._drawn, self._film = InterFrameSSIM(), InterFrameSSIM()
        self.metrics = {"inter_frame_ssim/": self._drawn, "inter_frame_ssim/film/": self._film}

    def feed(self, trainer: Trainer, pl_module: LightningModule, frames: Tensor, batch: PortraitBatch) -> None:
        """Add the pairs of a batch."""
        self._drawn.update(frames, batch.target_landmarks)
        self._film.update(batch.adjacent)
