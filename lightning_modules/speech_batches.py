"""What the data module of stage 1 hands to its LightningModule: windows of speech and the landmarks they belong to.

Window i holds the feature frames i .. i + 17 and belongs to the landmarks of frame i, its first; 62.5 frames a second.
Landmarks are float32 in face units (outer-eye distance 1, origin between the outer eye corners, x right, y down, z
towards the viewer), 68 points as 204 numbers x0, y0, z0, x1, ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, Self

import torch
from torch import Tensor

WINDOW: Final = 18
"""Feature frames of a window."""


@dataclass(frozen=True, eq=False)
class SpeechSample:
    """N windows of one recording with one face; :class:`SpeechBatch` describes the fields, here without the B."""

    windows: Tensor
    static: Tensor
    target: Tensor
    embedding: Tensor
    key: str = ""
    """Address of the sample, such as ``"seed 0 cycle 2 index 17: curves/take_1-face_03"``."""


@dataclass(frozen=True, eq=False)
class SpeechBatch:
    """B samples of N windows each; Lightning moves it to the device through :meth:`to`."""

    windows: Tensor
    """(B, N, 18, 80): content features, normalised by band. Consecutive windows may share memory: do not write."""
    static: Tensor
    """(B, 204): the face at rest, mouth closed."""
    target: Tensor
    """(B, N, 204): the landmarks of each window's first frame (places, not displacements)."""
    embedding: Tensor
    """(B, 256): the speaker embedding, unit length; zeros where the data module was told to go without."""
    sample_keys: tuple[str, ...] = ()
    """B addresses, for the report on a step that went wrong."""

    def __len__(self) -> int:
        """Number of samples B."""
        return len(self.static)

    @property
    def window_count(self) -> int:
        """Windows of each sample, N."""
        return self.target.shape[1]

    @property
    def displacement(self) -> Tensor:
        """(B, N, 204): target less static face, what both branches together have to predict."""
        return self.target - self.static[:, None]

    def keys(self) -> tuple[str, ...]:
        """Address of every sample, B strings (empty ones where the data set gives none)."""
        return self.sample_keys or ("",) * len(self)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Self:
        """The same batch on a device."""
        moved = {name: getattr(self, name).to(device, non_blocking=non_blocking) for name in TENSOR_FIELDS}
        return type(self)(**moved, sample_keys=self.sample_keys)

    def pin_memory(self) -> Self:
        """The same batch in page-locked memory, from where it can be copied to a GPU while the GPU works."""
        pinned = {name: getattr(self, name).pin_memory() for name in TENSOR_FIELDS}
        return type(self)(**pinned, sample_keys=self.sample_keys)


TENSOR_FIELDS: Final = tuple(field.name for field in fields(SpeechBatch) if field.name != "sample_keys")
"""Names of the fields of a batch that hold tensors."""


def stack_speech_samples(samples: Sequence[SpeechSample]) -> SpeechBatch:
    """Collate function of the loaders.

    Args:
        samples: at least one, all of one number of windows.

    Returns:
        The batch.

    Raises:
        ValueError: if there is no sample, or shapes differ; names the field.
    """
    if not samples:
        raise ValueError("a batch needs at least one sample")
    stacked = {}
    for name in TENSOR_FIELDS:
        values = [getattr(sample, name) for sample in samples]
        shapes = {tuple(value.shape) for value in values}
        if len(shapes) > 1:
            raise ValueError(f"samples of one batch must be of one shape, {name} has {sorted(shapes)}")
        stacked[name] = torch.stack(values)
    return SpeechBatch(**stacked, sample_keys=tuple(sample.key for sample in samples))
