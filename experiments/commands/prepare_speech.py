"""``inkspeak prepare speech-…``: recordings with the landmark motion that belongs to them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

from experiments.preparation_run import run_preparation


def speech_curves(  # noqa: PLR0913 - every choice of the user is an argument
    source: Path,
    destination: Path,
    *,
    face_model: Path,
    identities: int = 24,
    spread: float = 0.9,
    lag: float = 0.025,
    voice: str | None = None,
    seed: int = 0,
    embedding: bool = True,
    licence: str | None = None,
    workers: int | None = None,
    limit: int | None = None,
    quiet: bool = False,
) -> int:
    """Turn recorded face-shape curves with their sound into speech records, shown by many faces.

    A take is NAME.npz (weights, fps) beside NAME.flac or another sound; curves have ARKit's or FACEGOOD's names. Head
    motion and blinks are made by rule and kept apart from the recorded mouth.

    Args:
        source: a folder of takes, searched with all folders below it, or one take
        destination: folder of the prepared set, outside of the source
        face_model: the 3D face, the packed ICT-FaceKit model (.npz)
        identities: faces that show each take
        spread: how much the faces differ, 1 as in the population
        lag: seconds by which the curves come after the sound
        voice: name of the voice (default: name of the source)
        seed: of faces, head motion and blinks
        embedding: compute speaker embeddings, or not (default: compute)
        licence: licence of all takes; else the nearest SOURCE.md says it
        workers: processes; 0 works in this one (default: one a processor)
        limit: prepare only the first so many takes
        quiet: no progress

    Returns:
        0 when at least one record is in the set, 2 when none is, 130 after Ctrl-C.

    Raises:
        InkspeakError: the source holds no take, the destination cannot be used, or an option is wrong.

    Example:
        inkspeak prepare speech-curves ~/takes prepared/curves --face-model ict_facekit.npz
        inkspeak prepare speech-curves ~/takes prepared/curves --face-model ict_facekit.npz --identities 8
    """
    from datamodules.prepare.speech_from_curves import CurveSettings, prepare_curves

    work = partial(
        prepare_curves,
        source.expanduser(),
        destination.expanduser(),
        face_model.expanduser(),
        CurveSettings(identities, spread, lag, voice, seed, embedding),
        licence=licence,
        workers=workers,
        limit=limit,
    )
    return run_preparation(work, stages=("records",), quiet=quiet)


def speech_synthetic(
    destination: Path,
    *,
    clips: int | None = None,
    hours: float | None = None,
    voices: str = "flite,espeak",
    faces: int = 32,
    seed: int = 0,
    embedding: bool = True,
    detector_errors: bool = False,
    workers: int | None = None,
    quiet: bool = False,
) -> int:
    """Make synthetic speech whose mouth motion is known exactly, with a data card that says what it is not.

    Sentences and nonsense are said by flite and espeak-ng (apt-get install flite espeak-ng), or by the toy voice
    "tiny", which needs nothing installed. Everything follows from the seed; more clips add to a set that is there.

    Args:
        destination: folder of the prepared set
        clips: how many clips; or
        hours: about how many hours of speech (default: 1)
        voices: engines (flite, espeak, tiny), which stand for all their voices, or voices (flite:slt), with commas
        faces: how many different faces, 8 to 10000
        seed: of everything random
        embedding: compute speaker embeddings, from which each speaker's style follows; needs the extra "paper"
            (default: compute)
        detector_errors: add the noise of a landmark detector to the motion (default: not)
        workers: processes; 0 works in this one (default: one a processor)
        quiet: no progress

    Returns:
        0 when at least one clip is in the set, 2 when none is, 130 after Ctrl-C.

    Raises:
        InkspeakError: a voice is not installed, the destination cannot be used, or an option is wrong.

    Example:
        inkspeak prepare speech-synthetic prepared/synthetic --hours 2
        inkspeak prepare speech-synthetic prepared/toy --voices tiny --clips 20 --no-embedding
    """
    from datamodules.prepare.speech_synthetic import prepare_synthetic_speech

    work = partial(
        prepare_synthetic_speech,
        destination.expanduser(),
        clips=clips,
        hours=hours,
        voices=[name.strip() for name in voices.split(",") if name.strip()],
        faces=faces,
        seed=seed,
        embedding=embedding,
        detector_errors=detector_errors,
        workers=workers,
    )
    return run_preparation(work, stages=("clips",), quiet=quiet)


def speech_videos(
    source: Path,
    destination: Path,
    *,
    landmarks: Literal["mediapipe", "starter", "mediapipe+starter", "face-alignment"] = "mediapipe",
    speaker: Literal["file", "folder"] = "file",
    shortest: float = 1.0,
    embedding: bool = True,
    licence: str | None = None,
    workers: int | None = None,
    limit: int | None = None,
    quiet: bool = False,
) -> int:
    """Turn videos of talking faces, with their sound, into speech records.

    The largest face is followed at 25 frames a second. Gaps of up to five frames are interpolated, longer ones end the
    track; every track that is long enough becomes a record. The report says what was dropped and why.

    Args:
        source: a folder of videos, searched with all folders below it, or one video
        destination: folder of the prepared set, outside of the source
        landmarks: who finds the face and its 68 landmarks
        speaker: who is one speaker, a file or a folder of files
        shortest: seconds; shorter tracks are rejected
        embedding: compute speaker embeddings; needs the extra "paper" (default: compute)
        licence: licence of all videos; else the nearest SOURCE.md says it
        workers: processes; 0 works in this one (default: one a processor)
        limit: prepare only the first so many videos
        quiet: no progress

    Returns:
        0 when at least one record is in the set, 2 when none is, 130 after Ctrl-C.

    Raises:
        InkspeakError: the source holds no video, the destination cannot be used, or an option is wrong.

    Example:
        inkspeak prepare speech-videos ~/talks prepared/talks
        inkspeak prepare speech-videos ~/speakers prepared/speakers --speaker folder --no-embedding
    """
    from datamodules.prepare.speech_from_videos import VideoSettings, prepare_talking_videos

    work = partial(
        prepare_talking_videos,
        source.expanduser(),
        destination.expanduser(),
        VideoSettings(landmarks, speaker, shortest, embedding),
        licence=licence,
        workers=workers,
        limit=limit,
    )
    return run_preparation(work, stages=("videos", "records"), quiet=quiet)


SPEECH_SUBCOMMANDS = {
    "speech-curves": speech_curves,
    "speech-synthetic": speech_synthetic,
    "speech-videos": speech_videos,
}
