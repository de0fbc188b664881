"""Other voices, rooms and microphones, made from a log-mel: level, colour, length of the vocal tract, noise.

Works on the log-mel itself, S = (20·log10(magnitude) + 84) / 100, which saves going back to the sound: a change of
level adds to it, a longer vocal tract moves it along the bands, and noise adds in power. Reference: stage 1, 19.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from lightning_modules.errors import ConfigError

BANDS = 80
_FLOOR = -0.16
_LOWEST_HZ, _HIGHEST_HZ = 90.0, 7600.0


@dataclass(frozen=True)
class SpeechAugmentation:
    """How much training samples vary; 0 everywhere changes nothing.

    Args:
        chance: of each kind of change, for each sample.
        level: largest change of level, dB.
        tilt: largest slope of colour, dB an octave.
        ripple: standard deviation of a smooth colouring, dB.
        tract: largest change of the vocal tract's length, as a share.
        noise: lowest and highest signal-to-noise ratio, dB.
        tempo: largest change of the tempo of consecutive windows, as a share; their landmarks change with it.
        static: standard deviation by which points of the static face, and the landmarks with it, are moved, face units.

    Raises:
        ConfigError: a number is out of its range.
    """

    chance: float = 0.5
    level: float = 8.0
    tilt: float = 4.0
    ripple: float = 2.0
    tract: float = 0.12
    noise: tuple[float, float] = (8.0, 40.0)
    static: float = 0.005
    tempo: float = 0.0

    def __post_init__(self) -> None:
        sizes = self.level, self.tilt, self.ripple, self.tract, self.static, self.tempo
        too_much = max(self.tract, self.tempo) >= 0.5
        if not 0.0 <= self.chance <= 1.0 or min(sizes) < 0.0 or too_much or self.noise[0] > self.noise[1]:
            found = f"the augmentation {self} is out of range"
            remedy = "give a chance from 0 to 1, sizes from 0, a tract and a tempo below 0.5, noise ascending"
            raise ConfigError(found, remedy)

    def speech(self, frames: Tensor, random: np.random.Generator) -> Tensor:
        """Change the sound of some frames of one recording, all in the same way.

        Args:
            frames: (..., 80) log-mel.
            random: numbers of this sample.

        Returns:
            (..., 80).
        """
        # Every number is drawn whether it is used or not, so that one chance does not shift the others.
        use = random.random(5) < self.chance
        level, slope = random.uniform(-self.level, self.level), random.uniform(-self.tilt, self.tilt)
        factor = 1.0 + random.uniform(-self.tract, self.tract)
        waves = random.standard_normal(3)
        ratio, noise_slope = random.uniform(*self.noise), random.uniform(-6.0, 0.0)
        octaves, bands = _octaves(), torch.linspace(0.0, 1.0, BANDS)
        if use[0]:
            frames = _warped(frames, factor)
        colour = torch.zeros(BANDS)
        if use[1]:
            colour = colour + slope * octaves
        if use[2]:
            for number, wave in enumerate(waves.tolist(), start=1):
                colour = colour + self.ripple * wave * torch.cos(torch.pi * number * bands)
        if use[3]:
            colour = colour + level
        frames = frames + colour / 100.0
        if use[4]:
            loud = frames.mean(dim=-1).flatten().quantile(0.9).item()
            floor = loud - ratio / 100.0 + noise_slope * octaves / 100.0
            grain = torch.from_numpy(random.standard_exponential(tuple(frames.shape)).astype(np.float32))
            power = torch.pow(10.0, 10.0 * frames) + torch.pow(10.0, 10.0 * floor) * grain
            frames = torch.log10(power) / 10.0
        return frames.clamp(min=_FLOOR)

    def tempo_factor(self, random: np.random.Generator) -> float:
        """Frames of the recording that pass in one frame of the sample; 1 leaves the tempo."""
        use, factor = random.random() < self.chance, 1.0 + random.uniform(-self.tempo, self.tempo)
        return factor if use and self.tempo else 1.0

    def move_static(self, random: np.random.Generator) -> Tensor:
        """Displacements (204,) of the points of a static face."""
        return torch.from_numpy((self.static * random.standard_normal(204)).astype(np.float32))


@lru_cache(maxsize=1)
def _octaves() -> Tensor:
    """(80,) octaves of each band's centre above 1000 Hz."""
    return torch.log2(_centres() / 1000.0)


@lru_cache(maxsize=1)
def _centres() -> Tensor:
    """(80,) Hz, centres of the mel bands: where the triangles of the basis are highest."""
    from lightning_modules.audio.log_mel import mel_basis

    hertz = np.arange(513) * (16000.0 / 1024.0)
    basis = mel_basis()
    return torch.from_numpy((hertz @ basis / basis.sum(axis=0)).astype(np.float32))


def _warped(frames: Tensor, factor: float) -> Tensor:
    """The log-mel of a vocal tract that is shorter by ``factor``: what was at f is at factor · f."""
    centres = _centres().numpy()
    places = np.interp(centres / factor, centres, np.arange(BANDS))
    low = torch.from_numpy(np.minimum(places.astype(np.int64), BANDS - 2))
    share = torch.from_numpy(places.astype(np.float32)) - low
    return frames[..., low] * (1.0 - share) + frames[..., low + 1] * share
