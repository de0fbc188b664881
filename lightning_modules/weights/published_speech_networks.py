"""The published networks from speech to landmarks, and the image translation: their keys beside ours (stage1 §13)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lightning_modules.networks.autovc import AutoVC
from lightning_modules.networks.content_branch import ContentBranch
from lightning_modules.networks.image_translation import ImageTranslation
from lightning_modules.networks.speaker_branch import SpeakerBranch
from lightning_modules.weights.published_network import PublishedNetwork, Shapes, layer_entries

_NORM_ENTRIES: Final = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_LSTM_ENTRIES: Final = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _lstm(published: str, own: str, layers: int, *, both_ways: bool = False) -> dict[str, str]:
    """Published key -> our key of an LSTM; the names inside are torch's on both sides."""
    ends = [f"_l{layer}{way}" for layer in range(layers) for way in (("", "_reverse") if both_ways else ("",))]
    return {f"{published}.{entry}{end}": f"{own}.{entry}{end}" for end in ends for entry in _LSTM_ENTRIES}


def _counted(shapes: Shapes, pattern: str) -> int:
    """How many different keys match in their bracketed part, at least 1: a gap is then told as a missing key."""
    found = {match[1] for match in (re.match(pattern, key) for key in shapes) if match}
    return max(1, len(found))


# AutoVC ---------------------------------------------------------------------------------------------------------------


def _autovc_names() -> dict[str, str]:
    layers = {
        f"{published}.{index}.{part}": f"{own}.{index}.{place}"
        for published, own, depth in (("encoder.convolutions", "encoder", 3), ("postnet.convolutions", "post_net", 5))
        for index in range(depth)
        for place, part in enumerate(("0.conv", "1"))
    }
    return {
        **layer_entries(layers),
        **_lstm("encoder.lstm", "encoder_recurrence", 2, both_ways=True),
        **_lstm("decoder.lstm", "decoder_recurrence", 3),
        **layer_entries({"decoder.linear_projection.linear_layer": "projection"}),
    }


def _autovc_sizes(shapes: Shapes) -> dict[str, Any]:
    bands = shapes.size("decoder.linear_projection.linear_layer.weight", 0)
    embedding = shapes.size("encoder.convolutions.0.0.conv.weight", 1) - bands
    neck = shapes.size("encoder.lstm.weight_hh_l0", 1)
    return {
        "bands": bands,
        "embedding": embedding,
        "pitch_classes": shapes.size("decoder.lstm.weight_ih_l0", 1) - embedding - 2 * neck,
        "width": shapes.size("encoder.convolutions.0.0.conv.weight", 0),
        "neck": neck,
        "decoder_width": shapes.size("decoder.lstm.weight_hh_l0", 1),
    }


AUTOVC: Final = PublishedNetwork(
    kind="autovc",
    build=AutoVC,
    full_size={},
    sizes=_autovc_sizes,
    names=_autovc_names(),
)

# The two branches -----------------------------------------------------------------------------------------------------


def _content_names(sizes: Mapping[str, Any]) -> dict[str, str]:
    return {
        **layer_entries({"fc_prior.0": "prior.0"}),
        **layer_entries({"fc_prior.1": "prior.1"}, _NORM_ENTRIES),
        **layer_entries({"fc_prior.3": "prior.3"}),
        **_lstm("bilstm", "recurrence", sizes.get("layers", 3)),
        **{
            key: own
            for index in (0, 1, 3, 4, 6)
            for key, own in layer_entries(
                {f"fc.{index}": f"head.{index}"}, _NORM_ENTRIES if index in (1, 4) else ("weight", "bias")
            ).items()
        },
    }


def _content_sizes(shapes: Shapes) -> dict[str, Any]:
    return {
        "features": shapes.size("fc_prior.0.weight", 1),
        "prior_width": shapes.size("fc_prior.0.weight", 0),
        "prior_features": shapes.size("fc_prior.3.weight", 0),
        "hidden": shapes.size("bilstm.weight_hh_l0", 1),
        "layers": _counted(shapes, r"bilstm\.\w+_l(\d+)$"),
        "head_width": shapes.size("fc.0.weight", 0),
    }


CONTENT_BRANCH: Final = PublishedNetwork(
    kind="content_branch",
    build=ContentBranch,
    full_size={},
    sizes=_content_sizes,
    names=_content_names,
)

_BLOCK_LAYERS: Final = {
    "attn.q_linear": "attention.query",
    "attn.k_linear": "attention.key",
    "attn.v_linear": "attention.value",
    "attn.out": "attention.out",
    "ff.linear_1": "widen",
    "ff.linear_2": "narrow",
}


