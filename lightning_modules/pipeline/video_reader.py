"""Reading a video clip: upright RGB frames in square pixels, one after the other.

For ``--video CLIP`` (its first frame is the photo, its sound the speech) and for measuring on real clips.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import numpy as np

from lightning_modules.errors import VideoError
from lightning_modules.pipeline.frame_rate import frame_count

if TYPE_CHECKING:
    import av
    from av.sidedata.sidedata import SideDataContainer
    from numpy.typing import NDArray

    from lightning_modules.faces.photo import Photo

_FETCH_AGAIN = "fetch or export it again"
_SEEK_BACK = (0.0, 5.0)  # seconds before a mark; more than one where the clip's own index is inexact
_HD_HEIGHT = 720  # from here on, clips that do not say so use the colour matrix of HD television


@dataclass(frozen=True)
class FrameMark:
    """Where a frame is found again without reading all that lies before it.

    Attributes:
        number: of the frame, from 0.
        pts: its time stamp in the clip's own ticks; ``None`` where the clip has none.
        checksum: of some of its pixels, which tells that seeking has led to this frame and to no half-decoded one.
    """

    number: int
    pts: int | None
    checksum: int


class VideoReader:
    """A video clip, open for reading forward; a context manager.

    Attributes:
        path: the file.
        width: of an upright frame, pixels.
        height: of an upright frame, pixels.
        fps: frames per second on average; ``None`` when the file does not say.
        duration: length of the picture in seconds; ``None`` when the file does not say.
        has_sound: whether the file has a sound track.
        notes: what is changed while reading, a clause each.

    Args:
        path: a video file.

    Raises:
        VideoError: the file is missing, empty, no video, has sound only, is cut off, or its first frame is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.notes: list[str] = []
        with ExitStack() as closing:
            self._container, self._stream = _open(self.path)
            closing.callback(self._container.close)
            self.has_sound = bool(self._container.streams.audio)
            self._refuse_cut_off()
            self.fps: Fraction | None = self._stream.average_rate or self._stream.guessed_rate or None
            self.duration = self._length()
            self._decoded = self._decode()
            first = next(self._decoded, None)
            if first is None:
                raise VideoError("no frame in it can be decoded", _FETCH_AGAIN, self.path)
            self._prepare(first)
            self._first: av.VideoFrame | None = first
            closing.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def first_frame(self) -> NDArray[np.uint8]:
        """The first frame, (height, width, 3) uint8 RGB; to be asked for before :meth:`frames`.

        Raises:
            ValueError: reading has gone on already.
        """
        if self._first is None:
            raise ValueError("the first frame has been read already")
        return self._upright(self._first)

    def frames(self, fps: float | Fraction | None = None) -> Iterator[NDArray[np.uint8]]:
        """All frames in order, decoded as they are asked for; one pass.

        Args:
            fps: ``None`` gives the frames as they are stored. A rate gives frames at constant distance: the frame that
                is on screen at each moment, repeated or left out as needed (clips of phones vary their rate).

        Yields:
            (height, width, 3) uint8 RGB.

        Raises:
            VideoError: the file is damaged or breaks off.
            ConfigError: the rate is out of range.
            ValueError: reading has gone on already.
        """
        if self._first is None:
            raise ValueError("the clip has been read already; open it again")
        pictures = self._all_decoded()
        if fps is None:
            for picture in pictures:
                yield self._upright(picture)
        else:
            yield from self._at_constant_rate(pictures, Fraction(fps))

    def marked_frames(self) -> Iterator[tuple[NDArray[np.uint8], FrameMark]]:
        """All frames in order, as :meth:`frames` gives them, each with the mark by which it is found again."""
        if self._first is None:
            raise ValueError("the clip has been read already; open it again")
        for number, picture in enumerate(self._all_decoded()):
            rgb = self._upright(picture)
            yield rgb, FrameMark(number, picture.pts, _checksum(rgb))

    def frames_from(self, mark: FrameMark) -> Iterator[NDArray[np.uint8]]:
        """The frame at a mark of this clip, and those after it; one pass.

        Reading begins at the last complete picture before the mark. Where a clip cannot be sought in (the checksum
        tells), it is read from its beginning: slower, with the same frames.

        Args:
            mark: from :meth:`marked_frames`.

        Yields:
            (height, width, 3) uint8 RGB.

        Raises:
            VideoError: the file is damaged or breaks off.
            ValueError: reading has gone on already.
        """
        if self._first is None:
            raise ValueError("the clip has been read already; open it again")
        self._first = None
        for back in _SEEK_BACK if mark.pts is not None and mark.number else ():
            pictures = self._sought(mark, back)
            start = next(pictures, None)
            if start is not None and _checksum(start) == mark.checksum:
                yield start
                yield from pictures
                return
        with VideoReader(self.path) as again:
            yield from itertools.islice(again.frames(), mark.number, None)

    def _sought(self, mark: FrameMark, back: float) -> Iterator[NDArray[np.uint8]]:
        """The frames from a mark on, reading from so many seconds before it; none where that leads elsewhere."""
        import av

        if mark.pts is None or self._stream.time_base is None:
            return
        try:
            self._container.seek(mark.pts - round(back / self._stream.time_base), stream=self._stream)
        except (av.error.FFmpegError, OSError):
            return
        reached = False
        for picture in self._decode(mark.number):
            reached = reached or picture.pts == mark.pts
            if reached:
                yield self._upright(picture)
            elif picture.pts is None or picture.pts > mark.pts:
                return

    def _all_decoded(self) -> Iterator[av.VideoFrame]:
        first, self._first = self._first, None
        if first is not None:
            yield first
        yield from self._decoded

    def _at_constant_rate(self, pictures: Iterator[av.VideoFrame], fps: Fraction) -> Iterator[NDArray[np.uint8]]:
        start: Fraction | None = None
        shown: NDArray[np.uint8] | None = None
        given, end = 0, Fraction(0)
        for number, picture in enumerate(pictures):
            moment = _moment(picture, number, self.fps or fps)
            start = moment if start is None else start
            moment -= start
            while shown is not None and given / fps < moment:
                yield shown
                given += 1
            shown = self._upright(picture)
            end = moment + (_seconds(picture.duration, picture) or 1 / (self.fps or fps))
        while shown is not None and given < frame_count(end, fps):
            yield shown
            given += 1

    def _decode(self, count: int = 0) -> Iterator[av.VideoFrame]:
        """All frames. Packets of the sound are only looked at: they tell, too, how far the file reaches."""
        import av

        reached = Fraction(0)
        try:
            for packet in self._container.demux(self._stream, *self._container.streams.audio):
                if packet.pts is not None and packet.time_base:
                    reached = max(reached, (packet.pts + (packet.duration or 0)) * packet.time_base)
                if packet.stream.index == self._stream.index:
                    for picture in packet.decode():
                        yield cast("av.VideoFrame", picture)
                        count += 1
        except (av.error.FFmpegError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise VideoError(f"it is damaged after frame {count} ({reason})", _FETCH_AGAIN, self.path) from error
        promised = (self._container.duration or 0) / 1e6
        there = float(reached) - (self._container.start_time or 0) / 1e6
        if there < 0.98 * promised - 0.3:
            raise VideoError(
                f"it promises {promised:.2f} s and breaks off after {there:.2f} s", _FETCH_AGAIN, self.path
            )

    def _refuse_cut_off(self) -> None:
        """MP4 and AVI hold an index of where everything lies; it tells when the end of the file is missing."""
        size = self.path.stat().st_size
        for stream in (self._stream, *self._container.streams.audio):
            entries = stream.index_entries
            if len(entries) and (end := entries[len(entries) - 1].pos + entries[len(entries) - 1].size) > size:
                raise VideoError(f"it is cut off: {size} bytes of at least {end} are there", _FETCH_AGAIN, self.path)

    def _length(self) -> float | None:
        stream = self._stream
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return self._container.duration / 1e6 if self._container.duration else None

    def _prepare(self, first: av.VideoFrame) -> None:
        aspect = self._stream.sample_aspect_ratio or self._stream.codec_context.sample_aspect_ratio or Fraction(1)
        self._stored = (first.width, first.height)
        self._square = (max(1, round(first.width * aspect)), first.height)
        self._turn = _turn_of(first)
        width, height = self._square
        self.width, self.height = (height, width) if self._turn.transposes else (width, height)
        if self._square != self._stored:
            self.notes.append(f"pixels that are not square: {first.width}×{first.height} shown as {width}×{height}")
        if self._turn != _UPRIGHT:
            self.notes.append("turned upright as the clip asks")

    def _upright(self, picture: av.VideoFrame) -> NDArray[np.uint8]:
        from av.video.reformatter import Colorspace, Interpolation

        width, height = self._square
        guess = Colorspace.ITU709 if picture.colorspace == _UNSPECIFIED and picture.height >= _HD_HEIGHT else None
        rgb = picture.reformat(width, height, "rgb24", src_colorspace=guess, interpolation=Interpolation.BICUBIC)
        return self._turn.apply(np.asarray(rgb.to_ndarray(), np.uint8))


def _checksum(rgb: NDArray[np.uint8]) -> int:
    """Of every fourth pixel of every fourth row."""
    return zlib.crc32(rgb[::4, ::4].tobytes())


_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED, and the same number for range and transfer


class _Turn:
    """One of the eight ways to lay a picture on its side or mirror it: x' = a·x + c·y, y' = b·x + d·y, signs only."""

    def __init__(self, a: int, b: int, c: int, d: int) -> None:
        self.transposes = abs(b) + abs(c) > abs(a) + abs(d)
        self._mirror_x = (c if self.transposes else a) < 0
        self._mirror_y = (b if self.transposes else d) < 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Turn) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, C) -> the turned picture, a contiguous array."""
        turned = image.swapaxes(0, 1) if self.transposes else image
        return np.ascontiguousarray(turned[:: -1 if self._mirror_y else 1, :: -1 if self._mirror_x else 1])


_UPRIGHT = _Turn(1, 0, 0, 1)


def _turn_of(picture: av.VideoFrame) -> _Turn:
    """Read the display matrix that phones store: nine integers, the first two rows hold the turn."""
    data = cast("SideDataContainer", picture.side_data).get("DISPLAYMATRIX")
    if data is None:
        return _UPRIGHT
    matrix = np.frombuffer(bytes(memoryview(data)), np.int32)
    return _Turn(int(matrix[0]), int(matrix[1]), int(matrix[3]), int(matrix[4]))


def _open(path: Path) -> tuple[av.container.InputContainer, av.VideoStream]:
    import av

    if path.is_dir():
        raise VideoError("it is a folder", "name one video file in it", path)
    if not path.is_file():
        raise VideoError("there is no such file", "check the name of the clip", path)
    size = path.stat().st_size
    if size == 0:
        raise VideoError("the file is empty (0 bytes)", _FETCH_AGAIN, path)
    try:
        # "file:" and the list of protocols keep a playlist from naming other files or addresses.
        container = av.open(f"file:{path.absolute()}", container_options={"protocol_whitelist": "file"})
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(
            f"it cannot be opened as a video ({size} bytes, {getattr(error, 'strerror', None) or error})",
            "if it should be one, it is cut off or damaged: fetch or export it again",
            path,
        ) from error
    if container.format.name.endswith("_pipe") or container.format.name == "image2":
        container.close()
        raise VideoError("it is a picture, not a video", "give it as the photo, and the speech as another file", path)
    moving = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not moving:
        sound = bool(container.streams.audio)
        container.close()
        found = "it has sound but no picture" if sound else "it has no picture"
        raise VideoError(found, "give a video clip, or a photo and this file as the speech", path)
    return container, moving[0]


def _is_cover(stream: av.VideoStream) -> bool:
    """Whether a stream is the cover picture of a sound file."""
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def _seconds(ticks: int | None, picture: av.VideoFrame) -> Fraction | None:
    return ticks * picture.time_base if ticks and picture.time_base else None


def _moment(picture: av.VideoFrame, number: int, fps: Fraction) -> Fraction:
    """When a frame is shown, in seconds; by its number where the file has no time stamps."""
    if picture.pts is None or picture.time_base is None:
        return number / fps
    return picture.pts * picture.time_base


def photo_of_clip(path: str | Path) -> Photo:
    """The first frame of a clip as a photo.

    Args:
        path: a video file.

    Returns:
        The photo, hashed by its pixels; its notes tell that it is a frame of a clip, and whether it was turned.

    Raises:
        VideoError: see :class:`VideoReader`.
    """
    from lightning_modules.faces.photo import photo_from_pixels

    with VideoReader(path) as clip:
        rgb, notes = clip.first_frame(), clip.notes
    return photo_from_pixels(rgb, path=Path(path), notes=("the first frame of the clip is the photo", *notes))
