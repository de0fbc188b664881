"""What the generator draws, to be looked at: the same portraits every time, as a sheet and as a short talking clip.

In the run's folder, ``previews/photos_000012800.png`` and ``….mp4``, numbered by the photos seen.
A row of the sheet is one portrait: photo | static drawing | its landmarks | target 1 | target 2 | drawn 1 | drawn 2 |
a real drawing. The clip shows the first portrait beside its photo, speaking.

Where a dashboard is there, both are shown by their paths as ``preview/portraits`` and ``preview/talking``; W&B knows
no axis for pictures, so the number of photos seen stands in the caption.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from callbacks.dashboard_logger import Film, Picture
from callbacks.dashboard_media import show_media
from lightning_modules.audio.envelope_driver import EnvelopeDriver
from lightning_modules.audio.loading import Speech, read_speech
from lightning_modules.batches import TENSOR_FIELDS, PortraitBatch
from lightning_modules.errors import ConfigError
from lightning_modules.metrics.drawing_pixels import as_rgb_bytes
from lightning_modules.pipeline.contact_sheet import save_image
from lightning_modules.pipeline.presentation import SideBySide, captioned, draw_landmarks, grid
from lightning_modules.pipeline.video_writer import VideoWriter

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS: Final = (
    "photo",
    "static drawing",
    "landmarks",
    "target 1",
    "target 2",
    "drawn 1",
    "drawn 2",
    "a real drawing",
)
"""What the columns of the sheet show."""

_FRAMES_AT_ONCE: Final = 16
_RATE: Final = 16000


@dataclass(frozen=True)
class _Pictures:
    """What is to be written, out of the device's memory."""

    photos: int
    sheet: Path
    clip: Path
    cells: list[NDArray[np.uint8]]
    photo: NDArray[np.uint8]
    frames: NDArray[np.uint8] | None


