"""Speech records in memory as a few large tensors, so that a sample is a look-up.

Sounds that several records share (one take, many faces) are kept once. Landmarks are kept as displacements from the
static face, in single or half precision (error below 2e-4 of the outer-eye distance).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.prepare.speech_features import as_float
from datamodules.prepare.speech_record import BANDS, EMBEDDING, HOP, SpeechRecord
from datamodules.prepare.speech_set import SpeechEntry, read_speech
from lightning_modules.errors import PreparedSetError
from lightning_modules.geometry.landmark_groups import LID_PAIRS
from lightning_modules.networks.speech_windows import WINDOW

Content = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From samples (N,) in [-1, 1] to content features (T, 80)."""

SILENCE = -0.16
"""Log-mel of digital silence: what lies before and after a recording."""

LOWER_LIDS, UPPER_LIDS = [lower for _, lower in LID_PAIRS], [upper for upper, _ in LID_PAIRS]


@dataclass(frozen=True)
class StoredRecord:
    """Where a record lies in the store.

    Attributes:
        entry: what its facts say.
        features: row of the features of its first frame; rows of silence lie before it and after its last one.
        motion: first row of its landmarks.
        frames: number of frames T.
    """

    entry: SpeechEntry
    features: int
    motion: int
    frames: int


class SpeechStore:
    """Records, decoded.

    Args:
        records: where each lies.
        features: (F, 80) float32.
        displacement: (M, 204) float32 or float16, landmarks less static face, head pose removed, face units.
        pose: (M, 7) float32, quaternion (x, y, z, w) and translation.
        lids: (M,) float32, blinks that the landmarks lack.
        static: (R, 204) float32.
        embedding: (R, 256) float32, zeros where a record has none.
        past: frames of a window before the one that it belongs to; as many rows of silence lie before each sound.
        future: frames after it; as many rows of silence lie after each sound.
    """

    def __init__(
        self,
        records: Sequence[StoredRecord],
        features: Tensor,
        displacement: Tensor,
        pose: Tensor,
        lids: Tensor,
        static: Tensor,
        embedding: Tensor,
        *,
        past: int = 0,
        future: int = WINDOW - 1,
    ) -> None:
        self.records = tuple(records)
        self.features = features
        self.displacement = displacement
        self.pose = pose
        self.lids = lids
        self.static = static
        self.embedding = embedding
        self.past, self.future = past, future
        self._steps = torch.arange(-past, future + 1)

    def __len__(self) -> int:
        """Number of records."""
        return len(self.records)

    @property
    def window(self) -> int:
        """Frames of a window."""
        return self.past + 1 + self.future

    @property
    def bytes(self) -> int:
        """Memory of all tensors."""
        tensors = self.features, self.displacement, self.pose, self.lids, self.static, self.embedding
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def windows(self, record: int, starts: Tensor) -> Tensor:
        """Content features (N, W, 80) of the windows that belong to some frames (N,) of a record."""
        rows = self.records[record].features + starts[:, None] + self._steps
        return self.features[rows]

    def at(self, record: int, frames: Tensor) -> Tensor:
        """Content features (N, 80) of some frames (N,) of a record, or of the silence around it."""
        return self.features[self.records[record].features + frames]

    def registered(self, record: int, starts: Tensor) -> Tensor:
        """Landmarks (N, 204) at some frames (N,) of a record, head pose removed, eyes open where blinks are apart."""
        rows = self.records[record].motion + starts
        return self.displacement[rows].float() + self.static[record]

    def full(self, record: int, starts: Tensor) -> Tensor:
        """Landmarks (N, 204) at some frames (N,) of a record, with head pose and blinks."""
        rows = self.records[record].motion + starts
        points = self.registered(record, starts).reshape(-1, 68, 3)
        closure = self.lids[rows, None, None]
        gap = points[:, LOWER_LIDS] - points[:, UPPER_LIDS]
        points[:, UPPER_LIDS] += 0.8 * closure * gap
        points[:, LOWER_LIDS] -= 0.2 * closure * gap
        pose = self.pose[rows]
        moved: Tensor = points @ _rotations(pose[:, :4]).mT + pose[:, None, 4:]
        return moved.flatten(1)

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (80,) of the features, frame by frame of all sounds; for digital silence 1."""
        used = torch.zeros(len(self.features), dtype=torch.bool)
        for record in self.records:
            used[record.features : record.features + record.frames] = True
        frames = self.features[used].double()
        deviation = frames.std(dim=0)
        return frames.mean(dim=0).float(), torch.where(deviation > 1e-4, deviation, 1.0).float()


def _rotations(quaternion: Tensor) -> Tensor:
    """(N, 3, 3) matrices of unit quaternions (N, 4), order x, y, z, w."""
    x, y, z, w = torch.nn.functional.normalize(quaternion, dim=1).unbind(1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def load_store(
    entries: Sequence[SpeechEntry],
    *,
    content: Content | None = None,
    half_precision: bool = False,
    need_embedding: bool = False,
    past: int = 0,
    future: int = WINDOW - 1,
) -> SpeechStore:
    """Read records into memory.

    Args:
        entries: at least one.
        content: computes content features; None takes the records' log-mel. Only this needs the sound itself.
        half_precision: keep landmarks in half precision.
        need_embedding: refuse records without a speaker embedding.
        past: see :class:`SpeechStore`.
        future: see there.

    Raises:
        PreparedSetError: a record is damaged, or lacks an embedding that is needed.
        ValueError: there is no record, or a content feature has another shape than (T, 80).
    """
    if not entries:
        raise ValueError("a store needs at least one record")
    total = sum(entry.frames for entry in entries)
    displacement = torch.empty((total, 204), dtype=torch.float16 if half_precision else torch.float32)
    pose, lids = torch.empty((total, 7)), torch.zeros(total)
    static, embedding = torch.empty((len(entries), 204)), torch.zeros((len(entries), EMBEDDING))
    sounds: dict[str, int] = {}
    features: list[NDArray[np.float32]] = []
    stored, feature_rows, row = [], 0, 0
    for number, entry in enumerate(entries):
        record = read_speech(entry.folder)
        if len(record) != entry.frames:
            found = f"says {entry.frames} frames, holds {len(record)}"
            raise PreparedSetError(found, "prepare the set again", entry.folder)
        sound = hashlib.sha256(record.samples.tobytes()).hexdigest()
        if sound not in sounds:
            sounds[sound] = feature_rows + past
            features.append(_padded_features(record, content, past, future))
            feature_rows += len(features[-1])
        part = slice(row, row + len(record))
        displacement[part] = torch.from_numpy((record.registered - record.static).reshape(-1, 204))
        pose[part] = torch.from_numpy(record.pose)
        if record.lids is not None:
            lids[part] = torch.from_numpy(record.lids)
        static[number] = torch.from_numpy(record.static.reshape(204))
        if record.speaker_embedding is not None:
            embedding[number] = torch.from_numpy(record.speaker_embedding)
        elif need_embedding:
            remedy = "prepare the set with speaker embeddings, or train the content branch"
            raise PreparedSetError("has no speaker embedding", remedy, entry.folder)
        stored.append(StoredRecord(entry, sounds[sound], row, len(record)))
        row += len(record)
    rows = torch.from_numpy(np.concatenate(features))
    return SpeechStore(stored, rows, displacement, pose, lids, static, embedding, past=past, future=future)


def _padded_features(record: SpeechRecord, content: Content | None, past: int, future: int) -> NDArray[np.float32]:
    """Features with silence on both sides, so that every frame has a whole window: (past + T + future, 80)."""
    if content is None:
        return np.pad(record.mel, ((past, future), (0, 0)), constant_values=SILENCE)
    found = content(np.pad(as_float(record.samples), (past * HOP, future * HOP)))
    if found.shape != (past + len(record) + future, BANDS):
        raise ValueError(f"content features must be {(past + len(record) + future, BANDS)}, got {found.shape}")
    return np.asarray(found, np.float32)
