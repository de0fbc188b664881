"""``inkspeak prepare speech-…``: recordings with the landmark motion that belongs to them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

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
        CurveSettings(identities, spread, lag, voice, seed),
        licence=licence,
        workers=workers,
        limit=limit,
    )
    return run_preparation(work, stages=("records",), quiet=quiet)


SPEECH_SUBCOMMANDS = {"speech-curves": speech_curves}
