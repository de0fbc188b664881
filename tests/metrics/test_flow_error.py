"""End-point error and overlap of the visibility, by hand."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.errors import MetricError
from lightning_modules.metrics.flow_error import EndPointError, VisibilityOverlap


def test_only_visible_pixels_count() -> None:
    metric = EndPointError()
    reference = torch.zeros(2, 2, 2, 2)
    flow = reference.clone()
    flow[0, :, 0, 0] = torch.tensor([3.0, 4.0])
    flow[1] = 100.0
    visible = torch.zeros(2, 2, 2, dtype=torch.bool)
    visible[0] = True
    metric.update(flow[:1], reference[:1], visible[:1])
    metric.update(flow[1:], reference[1:], visible[1:])
    assert metric.compute().item() == 5 / 4
    with pytest.raises(MetricError, match="visible pixels"):
        EndPointError().compute()
    with pytest.raises(ValueError, match="flows must be"):
        metric.update(flow[:, :1], reference, visible)


def test_overlap_by_class() -> None:
    metric = VisibilityOverlap()
    metric.update(torch.tensor([[[0, 0], [1, 2]]]), torch.tensor([[[0, 1], [1, 2]]]))
    found = metric.compute()
    assert found["visible"].item() == 1 / 2
    assert found["occluded"].item() == 1 / 2
    assert found["background"].item() == 1
    assert found["mean"].item() == pytest.approx(2 / 3)
