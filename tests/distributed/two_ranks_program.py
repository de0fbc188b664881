"""Run by two processes at once: trains the tiny GAN with DDP on gloo and writes what came out, one file a rank.

python two_ranks_program.py FOLDER PLAN, with RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT set. PLAN is a
JSON list of runs: name, and what :func:`run` takes.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "portrait_gan")]

from tiny_gan import (  # noqa: E402
    Batches,
    KillAt,
    KilledError,
    TinyData,
    checkpointing,
    fit,
    make_batch,
    tiny_gan,
    weights,
)

from callbacks.ema import ExponentialMovingAverage  # noqa: E402
from callbacks.nan_guard import NanGuard  # noqa: E402


class SpoiledOnOneRank(TinyData):
    """Rank 1 meets a batch that is not finite, rank 0 does not."""

    def train_dataloader(self) -> Batches:
        good, bad = make_batch(2, self.trainer.global_rank), make_batch(2, self.trainer.global_rank)
        bad.photo.fill_(torch.nan)
        return Batches(good, bad if self.trainer.global_rank == 1 else good, good)


def run(
    folder: Path,
    *,
    seed: int = 0,
    epochs: int = 2,
    kill: dict[str, int] | None = None,
    resume: str | None = None,
    spoiled: bool = False,
    same_data: bool = False,
    **options: Any,
) -> dict[str, Any]:
    module = tiny_gan(seed=seed, **({"pool_size": 6} | options))
    guard, average = NanGuard(folder=str(folder)), ExponentialMovingAverage(0.9)
    callbacks = [*checkpointing(folder, 4), average, guard, *([KillAt(**kill)] if kill else [])]
    data: Any = SpoiledOnOneRank() if spoiled else TinyData(4)
    if same_data:
        data = Batches(*[make_batch(2, seed=5)] * 4)
    settings = {"strategy": "ddp_find_unused_parameters_true", "devices": 2}
    try:
        fit(
            module,
            folder,
            callbacks=callbacks,
            checkpoint=None if resume is None else folder / resume,
            epochs=epochs,
            data=data,
            **settings,
        )
    except KilledError:
        torch.distributed.barrier()  # the pulled plug pulls both
    return {
        "weights": weights(module),
        "average": torch.cat([value.flatten() for value in average.average.values()]),
        "photos": module.photos_seen,
        "skipped": guard.skipped,
        "pool": None if module.pool.entries is None else module.pool.entries,
    }


def main() -> None:
    folder, plan, rank = Path(sys.argv[1]), json.loads(sys.argv[2]), int(os.environ["RANK"])
    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    results = {}
    for step in plan:
        name = step.pop("name")
        results[name] = run(folder / step.pop("folder", name), **step)
    torch.save(results, folder / f"rank_{rank}.pt")


if __name__ == "__main__":
    main()
