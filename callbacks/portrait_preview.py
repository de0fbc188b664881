"""What the generator draws, to be looked at: the same portraits every time, as a sheet and as short talking films.

In the run's folder, ``previews/photos_000012800.png`` and ``photos_000012800_fast.mp4``, ``_slow`` and ``_pauses``,
numbered by the photos seen. A row of the sheet is one portrait: photo | static drawing | its landmarks | target 1 |
target 2 | drawn 1 | drawn 2 | a real drawing. In the films the first portraits speak the utterances of
:mod:`~callbacks.preview_utterances`: photo | static drawing | landmarks | drawn.

Where a dashboard is there, they are shown by their paths as ``preview/portraits`` and ``preview/talking_fast`` and so
on; W&B knows no axis for pictures, so the number of photos seen stands in the caption.
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

from callbacks.dashboard_logger import Film, Picture
from callbacks.dashboard_media import show_media
from callbacks.preview_utterances import RATE, UTTERANCES, spoken
from callbacks.talking_portraits import TalkingFilm, draw_track, part, pixels, track_of
from lightning_modules.audio.loading import Speech, read_speech
from lightning_modules.batches import TENSOR_FIELDS, PortraitBatch
from lightning_modules.errors import ConfigError
from lightning_modules.pipeline.contact_sheet import save_image
from lightning_modules.pipeline.presentation import captioned, draw_landmarks, grid

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

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

_RECORDING: Final = "recording"


@dataclass(frozen=True)
class _Pictures:
    """What is to be written, out of the device's memory."""

    photos: int
    sheet: Path
    cells: list[NDArray[np.uint8]]
    films: dict[str, TalkingFilm]


class PortraitPreview(Callback):
    """Draws fixed portraits at the end of validation, on process 0 alone and without a word to the others.

    The generator draws in the main thread; pictures and films are coded and written in another one while training goes
    on. The portraits are the first of the first validation, kept from then on. The validation before training
    (the sanity check) is passed by. A preview that cannot be written is warned of and does not end a run.

    Args:
        portraits: rows of the sheet, at least 1; fewer where validation has fewer.
        every_photos: photos to be seen between two previews; ``None``: at every validation.
        seconds: length of each film; 0: no films.
        fps: frames per second of the films.
        speech: a recording for one more film, ``…_recording.mp4``, in which it is heard; cut to ``seconds``.
        speakers: portraits that speak, rows of the films; at least 1. A film costs ``speakers · seconds · fps``
            drawings.

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
        speakers: int = 1,
    ) -> None:
        counts = (portraits, speakers, 1 if every_photos is None else every_photos)
        if min(counts) < 1 or not 0 <= seconds <= 60 or fps <= 0:
            found = f"previews of {portraits} portraits every {every_photos} photos, {seconds} s at {fps} fps"
            raise ConfigError(f"{found}, {speakers} of them speaking", "give numbers above 0, and at most 60 s")
        self.portraits, self.every_photos = portraits, every_photos
        self.seconds, self.fps, self.speech, self.speakers = seconds, fps, speech, speakers
        self._folder = Path()
        self._fixed: PortraitBatch | None = None
        self._spoken: dict[str, Speech] = {}
        self._tracks: dict[str, Tensor] = {}
        self._shown_at: int | None = None
        self._worker: ThreadPoolExecutor | None = None
        self._waiting: list[tuple[Future[None], _Pictures]] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Choose the folder, the same on all processes, and read the recording."""
        self._folder = Path(trainer.strategy.broadcast(trainer.log_dir or trainer.default_root_dir)) / "previews"
        if self.seconds and trainer.is_global_zero and not self._spoken:
            self._spoken = {name: spoken(name, self.seconds) for name in UTTERANCES}
            if self.speech is not None:
                heard = read_speech(self.speech)
                samples = heard.samples[: round(self.seconds * RATE)]
                self._spoken[_RECORDING] = Speech(samples, RATE, heard.source, heard.notes)

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
                more = part(batch, slice(self.portraits - known)).to("cpu")
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
        drawn = pixels(module(fixed.to(module.device)))
        name = f"photos_{photos:09d}"
        speaking = part(fixed, slice(self.speakers))
        films = {}
        for utterance, speech in self._spoken.items():
            if utterance not in self._tracks:  # the same faces and words at every validation
                self._tracks[utterance] = track_of(speaking, speech, self.fps)
            track = self._tracks[utterance]
            path = self._folder / f"{name}_{utterance}.mp4"
            heard = speech if utterance == _RECORDING else None
            films[utterance] = TalkingFilm(path, speaking, track, draw_track(module, speaking, track), heard)
        return _Pictures(photos, self._folder / f"{name}.png", sheet_cells(fixed, drawn), films)

    # Writing, in the other thread ----------------------------------------------------------------------------------

    def _write(self, pictures: _Pictures) -> None:
        cells = [captioned(cell, COLUMNS[index % len(COLUMNS)]) for index, cell in enumerate(pictures.cells)]
        save_image(pictures.sheet, captioned(grid(cells, len(COLUMNS)), _caption(pictures.photos)))
        for film in pictures.films.values():
            film.write(self.fps)

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
    photos, static, real = pixels(batch.photo), pixels(batch.static_drawing), pixels(batch.drawing)
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


def _caption(photos: int) -> str:
    return f"after {photos:,} photos"


def _show(trainer: Trainer, pictures: _Pictures) -> None:
    caption = _caption(pictures.photos)
    media: dict[str, Picture | Film] = {"preview/portraits": Picture(pictures.sheet, caption)}
    media |= {f"preview/talking_{name}": Film(film.path, f"{name}, {caption}") for name, film in pictures.films.items()}
    show_media(trainer, media, pictures.photos)
