"""Where each result goes, checked before any work begins: every name, every folder, and that no input is hit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments.commands.batch import Pair
from lightning_modules.errors import OutputError
from lightning_modules.pipeline.output_checks import (
    IMAGE_SUFFIXES,
    check_free_space,
    check_output,
)

#: Below this nothing is begun: a few minutes of drawing fit into it, and less tends to end half-way.
LEAST_FREE_BYTES = 64e6


@dataclass(frozen=True)
class PlannedOutput:
    """The files of one pair: the video and what was asked for beside it."""

    pair: Pair
    video: Path
    frames: Path | None
    contact_sheet: Path | None


def plan_outputs(
    pairs: Sequence[Pair],
    output: Path | None,
    frames: Path | None = None,
    contact_sheet: Path | Literal["auto"] | None = None,
) -> list[PlannedOutput]:
    """Decide every file name and refuse what cannot work. Nothing is left behind.

    Args:
        pairs: what will be animated, at least one.
        output: a video file for a single pair, or a folder; ``None`` is the folder ``out``.
        frames: folder for single frames, new, empty or made by an earlier run; for several pairs one each inside it.
        contact_sheet: image file for a single pair, a folder for several; ``"auto"`` puts it beside the video.

    Returns:
        One plan per pair, in the same order.

    Raises:
        OutputError: a name that does not fit, a folder that cannot be written, a full disk, an output that would
            replace an input, or a frames folder that holds something.
    """
    several = len(pairs) > 1
    output = Path("out") if output is None else output.expanduser()
    as_folder = output.is_dir() or not output.suffix
    if several and not as_folder:
        raise OutputError(f"this is one file, and {len(pairs)} animations are to be made", "name a folder", output)
    plans = []
    for pair in pairs:
        video = output / f"{pair.name}.mp4" if as_folder else output
        sheet: Path | None
        if contact_sheet == "auto":
            sheet = video.with_name(f"{video.stem}_sheet.png")
        elif contact_sheet is not None and several:
            sheet = contact_sheet.expanduser() / f"{pair.name}_sheet.png"
        else:
            sheet = None if contact_sheet is None else contact_sheet.expanduser()
        folder = None if frames is None else frames.expanduser() / (pair.name if several else "")
        plans.append(PlannedOutput(pair, video, folder, sheet))
    _check(plans)
    return plans


def _check(plans: Sequence[PlannedOutput]) -> None:
    inputs = list(dict.fromkeys(path for plan in plans for path in (plan.pair.photo, plan.pair.speech)))
    for plan in plans:
        check_output(plan.video, inputs=inputs)
        if plan.contact_sheet is not None:
            check_output(plan.contact_sheet, inputs=inputs, suffixes=IMAGE_SUFFIXES)
        if plan.frames is not None:
            from lightning_modules.pipeline.frame_folder import FrameFolder

            FrameFolder(plan.frames, frames=1, fps=25.0)  # refuses a folder that holds anything but earlier frames
    check_free_space(plans[0].video, LEAST_FREE_BYTES)
