"""From the figures of clips to those of methods, with intervals over clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from experiments.evaluation.distances import Features, distance_over_clips, frechet, kernel
from experiments.evaluation.metric_list import MetricColumn
from experiments.evaluation.results import Result
from lightning_modules.metrics.bootstrap import Interval, bootstrap_mean

NOISE: Final = ("lmd", "lmd_eye", "nme")
"""Metrics of which the detector's own noise is told, in the order in which it is kept."""


def averages(
    columns: Sequence[MetricColumn],
    references: Mapping[str, Result],
    results: Mapping[str, Result],
    *,
    drawings: Features | None = None,
    seed: int = 0,
) -> dict[str, Interval]:
    """The figures of one method.

    Args:
        columns: of the evaluation; the first and fourth are the distances.
        references: clip -> the film drawn frame by frame.
        results: clip -> the method's result; clips on which it failed are left out.
        drawings: features of real drawings; None: the distances compare with the references.
        seed: of the draws.

    Returns:
        Metric -> mean over clips, or distance over all their frames; what cannot be measured is missing.
    """
    good = [clip for clip, result in results.items() if result.failed is None]
    found: dict[str, Interval] = {}
    if not good:
        return found
    real = [references[clip].arrays["features"] for clip in good] if drawings is None else drawings
    generated = [results[clip].arrays["features"] for clip in good]
    for column, distance, least in ((columns[0], frechet, 0.0), (columns[3], kernel, -np.inf)):
        interval = distance_over_clips(distance, real, generated, least=least)
        if interval is not None:
            found[column.name] = interval
    for column in columns:
        values = [results[clip].figures.get(column.name) for clip in good]
        known = [value for value in values if value is not None]
        if known:
            found[column.name] = bootstrap_mean(known, seed=seed)
    return found


def noise_floor(references: Mapping[str, Result]) -> dict[str, float]:
    """How far the detector disagrees with itself on drawings, mean over clips: metric -> its unit."""
    known = [one.arrays["noise"] for one in references.values() if "noise" in one.arrays]
    return dict(zip(NOISE, np.mean(known, axis=0).tolist(), strict=True)) if known else {}
