"""Published checkpoints: same numbers as the published system where its fixtures are at hand, strict keys always."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.networks.portrait_generator import PortraitGenerator
from lightning_modules.weights import from_published, published_shapes
from lightning_modules.weights.published import PUBLISHED

GENERATOR_INPUTS = (
    "photo",
    "source_landmark_image",
    "target_landmark_image",
    "grid_b",
    "flow_a",
    "validity_a",
)

# Reference stage2 §1.7, typed from the text: every layer of the published generator with its weight.
GENERATOR_WEIGHTS = {
    "model_tri_merge": (256, 768, 3, 3),
    "model_tri00.1": (32, 3, 7, 7),
    "model_tri01.0": (128, 64, 3, 3),
    "model_tri02.0": (256, 128, 3, 3),
    "model_tri10.1": (64, 3, 7, 7),
    "model_tri11.0": (64, 64, 3, 3),
    "model_tri12.0": (256, 128, 3, 3),
    "model_tri20.1": (64, 3, 7, 7),
    "model_tri21.0": (128, 64, 3, 3),
    "model_tri22.0": (128, 128, 3, 3),
    "model2.0.conv_block.1": (256, 288, 3, 3),
    "model2.0.conv_block.5": (256, 256, 3, 3),
    "model2.0.shortcut.0": (256, 288, 3, 3),
    "model2.1.conv_block.1": (256, 256, 3, 3),
    "model2.1.conv_block.5": (256, 256, 3, 3),
    "model2.2.conv_block.1": (256, 256, 3, 3),
    "model2.2.conv_block.5": (256, 256, 3, 3),
    "model2.3.conv_block.1": (256, 288, 3, 3),
    "model2.3.conv_block.5": (256, 256, 3, 3),
    "model2.3.shortcut.0": (256, 288, 3, 3),
    "model2.4.conv_block.1": (256, 256, 3, 3),
    "model2.4.conv_block.5": (256, 256, 3, 3),
    "model2.5.conv_block.1": (256, 256, 3, 3),
    "model2.5.conv_block.5": (256, 256, 3, 3),
    "model2.6.conv_block.1": (256, 288, 3, 3),
    "model2.6.conv_block.5": (256, 256, 3, 3),
    "model2.6.shortcut.0": (256, 288, 3, 3),
    "model2.7.conv_block.1": (256, 256, 3, 3),
    "model2.7.conv_block.5": (256, 256, 3, 3),
    "model2.8.conv_block.1": (256, 256, 3, 3),
    "model2.8.conv_block.5": (256, 256, 3, 3),
    "model3.0": (256, 128, 3, 3),
    "model3.3": (128, 64, 3, 3),
    "model3.7": (1, 64, 7, 7),
    "model_landmark_trans.0": (8, 1, 3, 3),
    "model_landmark_trans.3": (16, 8, 3, 3),
    "model_landmark_trans.6": (16, 16, 3, 3),
}
DISCRIMINATOR_WEIGHTS = {
    "model.0": (64, 1, 4, 4),
    "model.2": (128, 64, 4, 4),
    "model.5": (256, 128, 4, 4),
    "model.8": (512, 256, 4, 4),
    "model.11": (1, 512, 4, 4),
}
TRANSPOSED = ("model3.0", "model3.3")  # stored (in, out, k, k)


def table(weights):
    shapes = {}
    for layer, shape in weights.items():
        shapes[f"{layer}.weight"] = shape
        shapes[f"{layer}.bias"] = (shape[1] if layer in TRANSPOSED else shape[0],)
    return shapes


def checkpoint(kind, **sizes):
    """Random weights under the published keys, in the published order."""
    network = PUBLISHED[kind]
    return {key: torch.randn(shape) * 0.1 for key, shape in network.shapes(network.full_size | sizes).items()}


def small_checkpoint():
    return checkpoint("portrait_generator", width=8, landmark_width=4)


def small_discriminator():
    return checkpoint("patch_discriminator", width=4, input_channels=2)


def test_the_keys_and_shapes_are_those_of_the_reference():
    assert published_shapes("portrait_generator") == table(GENERATOR_WEIGHTS)
    assert published_shapes("patch_discriminator") == table(DISCRIMINATOR_WEIGHTS)
    assert len(published_shapes("portrait_generator")) == 74
    assert next(iter(published_shapes("portrait_generator"))) == "model_tri_merge.weight"


@pytest.mark.parametrize("name", ["generator_1ch", "generator_3ch"])
def test_the_published_generator_is_reproduced(parity, name):
    stored = parity(name)
    weights = {key.removeprefix("weights/"): value for key, value in stored.items() if key.startswith("weights/")}
    generator = from_published("portrait_generator", {key: torch.from_numpy(value) for key, value in weights.items()})
    inputs = [torch.from_numpy(stored[f"inputs/{name}"]) for name in GENERATOR_INPUTS]
    with torch.inference_mode():
        drawing = generator(*inputs)
        corrected = PortraitGenerator(width=8, output_channels=drawing.shape[1])
        corrected.load_state_dict(generator.state_dict())
        other = corrected(*inputs)
    np.testing.assert_allclose(drawing.numpy(), stored["outputs/drawing"], rtol=0, atol=1e-4)
    assert (other - drawing).abs().max() > 0.01, "the corrected numerics are others"


def test_the_published_discriminator_is_reproduced(parity):
    stored = parity("patch_discriminator")
    weights = {key.removeprefix("weights/"): value for key, value in stored.items() if key.startswith("weights/")}
    with torch.inference_mode():
        logits = from_published("patch_discriminator", weights)(torch.from_numpy(stored["inputs/x"]))
    np.testing.assert_allclose(logits.numpy(), stored["outputs/logits"], rtol=0, atol=1e-4)


def test_every_weight_arrives_where_it_belongs():
    """Sizes are inferred, every value is copied once, and the module is ready for use."""
    given = checkpoint("portrait_generator", width=8, landmark_width=4, output_channels=3)
    generator = from_published("portrait_generator", given)
    own = generator.state_dict()
    assert len(own) == len(given) == 74
    assert sorted(value.sum().item() for value in own.values()) == sorted(
        value.sum().item() for value in given.values()
    )
    assert torch.equal(own["transfer.blocks.3.shortcut.convolution.weight"], given["model2.3.shortcut.0.weight"])
    assert not generator.training
    given["model2.3.shortcut.0.weight"].zero_()
    assert own["transfer.blocks.3.shortcut.convolution.weight"].abs().max() > 0, "a copy"
    with torch.inference_mode():
        drawing = generator(
            *(torch.rand(1, channels, 32, 32) for channels in (3, 1, 1)),
            torch.rand(1, 32, 32, 2),
            *(torch.rand(1, channels, 32, 32) for channels in (2, 1)),
        )
    assert drawing.shape == (1, 3, 32, 32)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda given: {"state_dict": given, "epoch": 70},
        lambda given: {"genA2B": given},
        lambda given: {f"module.{key}": value for key, value in given.items()},
        lambda given: {"state_dict": {f"module.{key}": value for key, value in given.items()}},
        lambda given: {key: value.numpy() for key, value in given.items()},
        lambda given: dict(reversed(given.items())),
        lambda given: {key: value.double() for key, value in given.items()},
    ],
)
def test_wrappers_and_prefixes_are_taken_off(wrap):
    given, x = small_discriminator(), torch.randn(1, 2, 32, 32)
    plain, wrapped = from_published("patch_discriminator", given), from_published("patch_discriminator", wrap(given))
    assert torch.equal(plain(x), wrapped(x))
    assert wrapped.layers[0].weight.dtype == torch.float32


@pytest.mark.parametrize("key", ["model_tri_merge.weight", "model2.3.shortcut.0.bias", "model_tri10.1.weight"])
def test_a_missing_key_is_named(key):
    given = small_checkpoint()
    del given[key]
    with pytest.raises(WeightsError, match=key.replace(".", r"\.")):
        from_published("portrait_generator", given)


def test_the_first_of_several_faults_is_named():
    given = small_checkpoint()
    for key in ("model2.1.conv_block.1.bias", "model3.3.weight"):
        del given[key]
    with pytest.raises(WeightsError, match=r"without model2\.1\.conv_block\.1\.bias;"):
        from_published("portrait_generator", given)


@pytest.mark.parametrize("key", ["model2.1.shortcut.0.weight", "module.model3.7.weight", "model3.1.running_mean"])
def test_an_unexpected_key_is_named(key):
    with pytest.raises(WeightsError, match=f"unexpected entry {key}"):
        from_published("portrait_generator", small_checkpoint() | {key: torch.zeros(8)})


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("model2.4.conv_block.5.weight", (32, 32, 1, 1)),
        ("model3.0.weight", (16, 32, 3, 3)),
        ("model3.7.bias", ()),
        ("model_tri00.1.weight", (8, 3, 7, 7)),
    ],
)
def test_a_misshapen_entry_is_named(key, shape):
    with pytest.raises(WeightsError, match=f"{key} of shape"):
        from_published("portrait_generator", small_checkpoint() | {key: torch.zeros(shape)})


@pytest.mark.parametrize("shape", [(), (0, 3, 7, 7), (7, 3, 7, 7), (10**6, 3, 1, 1)])
def test_sizes_that_cannot_be_are_refused_before_memory_is_taken(shape):
    given = small_checkpoint() | {"model_tri10.1.weight": torch.zeros(()).expand(shape)}
    with pytest.raises(WeightsError, match=r"model_tri|impossible sizes"):
        from_published("portrait_generator", given)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(value):
    given = small_discriminator()
    given["model.5.weight"][0, 0, 0, 0] = value
    with pytest.raises(WeightsError, match=r"model\.5\.weight not finite"):
        from_published("patch_discriminator", given)


@pytest.mark.parametrize(
    "given", [{}, [1, 2], None, {"state_dict": {}}, {"model.0.weight": "text"}, {3: torch.zeros(1)}]
)
def test_what_is_no_checkpoint_is_refused(given):
    with pytest.raises(WeightsError) as caught:
        from_published("patch_discriminator", given)
    assert "\n" not in str(caught.value)


def test_an_unknown_kind_is_refused():
    for ask in (published_shapes, lambda kind: from_published(kind, {})):
        with pytest.raises(ConfigError, match="portrait_generator"):
            ask("portrait")


def test_loading_draws_nothing_from_the_random_generator():
    given = small_discriminator()
    before = torch.random.get_rng_state()
    from_published("patch_discriminator", given)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_manifest_is_read_without_torch():
    script = (
        "import sys, lightning_modules.weights, lightning_modules.weights.registry; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'from_nowhere'"):
        _ = sys.modules["lightning_modules.weights"].from_nowhere
