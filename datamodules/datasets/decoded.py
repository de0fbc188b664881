"""Prepared sets decoded once: all pictures of a set as one uint8 array on disk, mapped into memory by every worker.

Decoding and reducing a record's PNGs takes tens of milliseconds, cutting a crop out of the array less than one. The
array is kept beside the set (or in a folder that is given), is written aside and renamed, and is made anew when the
set's manifest, the size or the channels differ.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from datamodules.prepare.manifest import RECORDS_NAME, read_manifest
from datamodules.prepare.prepared_set import fingerprint, read_set
from lightning_modules.errors import PreparedSetError
from lightning_modules.pipeline.atomic_files import atomic_path
from lightning_modules.pipeline.output_checks import check_free_space

CACHE_NAME: Final = ".decoded"
_EDITION: Final = 1
_PLANES, _LANDMARKS, _FACTS = "planes.npy", "landmarks.npy", "facts.json"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClipSpan:
    """Which pictures of a decoded film are the frames of one clip.

    Attributes:
        start: number of the first one.
        count: how many there are.
        scene: name of the shot; clips of one shot are not "different clips".
    """

    start: int
    count: int
    scene: str


class Decoded(NamedTuple):
    """What one record gives: n pictures (1, or the frames of a clip).

    Attributes:
        planes: uint8 (n, K, L, L).
        landmarks: (n, 68, 2 | 3) pixels of L.
        scene: of a clip, else empty.
    """

    planes: npt.NDArray[np.uint8]
    landmarks: npt.NDArray[np.floating]
    scene: str = ""


class DecodedSet:
    """All pictures of a set.

    Attributes:
        planes: uint8 (N, K, L, L), read-only; what the K planes hold is the business of the set's kind.
        landmarks: float32 (N, 68, 2), pixels of L.
        spans: the records' pictures, in order.
        names: of the records, as many as spans.
    """

    def __init__(
        self,
        planes: npt.NDArray[np.uint8],
        landmarks: npt.NDArray[np.float32],
        spans: Sequence[ClipSpan],
        names: Sequence[str],
    ) -> None:
        if planes.ndim != 4 or planes.dtype != np.uint8 or planes.shape[2] != planes.shape[3]:
            raise ValueError(f"planes must be uint8 (N, K, L, L), got {planes.dtype} {planes.shape}")
        if landmarks.shape != (len(planes), 68, 2):
            raise ValueError(f"landmarks must be ({len(planes)}, 68, 2), got {landmarks.shape}")
        self.planes = planes
        self.landmarks = landmarks
        self.spans = tuple(spans)
        self.names = tuple(names)
        self._folder: Path | None = None

    def __len__(self) -> int:
        return len(self.planes)

    @property
    def size(self) -> int:
        """Side L of the pictures, pixels."""
        return int(self.planes.shape[-1])

    @classmethod
    def of_records(cls, records: Iterable[Decoded], names: Sequence[str]) -> DecodedSet:
        """Put records together in memory."""
        parts = list(records)
        spans, start = [], 0
        for part, name in zip(parts, names, strict=True):
            spans.append(ClipSpan(start, len(part.planes), part.scene or name))
            start += len(part.planes)
        landmarks = np.concatenate([part.landmarks[..., :2] for part in parts]).astype(np.float32)
        return cls(np.concatenate([part.planes for part in parts]), landmarks, spans, names)

    @classmethod
    def mapped(cls, folder: Path) -> DecodedSet:
        """Open what :func:`decode_once` wrote."""
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        opened = cls(
            np.load(folder / _PLANES, mmap_mode="r", allow_pickle=False),
            np.load(folder / _LANDMARKS, allow_pickle=False),
            [ClipSpan(*span) for span in facts["spans"]],
            facts["names"],
        )
        opened._folder = folder
        return opened

    def __getstate__(self) -> dict[str, Any]:
        """Send a worker the place of the array, not its gigabytes."""
        return {"_folder": self._folder} if self._folder is not None else dict(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["_folder"] is None:
            self.__dict__.update(state)
        else:
            self.__dict__.update(DecodedSet.mapped(state["_folder"]).__dict__)


def decode_once(
    folder: Path,
    kind: str,
    *,
    size: int,
    planes: int,
    channels: int,
    decode: Callable[[Path], Decoded],
    cache: Path | None = None,
    purpose: str = "",
) -> DecodedSet:
    """Open the array of a prepared set, making it first if it is not there.

    Args:
        folder: the prepared set.
        kind: that it must hold, e.g. ``"photos"``.
        size: side L, pixels.
        planes: K.
        channels: of drawings, 1 or 3.
        decode: from a record's folder to its pictures.
        cache: where arrays are kept; None for a hidden folder in the set.
        purpose: what the planes are for, where they are not what the kind is usually decoded to; names the array.

    Raises:
        PreparedSetError: the set is missing, of another kind, empty or damaged.
        OutputError: the array cannot be written.
    """
    held = read_set(folder).get("kind")
    if held != kind:
        raise PreparedSetError(f"holds prepared {held}, not {kind}", "name the other folder here", folder)
    rows = read_manifest(folder)
    if not rows:
        raise PreparedSetError("holds no record", "prepare it again and read its report", folder)
    key = fingerprint(_EDITION, purpose or kind, size, channels, [(row["id"], row["files"]) for row in rows])
    place = folder / CACHE_NAME if cache is None else cache
    name = f"{purpose or kind}_{size}px_{channels}ch_"
    target = place / f"{name}{key[:24]}"
    if not target.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        _decode_all(folder, [row["id"] for row in rows], target, (planes, size), decode)
        if cache is None:  # arrays of an older state of this set
            for stale in set(place.glob(f"{name}*")) - {target}:
                shutil.rmtree(stale, ignore_errors=True)
    return DecodedSet.mapped(target)


def _decode_all(
    folder: Path, ids: Sequence[str], target: Path, shape: tuple[int, int], decode: Callable[[Path], Decoded]
) -> None:
    """Write records one after the other, so that a set of any size needs little memory."""
    planes, size = shape
    _log.info("decoding %d records of %s once", len(ids), folder)
    check_free_space(target, float(len(ids)) * planes * size * size)
    landmarks, spans, start = [], [], 0
    with atomic_path(target, folder=True) as aside:
        # NumPy's header is written last, when the number of pictures is known; it always fits 128 bytes.
        with (aside / _PLANES).open("wb") as file:
            file.write(bytes(128))
            for name in ids:
                part = decode(folder / RECORDS_NAME / name)
                if part.planes.shape[1:] != (planes, size, size):
                    raise ValueError(f"decoded {part.planes.shape}, ({planes}, {size}, {size}) expected")
                file.write(np.ascontiguousarray(part.planes).tobytes())
                landmarks.append(part.landmarks[..., :2].astype(np.float32))
                spans.append((start, len(part.planes), part.scene or name))
                start += len(part.planes)
            file.seek(0)
            header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({start}, {planes}, {size}, {size}), }}"
            file.write(b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + header.ljust(117).encode() + b"\n")
        np.save(aside / _LANDMARKS, np.concatenate(landmarks), allow_pickle=False)
        (aside / _FACTS).write_text(json.dumps({"spans": spans, "names": list(ids)}), encoding="utf-8")
