"""The published cartoon network: its keys beside ours (auxiliary, section 8). Files keep it as ``genA2B``."""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt
from typing import Any, Final

from lightning_modules.errors import WeightsError
from lightning_modules.networks.frozen.photo_to_cartoon import PhotoToCartoon
from lightning_modules.weights.published_network import PublishedNetwork, Shapes

_LEVELS: Final = 4
_PLACES: Final = range(4)
_SPLIT: Final = (("1.3", "first"), ("2.3", "second"), ("3.3", "third"), ("4.2", "shortcut"))


def _entries(published: str, own: str, entries: tuple[str, ...] = ("weight", "bias")) -> Iterator[tuple[str, str]]:
    for entry in entries:
        yield f"{published}.{entry}", f"{own}.{entry}"


def _split_block(published: str, own: str) -> Iterator[tuple[str, str]]:
    for theirs, ours in _SPLIT:
        yield f"{published}.ConvBlock{theirs}.weight", f"{own}.{ours}.convolution.weight"


def _hourglass(published: str, own: str, *, last: bool) -> Iterator[tuple[str, str]]:
    for level in range(_LEVELS):
        yield from _split_block(f"{published}.HG.0.ConvBlock{level + 1}_1", f"{own}.beside.{level}")
        yield from _split_block(f"{published}.HG.0.ConvBlock{level + 1}_2", f"{own}.down.{level}")
    yield from _split_block(f"{published}.HG.0.ConvBlock5", f"{own}.middle")
    for level in range(_LEVELS):
        yield from _split_block(f"{published}.HG.0.ConvBlock{level + 6}", f"{own}.up.{level}")
    yield from _split_block(f"{published}.HG.1", f"{own}.after")
    yield f"{published}.HG.2.weight", f"{own}.mix.weight"
    yield from _entries(f"{published}.Conv1", f"{own}.to_picture")
    if not last:
        yield from _entries(f"{published}.Conv2", f"{own}.features")
        yield from _entries(f"{published}.Conv3", f"{own}.from_picture")


def _adaptive_norm(published: str, own: str) -> Iterator[tuple[str, str]]:
    yield f"{published}.w_gamma", f"{own}.content_scale_share"
    yield f"{published}.w_beta", f"{own}.content_shift_share"
    yield f"{published}.norm.rho", f"{own}.share"
    for theirs, ours in (("c_gamma", "content_scale"), ("c_beta", "content_shift")):
        for layer in (0, 2):
            yield from _entries(f"{published}.{theirs}.{layer}", f"{own}.{ours}.{layer}")
    yield from _entries(f"{published}.s_gamma", f"{own}.style_scale")
    yield from _entries(f"{published}.s_beta", f"{own}.style_shift")


def _names() -> Iterator[tuple[str, str]]:
    yield "ConvBlock1.1.weight", "stem.weight"
    for place in range(2):
        yield from _hourglass(f"HourGlass{place + 1}", f"before.{place}", last=False)
    for place in range(2):
        yield f"DownBlock{place + 1}.1.weight", f"down.{place}.weight"
    for place in _PLACES:
        yield f"EncodeBlock{place + 1}.conv_block.1.weight", f"encode.{place}.first.weight"
        yield f"EncodeBlock{place + 1}.conv_block.5.weight", f"encode.{place}.second.weight"
    yield from _entries("gap_fc", "mean_attention")
    yield from _entries("gmp_fc", "peak_attention")
    yield from _entries("conv1x1", "attended")
    for layer in (0, 2):
        yield from _entries(f"FC.{layer}", f"style.{layer}")
    for place in _PLACES:
        for half, own in ((1, "first"), (2, "second")):
            yield f"DecodeBlock{place + 1}.conv{half}.weight", f"decode.{place}.{own}.weight"
            yield from _adaptive_norm(f"DecodeBlock{place + 1}.norm{half}", f"decode.{place}.{own}_norm")
    for place in range(2):
        yield f"UpBlock{place + 1}.2.weight", f"up.{place}.convolution.weight"
        for theirs, ours in (("rho", "share"), ("gamma", "scale"), ("beta", "shift")):
            yield f"UpBlock{place + 1}.3.{theirs}", f"up.{place}.norm.{ours}"
    for place in range(2):
        yield from _hourglass(f"HourGlass{place + 3}", f"behind.{place}", last=place == 1)
    yield "ConvBlock2.1.weight", "finish.weight"


def _sizes(shapes: Shapes) -> dict[str, Any]:
    """Width, and the fixed size where the style is read from every position: more inputs than channels."""
    width = shapes.size("ConvBlock1.1.weight", 0)
    inputs, channels = shapes.size("FC.0.weight", 1), max(1, shapes.size("FC.0.weight", 0))
    if inputs == channels:
        return {"width": width, "fixed_size": 0}
    side = isqrt(inputs // channels)
    if side * side * channels != inputs:
        raise WeightsError(f"FC.0.weight reads {inputs} numbers, no square of {channels} channels", "give another file")
    return {"width": width, "fixed_size": 4 * side}


PHOTO_TO_CARTOON: Final = PublishedNetwork(
    kind="photo2cartoon",
    build=PhotoToCartoon,
    full_size={},
    sizes=_sizes,
    names=dict(_names()),
)
"""For the register of all published networks."""
