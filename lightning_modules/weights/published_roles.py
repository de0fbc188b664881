"""What the published networks are for: their roles in a set of weights, and what an animation does without each.

Recognition knows nothing of this table: a kind of network that is in the register of published networks and not here is
imported too, under its own name. Sources and licences: reference stage2 §10, auxiliary §0, stage1 (head).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_PUBLISHED: Final = "AnimatePortrait, archive Module2_checkpoints linked from its readme"
_SPEECH: Final = "AnimatePortrait, archive Module1_checkpoints linked from its readme"
_NONE_STATED: Final = "none stated"
_SPEECH_LICENCE: Final = "CC-BY-NC-4.0 (MakeItTalk)"


@dataclass(frozen=True)
class PublishedRole:
    """One role.

    Attributes:
        name: unique.
        kind: of the network or table that plays it.
        purpose: what it is for.
        licence: of the published weights, as their authors state it.
        source: where the published file comes from.
        read_by: what uses it once it is imported.
        without: what an animation does without it; empty where no animation needs it.
        sizes: what the network's sizes must be to play it, where one kind plays several roles.
        named: words in the path of the published file, by which one of several candidates is preferred.
    """

    name: str
    kind: str
    purpose: str
    licence: str
    source: str
    read_by: str
    without: str = ""
    sizes: Mapping[str, Any] = field(default_factory=dict)
    named: tuple[str, ...] = ()


DRAWING_GENERATOR: Final = "drawing_generator"
CARTOON_GENERATOR: Final = "cartoon_generator"
FLOW_A: Final = "flow_regression"
STATIC_DRAWING: Final = "static_drawing"
STATIC_CARTOON: Final = "static_cartoon"
MATTE: Final = "matte"
CONTENT: Final = "content_branch"
SPEAKER: Final = "speaker_branch"
VOICE: Final = "voice_conversion"
STATISTICS: Final = "feature_statistics"
TARGET_SPEAKER: Final = "target_speaker"
SPEAKERS: Final = "training_speakers"

_ANIMATE: Final = "animate --weights SET"
_STARTER_DRIVES: Final = "the starter model moves the face"

ROLES: Final[tuple[PublishedRole, ...]] = (
    PublishedRole(
        DRAWING_GENERATOR,
        "portrait_generator",
        "portrait generator for line drawings (stage 2)",
        _NONE_STATED,
        _PUBLISHED,
        _ANIMATE,
        "the cartoon generator draws, or animate --renderer gan refuses",
        {"output_channels": 1},
        ("drawing",),
    ),
    PublishedRole(
        CARTOON_GENERATOR,
        "portrait_generator",
        "portrait generator for cartoons (stage 2)",
        _NONE_STATED,
        _PUBLISHED,
        f"animate --weights SET:{CARTOON_GENERATOR}",
        sizes={"output_channels": 3},
        named=("cartoon",),
    ),
    PublishedRole(
        FLOW_A,
        "flow_regression",
        "flow map A from two landmark sets",
        _NONE_STATED,
        _PUBLISHED,
        f"{_ANIMATE}; inkspeak fit, as model.flow_regression",
        "animate --renderer gan refuses: the generators were trained with it",
        named=("flowreg",),
    ),
    PublishedRole(
        STATIC_DRAWING,
        "static_drawing_generator",
        "static line drawing of a photo (unpaired portrait drawing)",
        _NONE_STATED,
        _PUBLISHED,
        _ANIMATE,
        "the drawer of --look draws the background",
        named=("static", "drawing"),
    ),
    PublishedRole(
        STATIC_CARTOON,
        "photo2cartoon",
        "static cartoon of a photo",
        "MIT",
        "https://github.com/minivision-ai/photo2cartoon",
        f"animate --weights SET:{CARTOON_GENERATOR}",
        named=("static", "cartoon"),
    ),
    PublishedRole(
        MATTE,
        "modnet",
        "tells the person from the background (MODNet)",
        "Apache-2.0",
        "https://github.com/ZHKKKe/MODNet",
        _ANIMATE,
        "the default matte is taken (--matte)",
        named=("photographic",),
    ),
    PublishedRole(
        "landmark_detector",
        "mobilefacenet",
        "differentiable 68-point detector of the geometry loss",
        _NONE_STATED,
        "https://github.com/cunjian/pytorch_face_landmark",
        "inkspeak fit, as model.geometry_detector",
    ),
    PublishedRole(
        "identity_features",
        "sphereface",
        "face features of the identity loss (SphereFace-20)",
        "MIT (the repository)",
        "https://github.com/clcarwin/sphereface_pytorch",
        "inkspeak fit, as model.identity_features",
    ),
    PublishedRole(
        CONTENT,
        "content_branch",
        "motion of lips and jaw from what is said (stage 1)",
        _SPEECH_LICENCE,
        _SPEECH,
        _ANIMATE,
        _STARTER_DRIVES,
    ),
    PublishedRole(
        SPEAKER,
        "speaker_branch",
        "motion of the head in the manner of a speaker (stage 1)",
        _SPEECH_LICENCE,
        _SPEECH,
        _ANIMATE,
        "the head is still under --compat official, else it follows a rule",
    ),
    PublishedRole(
        VOICE,
        "autovc",
        "says the speech again in one voice, which the content branch hears (AutoVC)",
        _SPEECH_LICENCE,
        _SPEECH,
        _ANIMATE,
        _STARTER_DRIVES,
    ),
    PublishedRole(
        STATISTICS,
        "feature_statistics",
        "mean and deviation of the 80 bands of that voice",
        _SPEECH_LICENCE,
        "MakeItTalk, the table MEAN_STD_AUTOVC_RETRAIN_MEL_AU.txt beside its code (Module1/src)",
        _ANIMATE,
        f"{_STARTER_DRIVES}; give the folder Module1 itself, whose code has the table",
    ),
    PublishedRole(
        TARGET_SPEAKER,
        "target_speaker",
        "the speaker in whose voice speech is said again, as 256 numbers",
        _SPEECH_LICENCE,
        "MakeItTalk, the table obama_emb.txt beside its code (Module1/src)",
        _ANIMATE,
        f"{_STARTER_DRIVES}; give the folder Module1 itself, whose code has the table",
    ),
    PublishedRole(
        SPEAKERS,
        "training_speakers",
        "the speakers that the speaker-aware branch learned from, 256 numbers each",
        _SPEECH_LICENCE,
        _SPEECH,
        f"{_ANIMATE}: their mean stands in for a voice that cannot be embedded",
        "the target speaker stands in for a voice that cannot be embedded",
    ),
)
"""The roles, those of an animation first."""

NOT_KEPT: Final[Mapping[str, str]] = {
    "patch_discriminator": "nothing reads the published discriminators: fine-tuning begins with new ones",
}
"""Kinds that are recognised and left where they are -> why."""


def role_of(kind: str, sizes: Mapping[str, Any]) -> PublishedRole:
    """The role that a network of some sizes plays; of a kind that has no row, its own name.

    Args:
        kind: of the network or table.
        sizes: the network's sizes.
    """
    for role in ROLES:
        if role.kind == kind and all(sizes.get(name) == value for name, value in role.sizes.items()):
            return role
    return PublishedRole(kind, kind, f"the published {kind.replace('_', ' ')}", "not known", "not known", "nothing yet")
