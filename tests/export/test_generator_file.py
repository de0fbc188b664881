"""A generator in a file: bit for bit the same afterwards, and whatever is not one is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.export.generator_file import load_generator, save_generator
from lightning_modules.networks.portrait_generator import PortraitGenerator

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
    path = save_generator(saved, tmp_path / "sub" / "g.safetensors", TINY | change)
    loaded = load_generator(path)
    assert not loaded.training
    assert loaded.state_dict().keys() == saved.state_dict().keys()
    assert all(torch.equal(loaded.state_dict()[name], values) for name, values in saved.state_dict().items())
    photo, discs = torch.rand(1, 3, 16, 16), torch.rand(1, 1, 16, 16)
    maps = torch.rand(1, 16, 16, 2) * 2 - 1, torch.rand(1, 2, 16, 16), torch.ones(1, 1, 16, 16)
    with torch.no_grad():
        assert torch.equal(loaded(photo, discs, -discs, *maps), saved.eval()(photo, discs, -discs, *maps))


@pytest.mark.parametrize("change", [{"width": 6}, {"compat": "official"}, {"landmark_blocks": (1,)}])
def test_a_config_of_another_generator_is_refused(tmp_path: Path, generator: Any, change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="describes another generator"):
        save_generator(generator, tmp_path / "g.safetensors", TINY | change)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("change", [{"class_path": "os.system"}, {"width": "4"}, {"width": True}, {"scales": [-1]}])
def test_a_config_of_other_values_is_refused(tmp_path: Path, generator: Any, change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        save_generator(generator, tmp_path / "g.safetensors", TINY | change)


@pytest.mark.parametrize("part", [0, 5, 200, 0.5, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, generator: Any, part: float) -> None:
    path = save_generator(generator, tmp_path / "g.safetensors", TINY)
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
        ({"form": 2}, "form 2"),
        ({"network": "os.system"}, "os.system"),
        ({"network": ["portrait_generator"]}, "asks for the network"),
        ({"arguments": {"width": 10**9}}, "describes no generator"),
        ({"arguments": {"run": "x"}}, "describes no generator"),
        ({"arguments": {"width": 3}}, "describes no generator"),
        ({"arguments": {"width": 8}}, "do not fit"),
    ],
)
def test_a_header_can_only_name_what_is_known(tmp_path: Path, generator: Any, header: Any, told: str) -> None:
    facts = {"form": 1, "network": "portrait_generator", "arguments": TINY}
    text = header if isinstance(header, str) else json.dumps(facts | header)
    save_file(generator.state_dict(), tmp_path / "g.safetensors", metadata={"inkspeak": text})
    with pytest.raises(WeightsError) as caught:
        load_generator(tmp_path / "g.safetensors")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path, generator: PortraitGenerator) -> None:
    with torch.no_grad():
        next(generator.parameters()).view(-1)[0] = float("nan")
    path = save_generator(generator, tmp_path / "g.safetensors", TINY)
    with pytest.raises(WeightsError, match="not finite"):
        load_generator(path)
