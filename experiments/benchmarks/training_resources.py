"""What training the portrait GAN needs besides time: memory for every photo of a batch, and waiting for data."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from experiments.benchmarks.peak_memory import peak_resident
from experiments.benchmarks.training_setup import Preset, fit_quietly, make_batch, make_module, quiet_trainer

_CHILD: Final = """
import json, sys
from experiments.benchmarks.training_resources import peak_bytes
print(json.dumps(peak_bytes(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
"""


def run(*, quick: bool) -> dict[str, Any]:
    """Measure memory and data wait.

    Args:
        quick: 64 pixels and the light preset only.

    Returns:
        ``memory`` for each preset, see :func:`memory_per_image`, and ``data_wait``, see :func:`data_wait`.
    """
    size = 64 if quick else 256
    presets: tuple[Preset, ...] = ("lite",) if quick else ("lite", "paper")
    return {
        "memory": {preset: memory_per_image(preset, size) for preset in presets},
        "data_wait": data_wait(size=size, batches=8 if quick else 16),
    }


def peak_bytes(preset: Preset, batch_size: int, size: int) -> dict[str, float]:
    """Peak memory of this process after two training steps; to be called in a fresh one.

    Returns:
        ``bytes``: resident memory, or allocated memory of the GPU where there is one.
    """
    import torch

    module, batch = make_module(preset), make_batch(size, batch_size)
    fit_quietly(quiet_trainer([]), module, [batch] * 2)
    if torch.cuda.is_available():
        return {"bytes": float(torch.cuda.max_memory_allocated())}
    return {"bytes": float(peak_resident())}


def memory_per_image(preset: Preset, size: int, batch_sizes: tuple[int, int] = (1, 3)) -> dict[str, Any]:
    """What one more photo in the batch takes: peaks of two fresh processes, compared.

    Args:
        preset: whose networks.
        size: side of the pictures.
        batch_sizes: the smaller and the larger batch.
    """
    peaks = []
    for count in batch_sizes:
        child = subprocess.run(  # noqa: S603 - our own interpreter and our own text
            [sys.executable, "-c", _CHILD, preset, str(count), str(size)],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        peaks.append(json.loads(child.stdout.strip().splitlines()[-1])["bytes"])
    few, many = batch_sizes
    return {
        "megabytes_per_image": (peaks[1] - peaks[0]) / (many - few) / 1e6,
        "peak_megabytes": {f"batch {count}": peak / 1e6 for count, peak in zip(batch_sizes, peaks, strict=True)},
    }


def data_wait(*, size: int, batches: int, batch_size: int = 4, workers: int = 1) -> dict[str, Any]:
    """A short run on the synthetic data with worker processes, measured by the callback that every run has.

    Two epochs with a validation between them, in one window: the wait at the beginning of an epoch is counted.

    Args:
        size: side of the pictures.
        batches: of both epochs together, an even number; the first two and the last one are not counted.
        batch_size: photos of a batch.
        workers: processes that make samples.

    Returns:
        What :class:`callbacks.throughput.Throughput` found, and the number of ``workers``.
    """
    from callbacks.throughput import Throughput
    from datamodules.synthetic.portraits import SyntheticPortraitsDataModule

    data = SyntheticPortraitsDataModule(
        image_size=size, batch_size=batch_size, samples_per_epoch=batches // 2 * batch_size, workers=workers
    )
    trainer = quiet_trainer([Throughput(warm_up=2)], epochs=2, log_every_n_steps=batches, limit_val_batches=1)
    fit_quietly(trainer, make_module("lite"), data)
    found = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("throughput/")}
    return {name.removeprefix("throughput/"): value for name, value in found.items()} | {"workers": workers}
