"""``inkspeak evaluate portraits``: talking drawings of held-out photos as contact sheets, and their figures."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from experiments.commands.evaluate_clips import CLIPS_OPTIONS
from experiments.evaluation.method_names import DEFAULT, DRAWN_FRAMES, parse_methods
from experiments.evaluation.settings import EvaluationSettings, FaceScaling, face_weights_named
from experiments.progress import make_progress
from experiments.signature_parser import Option
from lightning_modules.errors import ConfigError, InkspeakError, OutputError
from lightning_modules.pipeline.animation_job import AnimationJob, DeviceChoice, Look
from lightning_modules.weights.weight_sets import weights_named

PORTRAITS_OPTIONS: Final = {
    **CLIPS_OPTIONS,
    "photos": Option(metavar="SET"),
    "speech": Option(metavar="SPEECH"),
    "only": Option(metavar="FILE"),
    "weights": Option(metavar="FILE"),
    "drawings": Option(metavar="SET"),
}


def evaluate_portraits(  # noqa: PLR0913 - every choice of the user is an argument
    photos: Path,
    *,
    speech: list[str] = [],  # noqa: B006 - never changed
    seconds: float | None = None,
    only: Path | None = None,
    methods: list[str] = list(DEFAULT),  # noqa: B006 - never changed
    weights: str | None = None,
    flow_weights: Path | None = None,
    output: Path = Path("out/portraits"),
    frames: int = 50,
    size: int = 256,
    look: Look = AnimationJob.look,
    drawings: Path | None = None,
    inception: Path | None = None,
    face_weights: str | None = None,
    face_scaling: FaceScaling = "symmetric",
    seed: int = 0,
    device: DeviceChoice = "auto",
    batch: int | None = None,
    quiet: bool = False,
) -> int:
    """Look at talking drawings of photos that no network was trained on.

    Every photo says every utterance, drawn by every method. Writes contact sheets (a row a photo: at rest, open vowel,
    closed lips, head turned, blink), the five worst photos, videos and figures into a folder, and prints the table. Run
    again, it goes on where it was; a photo that cannot be used is reported, and the others are evaluated.

    Methods: ours (as inkspeak animate draws; with --weights the trained generator), upd_warp (the static drawing
    warped), warp_then_draw (the photo warped and drawn frame by frame: the reference of flicker, about a second a
    frame).

    Args:
        photos: folder of photos, or set that inkspeak prepare photos made
        speech: sound files, folders or patterns of them
        seconds: longest utterance; longer ones are cut
        only: text file with the names of the photos to take, one a line
        methods: what to compare
        weights: the trained generator of ours, a file or a set of imported weights (default: the starter)
        flow_weights: the flow regression that this generator was trained with, if it was
        output: folder for everything that is made
        frames: so many frames from the beginning of each utterance are measured, the same for every method
        size: side of the drawings in pixels
        look: pen, pencil, or a cartoon in colour
        drawings: set that inkspeak prepare drawings made; the kernel distance of the frames to it is measured
        inception: pt_inception-2015-12-05-6726825d.pth, for KID (default: a stand-in that is called otherwise)
        face_weights: an ArcFace or SFace ONNX file for CSIM, or dlib for that of inkspeak[identity] (default: no CSIM)
        face_scaling: what that file reads, symmetric for ArcFace, bytes for SFace
        seed: seed of blinks, sway and intervals
        device: where to compute; auto takes a GPU if there is one
        batch: frames rendered together (default: what suits the device)
        quiet: no progress and no notes, errors only

    Returns:
        0 when everything was evaluated, 2 when something could not be; the rest is written all the same.

    Raises:
        InkspeakError: there is no photo or no speech, a method cannot be set up, or a file cannot be used or written.

    Example:
        inkspeak evaluate portraits prepared/photos --only held_out.txt --speech speech/*.flac --seconds 3
        inkspeak evaluate portraits faces/ --speech hello.wav --weights mine.safetensors --drawings prepared/drawings
    """
    given = dict(locals())
    asked = parse_methods(methods)[::-1]  # ours beside the static drawing
    if any(one.folder is not None or one.name == DRAWN_FRAMES for one in asked):
        raise ConfigError("a photo has no film", f"leave out {DRAWN_FRAMES} and videos of other systems")
    settings = EvaluationSettings(
        size=size,
        frames=frames,
        look=look,
        weights=None if weights is None else weights_named(weights),
        flow_weights=flow_weights,
        drawn_landmarks="starter",
        seed=seed,
        inception=inception,
        face_weights=face_weights_named(face_weights),
        face_scaling=face_scaling,
        device=device,
        batch=batch,
    )
    from experiments.portrait_evaluation.inputs import photos_of, utterances_of
    from experiments.portrait_evaluation.run import evaluate_all, write_files

    output = output.expanduser()
    if output.exists() and not output.is_dir():
        raise OutputError("it is a file", "name a folder", output)
    chosen, notes = photos_of(photos.expanduser(), only)
    utterances, more = utterances_of(speech, seconds, output / "speech")
    progress = make_progress(quiet=quiet)
    for note in (*notes, *more):
        progress.note(note)
    try:
        outcome = evaluate_all(
            chosen,
            utterances,
            asked,
            settings,
            output,
            progress,
            command=command_line(given),
            drawings=None if drawings is None else drawings.expanduser(),
        )
    finally:
        progress.close()
    print(write_files(outcome, output), end="")
    if not quiet:
        for line in outcome.summary["failed"]:
            progress.note(f"not evaluated: {line}")
        progress.note(f"written: {output}")
    return InkspeakError.exit_code if outcome.summary["failed"] else 0


def command_line(given: Mapping[str, Any]) -> str:
    """The command with these arguments, without those that are as they would be anyway."""
    words = ["inkspeak", "evaluate", "portraits", str(given["photos"])]
    for parameter in inspect.signature(evaluate_portraits).parameters.values():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY or parameter.name == "quiet":
            continue
        value = given[parameter.name]
        if value != parameter.default:
            words += ["--" + parameter.name.replace("_", "-"), *map(str, value if isinstance(value, list) else [value])]
    return shlex.join(words)
