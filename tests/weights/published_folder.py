"""Folders as users of the published system have them: every file wrapped as published, filled at random."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lightning_modules.weights.published import PUBLISHED

SMALL: dict[str, dict[str, Any]] = {
    "portrait_generator": {"width": 8, "landmark_width": 4},
    "patch_discriminator": {"width": 4},
    "static_drawing_generator": {"width": 8, "styles": 3},
    "inverse_generator": {"width": 4},
    "style_discriminator": {"width": 4, "side": 64},
    "edge_detector": {"width": 4},
    "flow_regression": {"width": 4, "widest": 16},
    "autovc": {"width": 16, "neck": 4, "decoder_width": 8},
    "content_branch": {"prior_width": 8, "prior_features": 8, "hidden": 8, "head_width": 8},
    "speaker_branch": {"hidden": 8, "code": 4, "noise": 4, "width": 8, "feed_forward": 16, "head_width": 16},
    "image_translation": {"width": 4},
}
"""Sizes at which a test is quick, for the kinds that have a choice of sizes."""

RELATIVE = {
    "drawing_generator": "Module2/checkpoints/formal/a/one.bin",
    "cartoon_generator": "Module2/checkpoints/formal/b/two.pth",
    "flow_regression": "Module2/checkpoints/x/f.weights",
    "static_drawing": "Module2/checkpoints/static/three.pth",
    "matte": "Module2/checkpoints/m.ckpt",
    "landmark_detector": "Module2/checkpoints/68.pth.tar",
    "identity_features": "Module2/checkpoints/old.pth",
    "voice_conversion": "Module1/checkpoints/first",
    "content_branch": "Module1/checkpoints/second.pth",
    "speaker_branch": "Module1/checkpoints/third.pth",
    "training_speakers": "Module1/checkpoints/people.pickle",
    "feature_statistics": "Module1/src/table.txt",
    "target_speaker": "Module1/src/somebody.txt",
}
"""Role -> a file with a name that says nothing."""


def random_state(kind: str, *, full: bool, **sizes: Any) -> dict[str, Tensor]:
    """Random weights under the published keys, in the published order; variances are positive."""
    network = PUBLISHED[kind]
    shapes = network.shapes(network.full_size | ({} if full else SMALL.get(kind, {})) | sizes)
    state = {key: torch.randn(shape) * 0.05 for key, shape in shapes.items()}
    for key, value in state.items():
        if key.endswith("running_var"):
            value.abs_().add_(0.5)
        if key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(7)
    return state


def speaker() -> Tensor:
    """An embedding: (256,), not negative, of unit length."""
    return torch.nn.functional.normalize(torch.randn(256).relu(), dim=0)


def statistics() -> tuple[Tensor, Tensor]:
    """Mean and deviation of 80 bands, about as large as the published ones."""
    return torch.linspace(0.6, 0.3, 80), torch.linspace(0.1, 0.14, 80)


def parallel(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """With the prefix of parallel training."""
    return {f"module.{key}": value for key, value in state.items()}


def adam(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The state_dict of an Adam beside a model."""
    parameters = [torch.nn.Parameter(value) for value in state.values() if value.is_floating_point()]
    optimizer = torch.optim.Adam(parameters)
    moments = {
        index: {"step": torch.tensor(3.0), "exp_avg": value.data.clone(), "exp_avg_sq": value.data.abs()}
        for index, value in enumerate(parameters)
    }
    return optimizer.state_dict() | {"state": moments}


def write_published(folder: Path, *, full: bool, roles: set[str] | None = None) -> dict[str, dict[str, Tensor]]:
    """Write the two folders of the published system.

    Args:
        folder: where.
        full: at the published sizes.
        roles: those wanted; all of them for None.

    Returns:
        Role -> the weights in it, by their published names.
    """
    torch.manual_seed(1)
    states: dict[str, dict[str, Tensor]] = {}

    def place(role: str) -> Path | None:
        if roles is not None and role not in roles:
            return None
        path = folder / RELATIVE[role]
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def network(role: str, kind: str, wrap: Any = lambda state: state, **sizes: Any) -> None:
        path = place(role)
        if path is not None:
            states[role] = random_state(kind, full=full, **sizes)
            old = role == "identity_features"  # of 2017, in torch's form of then
            torch.save(wrap(states[role]), path, _use_new_zipfile_serialization=not old)

    network("drawing_generator", "portrait_generator")
    network("cartoon_generator", "portrait_generator", output_channels=3)
    network("flow_regression", "flow_regression")
    network("static_drawing", "static_drawing_generator")
    network("matte", "modnet", lambda state: parallel(_twice(state)))
    network("landmark_detector", "mobilefacenet", lambda state: {"epoch": 70, "arch": "x", "state_dict": state})
    network("identity_features", "sphereface", lambda state: state | {"fc6.weight": torch.randn(4, 3)})
    network("voice_conversion", "autovc", lambda state: {"model": state, "optimizer": adam(state), "step": 7})
    network("content_branch", "content_branch", lambda state: {"model_g_face_id": state, "epoch": 3})
    network("speaker_branch", "speaker_branch", _speaker_file)
    _tables(place)
    return states


def _twice(state: dict[str, Tensor]) -> dict[str, Tensor]:
    again = {f"lr_branch.{key}": value for key, value in state.items() if key.startswith("backbone.")}
    return state | again


def _speaker_file(state: dict[str, Tensor]) -> dict[str, Any]:
    unused = {"decoder.embed.weight": torch.randn(4, 3), "encoder.pe.pe": torch.randn(1, 512, 8)}
    return {"G": state | unused, "D_T": {"convolution.weight": torch.randn(3, 3)}, "epoch": 5}


def _tables(place: Any) -> None:
    if (path := place("training_speakers")) is not None:
        whole = torch.stack([speaker() for _ in range(6)])
        people = {f"id{index}": whole[index] for index in range(6)}  # views: each drags the whole along
        path.write_bytes(pickle.dumps(people, protocol=3))
    if (path := place("feature_statistics")) is not None:
        path.write_text("\n".join(f"{float(value):.6e}" for values in statistics() for value in values))
    if (path := place("target_speaker")) is not None:
        path.write_text("\n".join(f"{float(value):.6f}" for value in speaker()))
