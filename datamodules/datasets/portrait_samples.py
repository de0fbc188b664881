"""One map-style dataset for the whole portrait GAN: photo, targets, a real drawing and two film pairs in one sample.

A sample is a function of (seed, cycle, index) and of nothing else: the index names the photo; which drawing, which
frames, every crop, flip and change follow from random numbers addressed by the three.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.augmentation import CropFlip
from datamodules.datasets.drawings import CutDrawing, DrawingSet
from datamodules.datasets.film_pairs import FilmSet
from datamodules.datasets.photos import CutPhoto, PhotoSet
from datamodules.datasets.pixels import mask_tensor, picture_tensor
from datamodules.samplers import SampleAddress, sample_generator
from datamodules.targets import Points, TargetSettings, changed, face_at_rest, similarity_between, talking
from lightning_modules.batches import PortraitSample
from lightning_modules.errors import ConfigError
from lightning_modules.geometry.part_masks import part_masks

_PHOTO, _DRAWING, _TARGET, _ADJACENT, _NON_ADJACENT = range(5)
DEFAULT_TARGETS: Final = TargetSettings()


class PortraitSamples(Dataset[PortraitSample]):
    """Training samples.

    Args:
        photos: the photo domain.
        drawings: the drawing domain.
        film: real pairs for D_coh; None gives pairs of no frames, (0, C, S, S), for runs without D_coh.
        image_size: S, side of the samples, pixels.
        targets: how target landmarks are made.
        tracks: landmark tracks, each (T, 68, 2|3), for ``targets.change == "motion"`` and ``targets.talking_share``.
        static_share: share of samples whose real drawing is the static drawing of some photo, as it was drawn: the
            paper's drawings are partly such synthetic ones. They teach the discriminators what a clean, unmoved line
            of the product's own pen looks like.
        seed: of all random choices, not negative.
        chosen: numbers of the photos to use; None for all.
        augment: crop and flip at random; False cuts photo and drawing from the middle.

    Raises:
        ConfigError: real motion is wanted and there is no track of two frames.
    """

    def __init__(
        self,
        photos: PhotoSet,
        drawings: DrawingSet,
        film: FilmSet | None,
        *,
        image_size: int,
        targets: TargetSettings = DEFAULT_TARGETS,
        tracks: Sequence[npt.NDArray[np.float32]] = (),
        static_share: float = 0.0,
        seed: int = 0,
        chosen: Sequence[int] | None = None,
        augment: bool = True,
    ) -> None:
        self._tracks = tuple(track[..., :2] for track in tracks if len(track) >= 2)
        if targets.needs_tracks and not self._tracks:
            raise ConfigError("real motion was asked for without a landmark track", "give tracks of 2 frames or more")
        self._rests = tuple(map(face_at_rest, self._tracks))
        self._photos, self._drawings, self._film = photos, drawings, film
        self._size, self._targets, self._seed, self._augment = image_size, targets, seed, augment
        self._static_share = static_share
        self.chosen = tuple(range(len(photos))) if chosen is None else tuple(chosen)

    def __len__(self) -> int:
        """Number of photos: the length of a cycle."""
        return len(self.chosen)

    def __getitem__(self, address: SampleAddress) -> PortraitSample:
        """Return the sample at an address."""
        number = self.chosen[address.index]
        photo = self._photos.cut(number, self._crop(self._random(address, _PHOTO), self._photos.size))
        generator = self._random(address, _DRAWING)
        drawing, drawn = self._real_drawing(generator)
        landmarks, masks = self._target(self._random(address, _TARGET), photo, drawing)
        return PortraitSample(
            photo=picture_tensor(photo.photo),
            static_drawing=picture_tensor(photo.static_drawing),
            matte=mask_tensor(photo.matte),
            landmarks=torch.from_numpy(photo.landmarks),
            target_landmarks=torch.from_numpy(landmarks),
            target_masks=mask_tensor(masks),
            drawing=picture_tensor(drawing.drawing),
            drawing_masks=mask_tensor(drawing.masks),
            adjacent=self._pair(address, adjacent=True),
            non_adjacent=self._pair(address, adjacent=False),
            key=self.key(address, drawn),
        )

    def _real_drawing(self, generator: np.random.Generator) -> tuple[CutDrawing, str]:
        """A drawing of the domain D, and its name."""
        if self._static_share > 0.0 and generator.random() < self._static_share:
            number = self.chosen[int(generator.integers(len(self.chosen)))]
            shown = self._photos.cut(number, self._crop(generator, self._photos.size))
            return CutDrawing(shown.static_drawing, shown.masks, shown.landmarks), self._photos.names[number]
        number = int(generator.integers(len(self._drawings)))
        drawing = self._drawings.cut(number, self._crop(generator, self._drawings.size))
        return drawing, self._drawings.names[number]

    def key(self, address: SampleAddress, drawn: str) -> str:
        """Return the address of a sample for reports, with the names of its photo and drawing."""
        photo = self._photos.names[self.chosen[address.index]]
        place = f"seed {self._seed} cycle {address.cycle} index {address.index}"
        return f"{place}: photo {photo}, drawing {drawn}"

    def _random(self, address: SampleAddress, purpose: int) -> np.random.Generator:
        return sample_generator(self._seed, address, purpose)

    def _crop(self, generator: np.random.Generator, loaded: int) -> CropFlip:
        if self._augment:
            return CropFlip.random(generator, loaded, self._size)
        return CropFlip.middle(loaded, self._size)

    def _target(
        self, generator: np.random.Generator, photo: CutPhoto, drawing: CutDrawing
    ) -> tuple[Points, npt.NDArray[Any]]:
        """l_t1 and l_t2, (2, 68, 2), with the masks of the picture that gave l_t1."""
        first, masks = photo.landmarks, photo.masks
        chance = generator.random() - self._targets.own_share
        if 0.0 <= chance < self._targets.talking_share:
            first, second = talking(generator, self._tracks, self._rests, first)
            return np.stack([first, second]), _masks_of(first, self._size)
        if chance >= 0.0:
            first, masks = drawing.landmarks, drawing.masks
            if self._targets.aligned:
                onto_photo = similarity_between(first, photo.landmarks)
                first, masks = onto_photo.points(first), onto_photo.planes(masks)
        second = changed(generator, first, self._size, self._targets, self._tracks)
        return np.stack([first, second]).astype(np.float32), masks

    def _pair(self, address: SampleAddress, *, adjacent: bool) -> Tensor:
        if self._film is None:
            return torch.empty((0, self._photos.channels, self._size, self._size))
        generator = self._random(address, _ADJACENT if adjacent else _NON_ADJACENT)
        pair = self._film.adjacent_pair(generator) if adjacent else self._film.non_adjacent_pair(generator)
        return picture_tensor(self._film.cut(pair, generator, self._size))


def _masks_of(landmarks: Points, size: int) -> npt.NDArray[np.uint8]:
    """Nose, eyes and lips of a face that no picture shows: (3, S, S), 255 = inside."""
    masks = torch.cat(part_masks(torch.from_numpy(landmarks)[None], size), dim=1)[0]
    return np.asarray((masks * 255.0).round().to(torch.uint8).numpy())
