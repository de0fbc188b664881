"""What a data module hands to a LightningModule: typed batches with documented shapes.

Convention: pictures are float32 (B, C, S, S) in [-1, 1], 1 = white paper; masks float32 in [0, 1], 1 = inside;
landmarks float32 (..., 68, 2), order (x, y), in pixels of the S x S picture, pixel centres at integers. S is a
multiple of 4.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Final, Self

import torch
from torch import Tensor

from lightning_modules.geometry.flow_map import Anchors, triangulated_targets

NOSE: Final = 0
"""Channel of the nose in part masks."""
EYES: Final = 1
"""Channel of both eyes in part masks."""
LIPS: Final = 2
"""Channel of the lips in part masks."""


@dataclass(frozen=True, eq=False)
class PortraitSample:
    """One training sample of the portrait GAN; :class:`PortraitBatch` describes the fields, here without the B."""

    photo: Tensor
    static_drawing: Tensor
    matte: Tensor
    landmarks: Tensor
    target_landmarks: Tensor
    target_masks: Tensor
    drawing: Tensor
    drawing_masks: Tensor
    adjacent: Tensor
    non_adjacent: Tensor
    key: str = ""
    """Address of the sample, such as ``"seed 0 cycle 2 index 17: photo 031, drawing 007"``."""


@dataclass(frozen=True, eq=False)
class TargetTriangles:
    """Triangulations of a batch's target landmarks: what flow map B needs the CPU for, done where batches are made."""

    targets: Tensor
    """The landmarks that they belong to: the very tensor in the batch, so that none are taken for other landmarks."""
    frame: Tensor
    """For ``anchors="frame"``: (B, 2, T, 3), see :func:`.flow_map.triangulated_targets`."""
    official: Tensor
    """For ``anchors="official"``."""

    @classmethod
    def of(cls, targets: Tensor, size: int) -> Self:
        """Triangulate the target landmarks of a batch, (B, 2, 68, 2) pixels on the CPU, for pictures of side ``size``.

        Raises:
            ValueError: if a landmark is not finite.
        """
        flat = targets.float().flatten(0, 1)
        frame, official = (triangulated_targets(flat, size, anchors=choice) for choice in ("frame", "official"))
        return cls(targets, *(found.view(*targets.shape[:2], -1, 3) for found in (frame, official)))


@dataclass(frozen=True, eq=False)
class PortraitBatch:
    """Training samples of the portrait GAN, stacked; what the data module gives and the module consumes.

    Lightning moves it to the device through :meth:`to`, and a loader's memory pinning goes through :meth:`pin_memory`.
    """

    photo: Tensor
    """(B, 3, S, S): the plain crop. The module paints its background white."""
    static_drawing: Tensor
    """d_s, the static drawing of the photo: (B, C, S, S), C = 1, or 3 for colour styles."""
    matte: Tensor
    """m_p, the photo's foreground: (B, 1, S, S), soft."""
    landmarks: Tensor
    """l_p, landmarks of the photo: (B, 68, 2)."""
    target_landmarks: Tensor
    """l_t1 and l_t2, slightly different from each other: (B, 2, 68, 2)."""
    target_masks: Tensor
    """Nose, eyes and lips of the picture that gave l_t1: (B, 3, S, S)."""
    drawing: Tensor
    """A real drawing: (B, C, S, S)."""
    drawing_masks: Tensor
    """Nose, eyes and lips of the real drawing: (B, 3, S, S)."""
    adjacent: Tensor
    """Two neighbouring frames of one film clip: (B, 2, C, S, S)."""
    non_adjacent: Tensor
    """Two frames of two different clips: (B, 2, C, S, S)."""
    sample_keys: tuple[str, ...] = ()
    """B addresses, for the report on a step that went wrong."""
    target_triangles: TargetTriangles | None = None
    """Made by :func:`stack_samples`. Without it the step triangulates itself, for which it waits for the device."""

    def __len__(self) -> int:
        """Number of samples B."""
        return len(self.photo)

    @property
    def size(self) -> int:
        """Side S of all pictures, pixels."""
        return self.photo.shape[-1]

    def keys(self) -> tuple[str, ...]:
        """Address of every sample, B strings (empty ones where the data set gives none)."""
        return self.sample_keys or ("",) * len(self)

    def triangles(self, anchors: Anchors) -> Tensor | None:
        """Triangulations of the target landmarks, (B, 2, T, 3), if they were made for these very landmarks."""
        made = self.target_triangles
        return getattr(made, anchors) if made is not None and made.targets is self.target_landmarks else None

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Self:
        """The same batch on a device."""
        return self._with(lambda values: values.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """The same batch in page-locked memory, from where it can be copied to a GPU while the GPU works."""
        return self._with(lambda values: values.pin_memory())

    def _with(self, change: Callable[[Tensor], Tensor], keys: tuple[str, ...] | None = None) -> Self:
        """The same batch with every tensor changed, each once, so that triangles stay with their landmarks."""
        changed = {name: change(getattr(self, name)) for name in TENSOR_FIELDS}
        made = self.target_triangles if self.triangles("frame") is not None else None
        if made is not None:
            made = TargetTriangles(changed["target_landmarks"], change(made.frame), change(made.official))
        return type(self)(**changed, sample_keys=self.sample_keys if keys is None else keys, target_triangles=made)

    def split(self, parts: int) -> list[Self]:
        """Cut into micro-batches of consecutive samples, views of this one, as even as possible.

        Args:
            parts: how many, at least 1; a batch of fewer samples gives one micro-batch a sample.
        """
        bounds = [len(self) * index // min(parts, len(self)) for index in range(min(parts, len(self)) + 1)]
        cuts = [slice(start, stop) for start, stop in itertools.pairwise(bounds)]
        return [self._with(operator.itemgetter(cut), self.sample_keys[cut]) for cut in cuts]


TENSOR_FIELDS: Final = tuple(field.name for field in fields(PortraitBatch) if field.type == "Tensor")
"""Names of the fields of a batch that hold tensors."""


def stack_samples(samples: Sequence[PortraitSample]) -> PortraitBatch:
    """Collate function of the loaders.

    Args:
        samples: at least one, all of one size and number of drawing channels.

    Returns:
        The batch.

    Raises:
        ValueError: if there is no sample, shapes differ (names the field), or a landmark is not finite (names the
            sample).
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
    for sample in samples:
        for name in ("landmarks", "target_landmarks"):
            if not bool(torch.isfinite(getattr(sample, name)).all()):
                raise ValueError(f"{name} of the sample {sample.key!r} hold values that are not finite")
    triangles = TargetTriangles.of(stacked["target_landmarks"], stacked["photo"].shape[-1])
    keys = tuple(sample.key for sample in samples)
    return PortraitBatch(**stacked, sample_keys=keys, target_triangles=triangles)
