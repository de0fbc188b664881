"""The pitch of speech, and its quantised form that the voice-conversion network reads.

Two backends give the same: ``nccf``, ours, which needs nothing that is not installed anyway, and ``rapt``, SPTK's own
through the pysptk package (the extra ``paper``).

Source: reference §2.5; D. Talkin, "A Robust Algorithm for Pitch Tracking (RAPT)", in Kleijn & Paliwal (eds.), Speech
Coding and Synthesis, Elsevier 1995; the quantisation is that of AutoVC's pitch-conditioned form.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.conditioning import HOP, SAMPLE_RATE, Listener, frame_count, listen
from lightning_modules.audio.log_mel import MelListener
from lightning_modules.audio.pitch_candidates import SearchRange
from lightning_modules.audio.pitch_tracker import FULL_SCALE, PitchListener, tracked_frames
from lightning_modules.errors import BackendError

PITCH_BINS = 257
"""Bin 0 is unvoiced, bins 1 to 256 span four standard deviations of the logarithm to both sides of its mean."""

HIGH_VOICE = SearchRange(100.0, 600.0)
"""The published range 'F', in which the published system looks for every voice."""

LOW_VOICE = SearchRange(50.0, 250.0)
"""The published range 'M', in which its training material was measured."""

ANY_VOICE = SearchRange(50.0, 600.0)

_LOW_BELOW_HZ = 158.0  # the geometric mean of where the high range begins and the low one ends

Voice = Literal["auto", "F", "M"]
Backend = Literal["nccf", "rapt"]


class FundamentalFrequency(Protocol):
    """Measures the pitch of a recording."""

    def __call__(self, samples: NDArray[np.floating], *also: Listener) -> NDArray[np.float32]:
        """Pitch in Hz at 62.5 frames a second.

        Args:
            samples: (N,) mono 16 kHz in [-1, 1], float32 or float64, N at least 513. Not modified.
            also: others that hear the conditioned signal in the same pass, exactly once.

        Returns:
            (N // 256 + 1,) float32; 0 where unvoiced. Frame i begins at sample 256·i.

        Raises:
            ValueError: the samples are something else.
        """
        ...


class NccfPitch:
    """Our own tracker: constant memory beside the result.

    Args:
        search: the pitch that is looked for.
    """

    def __init__(self, search: SearchRange) -> None:
        self.search = search

    def __call__(self, samples: NDArray[np.floating], *also: Listener) -> NDArray[np.float32]:
        """Pitch in Hz; see :class:`FundamentalFrequency`."""
        tracker = PitchListener(len(samples), self.search)
        listen(samples, tracker, *also)
        return tracker.finish()


class RaptPitch:
    """SPTK's tracker, through pysptk. It needs the whole signal at once, about 16 bytes a sample.

    Args:
        search: the pitch that is looked for.

    Raises:
        BackendError: pysptk cannot be imported.
    """

    def __init__(self, search: SearchRange) -> None:
        self.search = search
        self._rapt = _import_rapt()

    def __call__(self, samples: NDArray[np.floating], *also: Listener) -> NDArray[np.float32]:
        """Pitch in Hz; see :class:`FundamentalFrequency`."""
        whole = _WholeSignal()
        listen(samples, whole, *also)
        if not tracked_frames(len(samples), self.search):  # SPTK refuses these, or reads beyond what it has
            return np.zeros(frame_count(len(samples)), dtype=np.float32)
        signal = np.concatenate(whole.blocks)
        search = self.search
        pitch = self._rapt(signal, SAMPLE_RATE, HOP, min=search.lowest_hz, max=search.highest_hz, otype="f0")
        if len(signal) % 2:
            # SPTK draws the noise that it adds in pairs, and keeps the odd half for the next call, which then differs.
            self._rapt(np.zeros(1001, dtype=np.float32), SAMPLE_RATE, HOP, min=100.0, max=600.0, otype="f0")
        return np.asarray(pitch, dtype=np.float32)


class RangedPitch:
    """Looks for a high or a low voice, whichever a first pass over all voices finds.

    Low is a voice whose median pitch is below 158 Hz. The published system looks for every voice among the high ones
    and so misses most of a low one.

    Args:
        make: makes a tracker for a range.
    """

    def __init__(self, make: Callable[[SearchRange], FundamentalFrequency]) -> None:
        self._any, self._high, self._low = make(ANY_VOICE), make(HIGH_VOICE), make(LOW_VOICE)

    def __call__(self, samples: NDArray[np.floating], *also: Listener) -> NDArray[np.float32]:
        """Pitch in Hz; see :class:`FundamentalFrequency`."""
        pitch = self._any(samples, *also)
        if not pitch.any():
            return pitch
        return (self._low if np.median(pitch[pitch > 0]) < _LOW_BELOW_HZ else self._high)(samples)


def make_fundamental_frequency(
    backend: Backend = "nccf", voice: Voice = "auto", search: SearchRange | None = None
) -> FundamentalFrequency:
    """Make a pitch tracker.

    Args:
        backend: ``"nccf"``, ours, or ``"rapt"``, SPTK's.
        voice: ``"F"`` (100 to 600 Hz) and ``"M"`` (50 to 250 Hz) are the published ranges; ``"auto"`` chooses one of
            them by the median of a first pass.
        search: a range of one's own, instead of ``voice``.

    Returns:
        The tracker.

    Raises:
        ValueError: there is no such backend or voice.
        BackendError: the backend is not installed.
    """
    makers: dict[str, Callable[[SearchRange], FundamentalFrequency]] = {"nccf": NccfPitch, "rapt": RaptPitch}
    ranges = {"F": HIGH_VOICE, "M": LOW_VOICE}
    if backend not in makers or voice not in {"auto", *ranges}:
        raise ValueError(f"pitch is measured by {', '.join(makers)} for auto, F or M, not {backend!r} for {voice!r}")
    make = makers[backend]
    if search is not None:
        return make(search)
    return RangedPitch(make) if voice == "auto" else make(ranges[voice])


def mel_and_pitch(
    samples: NDArray[np.floating], pitch: FundamentalFrequency
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Log-mel spectrogram and pitch of a recording, whose signal is conditioned once for both.

    Args:
        samples: (N,) mono 16 kHz in [-1, 1], float32 or float64, N at least 513. Not modified.
        pitch: the tracker.

    Returns:
        (T, 80) float32 as :func:`~lightning_modules.audio.log_mel.log_mel` gives it, and the pitch (T,) float32 in Hz,
        T = N // 256 + 1.

    Raises:
        ValueError: the samples are something else.
    """
    mel = MelListener(len(samples))
    hertz = pitch(samples, mel)
    return mel.finish(), hertz


def quantize_pitch(hertz: NDArray[np.floating]) -> NDArray[np.int64]:
    """Classes of pitch, relative to the recording's own mean and spread of the logarithm (reference §2.5).

    Args:
        hertz: (T,), 0 where unvoiced. Not modified.

    Returns:
        (T,) int64; 0 where unvoiced, else 1 + 255·v rounded to even, v = 0.5 at the mean, 0 and 1 four standard
        deviations below and above it. A voice of one pitch has 129 (v = 0.5) everywhere.

    Raises:
        ValueError: a pitch is negative or not finite.
    """
    if hertz.ndim != 1 or not np.isfinite(hertz).all() or (hertz < 0).any():
        raise ValueError("pitch is a row of finite numbers, 0 where unvoiced")
    bins = np.zeros(len(hertz), dtype=np.int64)
    voiced = hertz > 0
    if voiced.any():
        logarithm = np.log(hertz[voiced].astype(np.float64))
        # A single voiced frame has no spread, which the published code divides by.
        relative = (logarithm - logarithm.mean()) / (4.0 * max(float(logarithm.std()), 1e-5))
        bins[voiced] = 1 + np.rint(255.0 * (np.clip(relative, -1.0, 1.0) + 1.0) / 2.0).astype(np.int64)
    return bins


class _WholeSignal:
    """Keeps the conditioned signal, as SPTK wants it."""

    def __init__(self) -> None:
        self.blocks: list[NDArray[np.float32]] = []

    def hear(self, block: NDArray[np.float64]) -> None:
        self.blocks.append((FULL_SCALE * block).astype(np.float32))


def _import_rapt() -> Callable[..., Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it asks for pkg_resources, which announces its end
            from pysptk import rapt
    except ModuleNotFoundError as error:
        if error.name == "pkg_resources":
            raise BackendError(
                "pysptk needs pkg_resources, which is no longer part of setuptools",
                "install setuptools<81, or choose the pitch backend nccf",
            ) from error
        raise BackendError(
            "the pitch backend rapt needs pysptk, which is not installed",
            "install inkspeak[paper] (it needs a C compiler), or choose the backend nccf, which gives the same",
        ) from error
    tracker: Callable[..., Any] = rapt
    return tracker
