"""``inkspeak evaluate clips``: the paper's Table 1 on talking clips, for ours, its baselines and other systems."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from experiments.commands.batch import CLIPS, expand, pair_clips
from experiments.evaluation.method_names import DEFAULT, parse_methods
from experiments.evaluation.settings import DrawnLandmarks, EvaluationSettings, FaceScaling, face_weights_named
from experiments.progress import make_progress
from experiments.signature_parser import Option
from lightning_modules.errors import InkspeakError, OutputError
from lightning_modules.pipeline.animation_job import (
    AnimationJob,
    DeviceChoice,
    DriverName,
    LandmarkSource,
    Look,
    MatteSource,
)
from lightning_modules.weights.weight_sets import weights_named

_DRAWING, _MOTION, _MEASURES, _MACHINE = "drawing", "motion", "measures", "machine"

CLIPS_OPTIONS: Final = {
    "videos": Option(metavar="CLIP"),
    "methods": Option(metavar="METHOD"),
    "output": Option(short="-o", metavar="DIR"),
    "generator": Option(metavar="SET|FILE", group=_DRAWING),
    **dict.fromkeys(("flow_weights", "drawer_weights", "translation_weights"), Option(metavar="FILE", group=_DRAWING)),
    **dict.fromkeys(("look", "matte"), Option(group=_DRAWING)),
    "driver_weights": Option(metavar="FILE", group=_MOTION),
    **dict.fromkeys(("driver", "seed"), Option(group=_MOTION)),
    **dict.fromkeys(("inception", "sync_weights"), Option(metavar="FILE", group=_MEASURES)),
    "face_weights": Option(metavar="FILE|dlib", group=_MEASURES),
    "reference_drawings": Option(metavar="DIR", group=_MEASURES),
    **dict.fromkeys(("face_scaling", "landmarks", "drawn_landmarks", "distance_frames"), Option(group=_MEASURES)),
    **dict.fromkeys(("device", "batch", "quiet"), Option(group=_MACHINE)),
}


def evaluate_clips(  # noqa: PLR0913 - every choice of the user is an argument
    videos: list[str],
    *,
    methods: list[str] = list(DEFAULT),  # noqa: B006 - never changed
    output: Path = Path("out/evaluation"),
    frames: int | None = None,
    fps: float = 25.0,
    size: int = 256,
    look: Look = AnimationJob.look,
    drawer_weights: Path | None = None,
    generator: str | None = None,
    flow_weights: Path | None = None,
    translation_weights: Path | None = None,
    matte: MatteSource | None = None,
    driver: DriverName = "auto",
    driver_weights: Path | None = None,
    seed: int = 0,
    landmarks: LandmarkSource = "mediapipe",
    drawn_landmarks: DrawnLandmarks = "mediapipe+starter",
    inception: Path | None = None,
    reference_drawings: Path | None = None,
    distance_frames: int = 16,
    face_weights: str | None = None,
    face_scaling: FaceScaling = "symmetric",
    sync_weights: Path | None = None,
    device: DeviceChoice = "auto",
    batch: int | None = None,
    quiet: bool = False,
) -> int:
    """Measure talking drawings against real clips, as in the paper's Table 1.

    The first frame and the sound of each clip go in, and every method's drawings are compared with the clip itself,
    drawn frame by frame. Prints the table and writes videos, figures, plots and a page into a folder. Run again, it
    goes on where it was; a clip that cannot be used is reported, and the others are measured.

    Methods: ours (as inkspeak animate draws; with --generator the trained network), upd_warp (the static drawing
    warped), warp_then_draw (the photo warped, each frame drawn), makeittalk_upd (needs --translation-weights),
    drawn_frames (the clip drawn frame by frame), external:NAME=FOLDER (videos of any other system, called as the
    clips).

    Args:
        videos: talking clips with sound, or folders or patterns of them
        methods: what to compare
        output: folder for everything that is made
        frames: at most so many frames of each clip (default: all)
        fps: frames per second of every method
        size: side of every method's drawings in pixels
        look: pen, pencil, or a cartoon in colour
        drawer_weights: a network that draws instead of the look
        generator: the trained generator of ours, a file or a set of imported weights (default: the starter)
        flow_weights: the flow regression that this generator was trained with, if it was
        translation_weights: MakeItTalk's image translation network, ckpt_116_i2i_comb.pth
        matte: who separates the person from the background
        driver: who moves the face, a trained model or the loudness of the voice
        driver_weights: a speech-to-landmark model of your own, instead of the starter
        seed: seed of blinks, sway and intervals
        landmarks: who finds the face in the clips
        drawn_landmarks: who finds it in the drawings
        inception: pt_inception-2015-12-05-6726825d.pth, for FID and KID (default: a stand-in that is called otherwise)
        reference_drawings: real drawings with which the distances compare (default: the clips drawn frame by frame)
        distance_frames: frames of each clip for these distances
        face_weights: an ArcFace or SFace ONNX file for CSIM, or dlib for that of inkspeak[identity] (default: no CSIM)
        face_scaling: what that file reads, symmetric for ArcFace, bytes for SFace
        sync_weights: SyncNet's weights for LSE-C and LSE-D (default: neither)
        device: where to compute; auto takes a GPU if there is one
        batch: frames rendered together (default: what suits the device)
        quiet: no progress and no notes, errors only

    Returns:
        0 when everything was measured, 2 when something could not be; the rest is written all the same.

    Raises:
        InkspeakError: there is no clip, no method can be set up, or a file cannot be used or written.

    Example:
        inkspeak evaluate clips clips/ --methods ours upd_warp warp_then_draw
        inkspeak evaluate clips/*.mp4 --methods ours external:sadtalker=results/ --frames 75 -o table1
        inkspeak evaluate clips clips/ --generator mine.safetensors --inception pt_inception-2015-12-05-6726825d.pth
    """
    given = dict(locals())
    asked = parse_methods(methods)
    settings = EvaluationSettings(
        fps=fps,
        size=size,
        frames=frames,
        look=look,
        drawer_weights=drawer_weights,
        weights=None if generator is None else weights_named(generator),
        flow_weights=flow_weights,
        translation_weights=translation_weights,
        driver=driver,
        driver_weights=driver_weights,
        landmarks=landmarks,
        drawn_landmarks=drawn_landmarks,
        matte=matte,
        seed=seed,
        inception=inception,
        drawings=reference_drawings,
        distance_frames=distance_frames,
        face_weights=face_weights_named(face_weights),
        face_scaling=face_scaling,
        sync_weights=sync_weights,
        device=device,
        batch=batch,
    )
    from experiments.evaluation.clips import Clip
    from experiments.evaluation.files import write_files
    from experiments.evaluation.run import evaluate

    output = output.expanduser()
    if output.exists() and not output.is_dir():
        raise OutputError("it is a file", "name a folder", output)
    progress = make_progress(quiet=quiet)
    clips, notes = clips_of(videos)
    for note in notes:
        progress.note(note)
    try:
        outcome = evaluate(
            [Clip(pair.name, pair.photo) for pair in clips],
            asked,
            settings,
            output,
            progress,
            command=command_line(given),
        )
    finally:
        progress.close()
    print(write_files(outcome, output), end="")
    if not quiet:
        for line in outcome.failures:
            progress.note(f"not measured: {line}")
        progress.note(f"written: {output}")
    return InkspeakError.exit_code if outcome.failures else 0


def clips_of(words: list[str]) -> tuple[list[Any], list[str]]:
    """The clips that the user named, each with its own name, and a sentence for what was passed over.

    Raises:
        VideoError: there is none.
    """
    found: list[Path] = []
    notes: list[str] = []
    for word in words:
        taken, passed = expand(word, CLIPS)
        found += taken
        notes += passed
    if not found:
        raise CLIPS.error("no clip is given", "name talking clips, or a folder of them")
    return pair_clips(found), notes


def command_line(given: Mapping[str, Any]) -> str:
    """The command with these arguments, without those that are as they would be anyway."""
    import inspect

    words = ["inkspeak", "evaluate", "clips", *given["videos"]]
    for parameter in inspect.signature(evaluate_clips).parameters.values():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY or parameter.name == "quiet":
            continue
        value = given[parameter.name]
        if value != parameter.default:
            words += ["--" + parameter.name.replace("_", "-"), *map(str, value if isinstance(value, list) else [value])]
    return shlex.join(words)
