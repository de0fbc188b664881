"""A generator in a file: bit for bit the same afterwards, and whatever is not one is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.export.generator_file import (
    GeneratorTraining,
    load_generator,
    require_flow_weights,
    save_generator,
)
from lightning_modules.export.network_file import load_network, save_network
from lightning_modules.networks.landmark_flow import LandmarkFlow
from lightning_modules.networks.portrait_generator import PortraitGenerator
from lightning_modules.portrait_gan_inputs import InputRecipe

TINY: dict[str, Any] = {"width": 4, "landmark_width": 2, "blocks": 2, "landmark_blocks": (0,), "head": "subpixel"}


@pytest.fixture
def generator() -> PortraitGenerator:
    torch.manual_seed(4)
    return PortraitGenerator(**TINY)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"warp_a": False},
        {"scales": (1,), "compat": "official"},
        {"block_type": "separable", "output_channels": 3, "head": "full"},
    ],
)
def test_what_is_saved_comes_back_bit_by_bit(tmp_path: Path, change: dict[str, Any]) -> None:
    saved = PortraitGenerator(**(TINY | change))
    path = save_generator(saved, tmp_path / "sub" / "g.safetensors")
    loaded, training = load_generator(path)
    assert training == GeneratorTraining()
    assert loaded.arguments == saved.arguments
    assert not loaded.training
    assert loaded.state_dict().keys() == saved.state_dict().keys()
    assert all(torch.equal(loaded.state_dict()[name], values) for name, values in saved.state_dict().items())
    photo, discs = torch.rand(1, 3, 16, 16), torch.rand(1, 1, 16, 16)
    maps = torch.rand(1, 16, 16, 2) * 2 - 1, torch.rand(1, 2, 16, 16), torch.ones(1, 1, 16, 16)
    with torch.no_grad():
        assert torch.equal(loaded(photo, discs, -discs, *maps), saved.eval()(photo, discs, -discs, *maps))


def test_how_it_was_trained_comes_back(tmp_path: Path, generator: Any) -> None:
    training = GeneratorTraining(
        recipe=InputRecipe.official(),
        separate_foreground=False,
        flow_a="regressed",
        image_size=128,
        photos_seen=12_345,
        averaged=True,
        licence="CC0-1.0",
        source="synthetic faces",
    )
    assert load_generator(save_generator(generator, tmp_path / "g.safetensors", training)).training == training


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"recipe": {}, "colour": 1},
        {"recipe": {"anchors": "none"}},
        {"recipe": {"soft_matte": 1}},
        {"recipe": {"disc_radius": "3"}},
        {"recipe": {}, "flow_a": "guessed"},
        {"recipe": {}, "image_size": 1.5},
        {"recipe": {}, "photos_seen": True},
        {"recipe": [1]},
    ],
)
def test_a_training_of_other_values_is_refused(tmp_path: Path, generator: Any, facts: dict[str, Any]) -> None:
    path = save_network("portrait_generator", generator, tmp_path / "g.safetensors", facts)
    with pytest.raises(WeightsError) as caught:
        load_generator(path)
    assert "\n" not in str(caught.value)


def test_flow_weights_go_with_a_generator_that_was_trained_with_them(tmp_path: Path) -> None:
    with_flow, file = GeneratorTraining(flow_a="regressed"), tmp_path / "g"
    require_flow_weights(with_flow, file, tmp_path / "flow")
    require_flow_weights(GeneratorTraining(), file, None)
    with pytest.raises(ConfigError, match=r"trained with a flow regression .*--flow-weights FILE"):
        require_flow_weights(with_flow, file, None)
    for other in ("none", "interpolated"):
        with pytest.raises(ConfigError, match="trained without a flow regression"):
            require_flow_weights(GeneratorTraining(flow_a=other), file, tmp_path / "flow")


def test_another_network_of_the_register_is_named(tmp_path: Path) -> None:
    flow = LandmarkFlow("residual_unet", width=2, levels=2, widest=4)
    path = save_network("flow_regression", flow, tmp_path / "f.safetensors", {"licence": "MIT"})
    with pytest.raises(WeightsError, match="holds a flow_regression, not a generator"):
        load_generator(path)
    stored = load_network(path)
    assert (stored.kind, stored.facts) == ("flow_regression", {"licence": "MIT"})
    assert all(torch.equal(stored.network.state_dict()[name], value) for name, value in flow.state_dict().items())
    with pytest.raises(ConfigError, match="a mobilefacenet has no argument"):
        save_network("mobilefacenet", flow, tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("part", [0, 5, 200, 0.5, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, generator: Any, part: float) -> None:
    path = save_generator(generator, tmp_path / "g.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole)) if 0 < part < 1 else int(part)])
    with pytest.raises(WeightsError, match="damaged or no safetensors"):
        load_generator(path)


def test_a_missing_or_foreign_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such weight file"):
        load_generator(tmp_path / "nothing.safetensors")
    with pytest.raises(WeightsError, match="no such weight file"):
        load_generator(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(500))
    with pytest.raises(WeightsError, match="damaged or no safetensors"):
        load_generator(tmp_path / "photo.jpg")
    save_file({"weight": torch.ones(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="did not export"):
        load_generator(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("{", "header cannot be read"),
        ("[1]", "header cannot be read"),
        ({"form": 1}, "form 1"),
        ({"network": "os.system"}, "os.system"),
        ({"network": ["portrait_generator"]}, "asks for the network"),
        ({"arguments": {"width": 10**9}}, "describes no network"),
        ({"arguments": {"width": "4"}}, "describes no network"),
        ({"arguments": {"width": True}}, "describes no network"),
        ({"arguments": {"scales": [-1]}}, "describes no network"),
        ({"arguments": {"class_path": "os.system"}}, "describes no network"),
        ({"arguments": {"width": 3}}, "describes no network"),
        ({"facts": 3}, "header cannot be read"),
        ({"arguments": {"width": 8}}, "do not fit the network that it describes (image_encoder"),
    ],
)
def test_a_header_can_only_name_what_is_known(tmp_path: Path, generator: Any, header: Any, told: str) -> None:
    facts = {"form": 2, "network": "portrait_generator", "arguments": TINY, "facts": GeneratorTraining().facts()}
    text = header if isinstance(header, str) else json.dumps(facts | header)
    save_file(generator.state_dict(), tmp_path / "g.safetensors", metadata={"inkspeak": text})
    with pytest.raises(WeightsError) as caught:
        load_generator(tmp_path / "g.safetensors")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path, generator: PortraitGenerator) -> None:
    with torch.no_grad():
        next(generator.parameters()).view(-1)[0] = float("nan")
    path = save_generator(generator, tmp_path / "g.safetensors")
    with pytest.raises(WeightsError, match="not finite"):
        load_generator(path)
