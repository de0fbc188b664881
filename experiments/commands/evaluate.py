"""``inkspeak evaluate``: clips (Table 1), held-out photos, stage 1 on known motion, detectors, identity features."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from experiments.commands.evaluate_clips import CLIPS_OPTIONS, evaluate_clips
from experiments.commands.evaluate_detector import DETECTOR_OPTIONS, evaluate_detector
from experiments.commands.evaluate_identity import evaluate_identity
from experiments.commands.evaluate_portraits import PORTRAITS_OPTIONS, evaluate_portraits
from experiments.landmark_evaluation import STILL, Grouping, detector_noise, evaluate_set
from experiments.progress import make_progress
from experiments.signature_parser import Option
from experiments.tables import as_json
from lightning_modules.errors import ConfigError
from lightning_modules.pipeline.animation_job import DriverPreset, MotionGains
from lightning_modules.pipeline.landmark_driver_choice import Driver, chosen_driver, driver_note, make_driver
from lightning_modules.pipeline.output_checks import check_output

OPTIONS = {
    **CLIPS_OPTIONS,
    **PORTRAITS_OPTIONS,
    **DETECTOR_OPTIONS,
    "sets": Option(metavar="SET"),
    "weights": Option(metavar="FILE"),
    "clips": Option(metavar="CLIP"),
    "json": Option(metavar="FILE"),
    "markdown": Option(metavar="FILE"),
    **dict.fromkeys(("voice", "face", "sentence", "person"), Option(metavar="PATTERN")),
    "hold_out": Option(metavar="SHARE"),
    "sheet": Option(metavar="FILE"),
}

COLUMNS: Final = (
    "records",
    "driver",
    "lip error",
    "of envelope",
    "of still",
    "LMD",
    "correlation",
    "lag (frames)",
    "closures",
)
NOTES: Final = (
    "lip error: mean distance of the 20 lip points from the truth, percent of the eye distance. LMD: the same, each "
    "mouth centred on its own mean. lag: best shift of the mouth's opening at 25 frames a second, median and range "
    "over records, positive if late. closures: labelled bilabial closures in which the lips come within 0.01 eye "
    "distances. Head and blinks are still."
)


def evaluate_landmarks(  # noqa: PLR0913 - every choice of the user is an argument
    sets: list[Path],
    *,
    weights: Path | None = None,
    preset: DriverPreset = "default",
    voice: list[str] = [],  # noqa: B006 - never changed
    face: list[str] = [],  # noqa: B006 - never changed
    sentence: list[str] = [],  # noqa: B006 - never changed
    by: Grouping = "set",
    most: int = 100,
    clips: list[Path] = [],  # noqa: B006 - never changed
    json: Path | None = None,
    markdown: Path | None = None,
    quiet: bool = False,
) -> int:
    """Measure the trained driver, the envelope driver and a still mouth on prepared speech.

    Prints a table in Markdown. Give the records that were held out in training: --voice, --face and --sentence take
    patterns, and a record must fit one of each that is given.

    Args:
        sets: folders that inkspeak prepare speech-... made
        weights: a speech-to-landmark model of your own, instead of the starter
        preset: how the model is used
        voice: only records of these voices
        face: only records of these faces
        sentence: only records of these sentences or takes
        by: a row for each set, or for each voice, face or sentence in it
        most: at most so many records of each set, evenly from all that fit
        clips: videos; what the face detector adds by itself is measured on them
        json: write every figure to this file as well
        markdown: write the table to this file as well
        quiet: no progress

    Returns:
        0.

    Raises:
        InkspeakError: there is no such set, no record fits, the model cannot be used, or a file cannot be written.

    Example:
        inkspeak evaluate landmarks data/curves --sentence "paired/1114_3_15" --by sentence
        inkspeak evaluate landmarks data/videos --by sentence --clips clips/*.mpg --json figures.json
    """
    if not sets:
        raise ConfigError("no set of prepared speech is given", "name one or several")
    if most < 1:
        raise ConfigError(f"at most {most} records are to be measured", "give 1 or more")
    for path, suffix in ((json, ".json"), (markdown, ".md")):
        if path is not None:
            check_output(path, suffixes=(suffix,))
    drivers, announced = _drivers(weights, preset)
    progress = make_progress(quiet=quiet)
    patterns = {"voice": voice, "face": face, "sentence": sentence}
    figures: dict[str, Any] = {"driver": announced, "sets": {}, "clips": {}}
    try:
        for folder in sets:
            name = folder.expanduser().resolve().name

            def begin(total: int, name: str = name) -> None:
                progress.start(name, total)

            figures["sets"][str(folder)] = evaluate_set(
                folder.expanduser(),
                drivers,
                patterns=patterns,
                by=by,
                most=most,
                advance=progress.advance,
                begin=begin,
            )
        if clips:
            progress.start("detector", len(clips))
        for clip in clips:
            figures["clips"][clip.name] = detector_noise(clip)
            progress.advance()
    finally:
        progress.close()
    text = report(figures)
    print(text)
    _write(figures, text, json, markdown)
    return 0


def _drivers(weights: Path | None, preset: DriverPreset) -> tuple[dict[str, Driver], str]:
    from lightning_modules.export.landmark_model_file import load_landmark_model

    _, file = chosen_driver("auto", weights)
    still = MotionGains(head=0.0, blink_rate=0.0)
    drivers: dict[str, Driver] = {}
    if file is not None:
        drivers["trained"] = make_driver(load_landmark_model(file), preset=preset, gains=still)
    drivers["envelope"] = make_driver(None, gains=still)
    return drivers, driver_note(file, preset)


def report(figures: Mapping[str, Any]) -> str:
    """The figures as Markdown.

    Args:
        figures: ``driver``; ``sets``: path -> what :func:`~experiments.landmark_evaluation.evaluate_set` gives;
            ``clips``: name -> what :func:`~experiments.landmark_evaluation.detector_noise` gives.
    """
    lines = [figures["driver"], ""]
    for path, found in figures["sets"].items():
        kind = "synthetic" if found["synthetic"] else "recorded motion"
        lines += [
            f"{Path(path).name}: {found['records']} records, {kind}",
            "",
            _row(COLUMNS),
            _row(["---"] * len(COLUMNS)),
        ]
        for group, by_driver in found["groups"].items():
            lines += [_row(_cells(group, name, by_driver)) for name in by_driver]
        lines.append("")
    if figures["clips"]:
        lines += ["What the detector adds by itself (disagreement on mirrored frames, divided by √2):", ""]
        lines += [_row(("clip", "lip error", "LMD", "frames")), _row(["---"] * 4)]
        for clip, noise in figures["clips"].items():
            lines.append(_row((clip, f"{noise['lip_error']:.2f}", f"{noise['lmd']:.2f}", f"{noise['frames']:.0f}")))
        lines.append("")
    return "\n".join([*lines, NOTES])


def _cells(group: str, name: str, by_driver: Mapping[str, Mapping[str, Any]]) -> list[str]:
    own = by_driver[name]

    def share(other: str) -> str:
        base = by_driver[other]["lip_error"]
        return "" if name == other or base == 0 else f"{own['lip_error'] / base:.2f}"

    lag = "" if own["lag"] is None else f"{own['lag']:+g} ({own['lag_range'][0]:+d} to {own['lag_range'][1]:+d})"
    closures = f"{own['closures_reached']}/{own['closures']}" if own["closures"] else ""
    correlation = "" if own["correlation"] is None else f"{own['correlation']:.2f}"
    errors = [f"{own['lip_error']:.2f}", share("envelope"), share(STILL), f"{own['lmd']:.2f}"]
    return [group, name, *errors, correlation, lag, closures]


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _write(figures: Mapping[str, Any], text: str, json: Path | None, markdown: Path | None) -> None:
    from lightning_modules.pipeline.atomic_files import atomic_path

    for path, content in ((json, as_json(figures)), (markdown, text)):
        if path is not None:
            with atomic_path(path) as aside:
                aside.write_text(content + "\n", encoding="utf-8")


SUBCOMMANDS = {
    "clips": evaluate_clips,
    "portraits": evaluate_portraits,
    "landmarks": evaluate_landmarks,
    "detector": evaluate_detector,
    "identity": evaluate_identity,
}
WITHOUT_SUBCOMMAND: Final = "clips"
"""What is meant where the first word names files, as in ``inkspeak evaluate CLIP.mp4``."""
