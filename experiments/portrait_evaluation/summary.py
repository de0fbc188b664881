"""What ``summary.json`` says besides the averages: entries of photos, what failed, why a photo is bad, remarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from experiments.portrait_evaluation.averages import of_photos

if TYPE_CHECKING:
    from experiments.evaluation.measuring import Measurer
    from experiments.evaluation.methods import Method
    from experiments.evaluation.results import Result
    from experiments.evaluation.settings import EvaluationSettings
    from experiments.portrait_evaluation.inputs import NamedFile
    from lightning_modules.metrics.bootstrap import Interval

PAIRS: Final = "pairs"
"""Folder of the results of each photo and utterance."""

_WHY: Final = {
    "nme": "NME {:.2f} %",
    "nme_rest": "at rest {:.2f} %",
    "line_flicker": "line flicker {:.2f} %",
    "ssim": "inter-frame SSIM {:.4f}",
    "motion_tracked": "motion of the lines {:.0f} %",
}


def plain_intervals(found: Mapping[str, Interval]) -> dict[str, Any]:
    """Metric -> value, low and high."""
    return {name: {"value": one.value, "low": one.low, "high": one.high} for name, one in found.items()}


def utterance_entries(
    photo: NamedFile,
    utterances: Sequence[NamedFile],
    results: Mapping[str, Mapping[str, Mapping[str, Result]]],
    figures: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float | None]]]],
) -> dict[str, Any]:
    """Utterance -> method -> video (relative to the summary), figures, and why it failed.

    Args:
        photo: of which.
        utterances: all of them.
        results: method -> photo -> utterance -> result.
        figures: method -> photo -> utterance -> metric -> value.
    """

    def told(method: str, speech: str) -> dict[str, Any]:
        result = results[method][photo.name][speech]
        video = None if result.failed else f"{PAIRS}/{photo.name}/{speech}/{method}.mp4"
        return {"video": video, "figures": figures[method][photo.name][speech], "failed": result.failed}

    return {speech.name: {method: told(method, speech.name) for method in results} for speech in utterances}


def why_worst(figures: Mapping[str, Mapping[str, float | None]], score: float) -> str:
    """The figures that made a photo one of the worst, in one line.

    Args:
        figures: of the photo, utterance -> metric -> value.
        score: see :func:`~experiments.portrait_evaluation.averages.worst_photos`.
    """
    told = [f"score {score:.2f} (mean rank of NME and line flicker)"]
    for metric, text in _WHY.items():
        values = of_photos({"": figures}, metric)
        if values:
            told.append(text.format(values[""]))
    return ", ".join(told)


def failures(results: Mapping[str, Mapping[str, Mapping[str, Result]]]) -> list[str]:
    """One line for each photo that cannot be used, and for each pair and method that failed by itself."""
    lines: dict[str, None] = {}
    for method, photos in results.items():
        for photo, utterances in photos.items():
            for speech, result in utterances.items():
                if result.failed is None:
                    continue
                reasons = {one.failed for other in results.values() for one in other[photo].values()}
                everywhere = reasons == {result.failed}
                lines[
                    f"{photo}: {result.failed}" if everywhere else f"{photo}, {speech}, {method}: {result.failed}"
                ] = None
    return list(lines)


def remarks_of(
    ready: Sequence[Method], measurer: Measurer, settings: EvaluationSettings, *, drawings: bool
) -> list[str]:
    """What the reader of the tables must know.

    Args:
        ready: the methods.
        measurer: whose features are compared.
        settings: of the evaluation.
        drawings: whether with real drawings.
    """
    remarks = [method.remark for method in ready if method.remark]
    remarks.append(
        "NME and LMD: landmarks found on the drawings against those that were to be shown; what "
        "the detector gets wrong on the static drawing itself (NME of the static drawing) is no renderer's fault"
    )
    remarks.append(
        "motion of the lines: of the surroundings of the landmarks, tracked from the static drawing into every frame "
        "without a detector; points that cannot be tracked there and back do not count"
    )
    remarks.append(
        "motion found: of the landmarks found from frame to frame, the detector's own unrest included; motion shown: "
        "the part of it that follows what was asked"
    )
    if drawings:
        remarks.append(f"kernel distance: features of {measurer.network.description}, against the prepared drawings")
    remarks.append(
        "starter identity distance: by the features of the identity loss, which a generator learns to please"
    )
    if settings.face_weights is None:
        remarks.append("CSIM: left out, it needs a face recognition network that no loss here uses (--face-weights)")
    elif settings.face_weights == "dlib":
        remarks.append("CSIM: by dlib's network, which no loss here uses")
    remarks.append("figures are of the frames as they were drawn, before they were compressed into videos")
    return remarks