def _speaker_names(sizes: Mapping[str, Any]) -> dict[str, str]:
    blocks = range(sizes.get("blocks", 2))
    norms = {
        f"encoder.layers.{block}.norm_{place}": f"attention.blocks.{block}.{own}_norm"
        for block in blocks
        for place, own in ((1, "first"), (2, "second"))
    }
    layers = {
        f"encoder.layers.{block}.{published}": f"attention.blocks.{block}.{own}"
        for block in blocks
        for published, own in _BLOCK_LAYERS.items()
    }
    return {
        **_lstm("audio_content_encoder", "recurrence", sizes.get("layers", 3)),
        **layer_entries({f"spk_emb_encoder.{index}": f"speaker.{index}" for index in (0, 2, 4)}),
        **layer_entries({"encoder.embed.embed": "attention.embed"}),
        **layer_entries({**norms, "encoder.norm": "attention.norm"}, ("alpha", "bias")),
        **layer_entries(layers),
        **layer_entries({f"out.{index}": f"head.{index}" for index in (0, 2, 4)}),
    }


def _speaker_sizes(shapes: Shapes) -> dict[str, Any]:
    hidden = shapes.size("audio_content_encoder.weight_hh_l0", 1)
    code = shapes.size("spk_emb_encoder.4.weight", 0)
    width = shapes.size("encoder.embed.embed.weight", 0)
    return {
        "features": shapes.size("audio_content_encoder.weight_ih_l0", 1),
        "hidden": hidden,
        "layers": _counted(shapes, r"audio_content_encoder\.\w+_l(\d+)$"),
        "embedding": shapes.size("spk_emb_encoder.0.weight", 1),
        "code": code,
        "noise": shapes.size("encoder.embed.embed.weight", 1) - hidden - code,
        "width": width,
        "blocks": _counted(shapes, r"encoder\.layers\.(\d+)\."),
        "feed_forward": shapes.size("encoder.layers.0.ff.linear_1.weight", 0),
        "head_width": shapes.size("out.0.weight", 0),
    }


SPEAKER_BRANCH: Final = PublishedNetwork(
    kind="speaker_branch",
    build=SpeakerBranch,
    full_size={},
    sizes=_speaker_sizes,
    names=_speaker_names,
    # A decoder that is never run, a left-over, and the table of positions, which follows from its formula.
    dropped=(r"decoder\..*", r"comb_mlp\..*", r"encoder\.pe\.pe"),
)

# Image translation ----------------------------------------------------------------------------------------------------


def _level_parts(level: int, levels: int) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(published part, our part, entries) of one level, without the level inside it."""
    outermost, innermost = level == 0, level == levels - 1
    normed = not (outermost or innermost)
    yield "0", "down", ("weight",)
    if normed:
        yield "1", "down_norm", _NORM_ENTRIES
    first = 2 + normed
    yield from _blocks(first, "down_blocks")
    up = first + 2 + (not innermost) + 1  # after the blocks: the level inside, and the doubling of the size
    yield str(up), "up", ("weight",)
    if not outermost:
        yield str(up + 1), "up_norm", _NORM_ENTRIES
        yield from _blocks(up + 3, "up_blocks")


def _blocks(first: int, own: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for index in range(2):
        for part, layer, entries in (
            ("0", "first", ("weight",)),
            ("1", "first_norm", _NORM_ENTRIES),
            ("3", "second", ("weight",)),
            ("4", "second_norm", _NORM_ENTRIES),
        ):
            yield f"{first + index}.block.{part}", f"{own}.{index}.{layer}", entries


def _prefix(level: int) -> str:
    """Published name of a level: ``model.model``, then ``.4.model`` and ``.5.model`` for what lies inside."""
    return "model.model" + "".join(".4.model" if outer == 0 else ".5.model" for outer in range(level))


def _translation_names(sizes: Mapping[str, Any]) -> dict[str, str]:
    levels = sizes.get("levels", 6)
    names: dict[str, str] = {}
    for level in range(levels):
        own = "outermost" + ".inner" * level
        for part, layer, entries in _level_parts(level, levels):
            names |= layer_entries({f"{_prefix(level)}.{part}": f"{own}.{layer}"}, entries)
    return names


def _translation_sizes(shapes: Shapes) -> dict[str, Any]:
    return {
        "input_channels": shapes.size("model.model.0.weight", 1),
        "output_channels": shapes.size("model.model.6.weight", 0),
        "width": shapes.size("model.model.0.weight", 0),
        "levels": _counted(shapes, r"model\.model((?:\.4\.model(?:\.5\.model)*)?)\."),
    }


IMAGE_TRANSLATION: Final = PublishedNetwork(
    kind="image_translation",
    build=ImageTranslation,
    full_size={},
    sizes=_translation_sizes,
    names=_translation_names,
)

SPEECH_NETWORKS: Final = (AUTOVC, CONTENT_BRANCH, SPEAKER_BRANCH, IMAGE_TRANSLATION)
"""In the order of stage 1, for the register of all published networks."""
