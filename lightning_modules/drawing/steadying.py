"""Averaging over time where consecutive frames show the same: what a bilateral filter does in space, done in time.

Two frames agree at a pixel with the weight ``exp(-d²/(2 tolerance²))``, d the largest difference over the channels of
the 3 x 3 means around it: one noisy pixel is no reason to disagree, a passing edge is. Maps that are made from the
frames (structure tensors) are averaged with the weights of the frames, so that what moved is not mixed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, Protocol, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.drawing.image_filters import minimum_3x3, resized

REACH: Final = 2
"""Frames on each side that count."""

TOLERANCE: Final = 0.04
"""Difference of a pixel between frames, of the range [0, 1], at which it counts with weight 0.61."""

Item = TypeVar("Item")


class Steadier(Protocol):
    """Averages a map of each frame over time; what comes with the map is handed through."""

    def __call__(self, maps: Iterator[tuple[Item, Tensor]], /) -> Iterator[tuple[Item, Tensor]]:
        """From something and (1, C, h, w) of every frame, in order, to the same with the map averaged."""
        ...


def alone(maps: Iterator[tuple[Item, Tensor]], /) -> Iterator[tuple[Item, Tensor]]:
    """The steadier of pictures that have nothing to do with each other: all stays as it is."""
    return maps


class Agreement:
    """Where the frames of a shot show the same as their neighbours.

    Args:
        frames: (T, C, H, W) in [0, 1], consecutive frames of one shot.
        reach: frames on each side that count; 0 lets each stand alone.
        tolerance: difference at which a pixel counts with weight 0.61, positive.

    Raises:
        ValueError: shape, reach or tolerance is out of range.
    """

    def __init__(self, frames: Tensor, *, reach: int = REACH, tolerance: float = TOLERANCE) -> None:
        if frames.ndim != 4 or reach < 0 or tolerance <= 0:
            raise ValueError(f"cannot steady {tuple(frames.shape)} with reach {reach}, tolerance {tolerance}")
        self.count = len(frames)
        self.reach = min(reach, max(0, len(frames) - 1))
        self._around = functional.avg_pool2d(functional.pad(frames, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        self._tolerance = tolerance

    def weight(self, first: int, second: int) -> Tensor:
        """How much two frames agree: (1, 1, H, W) in [0, 1]; 1 with itself."""
        difference = (self._around[second] - self._around[first]).abs().amax(dim=0)[None, None]
        return torch.exp(difference.square() * (-0.5 / self._tolerance**2))

    def averaged(self, frames: Tensor) -> Tensor:
        """Average the frames themselves, or others of the same size: (T, C, H, W) to (T, C, H, W)."""
        total, weights = frames.clone(), torch.ones_like(frames[:, :1])
        for first in range(self.count):
            for second in range(first + 1, min(first + self.reach, self.count - 1) + 1):
                weight = self.weight(first, second)
                for one, other in ((first, second), (second, first)):
                    total[one : one + 1] += weight * frames[other : other + 1]
                    weights[one : one + 1] += weight
        return total / weights

    def steady(self, maps: Iterable[tuple[Item, Tensor]], /) -> Iterator[tuple[Item, Tensor]]:
        """Average maps that were made from the frames; a :class:`Steadier`.

        A map's pixel speaks of the 3 x 3 pixels around it, so the least weight among those counts.

        Args:
            maps: for every frame something that is handed through, and (1, C, h, w), of any size.

        Yields:
            The same with the map averaged, ``reach`` frames after it was asked for; 2 ``reach`` + 1 are kept.

        Raises:
            ValueError: there are more or fewer maps than frames.
        """
        kept: deque[tuple[int, Item, Tensor]] = deque()
        asked = 0
        for item, values in maps:
            kept.append((asked, item, values))
            asked += 1
            if asked > self.reach:
                yield self._mean(kept, asked - 1 - self.reach)
                while kept and kept[0][0] < asked - 2 * self.reach:
                    kept.popleft()
        if asked != self.count:
            raise ValueError(f"{asked} maps for {self.count} frames")
        for number in range(max(0, asked - self.reach), asked):
            yield self._mean(kept, number)

    def _mean(self, kept: Iterable[tuple[int, Item, Tensor]], number: int) -> tuple[Item, Tensor]:
        own, own_values = next((item, values) for one, item, values in kept if one == number)
        total, weights = own_values, torch.ones_like(own_values[:, :1])
        for one, _, values in kept:
            if one != number and abs(one - number) <= self.reach:
                size = (values.shape[-2], values.shape[-1])
                weight = minimum_3x3(resized(self.weight(one, number), size, "bilinear"))
                total = total + weight * values
                weights = weights + weight
        return own, total / weights
