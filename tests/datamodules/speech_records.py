"""Small made-up speech records for the tests of what reads and serves them."""

from __future__ import annotations

from typing import Any

import numpy as np

from datamodules.prepare.speech_record import SpeechRecord
from lightning_modules.audio.face_axes import average_face


def made_up_record(seconds: float = 1.0, seed: int = 0, **changes: Any) -> SpeechRecord:
    """A record of noise whose mel holds its frame number in band 0 and whose chin moves with it."""
    random = np.random.default_rng(seed)
    samples = random.integers(-3000, 3000, round(seconds * 16000)).astype(np.int16)
    count = len(samples) // 256 + 1
    mel = random.uniform(0.0, 0.9, (count, 80)).astype(np.float32)
    mel[:, 0] = np.arange(count) / 1000
    static = average_face().astype(np.float32)
    registered = np.repeat(static[None], count, axis=0)
    registered[:, 8, 1] += np.arange(count, dtype=np.float32) / 1000
    pose = np.zeros((count, 7), np.float32)
    pose[:, 3] = 1.0
    embedding = np.abs(random.standard_normal(256)).astype(np.float32)
    values: dict[str, Any] = {
        "samples": samples,
        "mel": mel,
        "pitch_bins": random.integers(0, 257, count).astype(np.int16),
        "registered": registered,
        "pose": pose,
        "static": static,
        "voice": "voice",
        "face": "face",
        "sentence": "sentence",
        "source": "made up",
        "licence": "CC0",
        "synthetic": True,
        "speaker_embedding": embedding / np.linalg.norm(embedding),
        "seed": seed,
    }
    return SpeechRecord(**{**values, **changes})