class PortraitPreview(Callback):
    """Draws fixed portraits at the end of validation, on process 0 alone and without a word to the others.

    The generator draws in the main thread; pictures and film are coded and written in another one while training goes
    on. The portraits are the first of the first validation, kept from then on. The validation before training
    (the sanity check) is passed by. A preview that cannot be written is warned of and does not end a run.

    Args:
        portraits: rows of the sheet, at least 1; fewer where validation has fewer.
        every_photos: photos to be seen between two previews; ``None``: at every validation.
        seconds: length of the clip; 0: no clip.
        fps: frames per second of the clip.
        speech: a recording that the clip speaks and sounds; ``None``: silent babble. Cut to ``seconds``.

    Raises:
        ConfigError: a number is out of range.
        AudioError: the recording cannot be read; raised when training is set up.
    """

    def __init__(
        self,
        portraits: int = 8,
        every_photos: int | None = None,
        *,
        seconds: float = 2.0,
        fps: float = 25.0,
        speech: str | None = None,
    ) -> None:
        if portraits < 1 or not 0 <= seconds <= 60 or (every_photos is not None and every_photos < 1) or fps <= 0:
            found = f"previews of {portraits} portraits every {every_photos} photos, {seconds} s at {fps} fps"
            raise ConfigError(found, "give numbers above 0, and at most 60 s")
        self.portraits, self.every_photos = portraits, every_photos
        self.seconds, self.fps, self.speech = seconds, fps, speech
        self._folder = Path()
        self._fixed: PortraitBatch | None = None
        self._spoken: Speech | None = None
        self._shown_at: int | None = None
        self._worker: ThreadPoolExecutor | None = None
        self._waiting: list[tuple[Future[None], _Pictures]] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Choose the folder, the same on all processes, and read the recording."""
        self._folder = Path(trainer.strategy.broadcast(trainer.log_dir or trainer.default_root_dir)) / "previews"
        if self.seconds and trainer.is_global_zero and self._spoken is None:
            heard = _babble(self.seconds) if self.speech is None else read_speech(self.speech)
            self._spoken = Speech(heard.samples[: round(self.seconds * _RATE)], _RATE, heard.source, heard.notes)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first portraits of the first validation."""
        if self._shown_at is None and trainer.is_global_zero and not trainer.sanity_checking:
            if not isinstance(batch, PortraitBatch):
                raise TypeError(f"PortraitPreview needs batches of PortraitBatch, got {type(batch).__name__}")
            known = 0 if self._fixed is None else len(self._fixed)
            if known < self.portraits:
                more = _part(batch, self.portraits - known).to("cpu")
                self._fixed = more if self._fixed is None else _joined(self._fixed, more)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, here where validation's weights (averaged ones, with the EMA callback) are in place."""
        self._finish(trainer, wait=False)
        if trainer.sanity_checking or self._fixed is None or not trainer.is_global_zero:
            return
        photos = int(getattr(pl_module, "photos_seen", trainer.global_step))
        if self.every_photos and self._shown_at is not None and photos - self._shown_at < self.every_photos:
            return
        self._shown_at = photos
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            pictures = self._draw(pl_module, self._fixed, photos)
        self._worker = self._worker or ThreadPoolExecutor(1, thread_name_prefix="preview")
        self._waiting.append((self._worker.submit(self._write, pictures), pictures))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log what has been written in the meantime."""
        self._finish(trainer, wait=False)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Wait for the last picture; also on the way out through an error."""
        self._finish(trainer, wait=True)
        if self._worker is not None:
            self._worker.shutdown()
            self._worker = None

    # Drawing -------------------------------------------------------------------------------------------------------

    def _draw(self, module: LightningModule, fixed: PortraitBatch, photos: int) -> _Pictures:
        drawn = _pixels(module(fixed.to(module.device)))
        name = f"photos_{photos:09d}"
        frames = None if self._spoken is None else self._talk(module, fixed, self._spoken)
        photo = _pixels(fixed.photo)
        return _Pictures(
            photos,
            self._folder / f"{name}.png",
            self._folder / f"{name}.mp4",
            sheet_cells(fixed, drawn),
            photo[0],
            frames,
        )

    def _talk(self, module: LightningModule, fixed: PortraitBatch, speech: Speech) -> NDArray[np.uint8]:
        """The first portrait speaking: (T, S, S, 3)."""
        rest = torch.nn.functional.pad(fixed.landmarks[0], (0, 1)).numpy()  # no depth is known: the average face's
        track = EnvelopeDriver().drive(speech, rest, self.fps).landmarks[..., :2]
        wanted = torch.from_numpy(np.ascontiguousarray(track))
        if len(wanted) % 2:  # the generator draws two targets a sample
            wanted = torch.cat([wanted, wanted[-1:]])
        targets = wanted.view(-1, 2, *wanted.shape[1:])
        one = _part(fixed, 1)
        frames = []
        for start in range(0, len(targets), _FRAMES_AT_ONCE // 2):
            part = targets[start : start + _FRAMES_AT_ONCE // 2]
            fields = {name: getattr(one, name).repeat_interleave(len(part), dim=0) for name in TENSOR_FIELDS}
            batch = PortraitBatch(**(fields | {"target_landmarks": part}))
            frames.append(_pixels(module(batch.to(module.device))).reshape(-1, one.size, one.size, 3))
        return np.concatenate(frames)[: len(track)]

    # Writing, in the other thread ----------------------------------------------------------------------------------

    def _write(self, pictures: _Pictures) -> None:
        cells = [captioned(cell, COLUMNS[index % len(COLUMNS)]) for index, cell in enumerate(pictures.cells)]
        save_image(pictures.sheet, captioned(grid(cells, len(COLUMNS)), _caption(pictures.photos)))
        if pictures.frames is None:
            return
        count, height, width = pictures.frames.shape[:3]
        scene = SideBySide(pictures.photo, (width, height))
        heard = self._spoken if self.speech is not None else None
        sound = None if heard is None else (heard.samples, heard.sample_rate)
        with VideoWriter(pictures.clip, scene.size, self.fps, frames=count, sound=sound) as writer:
            writer.write(scene.show(pictures.frames))

    def _finish(self, trainer: Trainer, *, wait: bool) -> None:
        """Log, in the main thread and in order, what is written; warn of what could not be."""
        while self._waiting and (wait or self._waiting[0][0].done()):
            done, pictures = self._waiting.pop(0)
            error = done.exception()
            if error is None:
                _show(trainer, pictures)
            else:
                rank_zero_warn(f"the preview at {pictures.photos} photos could not be written: {error}")


def sheet_cells(batch: PortraitBatch, drawn: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Cells of the sheet, row by row, in the order of :data:`COLUMNS`.

    Args:
        batch: B portraits, on the CPU.
        drawn: (B, 2, S, S, 3), what was drawn for their two targets.

    Returns:
        8 B pictures (S, S, 3).
    """
    photos, static, real = _pixels(batch.photo), _pixels(batch.static_drawing), _pixels(batch.drawing)
    white = np.full_like(photos[0], 255)
    cells = []
    for index in range(len(batch)):
        own = batch.landmarks[index].float().numpy()
        first, second = batch.target_landmarks[index].float().numpy()
        cells += [photos[index], static[index], draw_landmarks(photos[index], own)]
        cells += [draw_landmarks(white, first), draw_landmarks(white, second)]
        cells += [drawn[index, 0], drawn[index, 1], real[index]]
    return cells


def _joined(first: PortraitBatch, second: PortraitBatch) -> PortraitBatch:
    both: dict[str, Any] = {name: torch.cat([getattr(first, name), getattr(second, name)]) for name in TENSOR_FIELDS}
    return PortraitBatch(**both)


def _part(batch: PortraitBatch, count: int) -> PortraitBatch:
    return PortraitBatch(**{name: getattr(batch, name)[:count] for name in TENSOR_FIELDS})


def _pixels(images: Tensor) -> NDArray[np.uint8]:
    """(…, C, S, S) in [-1, 1] on any device to (…, S, S, 3) bytes."""
    levels = as_rgb_bytes(images.float().flatten(0, -4)).permute(0, 2, 3, 1).contiguous()
    pictures: NDArray[np.uint8] = levels.cpu().numpy()
    return pictures.reshape(*images.shape[:-3], *pictures.shape[1:])


def _caption(photos: int) -> str:
    return f"after {photos:,} photos"


def _babble(seconds: float) -> Speech:
    """Something to move the mouth by: five syllables a second, louder and softer, with a breath; never heard."""
    times = np.arange(round(seconds * _RATE)) / _RATE
    syllables = np.clip(np.sin(2 * np.pi * 2.5 * times), 0, 1) * (0.6 + 0.4 * np.sin(2 * np.pi * 0.7 * times))
    voice = sum(np.sin(2 * np.pi * 120 * harmonic * times) / harmonic for harmonic in (1, 2, 3, 5))
    return Speech((0.2 * syllables * voice).astype(np.float32), _RATE, None, ())


def _show(trainer: Trainer, pictures: _Pictures) -> None:
    caption = _caption(pictures.photos)
    media: dict[str, Picture | Film] = {"preview/portraits": Picture(pictures.sheet, caption)}
    if pictures.frames is not None:
        media["preview/talking"] = Film(pictures.clip, caption)
    show_media(trainer, media, pictures.photos)
