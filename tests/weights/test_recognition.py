"""Published networks are known by their keys and shapes, whatever they are wrapped in; what is nearly one is named."""

from __future__ import annotations

import math

import pytest
import torch
from published_folder import SMALL, adam, parallel, random_state

from lightning_modules.weights.published import PUBLISHED
from lightning_modules.weights.recognition import recognise, state_dicts

# The two that have one size only and many numbers stay out of the quick tests.
QUICK = [kind for kind in PUBLISHED if kind in SMALL or kind == "mobilefacenet"]


def shapes_alone(kind: str) -> dict[str, torch.Tensor]:
    """The full published shapes without memory for the numbers."""
    network = PUBLISHED[kind]
    return {
        key: torch.zeros(()).expand(shape) if math.prod(shape) else torch.zeros(shape)
        for key, shape in network.shapes(network.full_size).items()
    }


@pytest.mark.parametrize("kind", PUBLISHED)
def test_every_kind_of_the_register_is_known_at_the_published_size(kind):
    (found,), miss = recognise(shapes_alone(kind))
    assert (found.kind, found.entry, miss) == (kind, "", None)


@pytest.mark.parametrize("kind", QUICK)
def test_every_kind_is_known_in_a_wrapper_beside_an_optimiser(kind):
    state = random_state(kind, full=False)
    (found,), miss = recognise({"epoch": 3, "anything": parallel(state), "optimizer": adam(state)})
    assert (found.kind, found.entry, miss) == (kind, "anything", None)
    assert found.state.keys() == state.keys()
    assert all(found.state[key] is value for key, value in state.items())


def test_both_architectures_of_flow_map_a_are_known():
    state = random_state("flow_regression", full=False, architecture="residual_unet")
    (found,), _ = recognise(state)
    assert (found.kind, found.sizes["architecture"]) == ("flow_regression", "residual_unet")


def test_sizes_tell_drawings_from_cartoons():
    for channels in (1, 3):
        (found,), _ = recognise(random_state("portrait_generator", full=False, output_channels=channels))
        assert found.sizes["output_channels"] == channels


def test_several_networks_of_a_file_are_found_and_what_is_foreign_is_passed_over():
    held = {"netG": random_state("static_drawing_generator", full=False), "other": {"a.weight": torch.zeros(2, 3)}}
    held["netF"] = random_state("inverse_generator", full=False)
    found, miss = recognise(held)
    assert [(one.kind, one.entry) for one in found] == [
        ("static_drawing_generator", "netG"),
        ("inverse_generator", "netF"),
    ]
    assert miss is None


def test_of_two_of_a_kind_the_one_under_a_published_name_comes_first():
    both = {name: random_state("inverse_generator", full=False) for name in ("genB2A", "genA2B")}
    assert [one.entry for one in recognise(both)[0]] == ["genA2B", "genB2A"]


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda s: s | {"conv_3.model.2.conv.conv.weight": torch.zeros(8, 64, 1, 1)}, None),
        (lambda s: {k: v for k, v in s.items() if k != "conv1.bn.bias"}, "'conv1.bn.bias' is missing"),
        (
            lambda s: {k: v for k, v in s.items() if not k.startswith("conv1.")},
            r"'conv1.conv.weight' and 5 more are missing",
        ),
        (lambda s: s | {"fc.weight": torch.zeros(2)}, "'fc.weight' is not expected"),
    ],
)
def test_what_is_nearly_a_network_is_named_with_the_first_difference(change, difference):
    found, miss = recognise({"state_dict": change(random_state("mobilefacenet", full=True))})
    assert not found
    assert miss.kind == "mobilefacenet"
    shape = "'conv_3.model.2.conv.conv.weight' is (8, 64, 1, 1) instead of (128, 64, 1, 1)"
    assert miss.difference == (difference or shape)
    assert 0.9 < miss.likeness <= 1.0


def test_a_wrong_shape_that_gives_the_sizes_is_named_too():
    state = random_state("portrait_generator", full=False) | {"model_tri10.1.weight": torch.zeros(())}
    found, miss = recognise(state)
    assert not found
    assert miss.kind == "portrait_generator"


def test_missing_counters_of_batches_are_no_difference():
    state = random_state("mobilefacenet", full=True)
    (found,), _ = recognise({key: value for key, value in state.items() if not key.endswith("num_batches_tracked")})
    assert found.kind == "mobilefacenet"


@pytest.mark.parametrize(
    "held",
    [{}, {"a": 1}, {"layer.weight": torch.zeros(3)}, {"state_dict": {}}, {3: torch.zeros(3)}, {"x": {"y": {"z": {}}}}],
)
def test_what_is_foreign_is_like_nothing(held):
    assert recognise(held) == ([], None)


def test_an_optimisers_state_is_no_state_dict():
    held = {"model": {"module.a": torch.zeros(1)}, "optimizer": adam({"a": torch.zeros(3)})}
    assert [(name, list(state)) for name, state in state_dicts(held)] == [("model", ["a"])]
