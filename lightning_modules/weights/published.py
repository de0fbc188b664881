"""Published checkpoints as modules of ours.

Only state_dicts that the user has are taken; nothing is downloaded. A further kind is one
:class:`~lightning_modules.weights.published_network.PublishedNetwork` in the table below.

| kind | called with | returns |
|---|---|---|
| portrait_generator | photo, source and target landmark image, grid_b, flow_a, validity_a | drawing |
| patch_discriminator | x | logits |
| static_drawing_generator | photo, style (N, 3) or style map (N, 3, H/4, W/4) | drawing |
| inverse_generator | drawing | photo |
| style_discriminator | drawing (N, 1, 512, 512) | patches, styles |
| edge_detector | picture in [0, 1] | edges in [0, 1] |
| photo2cartoon | photo in [-1, 1], sides multiples of 16 | cartoon (B, 3, H, W) in [-1, 1] |
| perceptual_distance | two pictures in [-1, 1] | distances (B,) |
| flow_regression | source and target landmarks (N, 68, 2), pixels of 256 x 256 | flow_256, validity_256 |
| mobilefacenet | crop in [0, 1] | landmarks (N, 136) |
| modnet | photo in [-1, 1], sides multiples of 32 | matte (B, 1, H, W) |
| sphereface | crop in [-1, 1] | five tensors, stage 1 to fc5 |
| autovc | mel, source and target embedding, f0_one_hot | mel, mel_post, codes |
| content_branch | audio_windows (N, 18, 80), static_face (1, 204) | displacement (N, 204) |
| speaker_branch | audio_windows (N, 18, 80), speaker_embedding_times_3 (N, 256) | displacement (N, 204) |
| image_translation | landmark_raster_and_photo (B, 6, 256, 256) | image_before_tanh |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from torch import nn

from lightning_modules.errors import ConfigError
from lightning_modules.weights.published_cartoon_network import PHOTO_TO_CARTOON
from lightning_modules.weights.published_flow import FLOW_REGRESSION
from lightning_modules.weights.published_frozen import KINDS
from lightning_modules.weights.published_network import PublishedNetwork
from lightning_modules.weights.published_portrait_networks import PATCH_DISCRIMINATOR, PORTRAIT_GENERATOR
from lightning_modules.weights.published_speech_networks import SPEECH_NETWORKS
from lightning_modules.weights.published_static_drawing_networks import STATIC_DRAWING_NETWORKS

PUBLISHED: Final[Mapping[str, PublishedNetwork]] = {
    network.kind: network
    for network in (
        PORTRAIT_GENERATOR,
        PATCH_DISCRIMINATOR,
        *STATIC_DRAWING_NETWORKS,
        PHOTO_TO_CARTOON,
        FLOW_REGRESSION,
        *KINDS.values(),
        *SPEECH_NETWORKS,
    )
}
"""Kind -> what is known about it."""


def _network(kind: str) -> PublishedNetwork:
    if kind not in PUBLISHED:
        raise ConfigError(f"no kind of published network is called {kind!r}", f"use one of {', '.join(PUBLISHED)}")
    return PUBLISHED[kind]


def from_published(kind: str, state_dict: Mapping[str, Any]) -> nn.Module:
    """Our module with published weights, computing what the published network computes.

    Sizes are inferred from the shapes of the entries. The weights are copied, as float32.

    Args:
        kind: one of :data:`PUBLISHED`.
        state_dict: published key -> tensor; may be wrapped as ``{"state_dict": ...}`` and may carry the prefix
            ``module.`` of parallel training.

    Returns:
        The module, on the CPU, in evaluation mode; arguments and result of its call are in the table above.

    Raises:
        ConfigError: if the kind is unknown.
        WeightsError: if a key is missing, unexpected, misshapen or not finite; the message names the first.
    """
    return _network(kind).load(state_dict)


def published_shapes(kind: str) -> dict[str, tuple[int, ...]]:
    """Published key -> shape at full size, in the order of the published file.

    Args:
        kind: one of :data:`PUBLISHED`.

    Returns:
        The table that a checkpoint of the published size must match. Entries that it may have beyond that are left out
        (the classifier of SphereFace, the encoder that MODNet's file has twice).

    Raises:
        ConfigError: if the kind is unknown.
    """
    network = _network(kind)
    return dict(network.shapes(network.full_size))
