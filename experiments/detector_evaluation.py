"""The landmark detector on faces that it was not trained on: how far its points are from the labels, domain by domain.

The faces are those that :class:`~datamodules.face_landmarks.FaceLandmarksDataModule` holds out, in crops put right.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from datamodules.datasets.labelled_faces import DOMAINS
from datamodules.face_landmarks import FaceLandmarksData
from datamodules.samplers import SampleAddress
from lightning_modules.errors import ConfigError
from lightning_modules.landmark_batches import FaceLandmarksBatch
from lightning_modules.metrics.landmark_error import REGIONS, landmark_error
from lightning_modules.pipeline.contact_sheet import save_image
from lightning_modules.pipeline.presentation import captioned, draw_landmarks, grid

LIMIT: Final = 20.0
"""A face whose error is above it is missed, percent of the outer-eye distance."""

_BATCH: Final = 32
_COLUMNS, _LARGER = 8, 2


def held_out_faces(data: FaceLandmarksData) -> FaceLandmarksBatch:
    """All faces that a data module keeps out of training, as one batch.

    Raises:
        ConfigError: there is none.
    """
    samples, count = data.validation_samples()
    if not count:
        raise ConfigError("no face is held out", "hold out a larger share, or name more prepared sets")
    return data.collate([samples[SampleAddress(0, index)] for index in range(count)])


def found_landmarks(network: nn.Module, faces: FaceLandmarksBatch) -> NDArray[np.float32]:
    """What a detector finds in the crops: (B, 68, 2), fractions of their sides."""
    with torch.inference_mode():
        parts = [network(crops).float() for crops in torch.split(faces.crop, _BATCH)]
    return np.asarray(torch.cat(parts).view(-1, 68, 2).numpy(), np.float32)


def measured(found: NDArray[np.float32], faces: FaceLandmarksBatch) -> dict[str, dict[str, float]]:
    """Errors in each domain that has faces.

    Args:
        found: (B, 68, 2) fractions of the crops' sides.
        faces: crops and labels.

    Returns:
        By domain: ``faces``; ``mean``, ``median``, ``worst`` and ``within_95_percent`` of the error normalised by the
        outer-eye distance, percent; ``missed``, faces above :data:`LIMIT`; and the mean of each region.
    """
    errors = landmark_error(torch.from_numpy(found), faces.landmarks)[0].numpy()
    figures: dict[str, dict[str, float]] = {}
    for number, name in enumerate(DOMAINS):
        own = errors[(faces.domain == number).numpy()]
        if not len(own):
            continue
        whole = own[:, 0]
        figures[name] = {
            "faces": len(own),
            "mean": float(whole.mean()),
            "median": float(np.median(whole)),
            "within_95_percent": float(np.quantile(whole, 0.95)),
            "worst": float(whole.max()),
            "missed": int((whole > LIMIT).sum()),
            **{region: float(own[:, place].mean()) for place, region in enumerate(REGIONS) if region != "all"},
        }
    return figures


def milliseconds_a_face(network: nn.Module, crops: int = 40) -> float:
    """Median time for a crop alone, milliseconds, with as many threads as torch has."""
    one, seconds = torch.rand(1, 3, 112, 112), []
    with torch.inference_mode():
        for _ in range(crops + 5):
            start = time.perf_counter()
            network(one)
            seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[5:])


def write_worst(
    folder: Path, found: NDArray[np.float32], faces: FaceLandmarksBatch, figures: Mapping[str, Any], count: int = 24
) -> None:
    """Sheets ``worst_DOMAIN.png`` of the faces with the largest errors: labels green, found points red.

    Args:
        folder: to write into.
        found: (B, 68, 2).
        faces: crops and labels.
        figures: from :func:`measured`; says which domains there are.
        count: faces of a sheet.

    Raises:
        OutputError: a sheet cannot be written.
    """
    errors = landmark_error(torch.from_numpy(found), faces.landmarks)[0, :, 0].numpy()
    crops = (faces.crop * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    for name in figures:
        own = np.flatnonzero((faces.domain == DOMAINS.index(name)).numpy())
        cells = []
        for face in own[np.argsort(-errors[own])][:count]:
            shown = crops[face].repeat(_LARGER, 0).repeat(_LARGER, 1)
            for points, colour in ((faces.landmarks[face].numpy(), (0, 160, 60)), (found[face], (220, 30, 60))):
                shown = draw_landmarks(shown, points * len(shown) - 0.5, color=colour, radius=1.2, lines=False)
            cells.append(captioned(shown, f"{errors[face]:.1f} %"))
        save_image(folder / f"worst_{name}.png", grid(cells, _COLUMNS, gap=3))
