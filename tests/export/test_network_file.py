"""Networks that compute something when they are built find it again when they are read from a file."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.export.network_file import build_network, filled, load_network, save_network
from lightning_modules.networks.frozen.edge_detector import EdgeDetector
from lightning_modules.networks.speaker_branch import SpeakerBranch


@pytest.mark.parametrize(
    ("kind", "make", "given"),
    [
        (
            "speaker_branch",
            lambda: SpeakerBranch(
                hidden=8, layers=1, code=4, noise=4, width=8, feed_forward=16, head_width=16, longest=40
            ),
            lambda: (torch.randn(20, 18, 80), torch.randn(20, 256)),
        ),
        ("edge_detector", lambda: EdgeDetector(width=4), lambda: (torch.rand(1, 3, 32, 32),)),
    ],
)
def test_constants_that_no_file_holds_are_computed_again(tmp_path, kind, make, given):
    network, inputs = make().eval(), given()
    path = save_network(kind, network, tmp_path / "x.safetensors")
    state = torch.random.get_rng_state()
    stored = load_network(path).network
    assert torch.equal(torch.random.get_rng_state(), state), "nothing is drawn from the caller's generator"
    constants = dict(network.named_buffers())
    assert constants
    for name, value in stored.named_buffers():
        assert torch.equal(value, constants[name]), name
    with torch.no_grad():
        assert torch.equal(stored(*inputs), network(*inputs))


def test_a_filled_network_keeps_weights_of_its_own():
    given = {name: values.clone() for name, values in EdgeDetector(width=4).state_dict().items()}
    network = filled(build_network("edge_detector", {"width": 4}), given)
    expected = {name: values.clone() for name, values in given.items()}
    for values in given.values():
        values.zero_()
    assert all(torch.equal(values, expected[name]) for name, values in network.state_dict().items())
    assert not any(parameter.is_meta for parameter in network.parameters())
