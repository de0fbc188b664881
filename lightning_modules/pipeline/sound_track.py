"""The sound of a talking drawing: the original recording, read forward block by block so that memory stays constant.

Speech analysis hears 16 kHz mono; the viewer hears the recording itself, in its own rate, up to stereo.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Generator, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from lightning_modules.audio.decoding import open_sound
from lightning_modules.audio.loading import probe_speech
from lightning_modules.errors import AudioError

if TYPE_CHECKING:
    import av
    from numpy.typing import NDArray

Sound = Path | str | tuple["NDArray[Any]", int]
"""A file with a sound track, or samples and their rate in Hz: (N,) or (N, channels), float in [-1, 1] or int16."""

FALLBACK_RATE = 48_000
"""Rate in Hz that a recording is converted to when the encoder cannot take its own."""

_BLOCK = 4096  # samples in a frame that is made from memory


class SoundTrack:
    """A recording read forward, as float samples; past its end there is silence.

    Args:
        sound: see :data:`Sound`.
        rates: sample rates in Hz that the reader can take; a recording in another rate is converted to 48 kHz.
            ``None`` takes every rate as it is.

    Attributes:
        rate: sample rate of what :meth:`read` gives, in Hz.
        channels: 1 or 2; more channels are mixed down to stereo.
        heard: samples of the recording given out so far.
        silence: samples of silence given out so far because the recording had ended.

    Raises:
        AudioError: what :func:`~lightning_modules.audio.loading.probe_speech` refuses, and samples of a wrong shape or
            type.
    """

    def __init__(self, sound: Sound, *, rates: Collection[int] | None = None) -> None:
        self.heard = 0
        self.silence = 0
        self._source = _ArraySound(*sound) if isinstance(sound, tuple) else _FileSound(Path(sound))
        own = self._source.rate
        self.rate = own if rates is None or own in rates else FALLBACK_RATE
        self.channels = min(self._source.channels, 2)
        self._blocks = self._converted()
        self._pending: deque[NDArray[np.float32]] = deque()
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing can be read afterwards."""
        self._pending.clear()
        self._blocks.close()
        self._source.close()

    def read(self, samples: int) -> NDArray[np.float32]:
        """Give the next samples.

        Args:
            samples: how many; any number ≥ 0.

        Returns:
            (channels, samples) float32, the full scale being [-1, 1]; silence where the recording has ended.

        Raises:
            AudioError: samples in memory are not finite here.
        """
        taken, parts = 0, []
        while taken < samples and (block := self._next_block()) is not None:
            part = block[:, : samples - taken]
            if part.shape[1] < block.shape[1]:
                self._pending.appendleft(block[:, part.shape[1] :])
            parts.append(part)
            taken += part.shape[1]
        self.heard += taken
        self.silence += samples - taken
        if taken < samples:
            parts.append(np.zeros((self.channels, samples - taken), np.float32))
        return np.concatenate(parts, axis=1) if parts else np.zeros((self.channels, 0), np.float32)

    def _next_block(self) -> NDArray[np.float32] | None:
        if not self._pending and not self._ended:
            block = next(self._blocks, None)
            if block is None:
                self._ended = True
            else:
                self._pending.append(block)
        return self._pending.popleft() if self._pending else None

    def _converted(self) -> Generator[NDArray[np.float32], None, None]:
        """Decode and convert; a file whose layout changes midway (joined recordings) gets a new converter there."""
        from av import AudioResampler

        layout = "mono" if self.channels == 1 else "stereo"
        resampler = AudioResampler("fltp", layout, self.rate)
        shape: tuple[str, str, int] | None = None
        for frame in self._source.frames():
            found = (frame.format.name, frame.layout.name, frame.sample_rate)
            if found != shape:
                if shape is not None:
                    yield from _arrays(resampler.resample(None))
                resampler, shape = AudioResampler("fltp", layout, self.rate), found
            frame.pts = None  # the samples follow each other; gaps in the time stamps are not silence
            yield from _arrays(resampler.resample(frame))
        if shape is not None:
            yield from _arrays(resampler.resample(None))


def _arrays(frames: Iterable[av.AudioFrame]) -> Iterator[NDArray[np.float32]]:
    for frame in frames:
        yield np.asarray(frame.to_ndarray(), np.float32)


class _FileSound:
    """The sound of a file, decoded packet by packet exactly as speech analysis hears it, so that both stay in step."""

    def __init__(self, path: Path) -> None:
        header = probe_speech(path)  # says what is wrong with the file, in every case there is
        self._path = path
        self.rate, self.channels = header.sample_rate, header.channels
        self._decoded = self._second_reader() if header.reader == "soundfile" else self._first_reader()

    def frames(self) -> Iterator[av.AudioFrame]:
        return self._decoded

    def _first_reader(self) -> Generator[av.AudioFrame, None, None]:
        import av

        container, stream = open_sound(self._path)
        with container:
            packets = container.demux(stream) if stream is not None else iter(())
            while True:
                try:
                    packet = next(packets, None)
                except av.error.FFmpegError:
                    return  # the file breaks off; read_speech has said so, and silence follows
                if packet is None:
                    return
                try:
                    decoded = packet.decode()
                except av.error.FFmpegError:
                    continue  # a damaged piece; read_speech has left it out too, and has said so
                yield from decoded

    def _second_reader(self) -> Generator[av.AudioFrame, None, None]:
        import soundfile

        with soundfile.SoundFile(str(self._path)) as file:
            for block in file.blocks(_BLOCK, dtype="float32", always_2d=True):
                stereo = block if block.shape[1] <= 2 else block.mean(axis=1, keepdims=True)
                yield _audio_frame(stereo, self.rate)

    def close(self) -> None:
        self._decoded.close()


def _audio_frame(block: NDArray[np.float32], rate: int) -> av.AudioFrame:
    """Samples (N, 1 or 2) as a frame of the video library."""
    from av import AudioFrame

    layout = "mono" if block.shape[1] == 1 else "stereo"
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(block.T, np.float32), format="fltp", layout=layout)
    frame.sample_rate = rate
    return frame


class _ArraySound:
    """Samples that are in memory already, handed on in blocks."""

    def __init__(self, samples: NDArray[Any], rate: int) -> None:
        array = np.asarray(samples)
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] not in (1, 2) or rate <= 0:
            raise AudioError(
                f"samples have the shape {np.shape(samples)} and the rate {rate} Hz",
                "give (N,) or (N, channels) samples of one or two channels and a rate above zero",
            )
        if array.dtype != np.int16 and not np.issubdtype(array.dtype, np.floating):
            raise AudioError(f"samples are of type {array.dtype}", "give float samples in [-1, 1] or int16")
        self._array, self.rate, self.channels = array, int(rate), int(array.shape[1])

    def frames(self) -> Iterator[av.AudioFrame]:
        for start in range(0, len(self._array), _BLOCK):
            block = self._array[start : start + _BLOCK]
            scale = 32768 if block.dtype == np.int16 else 1
            block = np.asarray(block, np.float32) / np.float32(scale)
            if not np.isfinite(block).all():
                raise AudioError(f"samples near {start / self.rate:.2f} s are not finite", "give finite samples")
            yield _audio_frame(block, self.rate)

    def close(self) -> None:
        self._array = self._array[:0]
