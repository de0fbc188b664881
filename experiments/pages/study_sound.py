"""Videos of a study speak: one without sound is joined, packet by packet, with the sound of its reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lightning_modules.errors import VideoError

if TYPE_CHECKING:
    import av


def has_sound(video: Path) -> bool:
    """Whether a video file has a sound track.

    Raises:
        VideoError: it cannot be read.
    """
    with _opened(video) as container:
        return bool(container.streams.audio)


def copy_with_sound(video: Path, reference: Path | None, target: Path) -> bool:
    """Join the picture of a silent video with the sound of its reference; nothing is coded again.

    Args:
        video: the video.
        reference: a video with the sound, beginning at the same moment.
        target: the file to write, ``.mp4``.

    Returns:
        Whether ``target`` was written; ``False`` where the video has a sound of its own.

    Raises:
        VideoError: neither has sound, or one cannot be read.
    """
    import av

    if has_sound(video):
        return False
    if reference is None or not reference.is_file() or not has_sound(reference):
        raise VideoError(
            "neither it nor the reference of its clip has sound", "evaluate clips that have a sound track", video
        )
    with _opened(video) as picture, _opened(reference) as sound, av.open(str(target), "w") as joined:
        seen, heard = picture.streams.video[0], sound.streams.audio[0]
        lanes = [(picture, seen), (sound, heard)]
        copies = {stream: joined.add_stream_from_template(stream) for _, stream in lanes}
        length = float(seen.duration * seen.time_base) if seen.duration and seen.time_base else float("inf")
        packets = [
            packet for container, stream in lanes for packet in container.demux(stream) if packet.dts is not None
        ]
        packets.sort(key=lambda packet: packet.dts * packet.time_base)
        for packet in packets:
            if packet.stream is heard and packet.dts * packet.time_base >= length:
                continue
            packet.stream = copies[packet.stream]
            joined.mux(packet)
    return True


def _opened(path: Path) -> av.container.InputContainer:
    import av

    try:
        return av.open(str(path))
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(f"it cannot be read as a video ({error.strerror})", "make it again", path) from error
