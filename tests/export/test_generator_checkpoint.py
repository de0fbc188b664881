"""From a checkpoint of the portrait GAN to a file that the renderer reads, without any configuration."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.__main__ import main
from lightning_modules.errors import WeightsError
from lightning_modules.export.generator_checkpoint import generator_of_checkpoint
from lightning_modules.export.generator_file import load_generator
from lightning_modules.networks.portrait_generator import PortraitGenerator
from lightning_modules.portrait_gan_inputs import InputRecipe

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "portrait_gan"))  # tiny_gan.py

# Lightning itself triggers deprecation warnings of torch, and tells a tiny run that it is tiny.
pytestmark = pytest.mark.filterwarnings("ignore")

SMALL: dict[str, Any] = {"width": 4, "landmark_width": 2, "blocks": 2, "landmark_blocks": (0,), "head": "subpixel"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """A checkpoint after one epoch, the module that was trained, and its average."""
    from tiny_gan import checkpointing, fit, tiny_gan

    from callbacks.ema import ExponentialMovingAverage

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    folder = tmp_path_factory.mktemp("trained")
    module = tiny_gan(generator=PortraitGenerator(**SMALL), recipe=InputRecipe(anchors="official", disc_radius=4.0))
    average = ExponentialMovingAverage(0.5)
    fit(module, folder, epochs=1, callbacks=[average, *checkpointing(folder, 8)])
    return next(folder.glob("photos_*.ckpt")), module, average


def same(network: Any, state: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_the_average_is_exported_with_all_that_drawing_depends_on(trained, tmp_path, capsys):
    checkpoint, module, average = trained
    out = tmp_path / "g.safetensors"
    words = ["weights", "export", str(checkpoint), str(out), "--licence", "CC0-1.0", "--source", "made here", "--json"]
    assert main(words) == 0
    generator, training = load_generator(out)
    assert same(generator, average.average)
    assert not same(generator, module.generator.state_dict())
    assert generator.arguments == module.generator.arguments
    assert training.recipe == module.inputs.recipe
    assert (training.image_size, training.photos_seen, training.averaged) == (32, 8, True)
    assert (training.flow_a, training.separate_foreground) == ("interpolated", True)
    assert (training.licence, training.source) == ("CC0-1.0", "made here")
    told = json.loads(capsys.readouterr().out)
    assert told["weights"] == "moving average"
    assert told["drawing_channels"] == 1


def test_the_weights_of_the_last_step_on_demand(trained, tmp_path, capsys):
    checkpoint, module, _ = trained
    assert main(["weights", "export", str(checkpoint), str(tmp_path / "g.safetensors"), "--raw"]) == 0
    generator, training = load_generator(tmp_path / "g.safetensors")
    assert same(generator, module.generator.state_dict())
    assert not training.averaged
    assert "last step" in capsys.readouterr().out


def changed(trained: Any, folder: Path, change: Any) -> Path:
    saved = torch.load(trained[0], weights_only=True)
    change(saved)
    torch.save(saved, folder / "changed.ckpt")
    return folder / "changed.ckpt"


def test_without_an_average_the_last_step_is_taken_and_that_is_said(trained, tmp_path, capsys):
    def drop(saved):
        saved["callbacks"] = {"Other": {"average": {}}}

    checkpoint = changed(trained, tmp_path, drop)
    assert main(["weights", "export", str(checkpoint), str(tmp_path / "g.safetensors")]) == 0
    assert same(load_generator(tmp_path / "g.safetensors").generator, trained[1].generator.state_dict())
    assert capsys.readouterr().out.endswith("has no moving average: these are the weights of its last step\n")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda saved: saved.pop("portrait_gan"), "no checkpoint of the portrait GAN"),
        (lambda saved: saved["portrait_gan"].pop("portrait_generator"), "does not say how its generator is built"),
        (
            lambda saved: saved["portrait_gan"].update(portrait_generator=None),
            "does not say how its generator is built",
        ),
        (lambda saved: saved["portrait_gan"]["portrait_generator"].pop("training"), "cannot be read"),
        (lambda saved: saved["portrait_gan"]["portrait_generator"]["arguments"].update(width=8), "do not fit"),
        (lambda saved: saved["portrait_gan"]["portrait_generator"]["arguments"].update(run="x"), "no argument 'run'"),
        (lambda saved: saved["portrait_gan"].pop("photos_seen"), "cannot be read"),
    ],
)
def test_other_checkpoints_are_refused_in_one_line(trained, tmp_path, capsys, change, told):
    checkpoint = changed(trained, tmp_path, change)
    assert main(["weights", "export", str(checkpoint), str(tmp_path / "g.safetensors")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert "changed.ckpt" in line
    assert list(tmp_path.iterdir()) == [checkpoint]


def test_files_that_are_no_checkpoints_are_refused(tmp_path):
    torch.save({"surprise": Path}, tmp_path / "code.ckpt")
    (tmp_path / "cut.ckpt").write_bytes((tmp_path / "code.ckpt").read_bytes()[:200])
    (tmp_path / "text.ckpt").write_text("no checkpoint")
    torch.save([1, 2], tmp_path / "list.ckpt")
    for name, told in (
        ("missing", "no such weight file"),
        ("code", "more than tensors and plain values"),
        ("cut", "damaged"),
        ("text", "damaged"),
        ("list", "holds a list"),
    ):
        with pytest.raises(WeightsError, match=told):
            generator_of_checkpoint(tmp_path / f"{name}.ckpt")


def test_a_resumed_run_still_knows_its_size(trained):
    from tiny_gan import tiny_gan

    module = tiny_gan(generator=PortraitGenerator(**SMALL))
    module.on_load_checkpoint(torch.load(trained[0], weights_only=True))
    state: dict[str, Any] = {}
    module.on_save_checkpoint(state)
    assert state["portrait_gan"]["portrait_generator"]["training"]["image_size"] == 32
