"""What is worth reporting of accepted pictures, whatever kind of record they became."""

from __future__ import annotations

from collections.abc import Sequence

from datamodules.prepare.preparation import Facts, SourceItem
from datamodules.prepare.report import Entry
from lightning_modules.faces.face import FaceBox

Accepted = Sequence[tuple[SourceItem, Facts]]
"""Items with the facts of their records."""


def several_faces(accepted: Accepted) -> tuple[Entry, ...]:
    """Return the pictures with more than one face, and which was taken."""
    return tuple(
        Entry(item.name, f"took {faces['chosen']} of {_listed(faces['boxes'])}")
        for item, faces in ((item, facts["faces"]) for item, facts in accepted)
        if len(faces["boxes"]) > 1
    )


def poor_faces(accepted: Accepted) -> tuple[Entry, ...]:
    """Return the pictures whose face is small, turned or cut off."""
    return tuple(
        Entry(item.name, "; ".join(facts["faces"]["notes"])) for item, facts in accepted if facts["faces"]["notes"]
    )


def much_enlarged(accepted: Accepted) -> tuple[Entry, ...]:
    """Return the pictures whose crop had fewer than half of the record's pixels on a side."""
    return tuple(
        Entry(item.name, f"{frame['side']} px shown as {frame['size']}")
        for item, frame in ((item, facts["frame"]) for item, facts in accepted)
        if frame["size"] > 2 * frame["side"]
    )


def _listed(boxes: Sequence[Sequence[float]]) -> str:
    return ", ".join(f"{number}: {FaceBox(*box)}" for number, box in enumerate(boxes, start=1))
