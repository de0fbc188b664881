"""What the data module of stage 1 hands to its LightningModule: windows of speech and the landmarks they belong to.

A window belongs to the landmarks of one frame and holds W feature frames about it, 62.5 a second: those before it that
the content branch hears (``past``), its own, and those after it (``future``). The published windows have no past and 17
frames of future, W = 18.
Landmarks are float32 in face units (outer-eye distance 1, origin between the outer eye corners, x right, y down, z
towards the viewer), 68 points as 204 numbers x0, y0, z0, x1, ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Final, Self

import torch
from torch import Tensor

from lightning_modules.networks.speech_windows import follow_one_another, joined_windows, window_view


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
    """(B, N, W, 80): content features, normalised by band. Consecutive windows are a view of one stretch, which keeps
    them W times smaller: do not write."""
    static: Tensor
    """(B, 204): the face at rest, mouth closed."""
    target: Tensor
    """(B, N, 204): the landmarks of each window's frame (places, not displacements)."""
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
        return self._each(lambda values: values.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """The same batch in page-locked memory, from where it can be copied to a GPU while the GPU works."""
        return self._each(lambda values: values.pin_memory())

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same batch with its tensors changed; of windows that are views, the stretch is changed."""
        changed = {name: change(getattr(self, name)) for name in TENSOR_FIELDS if name != "windows"}
        if follow_one_another(self.windows):
            stretch = change(joined_windows(self.windows))
            changed["windows"] = window_view(stretch, self.windows.shape[-2])
        else:
            changed["windows"] = change(self.windows)
        return type(self)(**changed, sample_keys=self.sample_keys)


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
        if name == "windows" and all(map(follow_one_another, values)):
            stretches = torch.cat([joined_windows(value) for value in values])
            stacked[name] = window_view(stretches, values[0].shape[-2])
        else:
            stacked[name] = torch.stack(values)
    return SpeechBatch(**stacked, sample_keys=tuple(sample.key for sample in samples))
