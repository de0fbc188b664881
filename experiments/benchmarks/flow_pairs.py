"""How fast pairs of views are made for flow map A, on one core and on all."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path
from typing import Any, Final

from experiments.benchmarks.timing import time_repeatedly

FACE_MODEL: Final = "INKSPEAK_FACE_MODEL"
"""Environment variable: the packed ICT-FaceKit model. Without it the parametric mask is drawn, and that is said."""


def run(*, quick: bool) -> dict[str, Any]:
    """Make pairs in one process, then in one a core at the same time.

    Args:
        quick: fewer pairs.

    Returns:
        ``face`` (which mesh, how many triangles), ``one_process`` (seconds a pair: median, quartiles) and
        ``all_cores`` (processes, pairs a second of all together).
    """
    from datamodules.flow_pairs import FlowPairsDataModule
    from datamodules.samplers import SampleAddress

    given = os.environ.get(FACE_MODEL)
    data = FlowPairsDataModule(given, workers=0)
    pairs, _ = data.training_samples()
    count = 8 if quick else 64
    numbers = iter(range(10**9))
    single = time_repeatedly(lambda: pairs[SampleAddress(0, next(numbers))], repeats=count, warm_up=3)
    processes = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, _make_pairs, ((given, 0, 3),)) as pool:  # each process reads the face beforehand
        count *= 4
        work = [(given, number, count) for number in range(processes)]
        pool.map(_make_pairs, [(given, number, 3) for number in range(4 * processes)], chunksize=1)
        start = time.perf_counter()
        pool.map(_make_pairs, work, chunksize=1)
        seconds = time.perf_counter() - start
    name = "parametric mask" if given is None else Path(given).name
    return {
        "face": {"mesh": name, "triangles": len(data.mesh.triangles)},
        "one_process": {"seconds_a_pair": single, "pairs_a_second": 1 / single["median"]},
        "all_cores": {"processes": processes, "pairs_a_second": processes * count / seconds},
    }


_KEPT: dict[str | None, Any] = {}


def _make_pairs(work: tuple[str | None, int, int]) -> None:
    from datamodules.flow_pairs import FlowPairsDataModule
    from datamodules.samplers import SampleAddress

    given, number, count = work
    if given not in _KEPT:
        _KEPT[given] = FlowPairsDataModule(given, workers=0).training_samples()[0]
    for index in range(count):
        _ = _KEPT[given][SampleAddress(number + 1, index)]
