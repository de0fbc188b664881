"""Stage 1 as one file: the content branch, where there is one the speaker-aware branch, and all that hearing needs.

A branch hears nothing without the statistics of its features, so the file holds them: mean and standard deviation of
every band, and the mean embedding of the training speakers, who stand in for a voice that cannot be embedded. The
header names the networks by the register of :mod:`lightning_modules.export.network_file` and is checked value by value:
reading runs no code.

Weights may be kept in half precision, which halves the file; they are float32 again when read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, cast

import torch
from safetensors.torch import save
from torch import Tensor, nn

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.export.network_file import build_network, filled, first_difference, plain_arguments
from lightning_modules.networks.content_branch import ContentBranch
from lightning_modules.networks.convolutional_branch import ConvolutionalBranch
from lightning_modules.networks.speaker_branch import SpeakerBranch
from lightning_modules.pipeline.atomic_files import atomic_path
from lightning_modules.weights.checkpoint_file import HEADER, read_weight_file

KIND: Final = "speech_to_landmarks"
FORM: Final = 1
"""Raised whenever the meaning of a stored model changes."""

BANDS: Final = 80
EMBEDDING: Final = 256
UNSTATED: Final = "not stated"

ContentNetwork = ContentBranch | ConvolutionalBranch
"""What can be the content branch: the published network, or ours."""

FeatureName = Literal["mel", "autovc"]
"""Content features that a model can hear: the log-mel, or the published one, said again by AutoVC."""

FEATURES: Final = ("mel", "autovc")

_REMEDY: Final = "give a file that inkspeak weights export wrote, complete and unchanged"
_STATISTICS: Final = {"feature_mean": BANDS, "feature_std": BANDS, "mean_embedding": EMBEDDING}


@dataclass(frozen=True)
class NaturalGains:
    """What makes the motion that the networks predict as large as natural motion; users' gains multiply these.

    A network trained to the least error moves less than its teachers. 1 leaves a coordinate as predicted.

    Attributes:
        mouth_x: of the lips' movement aside, in 0..4.
        mouth_y: of the lips' movement up and down, in 0..4.
        head: of the speaker-aware branch, in 0..4.
        contact: openings of the mouth below this become contacts of the lips, face units, in 0..0.1; 0: none do.
            See :mod:`lightning_modules.pipeline.lip_contact`.
        pauses: how much of its answer to the recording's pauses is taken off, in 0..1; 0 for a model that learned from
            pauses with closed mouths, whose answers are places already.

    Raises:
        ConfigError: a gain is out of range.
    """

    mouth_x: float = 1.0
    mouth_y: float = 1.0
    head: float = 1.0
    contact: float = 0.0
    pauses: float = 1.0

    def __post_init__(self) -> None:
        for one in fields(self):
            value, most = getattr(self, one.name), {"contact": 0.1, "pauses": 1.0}.get(one.name, 4.0)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value <= most:
                raise ConfigError(f"the natural gain {one.name} is {value!r}", f"give a number from 0 to {most:g}")


@dataclass(frozen=True)
class LandmarkTraining:
    """How a model was trained, as far as using it depends on it, and what is to be known about it.

    Attributes:
        feature: the content feature that it hears.
        gains: see :class:`NaturalGains`.
        windows_seen: windows that the last trained branch learned from.
        averaged: the weights are the moving average over the training, not those of its last step.
        description: what it was trained on and how, a sentence or two.
        licence: of the weights, as their maker states it.
        source: where they come from, as their maker states it.

    Raises:
        ConfigError: a value is of another type or not one of those allowed.
    """

    feature: FeatureName = "mel"
    gains: NaturalGains = field(default_factory=NaturalGains)
    windows_seen: int = 0
    averaged: bool = False
    description: str = UNSTATED
    licence: str = UNSTATED
    source: str = UNSTATED

    def __post_init__(self) -> None:
        given: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        kinds = {"gains": NaturalGains, "windows_seen": int, "averaged": bool}
        fits = given["feature"] in FEATURES and all(
            isinstance(value, kinds.get(name, str)) for name, value in given.items()
        )
        if not fits:
            raise ConfigError(f"a speech-to-landmark model described by {self}", "give values that this version knows")

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> LandmarkTraining:
        """From plain values, as a file keeps them.

        Raises:
            ConfigError: a name is missing or not known, or a value is not allowed.
        """
        try:
            return cls(**{**facts, "gains": NaturalGains(**facts["gains"])})
        except (TypeError, KeyError) as error:
            raise ConfigError(f"no training of a model is described ({error})", "export it again") from error


@dataclass(frozen=True, eq=False)
class LandmarkModel:
    """What a file holds.

    Attributes:
        content_branch: C, in eval mode.
        speaker_branch: G, in eval mode, or None: then head motion is made by a rule.
        feature_mean: (80,) float32, taken from the features.
        feature_std: (80,) float32, positive, by which they are divided then.
        mean_embedding: (256,) float32, mean of the training speakers' embeddings; None where none were used.
        training: how it was trained.

    Raises:
        ConfigError: the parts do not fit together.
    """

    content_branch: ContentNetwork
    feature_mean: Tensor
    feature_std: Tensor
    speaker_branch: SpeakerBranch | None = None
    mean_embedding: Tensor | None = None
    training: LandmarkTraining = field(default_factory=LandmarkTraining)

    def __post_init__(self) -> None:
        for name, length in _STATISTICS.items():
            values: Tensor | None = getattr(self, name)
            if values is None:
                continue
            if values.shape != (length,) or values.dtype != torch.float32 or not bool(torch.isfinite(values).all()):
                raise ConfigError(f"{name} is not {length} finite float32 numbers", "give those of the training data")
        if not bool((self.feature_std > 0).all()):
            raise ConfigError("a feature_std is not positive", "give that of the training data")
        if self.speaker_branch is not None and self.mean_embedding is None:
            raise ConfigError("a speaker-aware branch without mean_embedding", "give that of the training data")
        odd = [branch.features for branch in self.branches().values() if branch.features != BANDS]
        if odd:
            raise ConfigError(f"a branch that hears {odd[0]} features", f"train one that hears {BANDS}")

    def branches(self) -> dict[str, ContentNetwork | SpeakerBranch]:
        """The networks by their names in the register."""
        found: dict[str, ContentNetwork | SpeakerBranch] = {"content_branch": self.content_branch}
        if self.speaker_branch is not None:
            found["speaker_branch"] = self.speaker_branch
        return found


def save_landmark_model(model: LandmarkModel, path: str | Path, *, half: bool = False) -> Path:
    """Write a model; nothing appears under the name before the file is complete.

    Args:
        model: its networks on any device, float32.
        path: the file to write, by custom ``*.safetensors``.
        half: keep the networks' weights in half precision. The statistics stay float32.

    Returns:
        The file.

    Raises:
        ConfigError: a weight is not finite in half precision.
        OutputError: the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    header: dict[str, Any] = {"form": FORM, "network": KIND, "half": half, "facts": asdict(model.training)}
    for name, branch in model.branches().items():
        header[name] = plain_arguments(branch)
        for key, values in branch.state_dict().items():
            kept = values.detach().cpu().contiguous()
            tensors[f"{name}.{key}"] = kept.half() if half and kept.is_floating_point() else kept
    if not all(bool(torch.isfinite(values).all()) for values in tensors.values()):
        raise ConfigError("a weight is not finite, or too large for half precision", "keep full precision")
    for name in _STATISTICS:
        values = getattr(model, name)
        if values is not None:
            tensors[name] = values.detach().cpu().contiguous()
    with atomic_path(path) as aside:
        aside.write_bytes(save(tensors, metadata={HEADER: json.dumps(header, sort_keys=True)}))
    return Path(path)


