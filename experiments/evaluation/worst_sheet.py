"""The clip on which the method is worst, as a sheet: the film, its drawing, and every method at the same moments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.evaluation.clips import read_frames
from lightning_modules.pipeline.contact_sheet import evenly_spaced, save_image
from lightning_modules.pipeline.presentation import captioned, grid

MOMENTS = 8


def worst_clip(summary: Mapping[str, Any], method: str, metric: str = "lmd") -> str | None:
    """The clip whose figure is largest; None where none has one."""
    found = {
        clip["name"]: value
        for clip in summary["clips"]
        if (value := clip["methods"][method]["figures"].get(metric)) is not None
    }
    return max(found, key=lambda name: found[name]) if found else None


def write_worst_sheet(summary: Mapping[str, Any], folder: Path, path: Path, methods: list[str]) -> str | None:
    """Write the sheet of the worst clip of the first method that has one.

    Args:
        summary: what ``summary.json`` holds.
        folder: in which its paths lie.
        path: the image.
        methods: by whose lip distance the clip is chosen, first come first asked.

    Returns:
        The clip's name; None where no method has a figure, and nothing is written.

    Raises:
        OutputError: it cannot be written.
        VideoError: a video of the evaluation has been damaged.
    """
    chosen = next((name for one in methods if (name := worst_clip(summary, one)) is not None), None)
    if chosen is None:
        return None
    clip = next(one for one in summary["clips"] if one["name"] == chosen)
    videos = {"truth, drawn": clip["reference"]} | {
        method: clip["methods"][method]["video"] for method in summary["methods"]
    }
    cells: list[NDArray[np.uint8]] = []
    fps, rows = float(summary["protocol"]["fps"]), 0
    for name, video in videos.items():
        if video is None or (name != "truth, drawn" and video == clip["reference"]):
            continue
        frames = list(read_frames(folder / video, fps))
        lmd = clip["methods"].get(name, {}).get("figures", {}).get("lmd")
        told = name if lmd is None else f"{name}, LMD {lmd:.2f} px"
        for place, number in enumerate(evenly_spaced(len(frames), MOMENTS)):
            moment = f"{chosen} {number / fps:.2f} s"
            cells.append(captioned(frames[number], told if place == 0 else moment))
        rows += 1
    # All videos of a clip have the same length.
    save_image(path, grid(cells, len(cells) // rows))
    return chosen
