"""``inkspeak evaluate detector``: a landmark detector on prepared faces that were held out of its training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.signature_parser import Option
from experiments.tables import as_json
from lightning_modules.errors import ConfigError
from lightning_modules.pipeline.output_checks import check_output

DETECTOR_OPTIONS = {
    "weights": Option(metavar="FILE"),
    "sheets": Option(metavar="DIR"),
    "same_face": Option(metavar="REGEX"),
    "json": Option(metavar="FILE"),
    **dict.fromkeys(("photos", "drawings", "cartoons"), Option(metavar="SET")),
}


def evaluate_detector(
    *,
    photos: list[Path] = [],  # noqa: B006 - never changed
    drawings: list[Path] = [],  # noqa: B006 - never changed
    cartoons: list[Path] = [],  # noqa: B006 - never changed
    weights: Path | None = None,
    hold_out: float = 0.1,
    same_face: str | None = None,
    sheets: Path | None = None,
    json: Path | None = None,
) -> int:
    """Measure a landmark detector on photos, their static drawings, drawings and cartoons.

    Prints a table: errors in percent of the outer-eye distance, against the labels of the prepared sets. Give the split
    of the training (--hold-out, --same-face), and only faces that were held out are measured.

    Args:
        photos: prepared sets of photos
        drawings: prepared sets of artists' drawings
        cartoons: prepared sets of cartoons
        weights: a detector of your own, instead of the starter
        hold_out: share of the records that were held out
        same_face: what in a record's name says whose face it is
        sheets: write the worst faces of each kind into this folder, as pictures
        json: write every figure to this file as well

    Returns:
        0.

    Raises:
        InkspeakError: there is no such set, no face was held out, the file is no detector, or a file cannot be written.

    Example:
        inkspeak evaluate detector --photos prepared/photos --drawings prepared/drawings --sheets worst
    """
    if json is not None:
        check_output(json, suffixes=(".json",))
    from datamodules.face_landmarks import FaceLandmarksDataModule
    from experiments.detector_evaluation import (
        found_landmarks,
        held_out_faces,
        measured,
        milliseconds_a_face,
        write_worst,
    )
    from lightning_modules.pipeline.atomic_files import atomic_path
    from lightning_modules.weights.from_file import STARTER, NetworkFromFile

    network = NetworkFromFile("mobilefacenet", STARTER if weights is None else str(weights))
    if network.fraction_origin != "edge":
        found = "this detector counts fractions from the first pixel; the labels count them from its edge"
        raise ConfigError(found, "give one that was trained here")
    faces = held_out_faces(
        FaceLandmarksDataModule(
            photos=[str(folder) for folder in photos],
            drawings=[str(folder) for folder in drawings],
            cartoons=[str(folder) for folder in cartoons],
            hold_out=hold_out,
            same_face=same_face,
        )
    )
    landmarks = found_landmarks(network, faces)
    figures = measured(landmarks, faces)
    speed = milliseconds_a_face(network)
    print(report(figures, speed))
    if sheets is not None:
        write_worst(sheets, landmarks, faces, figures)
    if json is not None:
        with atomic_path(json) as aside:
            aside.write_text(as_json({"domains": figures, "milliseconds_a_face": speed}) + "\n", encoding="utf-8")
    return 0


def report(figures: Mapping[str, Mapping[str, Any]], speed: float) -> str:
    """The figures as Markdown.

    Args:
        figures: from :func:`experiments.detector_evaluation.measured`.
        speed: milliseconds a face.
    """
    regions = [name for name in next(iter(figures.values())) if name in {"jaw", "brows", "nose", "eyes", "lips"}]
    heads = ["", "faces", "mean", "median", "95 %", "worst", "above 20 %", *regions]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for name, own in figures.items():
        errors = [f"{own[key]:.2f}" for key in ("mean", "median", "within_95_percent", "worst")]
        cells = [name.replace("_", " "), str(own["faces"]), *errors, str(own["missed"])]
        lines.append(f"| {' | '.join([*cells, *(f'{own[region]:.2f}' for region in regions)])} |")
    return "\n".join([*lines, "", f"{speed:.1f} ms a face, one at a time"])
