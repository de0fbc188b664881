"""How long the starter takes to find a face: its landmark network for one crop, and whole pictures."""

from __future__ import annotations

from functools import partial
from typing import Any

from experiments.benchmarks.timing import time_repeatedly


def run(*, quick: bool) -> dict[str, Any]:
    """Time the landmark network at batch 1 and 16 on one and two threads, and the analyzer on three pictures.

    Args:
        quick: few repeats.

    Returns:
        Milliseconds per crop and seconds per picture (median, quartiles), and the seconds it takes to load.
    """
    import time

    import numpy as np
    import torch

    from experiments.demo import DEMO_PHOTO
    from lightning_modules.drawing.drawer import make_drawer
    from lightning_modules.faces.photo import read_photo
    from lightning_modules.faces.starter_analyzer import StarterAnalyzer
    from lightning_modules.faces.starter_network import load_landmark_network
    from lightning_modules.pipeline.portrait import image_array, image_tensor

    start = time.perf_counter()
    network = load_landmark_network()
    analyzer = StarterAnalyzer(network=network)
    loading = time.perf_counter() - start
    generator = np.random.default_rng(0)
    threads = torch.get_num_threads()
    crops: dict[str, Any] = {}
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            for batch in (1, 16):
                shown = generator.random((batch, 112, 112, 3), np.float32)
                seconds = time_repeatedly(partial(network, shown), repeats=5 if quick else 100, warm_up=3)
                milliseconds = {name: 1000 * seconds[name] / batch for name in ("median", "low", "high")}
                crops[f"{count} threads, batch {batch}"] = milliseconds | {"repeats": seconds["repeats"]}
    finally:
        torch.set_num_threads(threads)
    photo = read_photo(DEMO_PHOTO).rgb
    drawing = image_array(make_drawer("pencil").draw(image_tensor(photo)))[0].repeat(3, axis=-1)
    noise = generator.integers(0, 256, photo.shape, np.uint8)
    ways = {
        "photo": partial(analyzer.find_faces, photo),
        "drawing of it": partial(analyzer.find_drawn_faces, np.ascontiguousarray(drawing)),
        "noise": partial(analyzer.find_faces, noise),
    }
    return {
        "seconds_to_load": loading,
        "milliseconds_per_crop": crops,
        "seconds_per_picture": {name: time_repeatedly(way, repeats=1 if quick else 7) for name, way in ways.items()},
        "faces_found": {name: len(way()) for name, way in ways.items()},
    }
