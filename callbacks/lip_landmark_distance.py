"""Whether the drawing shows the face it was asked for: LMD of the lips, and the landmark error of every region.

Logged, from landmarks detected on the drawings against the target landmarks:

- ``lip_landmark_distance/pixels``: LMD, pixels of the training picture, 0 and up, lower is better.
- ``lip_landmark_distance/eye_percent``: LMD in percent of the outer-eye distance, 0 and up, lower is better.
- ``lip_landmark_distance/missing_percent``: frames without usable landmarks, 0 to 100; above 0 doubt the others.
- ``landmark_error/all``, ``…/jaw``, ``…/brows``, ``…/nose``, ``…/eyes``, ``…/lips``: normalised mean error, percent of
  the outer-eye distance, 0 and up, lower is better. The detector's own error on drawings, some 3 %, is in all of them.
"""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from callbacks.validation_measure import ValidationMeasure
from lightning_modules.batches import PortraitBatch
from lightning_modules.losses.face_window import face_square
from lightning_modules.losses.geometry import DrawingLandmarks, FractionOrigin, detected_landmarks
from lightning_modules.metrics.landmark_error import LandmarkError
from lightning_modules.metrics.lip_landmark_distance import LipLandmarkDistance


class LandmarkAccuracy(ValidationMeasure):
    """LMD and landmark errors; see the module's docstring.

    Args:
        reader: what reads landmarks off a drawing. ``None`` takes the module's ``geometry_detector``; the generator was
            trained to please that one, so its numbers flatter. Without either nothing is logged, which is said once.
    """

    def __init__(self, reader: DrawingLandmarks | None = None) -> None:
        super().__init__()
        self.reader = None if reader is None else reader.eval().requires_grad_(requires_grad=False)
        self.networks = [] if self.reader is None else [self.reader]
        self._lips, self._landmarks = LipLandmarkDistance(), LandmarkError()
        self.metrics = {"lip_landmark_distance/": self._lips, "landmark_error/": self._landmarks}

    def feed(self, trainer: Trainer, pl_module: LightningModule, frames: Tensor, batch: PortraitBatch) -> None:
        """Detect the landmarks of both drawings of every sample and add them."""
        targets = batch.target_landmarks.float()
        found = self._read(pl_module, frames.flatten(0, 1).float(), targets.flatten(0, 1))
        if found is None:
            self.say_once("neither a reader nor the module's geometry_detector is given: no landmarks are detected")
        else:
            found = found.view(targets.shape)
            self._lips.update(found, targets)
            self._landmarks.update(found, targets)

    def _read(self, pl_module: LightningModule, drawings: Tensor, targets: Tensor) -> Tensor | None:
        if self.reader is not None:
            return self.reader(drawings, targets)  # type: ignore[no-any-return]
        detector: Any = getattr(pl_module, "geometry_detector", None)
        if detector is None:
            return None
        inputs: Any = getattr(pl_module, "inputs", None)
        size = drawings.shape[-1]
        window = face_square(size, drawings) if inputs is None else inputs.face_window(targets, size)
        origin: FractionOrigin = getattr(detector, "fraction_origin", "first_pixel")
        return detected_landmarks(drawings, detector, window, fraction_origin=origin)
