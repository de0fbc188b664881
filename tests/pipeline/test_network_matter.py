"""MODNet as a matter: the two rules of size, and what they do to the numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_modules.networks.frozen.modnet import MODNet
from lightning_modules.pipeline.network_matter import NetworkMatter, reference_size


class Redness(MODNet):
    """Says how red a pixel is, in place of 6 million parameters; keeps what it was shown."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.trainable = False
        self.one = torch.nn.Parameter(torch.ones(1))

    def forward(self, photo: torch.Tensor) -> torch.Tensor:
        self.seen = photo
        return (photo[:, :1] + 1) / 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((512, 512), (512, 512)),
        ((256, 256), (512, 512)),
        ((1024, 2048), (512, 1024)),
        ((2048, 1000), (1024, 512)),
        ((600, 500), (576, 480)),  # between: kept, but for what goes beyond multiples of 32
        ((300, 400), (512, 672)),  # 682.7, truncated
    ],
)
def test_the_size_rule_of_the_authors(given, expected):
    assert reference_size(*given) == expected


def test_the_native_rule_shows_256_pixels_and_repeats_the_answer():
    rgb = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    network = Redness()
    matte = NetworkMatter(network, "native").matte(rgb)
    assert network.seen.shape == (1, 3, 256, 256)
    blocks = rgb[..., 0].reshape(256, 2, 256, 2).mean((1, 3)).astype(np.float64)
    assert matte.shape == (512, 512)
    assert matte.dtype == np.float32
    assert np.array_equal(matte, matte[::2, ::2].repeat(2, 0).repeat(2, 1))
    assert np.abs(matte[::2, ::2] * 255 - blocks).max() <= 0.5 + 1e-3, "shown in 8 bits"


def test_the_rule_of_the_authors_gives_the_photos_own_size():
    rgb = np.zeros((100, 150, 3), np.uint8)
    rgb[..., 0] = 51
    network = Redness()
    matte = NetworkMatter(network).matte(rgb)
    assert network.seen.shape == (1, 3, 512, 768)
    assert matte.shape == (100, 150)
    assert np.allclose(matte, 0.2, atol=1e-6)
