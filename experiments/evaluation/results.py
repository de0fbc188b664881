"""What is kept of each clip and method, so that an evaluation that was stopped goes on where it was.

``clips/NAME/METHOD.json`` holds settings, figures and, of a method that failed, why; ``METHOD.npz`` features and
landmarks; ``METHOD.mp4`` the video. The JSON is written last: with it the pair is finished. A pair that failed, or that
was made with other settings or other content, is made again.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.tables import as_json
from lightning_modules.pipeline.atomic_files import atomic_path

REFERENCE = "reference"


@dataclass(frozen=True, eq=False)
class Result:
    """One method on one clip.

    Attributes:
        marks: all that it was made with.
        figures: metric -> value; None where there is nothing to measure. Empty where the method failed.
        failed: why, in one line.
        seconds: what making and measuring took.
        arrays: features and landmarks.
    """

    marks: Mapping[str, Any]
    figures: Mapping[str, float | None] = field(default_factory=dict)
    failed: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class ResultFolder:
    """The results of one clip.

    Args:
        folder: its folder; made when the first result is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def video(self, method: str) -> Path:
        """The video of a method."""
        return self.folder / f"{method}.mp4"

    def write(self, method: str, result: Result) -> None:
        """Keep a result.

        Raises:
            OutputError: it cannot be written.
        """
        stream = io.BytesIO()
        arrays: dict[str, Any] = dict(result.arrays)
        np.savez(stream, **arrays)
        with atomic_path(self.folder / f"{method}.npz") as aside:
            aside.write_bytes(stream.getvalue())
        plain = {
            "marks": result.marks,
            "figures": result.figures,
            "failed": result.failed,
            "seconds": result.seconds,
        }
        with atomic_path(self.folder / f"{method}.json") as aside:
            aside.write_text(as_json(plain) + "\n", encoding="utf-8")

    def finished(self, method: str, marks: Mapping[str, Any]) -> Result | None:
        """The result that is there, if it is complete and was made with the same settings; else None."""
        try:
            plain = json.loads((self.folder / f"{method}.json").read_text(encoding="utf-8"))
            same = plain["marks"] == json.loads(json.dumps(marks)) and plain["failed"] is None
            if not same or not self.video(method).is_file():
                return None
            content = (self.folder / f"{method}.npz").read_bytes()
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            return Result(plain["marks"], plain["figures"], None, plain["seconds"], arrays)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            return None
