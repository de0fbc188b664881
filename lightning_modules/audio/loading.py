"""Reading speech: any sound or video file becomes mono 16 kHz samples.

PyAV reads every container and codec that libav knows; a file it cannot read is tried with soundfile, which knows a few
more, and a note says so. Nothing is trimmed and no file is written. No torch here, and PyAV is imported on first use,
so that a wrong file is reported at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.decoding import (
    MAXIMUM_HOURS,
    SAMPLE_RATE,
    MonoCollector,
    SoundHeader,
    decode,
    header_of,
    open_sound,
    second_decode,
    second_header,
    too_long,
)
from lightning_modules.errors import AudioError

MINIMUM_SECONDS = 0.04
"""Shortest speech that is accepted: one frame at 25 frames per second."""

QUIET_DBFS = -60.0
CLIPPING_LEVEL = 0.99
_RECORDING = "give a sound or video file with speech (wav, flac, mp3, m4a, ogg, mp4, mov, webm, ...)"
_AGAIN = "export or download the recording again"
_BLOCK = 1 << 20
_FIRST_BYTES = {
    b"RIFF": "WAV",
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"ID3": "MP3",
    b"\xff\xfb": "MP3",
    b"\x1aE\xdf\xa3": "WebM or Matroska",
}


@dataclass(frozen=True)
class Speech:
    """A recording, ready for analysis.

    Attributes:
        samples: (N,) float32 in [-1, 1], mono.
        sample_rate: always 16000.
        source: the file it came from, ``None`` when made in memory.
        notes: what was noticed or changed while reading, a clause each; empty for an ordinary recording.
    """

    samples: NDArray[np.float32]
    sample_rate: int = SAMPLE_RATE
    source: Path | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or self.samples.dtype != np.float32 or self.sample_rate != SAMPLE_RATE:
            raise ValueError(
                f"speech is a row of float32 samples at {SAMPLE_RATE} Hz, not {self.samples.dtype} "
                f"{self.samples.shape} at {self.sample_rate} Hz"
            )

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


@dataclass(frozen=True)
class SpeechLevel:
    """How loud a recording is.

    Attributes:
        level_dbfs: root mean square in dB below full scale (a full-scale square wave has 0); -inf for digital silence.
        peak: largest absolute sample.
        clipped_fraction: share of samples in [0, 1] that reach 0.99 of full scale; speech that was not clipped has 0.
    """

    level_dbfs: float
    peak: float
    clipped_fraction: float

    def __str__(self) -> str:
        text = f"level {self.level_dbfs:.1f} dBFS, peak {self.peak:.3f}"
        return f"{text}, {self.clipped_fraction:.2%} clipped" if self.clipped_fraction > 0 else text


def describe_speech(speech: Speech) -> SpeechLevel:
    """Level, peak and clipping of a recording, in constant memory."""
    power, peak, clipped = 0.0, 0.0, 0
    for start in range(0, len(speech.samples), _BLOCK):
        block = speech.samples[start : start + _BLOCK].astype(np.float64)
        loudness = np.abs(block)
        power += float(block @ block)
        peak = max(peak, float(loudness.max()))
        clipped += int(np.count_nonzero(loudness >= CLIPPING_LEVEL))
    count = max(len(speech.samples), 1)
    level = 10.0 * math.log10(power / count) if power > 0 else -math.inf
    return SpeechLevel(level, peak, clipped / count)


def probe_speech(path: str | Path) -> SoundHeader:
    """Look whether a file can be speech, without decoding it.

    Args:
        path: a sound file, or a video file with sound.

    Returns:
        What its header says.

    Raises:
        AudioError: the file is missing, a folder, empty, text, no sound or video file, without sound, shorter than
            0.04 s or longer than six hours.
    """
    source = Path(path)
    _check_file(source)
    return _probe(source)


def read_speech(path: str | Path) -> Speech:
    """Read the sound of a file as mono 16 kHz.

    Channels are averaged. Sound that goes beyond full scale is turned down as a whole. Damaged places are left out as
    long as something remains. The notes of the result tell each of these.

    Args:
        path: a sound file, or a video file with sound.

    Returns:
        The recording; its length is ``round(samples · 16000 / rate)`` samples.

    Raises:
        AudioError: what :func:`probe_speech` refuses, sound that is mostly damaged or has non-finite samples, and sound
            that turns out shorter than 0.04 s or longer than six hours.
    """
    source = Path(path)
    _check_file(source)
    header = _probe(source)
    notes: list[str] = []
    collector = MonoCollector(source)
    if header.reader == "soundfile":
        notes.append("read with soundfile, as PyAV cannot read this file")
        try:
            second_decode(source, collector)
        except RuntimeError as error:
            raise AudioError(f"damaged sound ({error})", _AGAIN, source) from error
    else:
        notes += _decode_over_damage(source, collector)
    samples = collector.finish()
    _check_length(source, len(samples) / SAMPLE_RATE)
    notes += _check_completeness(source, header, len(samples) / SAMPLE_RATE)
    if collector.peak > 1.0:
        samples /= np.float32(collector.peak)
        excess = 20.0 * math.log10(collector.peak)
        if excess >= 1.0:  # less is the ordinary overshoot of lossy codecs
            notes.append(f"turned down by {excess:.1f} dB, as the sound goes beyond full scale")
    elif collector.peak < 10.0 ** (QUIET_DBFS / 20.0):
        notes.append(f"nothing is louder than {QUIET_DBFS:.0f} dBFS: the recording is silent")
    return Speech(samples, source=source, notes=tuple(notes))


def _check_file(path: Path) -> None:
    """Refuse what is not a file with bytes in it, and text."""
    try:
        if path.is_dir():
            raise AudioError("this is a folder", "name one sound file in it", path)
        if not path.exists():
            raise AudioError("there is no such file", "check the name of the speech file", path)
        if not path.is_file():
            raise AudioError("this is not a regular file", _RECORDING, path)
        if path.stat().st_size == 0:
            raise AudioError("the file is empty (0 bytes)", _AGAIN, path)
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise AudioError(f"the file cannot be read ({error.strerror})", "check its access rights", path) from error
    if _is_text(head):
        raise AudioError("this is text, not sound", _RECORDING, path)


def _is_text(head: bytes) -> bool:
    """Whether the first bytes of a file read as text: no sound format starts so, but playlists and renamed files do."""
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"} and max(head[2::2].count(0), head[3::2].count(0)) > len(head) // 4:
        return True  # UTF-16; libsndfile would take its first two bytes for MP3
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # not just a character that the cut went through
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\n\r\f\ufeff" for character in text)


def _probe(path: Path) -> SoundHeader:
    import av

    try:
        container, stream = open_sound(path)
    except av.FFmpegError as error:
        header = _probe_second(path, error)
    else:
        with container:
            if stream is None:
                raise _no_sound(path, {other.type for other in container.streams}, container.format.name)
            header = header_of(container, stream)
    if header.duration is not None:
        _check_length(path, header.duration)
    return header


def _probe_second(path: Path, first_error: Exception) -> SoundHeader:
    try:
        return second_header(path)
    except (RuntimeError, OSError) as error:
        with path.open("rb") as file:
            head = file.read(16)
        kind = next((kind for start, kind in _FIRST_BYTES.items() if head.startswith(start)), None)
        if kind is None and head[4:8] == b"ftyp":
            kind = "MP4 or M4A"
        if kind is not None:
            raise AudioError(
                f"the file begins like {kind} but is cut off or damaged ({path.stat().st_size} bytes)", _AGAIN, path
            ) from first_error
        raise AudioError("this is not a sound or video file that can be read", _RECORDING, path) from error


def _no_sound(path: Path, kinds: set[str], container: str) -> AudioError:
    if "video" not in kinds:
        return AudioError("the file has no sound", _RECORDING, path)
    if container.endswith("_pipe") or container in {"image2", "gif", "ico"}:
        return AudioError("this is a picture, not sound", "give the photo first and the speech second", path)
    return AudioError("the video has no sound", "give a video with sound, or the speech as a sound file", path)


def _decode_over_damage(path: Path, collector: MonoCollector) -> list[str]:
    """Decode with PyAV; returns notes on the damage."""
    import av

    try:
        container, stream = open_sound(path)
        with container:
            if stream is None:
                raise _no_sound(path, {other.type for other in container.streams}, container.format.name)
            good, damaged, broken = decode(container, stream, collector)
    except av.FFmpegError as error:
        raise AudioError(f"the sound cannot be decoded ({error.strerror})", _AGAIN, path) from error
    if damaged > good:
        raise AudioError(f"the sound is damaged: {damaged} of {damaged + good} pieces cannot be decoded", _AGAIN, path)
    notes = []
    if damaged:
        notes.append(f"{damaged} damaged piece(s) of {damaged + good} were left out")
    if broken:
        notes.append(f"the file breaks off after {len(collector) / SAMPLE_RATE:.2f} s; what comes before was used")
    return notes


def _check_length(path: Path, duration: float) -> None:
    if duration < MINIMUM_SECONDS:
        raise AudioError(
            f"the sound lasts only {duration:.3f} s",
            f"give at least {MINIMUM_SECONDS} s, which makes one frame at 25 frames per second",
            path,
        )
    if duration > MAXIMUM_HOURS * 3600:
        raise too_long(path, duration)


def _check_completeness(path: Path, header: SoundHeader, duration: float) -> list[str]:
    """A note when the file holds less sound than its header promises."""
    # MP3 and raw AAC have no length in their header; libav guesses one from the bit rate.
    promised = 0.0 if header.container in {"mp3", "aac"} else header.duration or 0.0
    if header.container == "wav":
        with path.open("rb") as file:
            head = file.read(8)
        stated = int.from_bytes(head[4:8], "little")
        present = path.stat().st_size - 8
        if head[:4] == b"RIFF" and stated not in {0, 0xFFFFFFFF} and present < stated:
            promised = duration * stated / max(present, 1)
    if duration < 0.98 * promised - 0.1:
        return [f"the file promises {promised:.2f} s, but only {duration:.2f} s are there; they were used"]
    return []
