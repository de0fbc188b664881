"""The log-mel spectrogram of the speech-to-landmark networks: 80 bands, 62.5 frames a second.

The recipe is the one the published voice-conversion network was trained with, so that its weights can be used: a
zero-phase high-pass, a repeatable dither, magnitudes of a 1024-point FFT, a Slaney mel scale, shifted decibels. It runs
over the recording in blocks; beside the result it needs a few megabytes, whatever the length.

Source: the front end of AutoVC (Qian et al., "AutoVC: Zero-Shot Voice Style Transfer with Only Autoencoder Loss", ICML
2019) as MakeItTalk (Zhou et al., SIGGRAPH Asia 2020) uses it. The loudness step that goes before it there is not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16000
HOP = 256
FRAMES_PER_SECOND = SAMPLE_RATE / HOP
"""62.5; frame i is centred on sample 256·i."""

BANDS = 80
FFT_LENGTH = 1024
LOWEST_HZ, HIGHEST_HZ = 90.0, 7600.0
SHORTEST = FFT_LENGTH // 2 + 1

_HIGH_PASS_ORDER, _HIGH_PASS_HZ = 5, 30.0
_EDGE = 18  # samples by which filtfilt extends both ends: three times the number of coefficients
_FADE = SAMPLE_RATE  # after one second the filter's memory has died down to 1e-25
_BLOCK = 16 * SAMPLE_RATE
_FRAMES_AT_ONCE = 512


def log_mel(samples: NDArray[np.floating]) -> NDArray[np.float32]:
    """Log-mel spectrogram of a recording.

    Args:
        samples: (N,) mono 16 kHz in [-1, 1], float32 or float64, N at least 513. Not modified.

    Returns:
        (N // 256 + 1, 80) float32; -0.16 is the floor, speech reaches about 0.07 to 0.94.

    Raises:
        ValueError: the shape is another, or there are fewer than 513 samples.
    """
    if samples.ndim != 1 or len(samples) < SHORTEST:
        raise ValueError(f"a log-mel needs one row of at least {SHORTEST} samples, not {samples.shape}")
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(FFT_LENGTH) / FFT_LENGTH)
    basis = mel_basis()
    result = np.empty((len(samples) // HOP + 1, BANDS), dtype=np.float32)
    done = 0
    for piece in _padded_pieces(samples):
        frames = np.lib.stride_tricks.sliding_window_view(piece, FFT_LENGTH)[::HOP]
        for start in range(0, len(frames), _FRAMES_AT_ONCE):
            spectrum = np.abs(np.fft.rfft(frames[start : start + _FRAMES_AT_ONCE] * window))
            decibel = 20.0 * np.log10(np.maximum(spectrum @ basis, 1e-5)) - 16.0
            result[done : done + len(decibel)] = (decibel + 100.0) / 100.0
            done += len(decibel)
    return result


@lru_cache(maxsize=1)
def mel_basis() -> NDArray[np.float64]:
    """Weights from FFT magnitudes to mel bands: triangles of equal area on the scale of Slaney's Auditory Toolbox.

    The scale is linear (200/3 Hz a step) below 1000 Hz and logarithmic (27 steps for a factor of 6.4) above.

    Returns:
        (513, 80) float64, from 90 to 7600 Hz. Shared: do not write into it.
    """
    step, corner, ratio = 200.0 / 3.0, 1000.0, np.log(6.4) / 27.0
    corner_step = corner / step
    ends = np.array([LOWEST_HZ, HIGHEST_HZ])
    low, high = np.where(ends < corner, ends / step, corner_step + np.log(ends / corner) / ratio)
    steps = np.linspace(low, high, BANDS + 2)
    edges = np.where(steps < corner_step, steps * step, corner * np.exp(ratio * (steps - corner_step)))
    frequencies = np.arange(FFT_LENGTH // 2 + 1)[:, None] * (SAMPLE_RATE / FFT_LENGTH)
    rising = (frequencies - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - frequencies) / np.diff(edges)[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    basis: NDArray[np.float64] = triangles * (2.0 / (edges[2:] - edges[:-2]))
    basis.flags.writeable = False
    return basis


def condition(samples: NDArray[np.floating]) -> Iterator[NDArray[np.float64]]:
    """High-pass and dither a recording, in blocks.

    A recording whose length is a multiple of 256 gets one more sample (1e-6). The high-pass is a Butterworth filter of
    order 5 at 30 Hz, run forward and backward; the dither is uniform noise of 1e-6 from a fixed seed. This differs
    from filtering the whole recording at once by rounding only (2e-7).

    Args:
        samples: (N,) mono 16 kHz, float32 or float64. Not modified.

    Yields:
        Consecutive pieces of the conditioned signal, float64.
    """
    from scipy.signal import butter, lfilter, lfilter_zi

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
        piece = backward[skip : ready - _EDGE if last else ready]
        yield 0.95 * piece + (noise.rand(len(piece)) - 0.5) * 1e-6
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


def _padded_pieces(samples: NDArray[np.floating]) -> Iterator[NDArray[np.float64]]:
    """Pieces of the conditioned signal, reflected at both ends, that overlap so that every frame lies in one piece."""
    half = FFT_LENGTH // 2
    carry = np.empty(0)
    started = False
    for block in condition(samples):
        carry = np.concatenate([carry, block])
        if not started:
            if len(carry) <= half:
                continue
            carry, started = np.concatenate([carry[half:0:-1], carry]), True
        # The last half window stays back: it is what the end is reflected from.
        frames = (len(carry) - half - 1 - FFT_LENGTH) // HOP + 1
        if frames > 0:
            yield carry[: (frames - 1) * HOP + FFT_LENGTH]
            carry = carry[frames * HOP :]
    carry = np.concatenate([carry, carry[-2 : -half - 2 : -1]])
    if len(carry) >= FFT_LENGTH:
        yield carry
