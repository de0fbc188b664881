"""Fréchet and kernel distance against scipy, torchmetrics and sums written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_mmd

from lightning_modules.errors import MetricError
from lightning_modules.metrics.frechet_distance import FrechetDistance, frechet_distance
from lightning_modules.metrics.kernel_distance import KernelDistance, kernel_distance


def by_scipy(first, second):
    mean_1, mean_2 = first.mean(0), second.mean(0)
    covariance_1, covariance_2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = scipy.linalg.sqrtm(covariance_1 @ covariance_2).real
    return np.square(mean_1 - mean_2).sum() + np.trace(covariance_1 + covariance_2 - 2 * root)


def fed(first, second, batches=1):
    metric = FrechetDistance(first.shape[1])
    for part in torch.chunk(first, batches):
        metric.update(part, real=True)
    for part in torch.chunk(second, batches):
        metric.update(part, real=False)
    return metric


@pytest.fixture
def sets():
    mix = torch.randn(6, 6)
    return torch.randn(50, 6) @ mix + 4, torch.randn(40, 6) @ mix * 1.3 + 4.5


def test_known_normal_distributions():
    """In one dimension the distance is (mu1 - mu2)² + (sigma1 - sigma2)²."""
    value = frechet_distance(torch.tensor([1.0]), torch.tensor([[9.0]]), torch.tensor([3.0]), torch.tensor([[1.0]]))
    assert float(value) == pytest.approx(4 + 4, abs=1e-12)


def test_commuting_covariances():
    """Diagonal covariances: sum of (sigma1 - sigma2)²."""
    zero = torch.zeros(3)
    value = frechet_distance(zero, torch.diag(torch.tensor([1.0, 4, 9])), zero, torch.diag(torch.tensor([4.0, 4, 25])))
    assert float(value) == pytest.approx(1 + 0 + 4, abs=1e-12)


def test_against_scipy(sets):
    first, second = sets
    expected = by_scipy(first.double().numpy(), second.double().numpy())
    assert float(fed(first, second).compute()) == pytest.approx(expected, rel=1e-9)
    assert expected > 0.1


def test_fewer_images_than_features():
    first, second = torch.randn(5, 12), torch.randn(6, 12)
    expected = by_scipy(first.double().numpy(), second.double().numpy())
    assert float(fed(first, second).compute()) == pytest.approx(expected, abs=1e-5)


def test_against_torchmetrics_with_a_network(sets):
    class Network(nn.Module):
        num_features = 6

        def forward(self, images):
            return images.flatten(1).double()

    reference = FrechetInceptionDistance(feature=Network())
    reference.update(sets[0].view(-1, 1, 2, 3), real=True)
    reference.update(sets[1].view(-1, 1, 2, 3), real=False)
    assert float(fed(*sets).compute()) == pytest.approx(float(reference.compute()), rel=1e-7)


def test_batches_do_not_matter_and_a_set_is_at_no_distance_from_itself(sets):
    assert float(fed(*sets).compute()) == pytest.approx(float(fed(*sets, batches=7).compute()), rel=1e-9)
    assert float(fed(sets[0], sets[0]).compute()) == pytest.approx(0, abs=1e-9)


def test_a_large_offset_costs_no_precision(sets):
    """Sums of squares in float32 would lose everything here."""
    shifted = [part.double() + 1e4 for part in sets]
    assert float(fed(*shifted).compute()) == pytest.approx(float(fed(*sets).compute()), rel=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_features(sets, dtype):
    halved = [part.to(dtype) for part in sets]
    exact = fed(*[part.double() for part in halved]).compute()
    assert float(fed(*halved).compute()) == pytest.approx(float(exact), rel=1e-12)
    found = kernel_distance(*halved)
    assert float(found.value) == pytest.approx(float(kernel_distance(*[p.double() for p in halved]).value), rel=1e-12)


def test_kernel_against_torchmetrics():
    first, second = torch.randn(30, 5, dtype=torch.float64), torch.randn(30, 5, dtype=torch.float64) + 0.5
    assert float(kernel_distance(first, second).value) == pytest.approx(float(poly_mmd(first, second)), rel=1e-10)


def by_loops(x, y):
    def k(a, b):
        return (np.dot(a, b) / len(a) + 1) ** 3

    m, n = len(x), len(y)
    within = sum(k(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    within += sum(k(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return within - 2 * sum(k(a, b) for a in x for b in y) / (m * n)


def test_kernel_and_its_standard_error_by_loops():
    x, y = np.random.default_rng(0).normal(size=(7, 3)), np.random.default_rng(1).normal(0.4, 1, size=(5, 3))
    found = kernel_distance(torch.from_numpy(x), torch.from_numpy(y))
    assert float(found.value) == pytest.approx(by_loops(x, y), rel=1e-12)
    variance = 0.0
    without_x = np.array([by_loops(np.delete(x, i, 0), y) for i in range(7)])
    without_y = np.array([by_loops(x, np.delete(y, i, 0)) for i in range(5)])
    for estimates in (without_x, without_y):
        variance += (len(estimates) - 1) / len(estimates) * np.square(estimates - estimates.mean()).sum()
    assert float(found.standard_error) == pytest.approx(np.sqrt(variance), rel=1e-10)


def test_the_standard_error_is_what_repeating_gives():
    values, errors = [], []
    for seed in range(150):
        torch.manual_seed(seed)
        found = kernel_distance(torch.randn(40, 3), torch.randn(40, 3) + 0.5)
        values.append(float(found.value))
        errors.append(float(found.standard_error))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.25)


def test_kernel_is_unbiased():
    values = []
    for seed in range(200):
        torch.manual_seed(seed)
        values.append(float(kernel_distance(torch.randn(8, 3), torch.randn(8, 3)).value))
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(200)


def test_many_rows_are_summed_block_by_block(monkeypatch):
    first, second = torch.randn(23, 4), torch.randn(17, 4)
    whole = kernel_distance(first, second)
    monkeypatch.setattr("lightning_modules.metrics.kernel_distance._ROWS", 5)
    assert float(kernel_distance(first, second).value) == pytest.approx(float(whole.value), rel=1e-12)


def test_the_class_gives_what_the_function_gives(sets):
    metric = KernelDistance(6)
    for real, features in zip((True, False), sets, strict=True):
        for part in features.split(9):
            metric.update(part, real=real)
    expected = kernel_distance(*sets)
    assert float(metric.compute()["value"]) == pytest.approx(float(expected.value), rel=1e-9)
    assert float(metric.compute()["standard_error"]) == pytest.approx(float(expected.standard_error), rel=1e-9)
    metric.reset()
    with pytest.raises(MetricError, match="0 real drawings"):
        metric.compute()


def test_too_little_is_a_typed_error(sets):
    with pytest.raises(MetricError, match="0 real drawings and needs 2"):
        FrechetDistance(6).compute()
    metric = FrechetDistance(6)
    metric.update(sets[0], real=True)
    metric.update(sets[1][:1], real=False)
    with pytest.raises(MetricError, match="1 generated drawings"):
        metric.compute()


def test_wrong_shapes_are_refused(sets):
    for metric in (FrechetDistance(5), KernelDistance(5)):
        with pytest.raises(ValueError, match="features are"):
            metric.update(sets[0], real=True)
    with pytest.raises(ValueError, match="three"):
        kernel_distance(sets[0][:2], sets[1])


def test_nothing_enters_a_state_dict(sets):
    metric = fed(*sets)
    assert metric.state_dict() == {}
    assert KernelDistance(6).state_dict() == {}
