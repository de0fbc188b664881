"""The portrait of a job: from the cache when the same photo was prepared the same way before, otherwise made now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from lightning_modules.errors import ConfigError
from lightning_modules.pipeline.portrait import Portrait, default_detail, prepare_portrait
from lightning_modules.pipeline.portrait_cache import load_portrait, portrait_key, store_portrait
from lightning_modules.weights.checkpoint_file import weights_mark

if TYPE_CHECKING:
    from lightning_modules.faces.face import Face
    from lightning_modules.faces.photo import Photo
    from lightning_modules.pipeline.animation_job import AnimationJob
    from lightning_modules.pipeline.backends import Backends


def choose_device(choice: str) -> torch.device:
    """The device that a job asks for.

    Args:
        choice: ``"auto"`` (a GPU when torch sees one), ``"cpu"`` or ``"cuda"``.

    Raises:
        ConfigError: CUDA is asked for and not there.
    """
    available = torch.cuda.is_available()
    if choice == "cuda" and not available:
        raise ConfigError("the device 'cuda' was asked for, but torch sees no GPU", "use --device cpu or --device auto")
    return torch.device("cuda" if available and choice != "cpu" else "cpu")


def prepare_cached(job: AnimationJob, photo: Photo, face: Face, size: int, backends: Backends) -> Portrait:
    """Load or make the portrait of a job.

    Args:
        job: its choices; with ``job.cache`` a fresh portrait is also kept there.
        photo: the photo.
        face: the chosen face.
        size: side of the square in pixels.
        backends: drawer and matter are taken from here.

    Returns:
        The portrait on the job's device.
    """
    device = choose_device(job.device)
    drawer = backends.drawer(job)
    settings = {
        "size": size,
        "detail": default_detail(size),
        "drawer": drawer.settings(),
        "matte": backends.matte_settings(job),
        "landmarks": face.landmarks.round(3).tolist(),
        "shape": list(photo.rgb.shape),
        "device": device.type,
    }
    if job.matte_weights is not None:
        settings["matte_weights"] = weights_mark(job.matte_weights)
    key = portrait_key(photo.sha256, settings)
    portrait = load_portrait(job.cache, key) if job.cache is not None else None
    if portrait is None:
        matter = backends.matter(job)
        portrait = prepare_portrait(photo, face, drawer=drawer, matter=matter, size=size, device=device)
        if job.cache is not None:
            store_portrait(portrait, job.cache, key)
    return portrait.to(device)