def load_landmark_model(path: str | Path) -> LandmarkModel:
    """Read a model.

    Args:
        path: a file that :func:`save_landmark_model` wrote.

    Returns:
        The model, its networks on the CPU in eval mode, float32, without gradients.

    Raises:
        WeightsError: there is no such file, it is damaged, or it holds something else.
    """
    tensors, header = read_weight_file(path)
    if header is None:
        raise WeightsError("it holds weights that inkspeak did not export", _REMEDY, path)
    try:
        return _model(tensors, header)
    except (ConfigError, WeightsError) as error:
        raise WeightsError(error.found, error.remedy, path) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"its header or its statistics cannot be read ({error})", _REMEDY, path) from error


def _model(tensors: Mapping[str, Tensor], header: str) -> LandmarkModel:
    described = json.loads(header)
    if described.get("network") != KIND:
        found = f"it holds the network {described.get('network')!r}, not a speech-to-landmark model"
        raise WeightsError(found, _REMEDY)
    if described["form"] != FORM:
        found = f"it is of form {described['form']!r}, and only form {FORM} is known"
        raise WeightsError(found, "export it again with this version, or update inkspeak")
    half = described["half"] is True
    rest = dict(tensors)
    branches: dict[str, nn.Module] = {}
    for name in ("content_branch", "speaker_branch"):
        if described.get(name) is None:
            continue
        inside = {key for key in rest if key.startswith(f"{name}.")}
        state = {key.removeprefix(f"{name}."): _whole(rest.pop(key), half=half) for key in sorted(inside)}
        branches[name] = filled(build_network(name, described[name]), state).requires_grad_(requires_grad=False)
    statistics = {name: rest.pop(name) for name in _STATISTICS if name in rest}
    odd = first_difference({}, rest)
    if odd is not None:
        raise WeightsError(f"its weights do not fit its header ({odd})", _REMEDY)
    speaker = branches.get("speaker_branch")
    return LandmarkModel(
        content_branch=cast("ContentNetwork", branches["content_branch"]),
        speaker_branch=None if speaker is None else cast("SpeakerBranch", speaker),
        feature_mean=statistics["feature_mean"],
        feature_std=statistics["feature_std"],
        mean_embedding=statistics.get("mean_embedding"),
        training=LandmarkTraining.of(described["facts"]),
    )


def _whole(values: Tensor, *, half: bool) -> Tensor:
    if not half or not values.is_floating_point():
        return values
    if values.dtype != torch.float16:
        raise WeightsError(f"its weights are {values.dtype}, and half precision is announced", _REMEDY)
    return values.float()
