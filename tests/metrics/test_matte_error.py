"""The measures of mattes by hand, and that they add up over batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_modules.errors import MetricError
from lightning_modules.metrics.matte_error import MEASURES, MatteError, matte_error


def measured(made: torch.Tensor, wanted: torch.Tensor) -> dict[str, float]:
    return dict(zip(MEASURES, matte_error(made, wanted)[0].tolist(), strict=True))


def test_by_hand():
    wanted, made = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    wanted[..., :2], made[..., :3] = 1, 0.6  # 8 pixels, 12 pixels
    found = measured(made, wanted)
    assert found["mad"] == pytest.approx(1000 * (8 * 0.4 + 4 * 0.6) / 16)
    assert found["mse"] == pytest.approx(1000 * (8 * 0.16 + 4 * 0.36) / 16)
    assert found["overlap"] == pytest.approx(8 / 12)
    assert measured(wanted, wanted) == {"mad": 0, "mse": 0, "gradient": 0, "overlap": 1}
    assert measured(0 * wanted, 0 * wanted)["overlap"] == 1
    assert measured(0 * wanted, wanted)["overlap"] == 0


def test_the_gradient_of_a_step():
    """Along a row the slope of a step is the running sum of the filter; down the columns nothing changes."""
    place = np.arange(-4, 5)
    gauss = np.exp(-0.5 * (place / 1.4) ** 2)
    slope = -place * gauss
    step = np.zeros(9)
    response = np.array([slope[place >= shift].sum() for shift in range(-4, 5)])  # at 4 columns around the edge
    step = np.abs(response) * gauss.sum() / np.linalg.norm(gauss) / np.linalg.norm(slope)
    wanted = torch.zeros(1, 1, 10, 32)
    wanted[..., 16:] = 1
    found = measured(torch.zeros_like(wanted), wanted)["gradient"]
    assert found == pytest.approx(10 * (step**2).sum() / 1000)
    assert found > 0.01
    turned = measured(torch.zeros(1, 1, 32, 10), wanted.transpose(2, 3))["gradient"]
    assert turned == pytest.approx(found)
    assert measured(wanted + 0.3, wanted)["gradient"] == pytest.approx(0, abs=1e-9)


def test_batches_add_up():
    torch.manual_seed(0)
    made, wanted = torch.rand(5, 1, 16, 16), torch.rand(5, 1, 16, 16)
    metric = MatteError()
    metric.update(made[:2], wanted[:2])
    metric.update(made[2:], wanted[2:])
    expected = matte_error(made, wanted).mean(0)
    assert {name: value.item() for name, value in metric.compute().items()} == pytest.approx(
        dict(zip(MEASURES, expected.tolist(), strict=True))
    )


def test_what_is_refused():
    with pytest.raises(ValueError, match="of one shape"):
        matte_error(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 5))
    with pytest.raises(MetricError, match="0 photos"):
        MatteError().compute()
