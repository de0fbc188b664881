"""Recorded performances: a sound file, and beside it an ``.npz`` of the same name with face-shape curves over time.

The ``.npz`` holds ``weights`` (T, C), 0 at rest and 1 fully there, ``fps``, and the names of the curves either as
``names`` (C,) or in a ``blendshape_names.json`` in the same folder or one above it: a list, or an object of lists.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datamodules.prepare.sources import FoundFiles, find_files
from lightning_modules.errors import TrackError

CURVES_ENDING: Final = ".npz"
SOUND_ENDINGS: Final = (".flac", ".wav", ".mp3", ".m4a", ".ogg")
PICKLE_ENDINGS: Final = (".pickle", ".pkl", ".p")
NAMES_FILE: Final = "blendshape_names.json"
PREFERRED_NAMES: Final = "names_316_1015"
"""Of FACEGOOD's two lists the one whose left and right halves fit together."""

_REMEDY = "give takes as NAME.npz (weights, fps) beside NAME.flac or another sound"


@dataclass(frozen=True, eq=False)
class RecordedCurves:
    """Curves of one take.

    Attributes:
        weights: (T, C) float64.
        fps: frames a second; frame k is at k / fps seconds.
        names: C names.
    """

    weights: NDArray[np.float64]
    fps: float
    names: tuple[str, ...]

    def at(self, times: NDArray[np.floating]) -> NDArray[np.float64]:
        """The curves at other times, held beyond both ends; monotone between frames, so that nothing overshoots.

        Args:
            times: (K,) seconds.

        Returns:
            (K, C).
        """
        from scipy.interpolate import PchipInterpolator

        clock = np.arange(len(self.weights)) / self.fps
        inside = np.clip(np.asarray(times, np.float64), 0.0, clock[-1])
        result: NDArray[np.float64] = PchipInterpolator(clock, self.weights, axis=0)(inside)
        return result


def find_takes(source: Path) -> FoundFiles:
    """Find the files of curves in a folder and all folders below it.

    Raises:
        TrackError: there are none; or the source is a pickle, as the published training sets of stage 1 are (lists of
            ``(features, info)``). Reading a pickle runs whatever it says, so none is ever read.
    """
    if source.suffix.lower() in PICKLE_ENDINGS:
        found = "is a pickle, which can run any program when it is read, so inkspeak does not read it"
        remedy = "unpickle it where you trust it, and save its arrays with numpy.savez as NAME.npz beside NAME.flac"
        raise TrackError(found, remedy, source)
    return find_files(source, {CURVES_ENDING}, what="takes", error=TrackError)


def sound_beside(path: Path) -> Path:
    """The sound that belongs to a file of curves.

    Raises:
        TrackError: there is none.
    """
    for ending in SOUND_ENDINGS:
        sound = path.with_suffix(ending)
        if sound.is_file():
            return sound
    raise TrackError(f"has no sound of the same name ({' '.join(SOUND_ENDINGS)}) beside it", _REMEDY, path)


def read_curves(path: Path, root: Path) -> RecordedCurves:
    """Read the curves of one take. Nothing stored in the files is executed.

    Args:
        path: the ``.npz``.
        root: folder up to which a list of names is looked for.

    Raises:
        TrackError: the file holds no curves, is damaged, or the names are missing or do not fit.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            missing = sorted({"weights", "fps"} - set(stored.files))
            if missing:
                raise TrackError(f"holds no curves: there is no {', '.join(missing)}", _REMEDY, path)
            weights, fps = np.asarray(stored["weights"], np.float64), float(stored["fps"])
            names = tuple(str(name) for name in stored["names"]) if "names" in stored.files else None
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise TrackError(f"holds no curves, or is damaged ({error})", _REMEDY, path) from error
    names = tuple(_listed_names(path, root)) if names is None else names
    if weights.ndim != 2 or len(weights) < 2 or not np.isfinite(weights).all() or not 1.0 <= fps <= 1000.0:
        raise TrackError(f"holds no curves: {weights.shape} values at {fps} a second", _REMEDY, path)
    if len(names) != weights.shape[1]:
        raise TrackError(f"has {weights.shape[1]} curves, but {len(names)} names", "give a name to each curve", path)
    return RecordedCurves(weights, fps, names)


def _listed_names(path: Path, root: Path) -> Sequence[str]:
    for folder in [parent for parent in path.parents if parent == root or parent.is_relative_to(root)]:
        file = folder / NAMES_FILE
        if file.is_file():
            try:
                listed = json.loads(file.read_text(encoding="utf-8"))
                if isinstance(listed, dict):
                    listed = listed[PREFERRED_NAMES if PREFERRED_NAMES in listed else next(iter(listed))]
                return [str(name) for name in listed]
            except (OSError, ValueError, TypeError, KeyError, StopIteration) as error:
                raise TrackError(f"holds no list of names ({error})", "give a JSON list", file) from error
    found = f"says no names, and there is no {NAMES_FILE} in its folder or above it"
    raise TrackError(found, "add one: a JSON list with a name for each curve", path)
