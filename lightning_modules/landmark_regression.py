"""Trains the differentiable 68-point detector of the geometry loss (MobileFaceNet) on photos, drawings and warps.

One step: crops in, fractions of their sides out, the wing loss on their difference. Two things make it learn from few
samples: it begins with the mean face as its answer to anything; and the two norms that see one value a crop and channel
use no statistics of the batch, which would take out of every answer what the crops of a batch have in common, such as a
shift. Validation measures each domain by itself: photos, static drawings, artists' drawings,
cartoons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics import Metric

from lightning_modules.errors import MetricError
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.geometry.landmark_groups import POINT_COUNT
from lightning_modules.landmark_batches import FaceLandmarksBatch
from lightning_modules.losses.wing import WingLoss
from lightning_modules.metrics.landmark_error import LandmarkError
from lightning_modules.metrics.landmark_failures import LandmarkFailures
from lightning_modules.networks.frozen.mobilefacenet import MobileFaceNet
from lightning_modules.optimization import AdamWSettings
from lightning_modules.supporting_network import SupportingNetwork

_SHOWN: Final = 2  # pixels of a preview for each pixel of a crop
_ANSWERS: Final = 0.1  # scale of the first answers around the mean face


class LandmarkRegression(SupportingNetwork):
    """Training of the landmark detector.

    Args:
        network: MobileFaceNet with ``trainable``, called with crops (B, 3, 112, 112) for (B, 136).
        loss: of predicted and true landmarks.
        optimizer: settings of AdamW and its schedule.
        channels_last: keep the network's weights in the memory format that convolutions on a CPU are fastest in.
    """

    kind: ClassVar[str] = "mobilefacenet"
    facts: ClassVar[Mapping[str, Any]] = MappingProxyType({"fraction_origin": "edge"})
    preview_columns: ClassVar[tuple[str, ...]] = ("crop", "labels", "found")
    domains: ClassVar[tuple[str, ...]] = ("photo", "static_drawing", "artist_drawing", "cartoon")

    def __init__(
        self,
        network: MobileFaceNet,
        loss: WingLoss | None = None,
        optimizer: AdamWSettings | None = None,
        *,
        channels_last: bool = True,
    ) -> None:
        super().__init__(network, optimizer)
        if channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch names it for tensors
        begin_with_mean_face(network)
        self.loss = loss or WingLoss()
        self.channels_last = channels_last
        self.errors = nn.ModuleDict({name: LandmarkError() for name in self.domains})
        self.failures = nn.ModuleDict({name: LandmarkFailures() for name in self.domains})

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002  the signature of nn.Module
        """Train mode for all but the norms over single values; see the module's docstring."""
        super().train(mode)
        network: Any = self.network
        for norm in (network.gather.norm, network.output_norm):
            norm.eval()
        return self

    def forward(self, *inputs: Tensor) -> Tensor:
        """Landmarks of crops (B, 3, 112, 112): (B, 68, 2), fractions of their sides."""
        (crop,) = inputs
        if self.channels_last:
            crop = crop.contiguous(memory_format=torch.channels_last)
        found: Tensor = self.network(crop)
        return found.float().view(-1, POINT_COUNT, 2)

    def losses(self, batch: FaceLandmarksBatch) -> dict[str, Tensor]:
        """The wing loss."""
        return {"wing": self.loss(self(batch.crop), batch.landmarks)}

    def validation_step(self, batch: FaceLandmarksBatch, batch_index: int) -> None:
        """Measure each domain."""
        found = self(batch.crop)
        for number, name in enumerate(self.domains):
            here = batch.domain == number
            if bool(here.any()):
                for metric in (self.errors[name], self.failures[name]):
                    cast("Metric", metric).update(found[here], batch.landmarks[here])

    def on_validation_epoch_end(self) -> None:
        """Log mean errors, percent of the outer-eye distance, and failure rates, percent; only of domains seen."""
        report: dict[str, Any] = {}
        for name in self.domains:
            error: Any = self.errors[name]
            failures: Any = self.failures[name]
            try:
                found = error.compute()
                report[f"val/{name}/error"] = found["all"].float()
                report |= {f"val/{name}/{part}": found[part].float() for part in ("eyes", "lips")}
                report[f"val/{name}/failures"] = failures.compute().float()
            except MetricError:  # no face of this domain on any rank
                continue
            finally:
                error.reset()
                failures.reset()
        self.log_dict(report)

    def preview(self, batch: FaceLandmarksBatch) -> Sequence[NDArray[np.uint8]]:
        """Crop, labels over it, what was found over it."""
        from lightning_modules.pipeline.presentation import draw_landmarks

        found = self(batch.crop).detach().cpu().numpy()
        crops = (batch.crop * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        cells: list[NDArray[np.uint8]] = []
        for crop, labels, answer in zip(crops, batch.landmarks.cpu().numpy(), found, strict=True):
            large = np.ascontiguousarray(crop.repeat(_SHOWN, 0).repeat(_SHOWN, 1))
            shown = [points * large.shape[0] - 0.5 for points in (labels, answer)]
            cells += [
                large,
                draw_landmarks(large, shown[0], color=(0, 150, 60), lines=False, radius=1.5),
                draw_landmarks(large, shown[1], lines=False, radius=1.5),
            ]
        return cells

    @staticmethod
    def samples_of(batch: FaceLandmarksBatch) -> int:
        """Number of crops."""
        return len(batch.crop)


def begin_with_mean_face(network: MobileFaceNet, over_landmarks: float = 1.3) -> None:
    """Let a fresh network answer with a frontal face in the middle of the crop, and little else.

    Args:
        network: changed in place.
        over_landmarks: side of the crop over that of the box around the landmarks.
    """
    face = frontal_face()[:, :2]
    low, high = face.min(0), face.max(0)
    placed = 0.5 + (face - (low + high) / 2) / ((high - low).max() * over_landmarks)
    with torch.no_grad():
        network.output_norm.bias.copy_(torch.from_numpy(placed).flatten())
        network.output_norm.weight.fill_(_ANSWERS)
