"""Made-up recordings, encoded by PyAV and soundfile, and a made-up face."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lightning_modules.audio.face_axes import average_face
from lightning_modules.audio.loading import Speech, read_speech

DEMO = Path(__file__).resolve().parents[2] / "experiments" / "demo" / "speech.flac"


@pytest.fixture(scope="session")
def voice() -> Callable[..., np.ndarray]:
    """``voice(seconds, rate)``: ten harmonics of a wandering pitch, (N,) float64, peak 0.5; alike at every rate."""

    def make(seconds: float, rate: int = 16000) -> np.ndarray:
        t = np.arange(round(seconds * rate)) / rate
        phase = 2 * np.pi * 200.0 * t - 60.0 / 0.9 * np.cos(2 * np.pi * 0.9 * t)
        sound = sum(np.sin(k * phase + k * k) / k for k in range(1, 11))
        sound = sound * (0.55 + 0.45 * np.sin(2 * np.pi * 2.3 * t + 1.0) * np.sin(2 * np.pi * 0.7 * t))
        return 0.5 * sound / np.abs(sound).max()

    return make


@pytest.fixture(scope="session")
def encode() -> Callable[..., Path]:
    """``encode(path, codec, samples (N,) or (N, channels), rate, picture)`` writes a sound file with PyAV."""

    def write(path: Path, codec: str, samples: np.ndarray, rate: int, picture: bool = False) -> Path:
        import av

        columns = np.atleast_2d(np.asarray(samples, np.float32).T)
        layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(columns)]
        with av.open(str(path), "w") as container:
            if picture:
                video = container.add_stream("libx264", rate=25)
                video.width = video.height = 64
                video.pix_fmt = "yuv420p"
            stream = container.add_stream(codec, rate=rate, layout=layout)
            if picture:
                for k in range(round(len(columns[0]) / rate * 25)):
                    picture_frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), k % 256, np.uint8))
                    container.mux(video.encode(picture_frame))
                container.mux(video.encode(None))
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(columns), format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
            converter = av.AudioResampler(format=stream.format.name, layout=layout, rate=rate)
            for converted in [*converter.resample(frame), *converter.resample(None)]:
                container.mux(stream.encode(converted))
            container.mux(stream.encode(None))
        return path

    return write


@pytest.fixture(scope="session")
def demo_speech() -> Speech:
    return read_speech(DEMO)


@pytest.fixture
def face() -> np.ndarray:
    """The average face at the size it has in a 256-pixel crop: (68, 3) float32 pixels, lips closed."""
    return (average_face() * 95.0 + [128.0, 110.0, 0.0]).astype(np.float32)


@pytest.fixture(scope="session")
def published_signal() -> np.ndarray:
    """The signal of the published golden values: a gliding voice of ten harmonics with a pause, (24000,) float64."""
    n = np.arange(24000)
    phase = 2 * np.pi * np.cumsum(140 + 30 * np.sin(2 * np.pi * 1.5 * n / 16000)) / 16000
    x = sum(np.sin(k * phase) / k for k in range(1, 11))
    x = 0.3 * x / np.abs(x).max()
    x[16000:20000] = 0
    return x


@pytest.fixture(scope="session")
def pitch_signals(demo_speech: Speech, published_signal: np.ndarray) -> dict[str, np.ndarray]:
    """A woman's voice, the same slowed down to a man's pitch, and two made-up sounds, at 16 kHz.

    Their pitch, as SPTK's tracker gives it, is kept in rapt_golden.npz.
    """
    demo = demo_speech.samples
    slow = np.interp(np.arange(0, len(demo) - 1, 0.6), np.arange(len(demo)), demo).astype(np.float32)
    # Harmonics that fall from 330 to 80 Hz in syllables, between hiss, and over a noise of -50 dB.
    rng = np.random.default_rng(7)
    t = np.arange(56000) / 16000
    phase = 2 * np.pi * np.cumsum(330.0 * (80.0 / 330.0) ** (t / 3.5)) / 16000
    sung = sum(np.sin(k * phase + 0.3 * k * k) / k for k in range(1, 16))
    beat = np.sin(2 * np.pi * 2.2 * t)
    hiss = np.diff(rng.standard_normal(len(t) + 1))
    sound = 0.08 * sung * np.clip(beat, 0, 1) + 0.03 * hiss * np.clip(-beat - 0.5, 0, 1)
    syllables = (sound + 0.003 * rng.standard_normal(len(t))).astype(np.float32)
    return {"demo": demo, "slow": slow, "published": published_signal, "syllables": syllables}
