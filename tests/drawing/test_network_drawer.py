"""Networks as static drawers: what they are shown, at which size, and what the key of a drawing knows."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.drawing.drawer import StaticDrawer
from lightning_modules.drawing.network_drawer import InStyle, NetworkDrawer
from lightning_modules.networks.static_drawing_generator import StaticDrawingGenerator


class Grey(nn.Module):
    """Draws the mean of the colours, and keeps what it was shown."""

    def forward(self, photo: Tensor) -> Tensor:
        self.seen = photo
        return photo.mean(1, keepdim=True)


@pytest.fixture
def photo() -> Tensor:
    return torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(4))


def test_the_published_manner_reduces_to_256_and_enlarges_again(photo):
    grey = Grey()
    drawing = NetworkDrawer(grey, "x", manner="published").draw(photo)
    small = (functional.avg_pool2d(photo, 2) * 255).round() / 255
    expected = functional.interpolate(small, scale_factor=2.0, mode="bilinear", align_corners=False) * 2 - 1
    assert torch.allclose(grey.seen, expected, atol=1e-6)
    assert torch.allclose(drawing, (expected.mean(1, keepdim=True) + 1) / 2, atol=1e-6)


def test_what_a_network_of_256_draws_comes_back_when_it_is_reduced_again(photo):
    grey = Grey()
    drawing = NetworkDrawer(grey, "x", side=256, manner="published").draw(photo)
    assert grey.seen.shape == (1, 3, 256, 256)
    assert torch.allclose(functional.avg_pool2d(drawing, 2), (grey.seen.mean(1, keepdim=True) + 1) / 2, atol=1e-6)


def test_by_default_the_shorter_side_is_what_the_network_learned_from(photo):
    grey = Grey()
    drawing = NetworkDrawer(grey, "x").draw(photo)
    assert torch.allclose(drawing, photo.mean(1, keepdim=True), atol=1e-6), "512 pixels are shown as they are"
    wide = torch.full((2, 3, 128, 200), 0.25)
    drawing = NetworkDrawer(grey, "x").draw(wide)
    assert grey.seen.shape == (2, 3, 512, 800)
    assert drawing.shape == (2, 1, 128, 200)
    assert torch.allclose(drawing, torch.tensor(0.25), atol=1e-6)


def test_the_background_is_painted_white_where_the_network_learned_from_that(photo):
    matte = torch.zeros(1, 1, 512, 512)
    matte[..., :256] = 1.0
    drawing = NetworkDrawer(Grey(), "x", paints_white=True).draw(photo, matte=matte)
    assert torch.allclose(drawing[..., :256], photo.mean(1, keepdim=True)[..., :256], atol=1e-6)
    assert torch.allclose(drawing[..., 256:], torch.tensor(1.0))
    plain = NetworkDrawer(Grey(), "x", paints_white=True, manner="published").draw(photo, matte=matte)
    assert plain[..., 256:].mean() < 0.6, "never as published"


def test_a_style_is_one_of_the_networks():
    torch.manual_seed(0)
    network = StaticDrawingGenerator(width=4, blocks=1)
    photo = torch.rand(2, 3, 32, 32) * 2 - 1
    second = torch.tensor([[0.0, 1.0, 0.0]])
    with torch.no_grad():
        assert torch.equal(InStyle(network)(photo), network(photo, second))
        assert not torch.equal(InStyle(network, (1.0, 0.0, 0.0))(photo), network(photo, second))


def test_a_drawing_is_kept_under_all_that_shapes_it():
    drawer = NetworkDrawer(Grey(), "x")
    assert isinstance(drawer, StaticDrawer)
    changes = ({"side": 256}, {"paints_white": True}, {"manner": "published"})
    others = [NetworkDrawer(Grey(), "x", **change).settings() for change in changes]
    others.append(NetworkDrawer(Grey(), "y").settings())
    assert all(other != drawer.settings() for other in others)
    assert NetworkDrawer(Grey(), "x").settings() == drawer.settings()
