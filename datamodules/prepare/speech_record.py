"""One recording with the landmark motion that belongs to it: what the speech-to-landmark networks are trained on.

Time: the sound has 16,000 samples a second, everything else 62.5 frames a second; frame i belongs to sample 256·i, and
N samples make T = N // 256 + 1 frames.

Landmarks are in face units: outer-eye distance of the static face 1, its origin midway between the outer eye corners
(points 36 and 45), x right, y down, z towards the viewer. ``registered`` has the head's movement taken out (rigidly, by
the points that expression does not move); ``pose`` puts it back: full = R(quaternion) @ registered + translation, see
:mod:`lightning_modules.geometry.head_pose`.

The file is an ``.npz`` without pickles: loading runs no code. Reference: stage 1, section 19.9.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lightning_modules.errors import PreparedSetError
from lightning_modules.pipeline.atomic_files import atomic_path

FORMAT: Final = 1
HOP: Final = 256
SAMPLE_RATE: Final = 16000
FRAMES_PER_SECOND: Final = SAMPLE_RATE / HOP
BANDS: Final = 80
EMBEDDING: Final = 256
PARAMETERS: Final = 7
"""Articulatory parameters of synthetic speech: jaw, width, protrusion, upper lip, lower lip, closure, labiodental."""

_REDO = "prepare this recording again"
_ARRAYS: Final = (
    "samples",
    "mel",
    "pitch_bins",
    "registered",
    "pose",
    "static",
    "speaker_embedding",
    "parameters",
    "lids",
)
_TEXTS: Final = ("voice", "face", "sentence", "source", "licence", "generator_version")


@dataclass(frozen=True, eq=False)
class SpeechRecord:
    """A recording and the motion of one face that speaks it.

    Attributes:
        samples: (N,) int16, mono 16 kHz, as recorded (loudness is not normalised).
        mel: (T, 80) float32, log-mel of the loudness-normalised sound, bands not normalised; -0.16 is the floor.
        pitch_bins: (T,) int16 in 0..256, 0 = unvoiced.
        registered: (T, 68, 3) float32, face units, head pose removed.
        pose: (T, 7) float32, unit quaternion (x, y, z, w) and translation in face units.
        static: (68, 3) float32, face units: the same face at rest, mouth closed.
        voice: who speaks; recordings of one voice have one name.
        face: whose landmarks; tracks of one face have one name.
        sentence: what is said, or the take; recordings of the same words have one name.
        source: where the recording comes from.
        licence: under which it may be used, or ``"unknown"``.
        synthetic: whether sound or motion was made by a rule instead of recorded.
        speaker_embedding: (256,) float32 of unit length, or None where it was not computed.
        phones: (start, end, label) of each phone, seconds, ascending; empty if unknown.
        parameters: (T, 7) float32 articulatory parameters, or None where there are none.
        lids: (T,) float32 in [0, 1], how far blinks close the eyes; ``registered`` is without them then, and
            :func:`lightning_modules.audio.blinks.close_lids` adds them. None where ``registered`` has the blinks.
        closures: (start, end) of each bilabial closure, seconds, ascending; empty if unknown.
        seed: of everything random in the record.
        generator_version: of the program that made it.

    Raises:
        ValueError: a shape, a dtype, a range or a text does not fit; says which.
    """

    samples: NDArray[np.int16]
    mel: NDArray[np.float32]
    pitch_bins: NDArray[np.int16]
    registered: NDArray[np.float32]
    pose: NDArray[np.float32]
    static: NDArray[np.float32]
    voice: str
    face: str
    sentence: str
    source: str
    licence: str
    synthetic: bool
    speaker_embedding: NDArray[np.float32] | None = None
    phones: tuple[tuple[float, float, str], ...] = ()
    parameters: NDArray[np.float32] | None = None
    lids: NDArray[np.float32] | None = None
    closures: tuple[tuple[float, float], ...] = ()
    seed: int = 0
    generator_version: str = ""

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or self.samples.dtype != np.int16 or not len(self.samples):
            raise ValueError(f"samples must be (N,) int16, got {self.samples.dtype} {self.samples.shape}")
        count = len(self.samples) // HOP + 1
        _check("mel", self.mel, (count, BANDS))
        _check("pitch_bins", self.pitch_bins, (count,), np.int16)
        _check("registered", self.registered, (count, 68, 3))
        _check("pose", self.pose, (count, 7))
        _check("static", self.static, (68, 3))
        if self.speaker_embedding is not None:
            _check("speaker_embedding", self.speaker_embedding, (EMBEDDING,))
            _check_length("speaker_embedding", self.speaker_embedding)
        if self.parameters is not None:
            _check("parameters", self.parameters, (count, PARAMETERS))
        if self.lids is not None:
            _check("lids", self.lids, (count,))
            if self.lids.min() < 0.0 or self.lids.max() > 1.0:
                raise ValueError("lids must lie in 0..1")
        if self.pitch_bins.min() < 0 or self.pitch_bins.max() > 256:
            raise ValueError("pitch_bins must lie in 0..256")
        _check_length("quaternions of pose", self.pose[:, :4])
        _check_spans("phones", [phone[:2] for phone in self.phones])
        _check_spans("closures", list(self.closures))
        for name in ("voice", "face", "sentence", "licence"):
            if not getattr(self, name):
                raise ValueError(f"{name} must not be empty")

    def __len__(self) -> int:
        """Number of frames T."""
        return len(self.mel)

    @property
    def duration(self) -> float:
        """Length of the sound in seconds."""
        return len(self.samples) / SAMPLE_RATE


def _check(name: str, values: NDArray[Any], shape: tuple[int, ...], dtype: type[np.generic] = np.float32) -> None:
    if values.shape != shape or values.dtype != dtype:
        found = f"{values.dtype} {values.shape}"
        raise ValueError(f"{name} must be {np.dtype(dtype)} {shape}, got {found}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds values that are not finite")


def _check_length(name: str, vectors: NDArray[np.float32]) -> None:
    if np.abs(np.linalg.norm(vectors, axis=-1) - 1.0).max() > 1e-3:
        raise ValueError(f"{name} must be of length 1")


def _check_spans(name: str, spans: list[tuple[float, float]]) -> None:
    before = 0.0
    for start, end in spans:
        if not before <= start + 1e-9 or not start <= end < float("inf"):
            raise ValueError(f"{name} must ascend in time, ({start}, {end}) does not")
        before = start


def encode_speech_record(record: SpeechRecord) -> bytes:
    """Return the content of a record's file; equal records give equal bytes.

    Raises:
        ValueError: a time or the seed is no JSON number.
    """
    facts = {name: getattr(record, name) for name in _TEXTS}
    facts |= {"format": FORMAT, "synthetic": record.synthetic, "seed": record.seed}
    facts |= {"phones": record.phones, "closures": record.closures}
    arrays = {name: values for name in _ARRAYS if (values := getattr(record, name)) is not None}
    stream = io.BytesIO()
    text = json.dumps(facts, allow_nan=False, ensure_ascii=False)
    np.savez(stream, facts=np.frombuffer(text.encode("utf-8"), np.uint8), **arrays)
    return stream.getvalue()


def decode_speech_record(content: bytes, path: Path) -> SpeechRecord:
    """Read a record from the content of its file. Nothing stored there is executed.

    Args:
        content: what :func:`encode_speech_record` returned.
        path: where it comes from, for messages.

    Raises:
        PreparedSetError: it is no record, damaged, of another format, or does not fit together.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            facts = json.loads(stored["facts"].tobytes().decode("utf-8"))
            values: dict[str, Any] = {name: stored[name] for name in _ARRAYS if name in stored.files}
        if facts["format"] != FORMAT:
            found = f"has format {facts['format']!r}, this version reads format {FORMAT}"
            raise PreparedSetError(found, "prepare the set again with this version, into a new folder", path)
        values |= {name: str(facts[name]) for name in _TEXTS}
        return SpeechRecord(
            **values,
            synthetic=bool(facts["synthetic"]),
            seed=int(facts["seed"]),
            phones=tuple((float(start), float(end), str(label)) for start, end, label in facts["phones"]),
            closures=tuple((float(start), float(end)) for start, end in facts["closures"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        found = f"is no speech record, or a damaged one ({type(error).__name__}: {error})"
        raise PreparedSetError(found, _REDO, path) from error


def save_speech_record(record: SpeechRecord, path: str | Path) -> Path:
    """Write a record as one ``.npz`` file, aside first, then renamed.

    Returns:
        The path.

    Raises:
        OutputError: the disk refuses.
    """
    target = Path(path)
    with atomic_path(target) as aside:
        aside.write_bytes(encode_speech_record(record))
    return target


def load_speech_record(path: str | Path) -> SpeechRecord:
    """Read a record that :func:`save_speech_record` wrote.

    Raises:
        PreparedSetError: the file is missing, no record, damaged or of another format.
    """
    source = Path(path)
    try:
        content = source.read_bytes()
    except OSError as error:
        raise PreparedSetError(f"cannot be read ({error.strerror})", _REDO, source) from error
    return decode_speech_record(content, source)
