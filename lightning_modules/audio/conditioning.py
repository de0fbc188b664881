"""Conditioning of speech before spectra and pitch are measured: a zero-phase high-pass and a repeatable dither.

It runs in blocks, so that beside the recording a few megabytes are needed, whatever the length. Several measurements
of one recording share one pass: each is a :class:`Listener` that hears every block.

Source: the front end of AutoVC (Qian et al., "AutoVC: Zero-Shot Voice Style Transfer with Only Autoencoder Loss", ICML
2019) as MakeItTalk (Zhou et al., SIGGRAPH Asia 2020) uses it.
"""

from __future__ import annotations

from collections.abc import Iterator
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
_BLOCK = 16 * SAMPLE_RATE


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
    from filtering the whole recording at once by rounding only (2e-7).

    Args:
        samples: (N,) mono 16 kHz in [-1, 1], float32 or float64, N at least 513. Not modified.

    Yields:
        Consecutive pieces of the conditioned signal, float64, read-only.

    Raises:
        ValueError: the samples are something else.
    """
    from scipy.signal import butter, lfilter, lfilter_zi

    check_recording(samples)
    b, a = butter(_HIGH_PASS_ORDER, _HIGH_PASS_HZ / (SAMPLE_RATE / 2), btype="highpass")
    settled = lfilter_zi(b, a)
    noise = np.random.RandomState(0)  # the published dither is this old generator's
    state = None
    forward = np.empty(0)
    skip = _EDGE
    for block, last in _extended_blocks(samples):
        state = settled * block[0] if state is None else state
        filtered, state = lfilter(b, a, block, zi=state)
        forward = np.concatenate([forward, filtered])
        ready = len(forward) if last else len(forward) - _FADE
        if ready <= 0:
            continue
        backward = lfilter(b, a, forward[::-1], zi=settled * forward[-1])[0][::-1]
        piece = 0.95 * backward[skip : ready - _EDGE if last else ready]
        piece += (noise.rand(len(piece)) - 0.5) * 1e-6
        piece.flags.writeable = False  # several listeners share it
        yield piece
        forward, skip = forward[ready:], 0


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
