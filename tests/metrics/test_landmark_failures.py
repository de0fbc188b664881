"""The failure rate of a landmark network, over ranks and with landmarks that are not finite."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.errors import MetricError
from lightning_modules.metrics.landmark_failures import LandmarkFailures


def test_faces_above_the_limit_and_without_landmarks_are_failures():
    reference = torch.rand(5, 68, 2) * 10
    reference[:, 36], reference[:, 45] = torch.tensor((0.0, 5.0)), torch.tensor((10.0, 5.0))
    found = reference.clone()
    found[1, :, 0] += 1.9  # 19 percent
    found[2, :, 1] += 2.1  # 21 percent
    found[3, 7, 0] = torch.nan
    metric = LandmarkFailures()
    metric.update(found[:2], reference[:2])
    assert float(metric.compute()) == 0
    metric.update(found[2:], reference[2:])
    assert float(metric.compute()) == pytest.approx(40.0)
    strict = LandmarkFailures(limit=10.0)
    strict.update(found, reference)
    assert float(strict.compute()) == pytest.approx(60.0)
    with pytest.raises(MetricError, match="0 faces"):
        LandmarkFailures().compute()
