"""Training of flow map A, the appearance flow from landmarks (Li et al. 2019; paper §4.2; auxiliary, section 6)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.flow_batches import FlowBatch
from lightning_modules.geometry.flow_map import interpolated_flow_map
from lightning_modules.geometry.sampling import flow_of
from lightning_modules.losses.flow_regression import FlowObjective
from lightning_modules.metrics.flow_error import EndPointError, VisibilityOverlap
from lightning_modules.networks.landmark_flow import FLOW_UNIT, NETWORK_SIZE, PICTURE_SIZE, LandmarkFlow
from lightning_modules.optimization import AdamWSettings
from lightning_modules.pipeline.flow_pictures import flow_picture, visibility_picture
from lightning_modules.pipeline.presentation import draw_landmarks
from lightning_modules.supporting_network import SupportingNetwork
from lightning_modules.weights.from_file import start_from_file


class FlowRegression(SupportingNetwork):
    """Trains a :class:`LandmarkFlow` on pairs whose flow is known.

    Validation measures, at 224 pixels on pixels visible in the source: ``validation/end_point_error``; the same for
    flow map B, which is interpolated between the landmarks, as ``…_flow_b``; their ratio ``…_ratio``; and
    ``validation/overlap_visible``, ``_occluded``, ``_background``, ``_mean`` of the visibility.

    Args:
        network: what is trained.
        objective: weights of the terms.
        optimizer: settings of AdamW and its schedule.
        initial_weights: a file to start from, such as an exported one; None: from random weights.
        compare: measure flow map B beside it, which takes as long again.
    """

    kind = "flow_regression"
    preview_columns = ("photo's landmarks", "target", "true flow", "flow A", "true visibility", "found")

    def __init__(
        self,
        network: LandmarkFlow,
        objective: FlowObjective | None = None,
        optimizer: AdamWSettings | None = None,
        *,
        initial_weights: str | None = None,
        compare: bool = True,
    ) -> None:
        super().__init__(network, optimizer)
        if initial_weights is not None:
            start_from_file(network, "flow_regression", initial_weights)
        self.objective = objective or FlowObjective(unit=FLOW_UNIT)
        self.compare = compare
        self.errors = nn.ModuleDict({name: EndPointError() for name in ("flow_a", "flow_b")})
        self.overlap = VisibilityOverlap()

    def losses(self, batch: FlowBatch) -> dict[str, Tensor]:
        """See the base class: ``flow`` and ``visibility``."""
        network: Any = self.network
        flows, logits = network.predict(batch.source, batch.target)
        terms: dict[str, Tensor] = self.objective(flows, logits, batch.flow, batch.visibility)
        return terms

    def at_full_size(self, batch: FlowBatch) -> tuple[Tensor, Tensor]:
        """Flow (B, 2, 224, 224) in pixels at 224, not masked, and the visibility class (B, 224, 224)."""
        network: Any = self.network
        flows, logits = network.predict(batch.source, batch.target)
        large = [
            functional.interpolate(values.float(), scale_factor=2, mode="bilinear", align_corners=False)
            for values in (flows[0], logits)
        ]
        return large[0] * FLOW_UNIT, large[1].argmax(dim=1)

    # Validation ----------------------------------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        """Measure anew."""
        for metric in (*self.errors.values(), self.overlap):
            metric.reset()  # type: ignore[operator]

    def validation_step(self, batch: FlowBatch, batch_index: int) -> None:
        """Measure a batch."""
        flow, found = self.at_full_size(batch)
        visible = batch.visibility == 0
        self.errors["flow_a"].update(flow, batch.flow, visible)  # type: ignore[operator]
        self.overlap.update(found, batch.visibility)
        if self.compare:
            self.errors["flow_b"].update(interpolated_flow(batch), batch.flow, visible)  # type: ignore[operator]

    def on_validation_epoch_end(self) -> None:
        """Report what was measured over all batches and processes."""
        overlaps = self.overlap.compute()
        values = {f"overlap_{name}": value for name, value in overlaps.items()}
        values["end_point_error"] = self.errors["flow_a"].compute()  # type: ignore[operator]
        if self.compare:
            values["end_point_error_flow_b"] = self.errors["flow_b"].compute()  # type: ignore[operator]
            values["end_point_error_ratio"] = values["end_point_error"] / values["end_point_error_flow_b"]
        # Computed over all processes already: to add them up again would change nothing.
        self.log_dict({f"validation/{name}": value.float() for name, value in values.items()}, sync_dist=True)

    def preview(self, batch: FlowBatch) -> list[NDArray[np.uint8]]:
        """See the base class."""
        flow, found = self.at_full_size(batch)
        white = np.full((PICTURE_SIZE, PICTURE_SIZE, 3), 255, np.uint8)
        cells = []
        for index in range(len(batch.source)):
            cells += [draw_landmarks(white, points[index].cpu().numpy()) for points in (batch.source, batch.target)]
            face = batch.visibility[index] < 2
            cells += [flow_picture(batch.flow[index], face), flow_picture(flow[index], found[index] < 2)]
            cells += [visibility_picture(classes[index]) for classes in (batch.visibility, found)]
        return cells

    @staticmethod
    def samples_of(batch: FlowBatch) -> int:
        """See the base class."""
        return len(batch.source)


def interpolated_flow(batch: FlowBatch) -> Tensor:
    """Flow map B for a batch: (B, 2, 224, 224), order (x, y), pixels at 224."""
    with torch.autocast(batch.source.device.type, enabled=False):
        flow = flow_of(interpolated_flow_map(batch.source, batch.target, PICTURE_SIZE)).movedim(-1, 1)
        size = (NETWORK_SIZE, NETWORK_SIZE)
        smaller = functional.interpolate(flow.float(), size, mode="bilinear", align_corners=False)
        return smaller * (NETWORK_SIZE / PICTURE_SIZE)
