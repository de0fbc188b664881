"""Frames and sound become a video file: H.264 and AAC, exact in length, complete or not there at all.

Why preset ``faster`` at quality 17 (three real pen drawings in motion at 25 fps, one core of a shared machine): about
460 frames/s, 33 kB/s and 44 dB at 256²; 100 to 150 frames/s, 120 kB/s and 46 dB at 512². ``veryfast`` takes two thirds
of the time and a third more bytes for the same lines; either way encoding is a small part of what drawing takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from lightning_modules.errors import BackendError, OutputError
from lightning_modules.pipeline.atomic_files import atomic_path, output_error
from lightning_modules.pipeline.frame_rate import exact_frame_rate
from lightning_modules.pipeline.output_checks import check_free_space, check_output
from lightning_modules.pipeline.presentation import as_batch
from lightning_modules.pipeline.sound_track import Sound, SoundTrack

if TYPE_CHECKING:
    import av
    from numpy.typing import NDArray

AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
"""Sample rates in Hz that AAC has a code for and players know."""

_PAPER = 235  # luma of white: video levels run from 16 (black) to 235
_LUMA = np.round(16 + 219 * np.arange(256) / 255).astype(np.uint8)
_NEUTRAL = 128  # chroma of grey
_AAC_BLOCK = 1024  # samples that AAC codes together
_BITS_PER_CHANNEL = 80_000  # a second
_LEAST_BYTES_PER_PIXEL = 0.008  # half of what a sparse drawing took; below that it clearly does not fit
# Index first, so that a browser can begin to play; lengths in ticks this fine instead of milliseconds, or players that
# obey them drop a block of sound at the end.
_MOV_OPTIONS = {"movflags": "faststart", "movie_timescale": "90000"}
# The macroblock tree of this x264 reads memory that nobody has set (seen with frames of 64² to 320²): without it, the
# same frames make the same file, at the same size for the same quality.
_X264_OPTIONS = {"tune": "animation", "x264-params": "mbtree=0"}
_COLOUR_TAGS = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709", "color_range": "tv"}


class VideoWriter:
    """Writes frames and their sound to a video file; a context manager.

    The file is written aside and renamed when the block ends well: a failure, a full disk or Ctrl-C leave no trace and
    keep the file that was there before. The sound is the original recording, cut or followed by silence so that it
    lasts exactly as long as the frames; it is read and coded in step with the frames, in constant memory.

    Args:
        path: the output, ``.mp4``, ``.mov`` or ``.mkv``.
        size: (width, height) of the frames in pixels. Odd sides get one more row or column of white paper, because the
            video format halves the colour resolution; :attr:`notes` says so.
        fps: frames per second; see :func:`~lightning_modules.pipeline.frame_rate.exact_frame_rate`.
        frames: number of frames that will be written, ``round(duration × fps)``; another number is an error.
        sound: see :data:`~lightning_modules.pipeline.sound_track.Sound`; ``None`` writes a silent film.
        inputs: files that must not be overwritten, besides the sound.
        quality: constant rate factor of x264, 0 (lossless, large) to 51 (coarse, small).
        preset: effort of x264, from ``ultrafast`` to ``veryslow``.
        threads: threads of the encoder.

    Attributes:
        written: frames written so far.
        rate: exact frame rate.
        notes: what was changed, a clause each; complete after the block.

    Raises:
        OutputError: the output cannot be written; raised before any work.
        AudioError: the sound cannot be read; raised before any work.
        ConfigError: the frame rate is not possible.
        ValueError: the size, the quality or the number of frames is not possible.
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        fps: float | str | Fraction,
        *,
        frames: int,
        sound: Sound | None = None,
        inputs: Iterable[str | Path] = (),
        quality: float = 17,
        preset: str = "faster",
        threads: int = 1,
    ) -> None:
        self.width, self.height = size
        if min(size) < 2 or max(size) > 8192 or frames < 1 or not 0 <= quality <= 51:
            raise ValueError(f"size {size}, frames {frames}, quality {quality}: out of range")
        self.rate = exact_frame_rate(fps)
        self.frames = frames
        self.written = 0
        self.notes: list[str] = []
        self._sound = sound
        self._options = {"preset": preset, "crf": str(quality), "threads": str(threads)} | _X264_OPTIONS
        self._coded = (self.width + self.width % 2, self.height + self.height % 2)
        if self._coded != size:
            self.notes.append(
                f"{self.width}×{self.height} made even with a white margin: {self._coded[0]}×{self._coded[1]}"
            )
        sources = [sound] if isinstance(sound, (str, Path)) else []
        self.path = check_output(path, inputs=[*inputs, *sources])
        check_free_space(path, self._least_bytes())
        if sound is not None:
            SoundTrack(sound).close()
        self._cleanup = ExitStack()

    def _least_bytes(self) -> float:
        sound = _BITS_PER_CHANNEL / 16 * float(self.frames / self.rate) if self._sound is not None else 0.0
        return self.frames * self.width * self.height * _LEAST_BYTES_PER_PIXEL + sound

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._temporary = opening.enter_context(atomic_path(self.path))
            self._open(opening)
            self._cleanup = opening.pop_all()
        return self

    def _open(self, opening: ExitStack) -> None:
        """Open the file and both encoders now, so that whatever they refuse is refused before frames are made."""
        import av

        track = None
        if self._sound is not None:
            track = opening.enter_context(SoundTrack(self._sound, rates=AAC_RATES))
        flags = {} if self.path.suffix.lower() == ".mkv" else _MOV_OPTIONS
        try:
            self._container = av.open(self._temporary, "w", container_options=flags)
        except OSError as error:
            raise output_error(error, self.path) from error
        # Closing twice does nothing; this is for the way out through an error, where the trailer no longer matters.
        opening.callback(_close_quietly, self._container)
        try:
            self._video = self._container.add_stream("libx264", self.rate, options=self._options | _COLOUR_TAGS)
        except (av.error.FFmpegError, ValueError) as error:
            raise BackendError(
                "this build of PyAV has no H.264 encoder", "install PyAV from the Python package index"
            ) from error
        self._video.width, self._video.height = self._coded
        self._video.pix_fmt = "yuv420p"
        self._video.time_base = 1 / self.rate
        self._audio = None if track is None else _AudioLane(self._container, track)
        try:
            self._video.codec_context.open()
        except av.error.FFmpegError as error:
            raise OutputError(
                f"the encoder refuses {self._coded[0]}×{self._coded[1]} pixels ({error.strerror})",
                "choose a smaller size",
                self.path,
            ) from error

    def write(self, frames: NDArray[np.uint8]) -> None:
        """Append one frame or a batch.

        Args:
            frames: uint8, 255 white, see :func:`~lightning_modules.pipeline.presentation.as_batch`.

        Raises:
            OutputError: the disk is full or broken.
            ValueError: another shape or type, or more frames than announced.
        """
        for frame in as_batch(frames):
            if frame.shape[:2] != (self.height, self.width):
                raise ValueError(f"a frame is {frame.shape[1]}×{frame.shape[0]}, not {self.width}×{self.height}")
            if self.written == self.frames:
                raise ValueError(f"more than the announced {self.frames} frames")
            picture = self._picture(frame)
            picture.pts, picture.time_base, picture.duration = self.written, 1 / self.rate, 1
            try:
                self._container.mux(self._video.encode(picture))
                self.written += 1
                if self._audio is not None:
                    self._audio.advance(self.written / self.rate)
            except OSError as error:
                raise output_error(error, self.path) from error

    def _picture(self, frame: NDArray[np.uint8]) -> av.VideoFrame:
        """Convert to video levels. Grey goes straight into the luma plane, exact to the rounding."""
        import av
        from av.video.reformatter import ColorRange, Colorspace, Interpolation

        width, height = self._coded
        if frame.ndim == 3 and frame.shape[2] == 3:
            if (height, width) != frame.shape[:2]:
                margin = ((0, height - self.height), (0, width - self.width), (0, 0))
                frame = np.pad(frame, margin, constant_values=255)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            return picture.reformat(
                format="yuv420p",
                interpolation=Interpolation.BICUBIC,
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                threads=1,
            )
        grey = frame.reshape(self.height, self.width)
        picture = av.VideoFrame(width, height, "yuv420p")
        picture.colorspace, picture.color_range = int(Colorspace.ITU709), int(ColorRange.MPEG)
        luma, *chroma = (
            np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
            for plane in picture.planes
        )
        if (height, width) != grey.shape:
            luma[:] = _PAPER
        luma[: self.height, : self.width] = _LUMA[grey]
        for plane in chroma:
            plane[:] = _NEUTRAL
        return picture

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Leaving the stack closes the container and the sound first; then atomic_path renames or removes the file.
        cleanup = self._cleanup.pop_all()
        if error is not None:
            cleanup.__exit__(kind, error, trace)
            return
        with cleanup:
            self._finish()

    def _finish(self) -> None:
        import av

        if self.written != self.frames:
            raise ValueError(f"{self.written} frames written, {self.frames} announced")
        try:
            if self._audio is not None:
                self.notes += self._audio.finish(self.written / self.rate)
            self._container.mux(self._video.encode(None))
            self._container.close()
        except OSError as error:
            raise output_error(error, self.path) from error
        with av.open(self._temporary) as container:
            arrived = sum(1 for packet in container.demux(container.streams.video[0]) if packet.size)
        if arrived != self.written:
            raise OutputError(
                f"only {arrived} of {self.written} frames arrived in it", "check the disk that it is on", self.path
            )


