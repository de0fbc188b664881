"""The published networks of stage 1 and its baseline: sizes, keys, and the numbers of the published system."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

from lightning_modules.errors import WeightsError
from lightning_modules.weights import from_published, published_shapes
from lightning_modules.weights.published import PUBLISHED

# Numbers of trained values, reference stage1 §20 (speaker branch: without the decoder that is never run).
PARAMETERS = {
    "autovc": 14_320_960,
    "content_branch": 1_965_677,
    "speaker_branch": 2_391_820,
    "image_translation": 69_860_736,
}
COUNTED = re.compile(r".*(running_mean|running_var|num_batches_tracked)")

SMALL = {
    "autovc": {"bands": 16, "embedding": 4, "pitch_classes": 5, "width": 32, "neck": 3, "decoder_width": 6},
    "content_branch": {
        "features": 5,
        "prior_width": 6,
        "prior_features": 7,
        "hidden": 4,
        "layers": 2,
        "head_width": 8,
    },
    "speaker_branch": {
        "features": 5,
        "hidden": 4,
        "layers": 1,
        "embedding": 6,
        "code": 3,
        "noise": 2,
        "width": 8,
        "blocks": 1,
        "feed_forward": 9,
        "head_width": 10,
    },
    "image_translation": {"input_channels": 4, "output_channels": 2, "width": 2, "levels": 3},
}


def seeded(kind, seed, scale):
    """The weights of a fixture without weights, by the rule that stands beside it."""
    random = np.random.Generator(np.random.Philox(seed))
    weights = {}
    for key, shape in sorted(published_shapes(kind).items()):
        if key.endswith("num_batches_tracked"):
            weights[key] = torch.zeros(shape, dtype=torch.long)
            continue
        drawn = random.standard_normal(shape).astype(np.float32)
        if key.endswith("running_var"):
            value = np.abs(drawn) + np.float32(0.5)
        elif len(shape) >= 2:
            value = drawn * np.float32(scale)
        elif key.endswith(("weight", "alpha")):
            value = np.float32(0.5) + np.float32(0.1) * drawn
        else:
            value = np.float32(0.1) * drawn
        weights[key] = torch.from_numpy(value)
    return weights


def small_checkpoint(kind):
    generator = torch.Generator().manual_seed(5)
    return {
        key: torch.zeros(shape, dtype=torch.long)
        if key.endswith("num_batches_tracked")
        else torch.rand(shape, generator=generator) + 0.1
        for key, shape in PUBLISHED[kind].shapes(SMALL[kind]).items()
    }


@pytest.mark.parametrize("kind", PARAMETERS)
def test_the_published_sizes_are_those_of_the_reference(kind):
    shapes = published_shapes(kind)
    assert sum(math.prod(shape) for key, shape in shapes.items() if not COUNTED.fullmatch(key)) == PARAMETERS[kind]


def test_the_keys_are_those_of_the_reference():
    """Typed from the text of reference stage1 §13."""
    shapes = {kind: published_shapes(kind) for kind in PARAMETERS}
    autovc = shapes["autovc"]
    assert autovc["encoder.convolutions.0.0.conv.weight"] == (512, 336, 5)
    assert autovc["encoder.convolutions.2.1.bias"] == (512,)
    assert autovc["encoder.lstm.weight_hh_l1_reverse"] == (64, 16)
    assert autovc["decoder.lstm.weight_ih_l0"] == (2048, 545)
    assert autovc["decoder.linear_projection.linear_layer.weight"] == (80, 512)
    assert autovc["postnet.convolutions.4.0.conv.weight"] == (80, 512, 5)
    content = shapes["content_branch"]
    assert content["bilstm.weight_ih_l0"] == (1024, 161)
    assert content["fc_prior.1.running_var"] == (256,)
    assert content["fc.0.weight"] == (512, 460)
    assert content["fc.6.weight"] == (204, 256)
    assert "fc.2.weight" not in content
    speaker = shapes["speaker_branch"]
    assert speaker["audio_content_encoder.weight_ih_l0"] == (1024, 80)
    assert speaker["encoder.embed.embed.weight"] == (64, 512)
    assert speaker["encoder.layers.1.norm_2.alpha"] == (64,)
    assert speaker["encoder.layers.0.attn.v_linear.weight"] == (64, 64)
    assert speaker["encoder.layers.1.ff.linear_1.weight"] == (2048, 64)
    assert [speaker[f"out.{index}.weight"] for index in (0, 2, 4)] == [(512, 192), (256, 512), (204, 256)]
    picture = shapes["image_translation"]
    assert picture["model.model.0.weight"] == (64, 6, 3, 3)
    assert picture["model.model.6.weight"] == (3, 128, 3, 3)
    assert picture["model.model.4.model.1.running_mean"] == (128,)
    assert picture["model.model.4.model.11.block.3.weight"] == (64, 64, 3, 3)
    innermost = "model.model.4.model.5.model.5.model.5.model.5.model"
    assert picture[f"{innermost}.5.weight"] == (512, 512, 3, 3)
    assert picture[f"{innermost}.9.block.4.bias"] == (512,)
    assert f"{innermost}.10.block.0.weight" not in picture


FIXTURES = {
    "autovc": (
        23,
        0.05,
        ("mel", "source_embedding", "target_embedding", "f0_one_hot"),
        ("mel", "mel_post", "codes"),
    ),
    "content_branch": (21, 0.05, ("audio_windows", "static_face"), ("displacement",)),
    "speaker_branch": (22, 0.05, ("audio_windows", "speaker_embedding_times_3"), ("displacement",)),
    "image_translation": (24, 0.02, ("landmark_raster_and_photo",), ("image_before_tanh",)),
}


@pytest.mark.parametrize("kind", FIXTURES)
def test_the_published_network_is_reproduced(parity, kind):
    seed, scale, inputs, outputs = FIXTURES[kind]
    stored = parity(f"{kind}_seeded")
    network = from_published(kind, seeded(kind, seed, scale))
    with torch.inference_mode():
        made = network(*(torch.from_numpy(stored[f"inputs/{name}"]) for name in inputs))
    for name, value in zip(outputs, (made,) if isinstance(made, torch.Tensor) else made, strict=True):
        np.testing.assert_allclose(value.numpy(), stored[f"outputs/{name}"], rtol=0, atol=1e-4)
        assert np.abs(stored[f"outputs/{name}"]).max() > 0.01, "there is something to compare"


@pytest.mark.parametrize("kind", SMALL)
def test_sizes_are_inferred_and_every_weight_arrives(kind):
    given = small_checkpoint(kind)
    network = from_published(kind, given)
    own = network.state_dict()
    assert len(own) == len(given)
    assert sorted(value.sum().item() for value in own.values()) == sorted(
        value.sum().item() for value in given.values()
    )
    assert not network.training


@pytest.mark.parametrize(
    ("kind", "wrap"),
    [
        ("autovc", lambda given: {"model": given, "optimizer": {"state": {}}}),
        ("content_branch", lambda given: {"model_g_face_id": given, "epoch": 3}),
        ("speaker_branch", lambda given: {"G": given, "D_T": {}, "epoch": 3}),
        ("image_translation", lambda given: {"G": {f"module.{key}": value for key, value in given.items()}}),
    ],
)
def test_the_names_under_which_published_files_keep_weights_are_known(kind, wrap):
    given = small_checkpoint(kind)
    plain, wrapped = from_published(kind, given).state_dict(), from_published(kind, wrap(given)).state_dict()
    assert all(torch.equal(value, wrapped[key]) for key, value in plain.items())


def test_what_the_speaker_branch_never_runs_is_left_out():
    given = small_checkpoint("speaker_branch")
    unused = {
        "decoder.embed.embed.weight": torch.zeros(64, 204),
        "comb_mlp.0.bias": torch.zeros(3),
        "encoder.pe.pe": torch.zeros(1, 512, 8),
    }
    network = from_published("speaker_branch", given | unused)
    assert len(network.state_dict()) == len(given)
    with pytest.raises(WeightsError, match=r"unexpected entry encoder\.pe\.table"):
        from_published("speaker_branch", given | {"encoder.pe.table": torch.zeros(3)})


@pytest.mark.parametrize("kind", SMALL)
def test_a_missing_key_is_named(kind):
    given = small_checkpoint(kind)
    for key in given:
        if key.endswith("num_batches_tracked"):
            continue
        with pytest.raises(WeightsError, match=re.escape(key)):
            from_published(kind, {other: value for other, value in given.items() if other != key})
