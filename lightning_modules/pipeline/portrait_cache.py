"""Prepared portraits on disk, found again by the content of the photo and by everything that shaped them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import Tensor

from lightning_modules.geometry.alignment import PortraitFrame
from lightning_modules.pipeline.atomic_files import atomic_path
from lightning_modules.pipeline.portrait import Portrait

#: Raised whenever the meaning or the making of a stored portrait changes; older files are then made anew.
STORED_FORM = 4

_PICTURES = ("photo", "drawing", "background", "mask", "matte")


def portrait_key(photo_sha256: str, settings: dict[str, Any]) -> str:
    """Name of the cache entry.

    Args:
        photo_sha256: hash of the photo's bytes.
        settings: every option that shapes the portrait, as plain JSON values.

    Returns:
        64 hexadecimal digits; equal for equal content and settings, whatever the file is called.
    """
    facts = json.dumps({"form": STORED_FORM, "photo": photo_sha256, **settings}, sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()


def store_portrait(portrait: Portrait, folder: Path, key: str) -> Path:
    """Write a portrait as safetensors, aside first, then renamed.

    Args:
        portrait: its pictures hold 8-bit levels, so nothing is lost.
        folder: cache folder, created when missing.
        key: from :func:`portrait_key`.

    Returns:
        The file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: (getattr(portrait, name) * 255.0).round().to(torch.uint8).cpu().numpy() for name in _PICTURES}
    arrays["landmarks"] = portrait.landmarks.cpu().numpy().astype(np.float32)
    frame = portrait.frame
    facts = {
        "size": portrait.size,
        "detail": portrait.detail,
        "frame": [frame.left, frame.top, frame.side],
        "notes": portrait.notes,
    }
    path = folder / f"{key}.safetensors"
    with atomic_path(path) as aside:
        save_file(arrays, aside, metadata={"portrait": json.dumps(facts)})
    return path


def load_portrait(folder: Path, key: str) -> Portrait | None:
    """Read a stored portrait.

    Args:
        folder: cache folder; may be missing.
        key: from :func:`portrait_key`.

    Returns:
        The portrait on the CPU, or ``None`` when there is none or the file is damaged (it is then made anew).
    """
    path = folder / f"{key}.safetensors"
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as stored:
            facts = json.loads((stored.metadata() or {})["portrait"])
            tensors: dict[str, Tensor] = {name: stored.get_tensor(name) for name in (*_PICTURES, "landmarks")}
    except (SafetensorError, KeyError, ValueError, OSError):
        return None
    left, top, side = facts["frame"]
    pictures = {name: tensors[name].float() / 255.0 for name in _PICTURES}
    return Portrait(
        size=facts["size"],
        detail=facts["detail"],
        frame=PortraitFrame(left, top, side),
        landmarks=tensors["landmarks"],
        notes=tuple(facts["notes"]),
        **pictures,
    )
