"""The published networks of stage 1 out of a set, as a model and what it hears (reference stage1 §2 to §7).

The content branch hears the log-mel that AutoVC says again in one voice, standardised with the published table. What
the published system measures with packages of its own (pitch by SPTK, voice by WebRTC's detector) is measured by ours
where those are not installed, and a note says so.
"""

from __future__ import annotations

import importlib.util
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

import torch

from lightning_modules.audio.content_features import AutoVCContent, ContentFeature, Standardization
from lightning_modules.audio.fundamental_frequency import FundamentalFrequency, make_fundamental_frequency
from lightning_modules.audio.speaker_embedding import Manner, embed_speaker
from lightning_modules.errors import BackendError
from lightning_modules.export.landmark_model_file import LandmarkModel, LandmarkTraining
from lightning_modules.weights import published_roles as roles
from lightning_modules.weights.set_networks import set_network, set_table

if TYPE_CHECKING:
    from lightning_modules.networks.autovc import AutoVC
    from lightning_modules.networks.content_branch import ContentBranch
    from lightning_modules.networks.speaker_branch import SpeakerBranch
    from lightning_modules.weights.weight_sets import WeightSet


class PublishedSpeech(NamedTuple):
    """What moves a face as published."""

    model: LandmarkModel
    """Both branches, or the content branch alone."""
    content: ContentFeature
    """What the content branch hears."""
    embedding: Manner
    """How voices are embedded."""
    notes: tuple[str, ...]
    """What the user should know."""


def published_speech(weights: WeightSet, *, published_order: bool) -> PublishedSpeech:
    """Load the networks of stage 1 of a set that has them.

    Args:
        weights: a set with content branch, voice conversion, statistics and target speaker.
        published_order: measure pitch and voice as the published system does; False: as is best.

    Raises:
        WeightsError: a file of the set cannot be used.
    """
    statistics = set_table(weights, roles.STATISTICS)
    target = set_table(weights, roles.TARGET_SPEAKER)["embedding"]
    known = [] if weights.member(roles.SPEAKERS) is None else list(set_table(weights, roles.SPEAKERS).values())
    mean, deviation = statistics["mean"], statistics["deviation"]
    speaker = None
    if weights.member(roles.SPEAKER) is not None:
        speaker = cast("SpeakerBranch", set_network(weights, roles.SPEAKER))
    model = LandmarkModel(
        content_branch=cast("ContentBranch", set_network(weights, roles.CONTENT)),
        feature_mean=mean,
        feature_std=deviation,
        speaker_branch=speaker,
        mean_embedding=torch.stack(known or [target]).mean(0),
        training=LandmarkTraining(feature="autovc"),
    )
    pitch, embedding, notes = _measures(published_order=published_order)
    content = AutoVCContent(
        cast("AutoVC", set_network(weights, roles.VOICE)),
        Standardization(mean.numpy(), deviation.numpy()),
        target.numpy(),
        pitch,
        partial(embed_speaker, manner=embedding),
        "published" if published_order else "default",
    )
    return PublishedSpeech(model, content, embedding, notes)


def _measures(*, published_order: bool) -> tuple[FundamentalFrequency, Manner, tuple[str, ...]]:
    if not published_order:
        return make_fundamental_frequency(), "default", ()
    notes = []
    try:
        pitch = make_fundamental_frequency("rapt", "F")
    except BackendError as error:
        pitch = make_fundamental_frequency("nccf", "F")
        notes.append(f"{error.found}: pitch is measured by inkspeak's own tracker (the extra paper brings the other)")
    if importlib.util.find_spec("webrtcvad") is None:
        notes.append("the published voice detector (the extra paper) is not installed: voice is told by its energy")
        return pitch, "default", tuple(notes)
    return pitch, "published", tuple(notes)
