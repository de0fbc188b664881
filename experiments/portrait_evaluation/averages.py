"""From figures of photos and utterances to those of methods: means with intervals over photos."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from experiments.evaluation import method_names as names
from experiments.evaluation.distances import Features, distance_over_clips, kernel
from experiments.evaluation.metric_list import CSIM, FACE, MOTION, MetricColumn, distance_columns
from lightning_modules.metrics.bootstrap import Interval, bootstrap_mean

if TYPE_CHECKING:
    from experiments.evaluation.results import Result
    from lightning_modules.metrics.feature_networks import FeatureNetwork

Results = Mapping[str, Mapping[str, "Result"]]
"""Photo -> utterance -> a method's result."""

RATIO: Final = MetricColumn("flicker_ratio", "line flicker", f"% of {names.WARP_THEN_DRAW}'s", "lower", 0)
REST: Final = MetricColumn("nme_rest", "NME of the static drawing", "% of eye distance", "none", 2)
NOISE: Final = MetricColumn("nme_noise", "detector's noise", "% of eye distance", "none", 2)
_OWN: Final = (
    MetricColumn("motion_tracked", "motion of the lines", "% of asked", "none", 0),
    MetricColumn("tracked_error", "lines away from where they were to be", "% of eye distance", "lower", 2),
    MetricColumn("tracked_share", "points tracked", "%", "none", 0),
    MetricColumn("motion_found", "motion found", "px/frame", "none", 3),
    MetricColumn("motion_ratio", "motion found", "% of asked", "none", 0),
    MetricColumn("motion_share", "motion shown", "% of asked", "none", 0),
)
_IDENTITY: Final = MetricColumn("identity_distance", "starter identity distance (no CSIM)", "", "lower", 4)


def portrait_columns(network: FeatureNetwork, *, drawings: bool, csim: bool) -> list[MetricColumn]:
    """What the tables show.

    Args:
        network: whose features the distance is made of.
        drawings: whether there are real drawings to compare with.
        csim: whether faces are compared.
    """
    shared = {one.name: replace(one, paper={}) for one in (*MOTION, *FACE)}
    first = [shared.pop(name) for name in ("ssim", "ssim_compensated", "motion")]
    motion = [replace(first.pop(), title="motion asked"), *_OWN]
    shared.pop("landmark_motion")
    flicker = [shared.pop(name) for name in ("line_flicker", "warping_error")]
    face = [shared.pop("nme"), REST, NOISE, *shared.values()]
    identity = [*([CSIM] if csim else []), _IDENTITY]
    distance = [distance_columns(network)[1]] if drawings else []
    return [*first, *motion, flicker[0], RATIO, flicker[1], *face, *distance, *identity]


def with_flicker_ratio(results: Mapping[str, Results]) -> dict[str, dict[str, dict[str, dict[str, float | None]]]]:
    """All figures as plain values, and beside each line flicker its share of the per-frame drawer's, percent.

    Args:
        results: method -> photo -> utterance -> result.

    Returns:
        Method -> photo -> utterance -> metric -> value; None where there is nothing to measure.
    """
    reference = results.get(names.WARP_THEN_DRAW, {})
    told: dict[str, dict[str, dict[str, dict[str, float | None]]]] = {}
    for method, photos in results.items():
        for photo, utterances in photos.items():
            for utterance, result in utterances.items():
                figures = dict(result.figures)
                other = reference.get(photo, {}).get(utterance)
                base = None if other is None else other.figures.get("line_flicker")
                own = figures.get("line_flicker")
                if base and own is not None:
                    figures[RATIO.name] = 100 * own / base
                told.setdefault(method, {}).setdefault(photo, {})[utterance] = figures
    return told


def of_photos(figures: Mapping[str, Mapping[str, Mapping[str, float | None]]], metric: str) -> dict[str, float]:
    """A metric of one method for each photo, the mean over its utterances; photos that have none are missing.

    Args:
        figures: photo -> utterance -> metric -> value.
        metric: its name.
    """
    found = {}
    for photo, utterances in figures.items():
        known = [value for one in utterances.values() if (value := one.get(metric)) is not None]
        if known:
            found[photo] = math.fsum(known) / len(known)
    return found