class _AudioLane:
    """Codes a recording in step with the frames and muxes it."""

    def __init__(self, container: av.container.OutputContainer, track: SoundTrack) -> None:
        self._container, self._track = container, track
        self._layout = "mono" if track.channels == 1 else "stereo"
        self._stream = container.add_stream("aac", track.rate)
        self._stream.codec_context.layout = self._layout
        self._stream.codec_context.format = "fltp"
        self._stream.bit_rate = _BITS_PER_CHANNEL * track.channels
        self._coded = 0

    def advance(self, until: Fraction) -> None:
        """Code the whole blocks that end before ``until`` seconds."""
        end = math.floor(until * self._track.rate)
        while self._coded + _AAC_BLOCK <= end:
            self._code(_AAC_BLOCK)

    def finish(self, until: Fraction) -> list[str]:
        """Code the rest up to ``until`` seconds, to the nearest sample; tell what was cut or added."""
        rate = self._track.rate
        end = round(until * rate)
        while self._coded < end:
            self._code(min(_AAC_BLOCK, end - self._coded))
        self._container.mux(self._stream.encode(None))
        silence, heard = self._track.silence, self._track.heard
        noticeable = rate // 10
        if silence > noticeable:
            return [f"the sound ends {silence / rate:.2f} s before the picture; silence follows it"]
        self._track.read(noticeable + 1)
        if self._track.heard - heard > noticeable:
            return [f"the sound goes on when the picture ends; cut at {float(until):.2f} s"]
        return []

    def _code(self, samples: int) -> None:
        from av import AudioFrame

        frame = AudioFrame.from_ndarray(self._track.read(samples), format="fltp", layout=self._layout)
        frame.sample_rate, frame.pts, frame.time_base = self._track.rate, self._coded, Fraction(1, self._track.rate)
        self._container.mux(self._stream.encode(frame))
        self._coded += samples


def _close_quietly(container: av.container.OutputContainer) -> None:
    """Close on the way out through an error that is already being told."""
    import av

    with suppress(av.error.FFmpegError):
        container.close()
