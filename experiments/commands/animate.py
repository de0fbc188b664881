"""``inkspeak animate``: the options, the checks before any work, and the loop over photos and speech files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from experiments.commands.animation_batch import run_batch
from experiments.commands.batch import (
    CLIPS,
    PHOTOS,
    SPEECH,
    MediaKind,
    Pair,
    expand,
    pair_clips,
    pair_inputs,
    split_inputs,
)
from experiments.commands.output_plan import PlannedOutput, plan_outputs
from experiments.folders import cache_folder
from experiments.progress import make_progress
from experiments.signature_parser import Option
from lightning_modules.errors import ConfigError
from lightning_modules.pipeline.animation_job import (
    AnimationJob,
    DeviceChoice,
    DriverName,
    DriverPreset,
    LandmarkSource,
    Look,
    MatteSource,
    MotionGains,
    OrderOfWork,
    RendererName,
)
from lightning_modules.weights.weight_sets import weights_named

_OUTPUT, _DRAWING, _FACE, _MOTION, _MACHINE = "output", "drawing", "face", "motion", "machine"
OPTIONS = {
    "inputs": Option(metavar="PHOTO SPEECH"),
    "video": Option(metavar="CLIP"),
    "output": Option(short="-o", group=_OUTPUT),
    "frames": Option(metavar="DIR", group=_OUTPUT),
    "contact_sheet": Option(metavar="PATH", group=_OUTPUT, bare="auto"),
    "landmarks_file": Option(metavar="FILE", group=_FACE),
    "matte_weights": Option(metavar="FILE", group=_FACE),
    "weights": Option(metavar="SET|FILE", group=_DRAWING),
    "compat": Option(group=_DRAWING),
    "flow_weights": Option(metavar="FILE", group=_DRAWING),
    "drawer_weights": Option(metavar="FILE", group=_DRAWING),
    **dict.fromkeys(("overwrite", "side_by_side", "paste_back", "fps"), Option(group=_OUTPUT)),
    **dict.fromkeys(("size", "look", "renderer"), Option(group=_DRAWING)),
    **dict.fromkeys(("landmarks", "matte", "face"), Option(group=_FACE)),
    "driver_weights": Option(metavar="FILE", group=_MOTION),
    **dict.fromkeys(
        ("driver", "driver_preset", "seed", "jaw", "lips", "head", "brows", "blink_rate"), Option(group=_MOTION)
    ),
    **dict.fromkeys(("cache", "device", "batch", "quiet"), Option(group=_MACHINE)),
}


def animate(  # noqa: PLR0913 - every choice of the user is an argument
    inputs: list[str],
    *,
    video: str | None = None,
    output: Path | None = None,
    overwrite: bool = True,
    frames: Path | None = None,
    side_by_side: bool = False,
    contact_sheet: Literal["auto"] | Path | None = None,
    paste_back: bool = False,
    fps: float = 25.0,
    size: int = 256,
    look: Look = AnimationJob.look,
    drawer_weights: Path | None = None,
    renderer: RendererName = AnimationJob.renderer,
    weights: str | None = None,
    compat: OrderOfWork | None = None,
    flow_weights: Path | None = None,
    landmarks: LandmarkSource = "mediapipe",
    landmarks_file: Path | None = None,
    matte: MatteSource | None = None,
    matte_weights: Path | None = None,
    face: Literal["largest"] | int = "largest",
    driver: DriverName = "auto",
    driver_weights: Path | None = None,
    driver_preset: DriverPreset = "default",
    seed: int = 0,
    jaw: float = 1.0,
    lips: float = 1.0,
    head: float = 1.0,
    brows: float = 1.0,
    blink_rate: float = MotionGains.blink_rate,
    cache: bool = True,
    device: DeviceChoice = "auto",
    batch: int | None = None,
    quiet: bool = False,
    debug: bool = False,
) -> int:
    """Turn face photos and speech into talking line drawings with sound.

    PHOTO and SPEECH are files, folders or patterns; every photo is combined with every speech file, and the results are
    called PHOTO_SPEECH.mp4. Bad files are reported at the end, the others are still made.

    Args:
        inputs: a photo and a speech file, or folders or patterns of them
        video: animate the first frame of this clip (or of each in a folder) with its own sound, instead of PHOTO SPEECH
        output: the MP4 to write, or a folder for PHOTO_SPEECH.mp4 (default: the folder out)
        overwrite: replace results that are already there, or keep them and pass them over (default: replace)
        frames: also write every frame as a PNG into this folder
        side_by_side: show photo and drawing next to each other
        contact_sheet: also write a sheet of frames, here or beside the MP4; a folder when there are several results
        paste_back: put the drawing's square back into the whole photo
        fps: frames per second, 1 to 120
        size: side of the square drawing in pixels, a multiple of 8 from 128 to 2048
        look: pen, pencil, or a cartoon in colour
        drawer_weights: a network that draws the photo instead, e.g. photo2cartoon_weights.pt
        renderer: a trained generator or the warp of the static drawing; auto takes the generator given or, for ink
            drawings, the starter
        weights: a set of imported weights, such as official (see inkspeak weights import), or the file of a generator
            (see inkspeak weights export), instead of the starter
        compat: official is the published order of work around the networks of a set, flaws included
        flow_weights: the flow regression that this generator was trained with, if it was
        landmarks: who finds the face and its 68 landmarks
        landmarks_file: your own 68 landmarks, with --landmarks file; for paintings and the like
        matte: who separates the person from the background; modnet is a network of your own (default: the network of
            the set of --weights, else selfie)
        matte_weights: the matting network, with --matte modnet (or modnet-256, which shows it the photo at 256 px)
        face: which of several faces, the largest or a number counted from the left
        driver: who moves the face, a trained model or the loudness of the voice; auto takes the model if there is one
        driver_weights: a speech-to-landmark model of your own (see inkspeak weights export), instead of the starter
        driver_preset: how the trained model is used; paper is the published order of work, flaws included
        seed: seed of blinks and sway; the same seed gives the same video
        jaw: how far the mouth opens, 0 to 3
        lips: how far the lips spread and round, 0 to 3
        head: how far the head sways, 0 to 3
        brows: how far the brows move, 0 to 3
        blink_rate: blinks per minute, 0 to 60
        cache: keep prepared portraits and find them again by content, or not (default: keep)
        device: where to compute; auto takes a GPU if there is one
        batch: frames drawn together, 1 to 256 (default: what suits the device)
        quiet: no progress and no notes, errors only
        debug: show tracebacks

    Returns:
        0 when everything was made, 2 when something could not be.

    Raises:
        InkspeakError: an option, an output folder or the only input is wrong; nothing has been written then.

    Example:
        inkspeak animate me.jpg hello.wav -o hello.mp4
        inkspeak animate me.jpg hello.wav --size 512 --look ink --contact-sheet
        inkspeak animate me.jpg hello.wav --look cartoon
        inkspeak animate photos/ "speeches/*.mp3" -o out/
        inkspeak animate --video clip.mp4 -o drawn.mp4 --paste-back
        inkspeak animate me.jpg hello.wav --weights official --compat official
    """
    loaded = None if weights is None else weights_named(weights)
    progress = make_progress(quiet=quiet)
    pairs, notes = find_pairs(inputs, video)
    plans = plan_outputs(pairs, output, frames, contact_sheet)
    for note in notes:
        progress.note(note)

    def job(plan: PlannedOutput) -> AnimationJob:
        return AnimationJob(
            photo=plan.pair.photo,
            speech=plan.pair.speech,
            output=plan.video,
            photo_is_clip=video is not None,
            size=size,
            fps=fps,
            look=look,
            drawer_weights=drawer_weights,
            renderer=renderer,
            weights=loaded,
            compat=compat,
            flow_weights=flow_weights,
            landmarks=landmarks,
            landmarks_file=landmarks_file,
            matte=matte,
            matte_weights=matte_weights,
            face=face,
            paste_back=paste_back,
            frames=plan.frames,
            side_by_side=side_by_side,
            contact_sheet=plan.contact_sheet,
            seed=seed,
            gains=MotionGains(jaw=jaw, lips=lips, head=head, brows=brows, blink_rate=blink_rate),
            driver=driver,
            driver_weights=driver_weights,
            driver_preset=driver_preset,
            cache=cache_folder() if cache else None,
            device=device,
            batch=batch,
        )

    jobs = [job(plan) for plan in plans]
    kept = [] if overwrite else [one for one in jobs if one.output.exists()]
    for one in kept:
        progress.note(f"{one.output}: kept, it exists already (--no-overwrite)")
    began = time.perf_counter()
    outcome = run_batch([one for one in jobs if one not in kept], progress, debug=debug)
    if not quiet and len(jobs) > 1:
        print(outcome.summary(time.perf_counter() - began))
    return outcome.exit_code


def find_pairs(inputs: Sequence[str], video: str | None) -> tuple[list[Pair], list[str]]:
    """What to animate, and a sentence for everything that was passed over.

    Args:
        inputs: the words given as PHOTO and SPEECH.
        video: what was given as ``--video``.

    Raises:
        InkspeakError: a side is missing, was given twice, or holds nothing of its kind.
    """
    notes: list[str] = []

    def files(words: Sequence[str], kind: MediaKind) -> list[Path]:
        found: list[Path] = []
        for word in words:
            taken, passed = expand(word, kind)
            found += taken
            notes.extend(passed)
        return found

    if video is not None:
        if inputs:
            raise ConfigError(f"'{inputs[0]}' was given beside --video", "give either PHOTO SPEECH or --video CLIP")
        return pair_clips(files([video], CLIPS)), notes
    photo_words, speech_words = split_inputs(inputs)
    return pair_inputs(files(photo_words, PHOTOS), files(speech_words, SPEECH)), notes
