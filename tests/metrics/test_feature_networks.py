"""The stand-in and Inception: what they are, what they are called, and that only the right file earns the name."""

from __future__ import annotations

import hashlib
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from lightning_modules.errors import MetricError, WeightsError
from lightning_modules.metrics import feature_networks
from lightning_modules.metrics.drawing_pixels import as_grey, as_rgb_bytes
from lightning_modules.metrics.feature_networks import (
    INCEPTION_FILE,
    INCEPTION_SHA256,
    InceptionFeatures,
    RandomConvolutionFeatures,
    load_inception,
    make_feature_network,
)
from lightning_modules.networks.frozen.inception import FidInception, resize_from_corner


@pytest.fixture(scope="module")
def lines():
    """Twelve line drawings of circles, uint8 (12, 1, 64, 64)."""
    rows, columns = np.mgrid[:64, :64]
    generator = np.random.default_rng(0)
    drawings = np.full((12, 64, 64), 255, np.uint8)
    for drawing in drawings:
        for x, y, r in generator.uniform((10, 10, 4), (54, 54, 20), (6, 3)):
            drawing[np.abs(np.hypot(columns - x, rows - y) - r) < 1] = 0
    return torch.from_numpy(drawings)[:, None]


@pytest.fixture(scope="module")
def stand_in():
    return RandomConvolutionFeatures()


def test_the_stand_in_never_calls_itself_fid(stand_in):
    names = (stand_in.frechet_name, stand_in.kernel_name)
    assert names == ("drawing_feature_distance/frechet", "drawing_feature_distance/kernel")
    assert not any(word in name for name in names for word in ("fid", "kid", "inception"))
    assert make_feature_network().frechet_name == stand_in.frechet_name


def test_the_weights_are_the_documented_bytes(stand_in):
    stream = hashlib.shake_256(b"inkspeak drawing features 1").digest(12 * 75 + 20 * 108)
    assert hashlib.sha256(stream).hexdigest() == stand_in.WEIGHTS_SHA256
    raw = np.frombuffer(stream[: 12 * 75], np.uint8).reshape(12, 75) - 127.5
    raw = raw - raw.mean(1, keepdims=True)
    expected = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    np.testing.assert_allclose(stand_in.first.flatten(1).numpy(), expected, atol=1e-7)
    assert torch.allclose(stand_in.second.flatten(1).norm(dim=1), torch.ones(20))


def test_white_paper_answers_nothing(stand_in):
    white = torch.full((1, 3, 64, 64), 255, dtype=torch.uint8)
    features = stand_in(white)
    assert features.shape == (1, 128)
    assert features.abs().max() < 1e-4


def test_other_weights_are_noticed(monkeypatch):
    monkeypatch.setattr(RandomConvolutionFeatures, "SEED", b"another")
    with pytest.raises(WeightsError, match="sha256"):
        RandomConvolutionFeatures()


