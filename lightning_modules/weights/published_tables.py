"""The published tables of stage 1, which are no networks: statistics of features, and embeddings of speakers.

Two of them lie as text beside the published code, one as a pickle beside its checkpoints (reference stage1 §3, §4).
They are recognised by what they hold. In a set each is a safetensors file of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save
from torch import Tensor

from lightning_modules.errors import WeightsError
from lightning_modules.pipeline.atomic_files import atomic_path
from lightning_modules.weights.checkpoint_file import HEADER, read_weight_file

FORM: Final = 1
"""Raised whenever the meaning of a stored table changes."""

BANDS: Final = 80
EMBEDDING: Final = 256
LONGEST_TEXT: Final = 64 * 1024
"""Bytes beyond which a text is no such table: they have 3 and 5 kB."""

_MEAN, _DEVIATION = "mean", "deviation"
_REMEDY: Final = "import it again with inkspeak weights import"


def table_of_text(text: str) -> tuple[str, dict[str, Tensor]] | None:
    """Recognise a published text of numbers.

    Args:
        text: what the file holds.

    Returns:
        ``("feature_statistics", {"mean": (80,), "deviation": (80,)})`` for 160 numbers, the last 80 positive;
        ``("target_speaker", {"embedding": (256,)})`` for 256 numbers that are not negative and of about unit length;
        None for anything else.
    """
    try:
        numbers = torch.tensor([float(word) for word in text.replace(",", " ").split()], dtype=torch.float32)
    except ValueError:
        return None
    if not bool(torch.isfinite(numbers).all()):
        return None
    if len(numbers) == 2 * BANDS and bool((numbers[BANDS:] > 0).all()):
        return "feature_statistics", {_MEAN: numbers[:BANDS].clone(), _DEVIATION: numbers[BANDS:].clone()}
    if len(numbers) == EMBEDDING and _is_speaker(numbers):
        return "target_speaker", {"embedding": numbers}
    return None


def table_of_tensors(held: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor]] | None:
    """Recognise the table of training speakers: ``("training_speakers", name -> (256,))``, or None."""
    speakers = {name: value.float() for name, value in held.items() if value.shape == (EMBEDDING,)}
    if not held or len(speakers) < len(held) or not all(map(_is_speaker, speakers.values())):
        return None
    return "training_speakers", speakers


def _is_speaker(numbers: Tensor) -> bool:
    """Embeddings are of unit length, or the mean of such, and not negative."""
    return bool((numbers >= 0).all()) and 0.5 < float(numbers.norm()) < 1.01


def save_table(kind: str, tensors: Mapping[str, Tensor], path: Path, facts: Mapping[str, Any]) -> None:
    """Write a table; nothing appears under the name before the file is complete.

    Raises:
        OutputError: the file cannot be written.
    """
    header = {"form": FORM, "table": kind, "facts": dict(facts)}
    with atomic_path(path) as aside:
        aside.write_bytes(save(dict(tensors), metadata={HEADER: json.dumps(header, sort_keys=True)}))


def load_table(kind: str, path: Path) -> dict[str, Tensor]:
    """Read a table that :func:`save_table` wrote.

    Raises:
        WeightsError: there is no such file, it is damaged, or it holds something else.
    """
    tensors, header = read_weight_file(path)
    try:
        described = json.loads(header or "{}")
        found, form = described.get("table"), described.get("form")
    except (ValueError, AttributeError, RecursionError) as error:
        raise WeightsError("its header cannot be read", _REMEDY, path) from error
    if (found, form) != (kind, FORM):
        raise WeightsError(f"it does not hold the table {kind}", _REMEDY, path)
    return tensors