def averages(
    columns: Sequence[MetricColumn],
    figures: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float | None]]]],
    features: Mapping[str, Sequence[Features]],
    *,
    drawings: Features | None = None,
    seed: int = 0,
) -> dict[str, dict[str, Interval]]:
    """The figures of every method.

    Args:
        columns: of the tables.
        figures: see :func:`with_flicker_ratio`.
        features: method -> features of each photo's frames.
        drawings: features of real drawings; None: no distance.
        seed: of the draws.

    Returns:
        Method -> metric -> mean over photos, or distance over all frames; what cannot be measured is missing.
    """
    found: dict[str, dict[str, Interval]] = {}
    reference = of_photos(figures.get(names.WARP_THEN_DRAW, {}), "line_flicker")
    for method, photos in figures.items():
        own = found[method] = {}
        for column in columns:
            values = of_photos(photos, column.name)
            if column.name == RATIO.name:
                flicker = of_photos(photos, "line_flicker")
                both = [photo for photo in flicker if photo in reference]
                ratio = ratio_of_means([flicker[one] for one in both], [reference[one] for one in both], seed=seed)
                if ratio is not None:
                    own[column.name] = ratio
            elif values:
                own[column.name] = bootstrap_mean(list(values.values()), seed=seed)
        if drawings is not None and features.get(method):
            name = next(one.name for one in columns if one.name.endswith(("kid", "kernel")))
            distance = distance_over_clips(kernel, drawings, features[method])
            if distance is not None:
                own[name] = distance
    return found


def ratio_of_means(
    first: Sequence[float], second: Sequence[float], *, draws: int = 10_000, seed: int = 0
) -> Interval | None:
    """Mean of the first in percent of the mean of the second, with its 95 % interval over photos.

    Args:
        first: one a photo.
        second: of the same photos.
        draws: how often photos are drawn anew.
        seed: of the draws, which are those of :func:`~lightning_modules.metrics.bootstrap.bootstrap_mean`.

    Returns:
        None where there is no photo, or the second's mean is 0; no interval where a draw's is, or of one photo alone.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    count = len(one)
    if not count or not other.sum() > 0:
        return None
    value = 100 * float(one.sum() / other.sum())
    chosen = np.random.default_rng((seed, count)).integers(0, count, (draws, count))
    below = other[chosen].sum(1)
    if count < 2 or not (below > 0).all():
        return Interval(value, None, None, count)
    low, high = np.quantile(100 * one[chosen].sum(1) / below, (0.025, 0.975))
    return Interval(value, float(low), float(high), count)


def worst_photos(
    figures: Mapping[str, Mapping[str, Mapping[str, float | None]]], most: int = 5
) -> list[tuple[str, float]]:
    """The photos that look worst by their figures, the worst first.

    The score is the mean of two ranks, of landmark NME and of line flicker, each from 0 (best photo) to 1 (worst);
    equal figures share the mean of their ranks. Photos that lack a figure are not ranked.

    Args:
        figures: of one method, photo -> utterance -> metric -> value.
        most: so many photos.

    Returns:
        Photo and score.
    """
    error, flicker = of_photos(figures, "nme"), of_photos(figures, "line_flicker")
    photos = [photo for photo in error if photo in flicker]
    ranks = [_ranks([of[photo] for photo in photos]) for of in (error, flicker)]
    scores = [(photo, (ranks[0][place] + ranks[1][place]) / 2) for place, photo in enumerate(photos)]
    return sorted(scores, key=lambda one: (-one[1], one[0]))[:most]


def _ranks(values: Sequence[float]) -> list[float]:
    below = max(len(values) - 1, 1)
    return [
        (sum(other < one for other in values) + (sum(other == one for other in values) - 1) / 2) / below
        for one in values
    ]
