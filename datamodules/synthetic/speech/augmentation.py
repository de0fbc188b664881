"""What a recording does to speech after its phones are known: level, colour, room, noise, telephone (reference §19.1).

Every change keeps the time of every sound, so that phones and landmarks stay valid. Tempo, pitch and length of the
vocal tract are the voice's business (:class:`datamodules.synthetic.speech.voices.Manner`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, fftconvolve, sosfilt

SAMPLE_RATE = 16000
Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Recording:
    """Conditions of a recording.

    Args:
        level: root mean square wanted, dB below full scale.
        tilt: dB an octave by which high sounds are louder, about 1 kHz.
        reverberation: seconds until the room's echo has fallen by 60 dB; 0 for none.
        noise: dB by which speech is louder than the noise; None for none.
        noise_tilt: dB an octave of the noise.
        telephone: band of 300 to 3400 Hz and 8-bit µ-law.
    """

    level: float = -20.0
    tilt: float = 0.0
    reverberation: float = 0.0
    noise: float | None = None
    noise_tilt: float = -3.0
    telephone: bool = False


def sample_recording(generator: np.random.Generator) -> Recording:
    """Return random conditions; four in ten are those of a quiet studio."""
    level = float(generator.uniform(-30, -12))
    if generator.random() < 0.4:
        return Recording(level, tilt=float(generator.uniform(-1.5, 1.5)))
    return Recording(
        level,
        tilt=float(generator.uniform(-6, 6)),
        reverberation=float(generator.uniform(0.1, 0.5)) if generator.random() < 0.6 else 0.0,
        noise=float(generator.uniform(5, 40)) if generator.random() < 0.7 else None,
        noise_tilt=float(generator.uniform(-6, 0)),
        telephone=bool(generator.random() < 0.1),
    )


def record(samples: Samples, conditions: Recording, seed: int) -> Samples:
    """Return speech as recorded under conditions.

    Args:
        samples: (N,) float32 in [-1, 1], 16 kHz.
        conditions: what the recording does.
        seed: of the echo and the noise.

    Returns:
        (N,) float32 in [-1, 1]: same length, nothing moved in time; what would exceed full scale is turned down as a
        whole.
    """
    generator = np.random.default_rng(seed)
    sound = np.asarray(samples, np.float64)
    if conditions.tilt:
        sound = _tilted(sound, conditions.tilt)
    if conditions.reverberation > 0:
        sound = _echoed(sound, conditions.reverberation, generator)
    if conditions.noise is not None:
        noise = _tilted(generator.standard_normal(len(sound)), conditions.noise_tilt)
        sound = sound + noise * (_level(sound) / max(_level(noise), 1e-12) * 10 ** (-conditions.noise / 20))
    if conditions.telephone:
        sound = _through_telephone(sound)
    sound = sound * (10 ** (conditions.level / 20) / max(_level(sound), 1e-9))
    return (sound / max(1.0, float(np.abs(sound).max(initial=0.0)) / 0.999)).astype(np.float32)


def _level(sound: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(sound)))) if len(sound) else 0.0


def _tilted(sound: npt.NDArray[np.float64], decibels: float) -> npt.NDArray[np.float64]:
    """Spectrum times a power of f / 1 kHz that gives so many dB an octave, held below 100 Hz; zero phase."""
    size = len(sound) + 2048  # room, so that the end does not come round to the beginning
    spectrum = np.fft.rfft(sound, size)
    frequency = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 100.0)
    return np.asarray(np.fft.irfft(spectrum * (frequency / 1000.0) ** (decibels / 6.0206), size)[: len(sound)])


def _echoed(sound: npt.NDArray[np.float64], seconds: float, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """The sound in a room: itself at once, then decaying noise."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    response = generator.standard_normal(len(times)) * 10 ** (-3 * times / seconds)
    response *= 0.5 / np.sqrt(np.sum(response**2))
    response[0] = 1.0
    return np.asarray(fftconvolve(sound, response)[: len(sound)])


def _through_telephone(sound: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    band = butter(4, (300, 3400), "bandpass", fs=SAMPLE_RATE, output="sos")
    peak = max(float(np.abs(sound).max(initial=0.0)), 1e-9)
    narrow = sosfilt(band, sound) / peak
    pressed = np.sign(narrow) * np.log1p(255 * np.minimum(np.abs(narrow), 1.0)) / np.log(256)
    coarse = np.round(pressed * 127) / 127
    return np.asarray(np.sign(coarse) * (256 ** np.abs(coarse) - 1) / 255 * peak)