def test_more_damage_is_further_away(stand_in, lines):
    """Kernel distance grows as lines get thicker, and is near nothing between two halves of one set."""
    from lightning_modules.metrics.kernel_distance import kernel_distance

    def thicker(drawings, width):
        return -nn.functional.max_pool2d(-drawings.float(), width, 1, width // 2)

    reference, others = lines[:6], lines[6:]
    distances = []
    for width in (1, 3, 5):
        spoilt = thicker(others, width).round().to(torch.uint8)
        features = [stand_in(as_rgb_bytes(drawings)) for drawings in (reference, spoilt)]
        distances.append(float(kernel_distance(*features).value))
    assert distances[0] < 0.2 * distances[1]
    assert distances[1] < distances[2]


def test_networks_stay_frozen(stand_in):
    parent = nn.Sequential(stand_in, FidInception())
    parent.train()
    assert not any(module.training for module in (stand_in, parent[1], *parent[1].modules()))
    assert not any(parameter.requires_grad for parameter in parent.parameters())


def test_bytes_are_rounded_not_cut():
    values = torch.tensor([0.999, 0.5, 1 / 255 * 0.49, 1 / 255 * 0.51, 2.0, -1.0])
    image = values.view(1, 1, 1, 6).expand(1, 1, 2, 6)
    assert as_rgb_bytes(image, (0.0, 1.0))[0, :, 0].tolist() == [[255, 128, 0, 1, 255, 0]] * 3
    assert as_rgb_bytes(torch.tensor([-1.0, 1.0, 0.98]).view(1, 1, 1, 3))[0, 0, 0].tolist() == [0, 255, 252]
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(as_rgb_bytes(levels.float() / 127.5 - 1), levels.expand(1, 3, 16, 16))
    assert torch.equal(as_rgb_bytes(levels), levels.expand(1, 3, 16, 16))


def test_grey_is_luma():
    colours = torch.eye(3).view(3, 3, 1, 1)
    assert as_grey(colours, (0.0, 1.0)).flatten().tolist() == pytest.approx([0.299, 0.587, 0.114])
    assert as_grey(colours, (0.0, 1.0)).dtype == torch.float64


def test_values_that_are_not_finite_are_an_error():
    with pytest.raises(MetricError, match="not finite"):
        as_rgb_bytes(torch.full((1, 1, 4, 4), torch.nan))
    with pytest.raises(ValueError, match="drawings are"):
        as_grey(torch.zeros(1, 2, 4, 4))


def test_resize_from_corner_by_loops():
    image = np.random.default_rng(0).uniform(0, 255, (5, 7)).astype(np.float32)
    size = 9
    expected = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            y, x = i * 5 / size, j * 7 / size
            top, left = int(y), int(x)
            low, right = min(top + 1, 4), min(left + 1, 6)
            fy, fx = y - top, x - left
            upper = image[top, left] * (1 - fx) + image[top, right] * fx
            lower = image[low, left] * (1 - fx) + image[low, right] * fx
            expected[i, j] = upper * (1 - fy) + lower * fy
    found = resize_from_corner(torch.from_numpy(image)[None, None], size)[0, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-3)
    usual = nn.functional.interpolate(torch.from_numpy(image)[None, None], (size, size), mode="bilinear")[0, 0].numpy()
    assert np.abs(found - usual).max() > 1


@pytest.fixture(scope="module")
def inception():
    """Inception with random weights of sensible size, and its state with the entries of the published file."""
    torch.manual_seed(0)
    network = FidInception()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.bias, -0.1, 0.1)
    state = network.state_dict() | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    return network, state


def test_inception_has_the_published_shape(inception):
    network, state = inception
    assert len(state) == 566  # entries of the published file
    assert sum(parameter.numel() for parameter in network.parameters()) == 21_785_568
    assert sum(isinstance(module, nn.Conv2d) for module in network.modules()) == 94
    assert state["Mixed_6c.branch7x7dbl_4.conv.weight"].shape == (160, 160, 7, 1)
    assert state["Mixed_7c.branch_pool.bn.running_var"].shape == (192,)
    assert abs(sum(value.numel() for value in state.values()) * 4 / feature_networks.INCEPTION_SIZE - 1) < 0.002


