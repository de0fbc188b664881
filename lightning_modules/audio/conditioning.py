"""Conditioning of speech before spectra and pitch are measured: a zero-phase high-pass and a repeatable dither.

It runs in blocks, so that beside the recording a few megabytes are needed, whatever the length. Several measurements
of one recording share one pass: each is a :class:`Listener` that hears every block.

Source: the front end of AutoVC (Qian et al., "AutoVC: Zero-Shot Voice Style Transfer with Only Autoencoder Loss", ICML
2019) as MakeItTalk (Zhou et al., SIGGRAPH Asia 2020) uses it.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16000
HOP = 256
FRAMES_PER_SECOND = SAMPLE_RATE / HOP
"""62.5; frame i of the log-mel is centred on sample 256·i, that of the pitch begins there."""

SHORTEST = 513
"""Fewest samples that can be conditioned and measured: half a window of the spectrum on both sides of one sample."""

_HIGH_PASS_ORDER, _HIGH_PASS_HZ = 5, 30.0
_EDGE = 18  # samples by which filtfilt extends both ends: three times the number of coefficients
_FADE = SAMPLE_RATE  # after one second the filter's memory has died down to 1e-25
_BLOCK = 14 * SAMPLE_RATE  # with a second before and after it, not more than 2^18 samples


class Listener(Protocol):
    """A measurement that is made while the conditioned signal goes by."""

    def hear(self, block: NDArray[np.float64]) -> None:
        """Take the next block (n,) of the conditioned signal, n at least 1, in [-1, 1]. It is not modified."""
        ...


def frame_count(samples: int) -> int:
    """Number of frames T of a recording of N samples: N // 256 + 1."""
    return samples // HOP + 1


def check_recording(samples: NDArray[np.floating]) -> None:
    """Require one row of at least 513 finite floating point samples.

    Raises:
        ValueError: the shape or the type is another, there are fewer samples, or one is not finite.
    """
    if samples.ndim != 1 or len(samples) < SHORTEST or not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"speech is one row of at least {SHORTEST} float samples, not {samples.dtype} {samples.shape}")
    # A sum is finite when all are (float64 cannot overflow here), and needs no array of flags.
    if not np.isfinite(samples.sum(dtype=np.float64)):
        raise ValueError("speech holds finite samples only")


def listen(samples: NDArray[np.floating], *listeners: Listener) -> None:
    """Condition a recording once and let every listener hear it.

    Args:
        samples: (N,) mono 16 kHz in [-1, 1], float32 or float64, N at least 513. Not modified.
        listeners: what measures it.

    Raises:
        ValueError: the samples are something else.
    """
    for block in condition(samples):
        for listener in listeners:
            listener.hear(block)


def condition(samples: NDArray[np.floating]) -> Iterator[NDArray[np.float64]]:
    """High-pass and dither a recording, in blocks (reference §2.3).

    A recording whose length is a multiple of 256 gets one more sample (1e-6). The high-pass is a Butterworth filter of
    order 5 at 30 Hz, run forward and backward; the dither is uniform noise of 1e-6 from a fixed seed. This differs
    from the published recursion by the rounding errors of that only (2e-7).

    Args:
        samples: (N,) mono 16 kHz in [-1, 1], float32 or float64, N at least 513. Not modified.

    Yields:
        Consecutive pieces of the conditioned signal, float64, read-only.

    Raises:
        ValueError: the samples are something else.
    """
    check_recording(samples)
    noise = np.random.RandomState(0)  # the published dither is this old generator's
    heard = forward = np.empty(0)
    skip = _EDGE
    for block, last in _extended_blocks(samples):
        known = len(heard)
        heard = np.concatenate([heard, block])
        forward = np.concatenate([forward, high_passed(heard)[known:]])
        heard = heard[-_FADE:]
        ready = len(forward) if last else len(forward) - _FADE
        if ready <= 0:
            continue
        backward = high_passed(forward[::-1])[::-1]
        piece = 0.95 * backward[skip : ready - _EDGE if last else ready]
        piece += (noise.rand(len(piece)) - 0.5) * 1e-6
        piece.flags.writeable = False  # several listeners share it
        yield piece
        forward, skip = forward[ready:], 0


def high_passed(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Run the high-pass over a signal, as if its first value had been there for ever before.

    The product of spectra is what the recursion computes but for its rounding errors. Those are large, 2e-7, as its
    five poles lie close together, and the recursion would have to be imported for seconds.

    Args:
        signal: (N,), N at least 1.

    Returns:
        (N,).
    """
    # A constant does not pass, so taking it off leaves a signal that begins at rest; what is left of the filter's
    # memory when it has gone round once is nothing.
    length = 1 << (len(signal) + _FADE - 1).bit_length()
    spectrum = np.fft.rfft(signal - signal[0], length) * _response(length)
    passed: NDArray[np.float64] = np.fft.irfft(spectrum, length)[: len(signal)]
    return passed


@lru_cache(maxsize=2)
def _response(length: int) -> NDArray[np.complex128]:
    """Frequency response at the (length // 2 + 1,) frequencies of a real spectrum.

    With the bilinear transform, s = i tan(w / 2), a Butterworth high-pass of corner c is the product of s / (s - c / p)
    over the poles p of the low-pass of corner 1, which lie evenly on the left half of the unit circle.
    """
    half = np.pi * np.arange(length // 2 + 1) / length
    along, across = 1j * np.sin(half), np.cos(half)
    corner = math.tan(math.pi * _HIGH_PASS_HZ / SAMPLE_RATE)
    response = np.ones(len(half), np.complex128)
    for number in range(_HIGH_PASS_ORDER):
        pole = cmath.exp(0.5j * math.pi * (1.0 + (2 * number + 1) / _HIGH_PASS_ORDER))
        response *= along / (along - (corner / pole) * across)
    response.flags.writeable = False
    return response


def _extended_blocks(samples: NDArray[np.floating]) -> Iterator[tuple[NDArray[np.float64], bool]]:
    """The signal with both ends continued by point reflection, in float64 blocks, each with whether it is the last."""
    count = len(samples)
    nothing = np.empty(0)
    tail = np.array([1e-6]) if count % HOP == 0 else nothing
    head = 2.0 * float(samples[0]) - samples[_EDGE:0:-1].astype(np.float64)
    end = np.concatenate([samples[-_EDGE - 1 :].astype(np.float64), tail])
    after = 2.0 * end[-1] - end[-2 : -_EDGE - 2 : -1]
    for start in range(0, count, _BLOCK):
        block = samples[start : start + _BLOCK].astype(np.float64)
        last = start + _BLOCK >= count
        before = head if start == 0 else nothing
        yield np.concatenate([before, block, *((tail, after) if last else ())]), last
