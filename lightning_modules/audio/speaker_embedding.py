"""What a voice sounds like, as 256 numbers: the speaker encoder on many short parts of a recording, averaged.

The network's weights lie inside the Resemblyzer package, which is read but never imported. A recording is embedded
once: the result is kept in memory, and where a folder is given also there, under the hash of the samples.

Source: reference §4; Wan et al., "Generalized End-to-End Loss for Speaker Verification", ICASSP 2018.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from lightning_modules.audio.speaker_mel import HOP, WINDOW, speaker_mel
from lightning_modules.audio.voice_activity import Detector, Voice, find_voice
from lightning_modules.errors import BackendError, OutputError, WeightsError
from lightning_modules.pipeline.atomic_files import atomic_path
from lightning_modules.weights.registry import load_manifest, locate, require_weight

if TYPE_CHECKING:
    from lightning_modules.networks.speaker_encoder import SpeakerEncoder

EMBEDDING = 256
PART_FRAMES = 160
"""Length of a part: 1.6 s."""

Manner = Literal["default", "published"]

_WEIGHT = "speaker-encoder"
_STORED_FORM = 1  # raised whenever the making of an embedding changes; older files are then made anew
_PART_STEP = 50
_LEAST_COVERAGE = 0.75  # a last part that holds less sound than this is left out
_MOST_PARTS = 64
_PARTS_AT_ONCE = 32
_QUIET = 10.0 ** (-30.0 / 20.0)  # root mean square to which quieter recordings are raised
_PUBLISHED_PIECE = 960000  # samples
_KEPT_IN_MEMORY = 64
_KEPT_IN_FOLDER = 512

_memory: OrderedDict[str, NDArray[np.float32]] = OrderedDict()


def embed_speaker(
    samples: NDArray[np.floating], manner: Manner = "default", folder: Path | None = None
) -> NDArray[np.float32]:
    """Embed the voice of a recording.

    Power is measured, not decibels, so that the embedding depends on the level: bring recordings to one loudness first
    (the published system does so for one of its two embeddings only).

    Args:
        samples: (N,) mono 16 kHz in [-1, 1], float32 or float64, N at least 1. Not modified.
        manner: ``"default"``: voice found by energy, at most 64 parts of 1.6 s, evenly from the whole recording.
            ``"published"``: voice found by WebRTC's detector (the extra ``paper``), every part; beyond a minute of
            voice only whole minutes count, and their mean is not normalised again.
        folder: where embeddings are kept between runs, at most 512 of them; none when None.

    Returns:
        (256,) float32, not negative; of unit length, in the published manner slightly shorter for more than one minute.
        Silence has an embedding too, always the same. It may be shared: read-only.

    Raises:
        ValueError: not one row of finite floating point samples, or there is no such manner.
        BackendError: the package with the weights, or the published detector, is not installed.
        WeightsError: the weights are not those that are known.
    """
    if samples.ndim != 1 or not len(samples) or not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"speech is one row of float samples, not {samples.dtype} {samples.shape}")
    if not np.isfinite(samples.sum(dtype=np.float64)):
        raise ValueError("speech holds finite samples only")
    detectors: dict[str, Detector] = {"default": "energy", "published": "webrtc"}
    if manner not in detectors:
        raise ValueError(f"a voice is embedded in the manner {' or '.join(detectors)}, not {manner!r}")
    key = _key(samples, manner)
    known = _memory.get(key)
    if known is None and folder is not None:
        known = _load(folder / f"{key}.npy")
    if known is None:
        voice = find_voice(samples, detectors[manner], _gain(samples))
        known = _embed_published(voice) if manner == "published" else _embed(voice, 0, len(voice), _MOST_PARTS)
        known.flags.writeable = False
        if folder is not None:
            _store(known, folder, key)
    _memory[key] = known
    _memory.move_to_end(key)
    if len(_memory) > _KEPT_IN_MEMORY:
        _memory.popitem(last=False)
    return known


def forget_speakers() -> None:
    """Forget the embeddings in memory and the encoder, so that the next one is made from nothing: for measurements."""
    _memory.clear()
    load_speaker_encoder.cache_clear()


@lru_cache(maxsize=1)
def load_speaker_encoder() -> SpeakerEncoder:
    """The speaker encoder with Resemblyzer's weights, in eval mode on the CPU. Shared: do not change it.

    Raises:
        BackendError: the package is not installed.
        WeightsError: its file is not the one that is known.
    """
    from lightning_modules.networks.speaker_encoder import SpeakerEncoder
    from lightning_modules.weights.checkpoint_file import read_weight_file

    weight = next(one for one in load_manifest() if one.name == _WEIGHT)
    if locate(weight) is None:
        raise BackendError(
            "the speaker encoder's weights are not here: the package Resemblyzer is not installed",
            "install it with pip install --no-deps resemblyzer==0.1.4",
        )
    path = require_weight(_WEIGHT)
    state = read_weight_file(path)[0].get("model_state")
    if not isinstance(state, dict):
        raise WeightsError("these are not the weights of the speaker encoder", "install Resemblyzer 0.1.4 again", path)
    network = SpeakerEncoder()
    # The two similarity_ numbers belong to its training loss.
    network.load_state_dict({name: value for name, value in state.items() if not name.startswith("similarity_")})
    return network.eval().requires_grad_(requires_grad=False)


def part_starts(samples: int) -> list[int]:
    """Where the parts of a recording of N samples begin, in frames of 160 samples; always at least one, at 0."""
    frames = -(-(samples + 1) // HOP)
    starts = list(range(0, max(1, frames - PART_FRAMES + _PART_STEP + 1), _PART_STEP))
    covered = (samples - starts[-1] * HOP) / (PART_FRAMES * HOP)
    return starts[:-1] if covered < _LEAST_COVERAGE and len(starts) > 1 else starts


def _embed(voice: Voice, begin: int, end: int, most: int | None = None) -> NDArray[np.float32]:
    """Mean over the parts of samples ``begin`` to ``end`` of a voice, of unit length; of at most ``most`` of them."""
    import torch

    starts = part_starts(end - begin)
    if most is not None and len(starts) > most:
        starts = [starts[index] for index in np.rint(np.linspace(0, len(starts) - 1, most)).astype(int)]
    network = load_speaker_encoder()
    total = np.zeros(EMBEDDING)
    for first in range(0, len(starts), _PARTS_AT_ONCE):
        mels = [_mel_of_part(voice, begin, end, start * HOP) for start in starts[first : first + _PARTS_AT_ONCE]]
        with torch.inference_mode():
            total += network(torch.from_numpy(np.stack(mels))).numpy().sum(axis=0, dtype=np.float64)
    return (total / max(float(np.linalg.norm(total)), 1e-12)).astype(np.float32)


def _mel_of_part(voice: Voice, begin: int, end: int, start: int) -> NDArray[np.float32]:
    """Spectrogram (160, 40) of the part that begins ``start`` samples after ``begin``; around the span is silence."""
    left = begin + start - WINDOW // 2
    right = left + (PART_FRAMES - 1) * HOP + WINDOW
    inside = voice.part(max(left, begin), min(right, end))
    return speaker_mel(np.pad(inside, (max(begin - left, 0), max(right - end, 0))))


def _embed_published(voice: Voice) -> NDArray[np.float32]:
    count = max(1, len(voice) // _PUBLISHED_PIECE)
    edges = [min(_PUBLISHED_PIECE * index, len(voice)) for index in range(count + 1)]
    mean: NDArray[np.float32] = np.mean([_embed(voice, *span) for span in pairwise(edges)], axis=0)
    return mean


def _gain(samples: NDArray[np.floating]) -> float:
    """What raises a recording to -30 dBFS if it is quieter, else 1."""
    level = float(np.sqrt(np.einsum("n,n->", samples, samples, dtype=np.float64) / len(samples)))
    return _QUIET / level if 0.0 < level < _QUIET else 1.0


def _key(samples: NDArray[np.floating], manner: str) -> str:
    facts = json.dumps({"form": _STORED_FORM, "manner": manner, "type": samples.dtype.str})
    digest = hashlib.sha256(facts.encode())
    digest.update(np.ascontiguousarray(samples).data)
    return f"speaker-{digest.hexdigest()}"


def _load(path: Path) -> NDArray[np.float32] | None:
    """A stored embedding, or None when there is none or the file is damaged (it is then made anew)."""
    try:
        stored = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if not isinstance(stored, np.ndarray) or stored.shape != (EMBEDDING,) or stored.dtype != np.float32:
        return None
    if not np.isfinite(stored).all():
        return None
    stored.flags.writeable = False
    with suppress(OSError):
        path.touch()  # the ones used last stay
    return stored


def _store(embedding: NDArray[np.float32], folder: Path, key: str) -> None:
    """Keep an embedding, and remove the oldest beyond what is kept. A folder that cannot be written keeps nothing."""
    with suppress(OutputError, OSError):
        with atomic_path(folder / f"{key}.npy") as aside:
            np.save(aside, embedding, allow_pickle=False)
        stored = sorted(folder.glob("speaker-*.npy"), key=lambda path: path.stat().st_mtime)
        for path in stored[:-_KEPT_IN_FOLDER]:
            path.unlink(missing_ok=True)
