"""Portraits of a batch made to speak by whatever generator is in training, and the films that show it.

A film's rows are portraits; in a row stand the photo, its static drawing, the landmarks that are asked for and what the
generator draws of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from lightning_modules.audio.envelope_driver import EnvelopeDriver
from lightning_modules.audio.loading import Speech
from lightning_modules.batches import TENSOR_FIELDS, PortraitBatch
from lightning_modules.metrics.drawing_pixels import as_rgb_bytes
from lightning_modules.pipeline.presentation import draw_landmarks, grid
from lightning_modules.pipeline.video_writer import VideoWriter

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS: Final = ("photo", "static drawing", "landmarks", "drawn")
"""What stands in a row of a film."""

_TARGETS_AT_ONCE: Final = 16


@dataclass(frozen=True, eq=False)
class TalkingFilm:
    """A film to be written, out of the device's memory.

    Attributes:
        path: where.
        portraits: who speaks, on the CPU.
        track: (P, T, 68, 2) pixels, the landmarks of each portrait.
        frames: (P, T, S, S, 3), what was drawn of them.
        speech: what is spoken, where it is to be heard.
    """

    path: Path
    portraits: PortraitBatch
    track: Tensor
    frames: NDArray[np.uint8]
    speech: Speech | None

    def pictures(self) -> Iterator[NDArray[np.uint8]]:
        """The film's frames, (H, W, 3) each."""
        photos, static = pixels(self.portraits.photo), pixels(self.portraits.static_drawing)
        white = np.full_like(photos[0], 255)
        for number in range(self.frames.shape[1]):
            cells: list[NDArray[np.uint8]] = []
            for photo, drawing, track, frames in zip(photos, static, self.track, self.frames, strict=True):
                cells += [photo, drawing, draw_landmarks(white, track[number].numpy()), frames[number]]
            yield grid(cells, len(COLUMNS))

    def write(self, fps: float) -> None:
        """Write the film.

        Raises:
            OutputError: it cannot be written.
        """
        sound = None if self.speech is None else (self.speech.samples, self.speech.sample_rate)
        pictures = self.pictures()
        first = next(pictures)
        size = (first.shape[1], first.shape[0])
        with VideoWriter(self.path, size, fps, frames=self.frames.shape[1], sound=sound) as writer:
            writer.write(first)
            for picture in pictures:
                writer.write(picture)


def track_of(portraits: PortraitBatch, speech: Speech, fps: float) -> Tensor:
    """Landmarks (P, T, 68, 2) of portraits that speak, by the loudness of the speech; on the CPU, pixels."""
    rest = torch.nn.functional.pad(portraits.landmarks, (0, 1)).numpy()  # no depth is known: the average face's
    tracks = [EnvelopeDriver().drive(speech, face, fps).landmarks[..., :2] for face in rest]
    return torch.from_numpy(np.stack(tracks).astype(np.float32))


def draw_track(module: LightningModule, portraits: PortraitBatch, track: Tensor) -> NDArray[np.uint8]:
    """What the generator draws of each portrait's landmarks.

    Args:
        module: takes a :class:`PortraitBatch` to two drawings a sample.
        portraits: P of them, on the CPU.
        track: (P, T, 68, 2) pixels.

    Returns:
        (P, T, S, S, 3).
    """
    return np.stack([_drawn(module, part(portraits, slice(row, row + 1)), one) for row, one in enumerate(track)])


def _drawn(module: LightningModule, portrait: PortraitBatch, track: Tensor) -> NDArray[np.uint8]:
    wanted = torch.cat([track, track[-1:]]) if len(track) % 2 else track  # two targets a sample
    frames = []
    for targets in torch.split(wanted.view(-1, 2, *wanted.shape[1:]), _TARGETS_AT_ONCE // 2):
        fields = {name: getattr(portrait, name).repeat_interleave(len(targets), dim=0) for name in TENSOR_FIELDS}
        batch = PortraitBatch(**(fields | {"target_landmarks": targets}))
        frames.append(pixels(module(batch.to(module.device))).reshape(-1, portrait.size, portrait.size, 3))
    return np.concatenate(frames)[: len(track)]


def part(batch: PortraitBatch, rows: slice) -> PortraitBatch:
    """Some samples of a batch."""
    return PortraitBatch(**{name: getattr(batch, name)[rows] for name in TENSOR_FIELDS})


def pixels(images: Tensor) -> NDArray[np.uint8]:
    """(…, C, S, S) in [-1, 1] on any device to (…, S, S, 3) bytes."""
    levels = as_rgb_bytes(images.float().flatten(0, -4)).permute(0, 2, 3, 1).contiguous()
    pictures: NDArray[np.uint8] = levels.cpu().numpy()
    return pictures.reshape(*images.shape[:-3], *pictures.shape[1:])
