"""A small made-up 3D face and takes recorded for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

from lightning_modules.geometry.frontal_face import frontal_face

SHAPES = ("jawOpen", "mouthPucker", "mouthSmile_L", "browInnerUp_L", "browInnerUp_R")
SHIFT = 1000  # vertices that are no landmarks come first


def write_face(path: Path, identities: int = 4) -> Path:
    """Write a face whose jawOpen lowers the lower lip by 1 cm and whose pucker moves the lips 1 cm forward."""
    random = np.random.default_rng(0)
    upright = np.array([1.0, -1.0, 1.0])
    vertices = np.concatenate([np.zeros((SHIFT, 3)), 9.0 * frontal_face() * upright])
    deltas = np.zeros((len(SHAPES), len(vertices), 3))
    deltas[0, SHIFT + np.array([55, 56, 57, 58, 59, 65, 66, 67]), 1] = -1.0
    deltas[1, SHIFT + 48 : SHIFT + 68, 2] = 1.0
    deltas[2, SHIFT + 54, 0] = 1.0
    deltas[3, SHIFT + 22, 1] = deltas[4, SHIFT + 21, 1] = 0.5
    kinds = 0.05 * random.standard_normal((identities, len(vertices), 3))
    np.savez(
        path,
        neutral=vertices.astype(np.float32),
        expr_delta=deltas.astype(np.float16),
        expr_names=np.array(SHAPES),
        id_delta=kinds.astype(np.float16),
        landmarks68=np.arange(SHIFT, SHIFT + 68, dtype=np.int32),
    )
    return path


def write_take(folder: Path, name: str, seconds: float = 2.0, *, late: float = 0.0) -> None:
    """Write a take in which syllables and jaw go together four times a second, the jaw ``late`` seconds later."""
    folder.mkdir(parents=True, exist_ok=True)
    n = np.arange(round(seconds * 16000))
    voice = sum(np.sin(2 * np.pi * 150 * k * n / 16000) / k for k in range(1, 20))
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * 2.5 * n / 16000)
    soundfile.write(folder / f"{name}.flac", 0.2 * voice * wave**2, 16000)
    times = np.arange(round(seconds * 30)) / 30 - late
    jaw = 0.5 - 0.5 * np.cos(2 * np.pi * 2.5 * times)
    weights = np.stack([jaw, 0.3 * (times > 1.0), np.zeros_like(times), 0.1 * jaw], axis=1)
    np.savez(folder / f"{name}.npz", weights=weights.astype(np.float32), fps=np.float64(30))
    names = ["mouth_stretch_c", "mouth_oo_c", "jaw_thrust_c", "tongue_u"]
    (folder.parent / "blendshape_names.json").write_text(json.dumps({"other": ["a"], "names_316_1015": names}))
