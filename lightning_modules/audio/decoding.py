"""Decoding sound to mono 16 kHz, block by block: two readers that feed one collector.

The collector is where the memory goes: it keeps the result and nothing else. Decoded blocks are resampled and averaged
over their channels as they come. No torch here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lightning_modules.errors import AudioError

if TYPE_CHECKING:
    import av
    from av.audio.stream import AudioStream
    from av.container import InputContainer

SAMPLE_RATE = 16000
MAXIMUM_HOURS = 6
SECOND_READER_BLOCK = 1 << 16


@dataclass(frozen=True)
class SoundHeader:
    """What the header of a sound or video file says.

    Attributes:
        container: name of the container format, e.g. ``"wav"``.
        codec: name of the codec, e.g. ``"pcm_s16le"``.
        sample_rate: samples per second as stored.
        channels: number of channels.
        duration: length in seconds; ``None`` where the header does not say (recordings made by a browser).
        reader: which library reads it, ``"PyAV"`` or ``"soundfile"``.
    """

    container: str
    codec: str
    sample_rate: int
    channels: int
    duration: float | None
    reader: str

    def __str__(self) -> str:
        length = "length unknown" if self.duration is None else f"{self.duration:.2f} s"
        return f"{length}, {self.sample_rate} Hz, {self.channels} channel(s), {self.codec} in {self.container}"


class MonoCollector:
    """Resamples sound of any rate and layout to mono 16 kHz float32 and keeps it in one growing buffer.

    Channels are averaged. The resampler is swresample's; its filter is centred, so nothing is delayed. The length is
    exactly ``round(samples · 16000 / rate)``; the rate may change on the way.

    Args:
        path: the file that is being read, for messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._buffer = bytearray()
        self._resampler: av.AudioResampler | None = None
        self._kind: tuple[str, str, int] | None = None
        self._taken = 0
        self._begin = 0
        self.peak = 0.0

    def __len__(self) -> int:
        return len(self._buffer) // 4

    def add(self, frame: av.AudioFrame) -> None:
        """Take the next decoded block.

        Raises:
            AudioError: the sound holds a value that is not finite, or is longer than six hours.
        """
        import av

        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:
            self._end_of_kind()
            # Packed samples on purpose: PyAV reads past the end of planar frames with eight channels or more.
            self._resampler = av.AudioResampler(format="flt", layout=frame.layout, rate=SAMPLE_RATE)
            self._kind, self._taken, self._begin = kind, 0, len(self)
        self._taken += frame.samples
        frame.pts = None  # samples follow each other; what the container says about time plays no part
        self._drain(frame)
        if len(self) > MAXIMUM_HOURS * 3600 * SAMPLE_RATE:
            raise too_long(self._path, None)

    def finish(self) -> NDArray[np.float32]:
        """All samples, (N,) float32. The collector is empty afterwards."""
        self._end_of_kind()
        buffer, self._buffer, self._kind = self._buffer, bytearray(), None
        return np.frombuffer(buffer, dtype=np.float32)

    def _drain(self, frame: av.AudioFrame | None) -> None:
        if self._resampler is None:
            return
        for block in self._resampler.resample(frame):
            mono = block.to_ndarray().reshape(-1, block.layout.nb_channels).mean(axis=1, dtype=np.float32)
            finite = np.isfinite(mono)
            if not finite.all():
                second = (len(self) + int(np.argmin(finite))) / SAMPLE_RATE
                raise AudioError(
                    f"the sound at {second:.2f} s is not a finite number", "export the recording again", self._path
                )
            self.peak = max(self.peak, float(np.abs(mono).max(initial=0.0)))
            self._buffer.extend(mono.data)

    def _end_of_kind(self) -> None:
        """Drain the resampler and set the length of what it made to the exact one; it is off by a sample or two."""
        self._drain(None)
        self._resampler = None
        if self._kind is not None:
            length = 4 * (self._begin + round(self._taken * SAMPLE_RATE / self._kind[2]))
            del self._buffer[length:]
            self._buffer.extend(bytes(length - len(self._buffer)))


def too_long(path: Path, duration: float | None) -> AudioError:
    """The error for sound of absurd length; ``duration`` in seconds, ``None`` when only the limit is known."""
    found = f"more than {MAXIMUM_HOURS} hours of sound"
    if duration is not None:
        found += f" ({int(duration // 3600)} h {int(duration % 3600 // 60)} min)"
    return AudioError(found, f"cut the recording into pieces of at most {MAXIMUM_HOURS} hours", path)


def open_sound(path: Path) -> tuple[InputContainer, AudioStream | None]:
    """Open a file with PyAV.

    Only the file itself is read: playlists that name other files or addresses are refused by libav.

    Returns:
        The container, to be closed by the caller, and its best sound stream, ``None`` when it has none.

    Raises:
        av.FFmpegError: libav knows no reader for it.
    """
    import av

    container = av.open(f"file:{path.absolute()}", options={"protocol_whitelist": "file"})
    return container, container.streams.best("audio")  # type: ignore[return-value]


def header_of(container: InputContainer, stream: AudioStream) -> SoundHeader:
    """What PyAV tells without decoding."""
    duration = None
    if stream.duration is not None and stream.time_base is not None:
        duration = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        duration = container.duration / 1e6
    context = stream.codec_context
    return SoundHeader(container.format.name, context.name, context.sample_rate, context.channels, duration, "PyAV")


def decode(container: InputContainer, stream: AudioStream, collector: MonoCollector) -> tuple[int, int, bool]:
    """Decode a whole stream into a collector, over damaged places.

    Returns:
        Packets decoded, packets that were damaged and left out, and whether the file broke off.
    """
    import av

    good, damaged, broken = 0, 0, False
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            broken = True
            break
        if packet is None:
            break
        try:
            frames = packet.decode()
        except av.FFmpegError:
            damaged += 1
            continue
        good += bool(frames)
        for frame in frames:
            collector.add(frame)
    return good, damaged, broken


def second_header(path: Path) -> SoundHeader:
    """What soundfile tells about a file.

    Raises:
        RuntimeError: soundfile cannot read it either.
    """
    import soundfile

    info = soundfile.info(str(path))
    duration = info.frames / info.samplerate
    return SoundHeader(info.format.lower(), info.subtype.lower(), info.samplerate, info.channels, duration, "soundfile")


def second_decode(path: Path, collector: MonoCollector) -> None:
    """Decode a file with soundfile into a collector.

    Raises:
        RuntimeError: soundfile cannot read it either.
    """
    for frame in _second_frames(path):
        collector.add(frame)


def _second_frames(path: Path) -> Iterator[av.AudioFrame]:
    import av
    import soundfile

    with soundfile.SoundFile(str(path)) as file:
        while len(block := file.read(SECOND_READER_BLOCK, dtype="float32", always_2d=True)):
            # One channel is enough for the collector, which averages them anyway; a layout is not always known.
            mono = np.ascontiguousarray(block.mean(axis=1, dtype=np.float32)[None])
            frame = av.AudioFrame.from_ndarray(mono, format="fltp", layout="mono")
            frame.sample_rate = file.samplerate
            yield frame