def test_inception_by_a_second_reading(inception):
    """The network written out once more from its published description, as functions of the state's names."""
    network, state = inception
    functional = nn.functional

    def cell(x, name, stride=1, padding=0):
        x = functional.conv2d(x, state[f"{name}.conv.weight"], stride=stride, padding=padding)
        mean, variance = state[f"{name}.bn.running_mean"], state[f"{name}.bn.running_var"]
        scale = state[f"{name}.bn.weight"] / (variance + 1e-3).sqrt()
        shift = state[f"{name}.bn.bias"] - mean * scale
        return (x * scale[:, None, None] + shift[:, None, None]).clamp_min(0)

    def average(x):
        ones = torch.ones_like(x[:, :1])
        kernel = torch.ones(1, 1, 3, 3)
        sums = functional.conv2d(x.flatten(0, 1)[:, None], kernel, padding=1).view_as(x)
        return sums / functional.conv2d(ones, kernel, padding=1)

    def chain(x, block, *steps):
        for name, padding in steps:
            x = cell(x, f"{block}.{name}", padding=padding)
        return x

    images = torch.randint(0, 256, (2, 3, 299, 299), dtype=torch.uint8)
    x = (images.float() - 128) / 128
    x = cell(x, "Conv2d_1a_3x3", 2)
    x = cell(cell(x, "Conv2d_2a_3x3"), "Conv2d_2b_3x3", padding=1)
    x = functional.max_pool2d(x, 3, 2)
    x = functional.max_pool2d(cell(cell(x, "Conv2d_3b_1x1"), "Conv2d_4a_3x3"), 3, 2)
    assert x.shape[1:] == (192, 35, 35)
    for block in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
        parts = [chain(x, block, ("branch1x1", 0)), chain(x, block, ("branch5x5_1", 0), ("branch5x5_2", 2))]
        parts += [chain(x, block, ("branch3x3dbl_1", 0), ("branch3x3dbl_2", 1), ("branch3x3dbl_3", 1))]
        x = torch.cat([*parts, chain(average(x), block, ("branch_pool", 0))], 1)
    fine = cell(chain(x, "Mixed_6a", ("branch3x3dbl_1", 0), ("branch3x3dbl_2", 1)), "Mixed_6a.branch3x3dbl_3", 2)
    x = torch.cat([cell(x, "Mixed_6a.branch3x3", 2), fine, functional.max_pool2d(x, 3, 2)], 1)
    assert x.shape[1:] == (768, 17, 17)
    row, column = (0, 3), (3, 0)
    for block in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
        once = [("branch7x7_1", 0), ("branch7x7_2", row), ("branch7x7_3", column)]
        twice = [(f"branch7x7dbl_{n}", padding) for n, padding in enumerate((0, column, row, column, row), 1)]
        parts = [chain(x, block, ("branch1x1", 0)), chain(x, block, *once), chain(x, block, *twice)]
        x = torch.cat([*parts, chain(average(x), block, ("branch_pool", 0))], 1)
    narrow = cell(chain(x, "Mixed_7a", ("branch3x3_1", 0)), "Mixed_7a.branch3x3_2", 2)
    wide = chain(x, "Mixed_7a", ("branch7x7x3_1", 0), ("branch7x7x3_2", row), ("branch7x7x3_3", column))
    x = torch.cat([narrow, cell(wide, "Mixed_7a.branch7x7x3_4", 2), functional.max_pool2d(x, 3, 2)], 1)
    row, column = (0, 1), (1, 0)
    for block, pool in (("Mixed_7b", average), ("Mixed_7c", lambda x: functional.max_pool2d(x, 3, 1, 1))):
        one = chain(x, block, ("branch3x3_1", 0))
        two = chain(x, block, ("branch3x3dbl_1", 0), ("branch3x3dbl_2", 1))
        parts = [chain(x, block, ("branch1x1", 0))]
        parts += [chain(one, block, ("branch3x3_2a", row)), chain(one, block, ("branch3x3_2b", column))]
        parts += [chain(two, block, ("branch3x3dbl_3a", row)), chain(two, block, ("branch3x3dbl_3b", column))]
        x = torch.cat([*parts, chain(pool(x), block, ("branch_pool", 0))], 1)
    expected = x.mean((2, 3))
    assert expected.shape == (2, 2048)
    found = network(images)
    assert float((found - expected).abs().max()) < 1e-4 * float(expected.abs().max())
    assert float(expected.std()) > 1e-3


def test_inception_takes_bytes_of_any_size(inception):
    network, _ = inception
    images = torch.randint(0, 256, (1, 3, 40, 60), dtype=torch.uint8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = network(images)
    assert features.dtype == torch.float32
    assert torch.equal(features, network(images))
    with pytest.raises(ValueError, match="uint8"):
        network(images.float())


def test_weights_are_read_from_a_file_of_the_right_sha_only(inception, tmp_path):
    network, state = inception
    path = tmp_path / INCEPTION_FILE
    torch.save(state, path)
    with pytest.raises(WeightsError, match="not the Inception weights of the FID"):
        load_inception(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    loaded = InceptionFeatures(load_inception(path, sha256=digest))
    assert (loaded.frechet_name, loaded.kernel_name) == ("drawings/fid", "drawings/kid")
    for name, value in network.state_dict().items():
        assert torch.equal(value, loaded.network.state_dict()[name]), name


def test_bad_weights_are_refused(inception, tmp_path):
    with pytest.raises(WeightsError, match="no Inception weights"):
        make_feature_network(tmp_path / "absent.pth")
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps(print, protocol=2))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(WeightsError, match="cannot be read"):
        load_inception(path, sha256=digest)
    _, state = inception
    torch.save({name: value for name, value in state.items() if not name.startswith("Mixed_7c.")}, path)
    with pytest.raises(WeightsError, match="no fitting 'Mixed_7c"):
        load_inception(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_the_known_sha_fits_the_published_name():
    assert INCEPTION_SHA256[:8] in INCEPTION_FILE
