"""A guided generator: it starts with its guide, reads it, and can leave it."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.networks.guided_head import GuidedHead, GuideEncoder, cut_off, decided, from_border
from lightning_modules.networks.portrait_generator import PortraitGenerator
from tests.networks.test_portrait_generator import inputs

TINY = {"width": 4, "landmark_width": 2, "blocks": 2, "landmark_blocks": (0,), "head": "guided", "undecided": 0.3}


def guide(batch=1, channels=1, size=(32, 24)):
    return torch.rand(batch, channels, *size, generator=torch.Generator().manual_seed(4)) * 2 - 1


@pytest.mark.parametrize("channels", [1, 3])
def test_it_starts_with_the_guide(channels):
    given = guide(2, channels)
    assert torch.equal(PortraitGenerator(**TINY, output_channels=channels)(**inputs(2), guide=given), given)


def test_changes_are_added_and_cut_off_by_hand():
    head = GuidedHead(2, 1, undecided=0.3)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        # From 0.3 to 0.7 they come to show: 0.4 by a smooth step of a quarter, 5/32 of 2.
        head.last.bias[:] = 2.3 * torch.atanh(torch.tensor([0.3, -0.8, 0.4, -0.5]) / 2.3)
        given = torch.tensor([[1.0, -0.75], [0.5, 0.0]]).repeat(12, 12)[None, None]
        drawing = head(torch.zeros(1, 2, 12, 12), given)
    expected = torch.tensor([[1.0, -1.0], [0.5 + 10 / 32, -1.0]])
    assert torch.allclose(drawing[0, 0, 8:-8, 8:-8], expected.repeat(4, 4), atol=1e-6)


def test_what_was_cut_off_can_come_back_and_is_not_driven_further():
    values = torch.tensor([-2.0, -1.0, 0.5, 1.0, 3.0], requires_grad=True)
    cut = cut_off(values)
    assert cut.tolist() == [-1.0, -1.0, 0.5, 1.0, 1.0]
    cut.sum().backward()  # a step would make all smaller: the first one is small enough
    assert values.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 1.0]
    values.grad = None
    cut_off(values).sum().neg().backward()
    assert values.grad.tolist() == [-1.0, -1.0, -1.0, -1.0, 0.0]


def test_small_changes_do_not_show_and_are_learned_all_the_same():
    change = torch.tensor([-1.0, -0.3, 0.0, 0.4, 2.3], requires_grad=True)
    shown = decided(change, 0.3)
    assert shown.tolist() == pytest.approx([-2.0, 0.0, 0.0, 10 / 32, 2.0])
    shown.sum().backward()
    assert change.grad.tolist() == [1.0] * 5


def test_paper_alone_says_nothing():
    encoder = GuideEncoder(1, 8)
    assert torch.equal(encoder(torch.ones(1, 1, 16, 16)), torch.zeros(1, 8, 4, 4))
    assert encoder(guide(size=(16, 16))).abs().max() > 0


def test_the_guide_matters_and_every_pixel_of_it():
    torch.manual_seed(1)
    network = PortraitGenerator(**TINY).double()
    torch.nn.init.normal_(network.image_decoder.last.last.weight)
    given = {name: value.double() for name, value in inputs().items()}
    shown = guide().double().requires_grad_()
    network(**given, guide=shown).square().sum().backward()
    assert shown.grad.abs().min() > 0


def test_it_learns_to_draw_where_the_guide_is_wrong():
    """The guide lacks a mouth, which the landmarks show; after some steps it is there, and the guide still is."""
    torch.manual_seed(2)
    network = PortraitGenerator(**TINY | {"width": 8})
    given, shown = inputs(), torch.ones(1, 1, 32, 24)
    shown[..., 4:6, :] = -1.0
    wanted = shown.clone()
    wanted[..., 20:24, 8:16] = -1.0
    given["target_landmark_image"] = 1.0 - (wanted - shown).abs()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(50):
        optimizer.zero_grad()
        (network(**given, guide=shown) - wanted).abs().mean().backward()
        optimizer.step()
    error = (network(**given, guide=shown) - wanted).abs()
    assert (shown - wanted).abs().mean() == pytest.approx(2 * 32 / (32 * 24))
    assert error.mean() < 0.03
    assert error[..., 20:24, 8:16].mean() < 0.5


def test_a_missing_or_foreign_guide_is_refused():
    network = PortraitGenerator(**TINY)
    with pytest.raises(ValueError, match="needs the guide"):
        network(**inputs())
    with pytest.raises(ValueError, match="guide"):
        network(**inputs(), guide=guide(size=(16, 24)))


def test_others_do_not_read_a_guide():
    torch.manual_seed(3)
    network = PortraitGenerator(**TINY | {"head": "subpixel"})
    given = inputs()
    assert not network.guided
    assert torch.equal(network(**given), network(**given, guide=guide()))


def test_nothing_changes_at_the_very_edge():
    shown = from_border(torch.zeros(1, 1, 32, 48))
    assert shown.shape == (32, 48)
    assert float(shown[0].max()) == float(shown[:, -1].max()) == 0.0
    assert float(shown[4, 24]) == 0.5
    assert float(shown[8:-8, 8:-8].min()) == 1.0
