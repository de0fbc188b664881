"""Validates on one of two processes, with the callbacks of this folder; run by test_measures_on_two_ranks.py.

Arguments: folder for the results, port. The environment says which process this is. Process 0 sees one batch, process 1
two: the callbacks must neither wait for each other nor count unevenly.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy
from measured_portraits import KnownDrawer, loader, make_batch, trainer

from callbacks.discriminator_health import DiscriminatorHealth
from callbacks.fid import DrawingDistances
from callbacks.inter_frame_ssim import FrameSteadiness
from callbacks.portrait_preview import PortraitPreview


def callbacks():
    return [DrawingDistances(), FrameSteadiness(), DiscriminatorHealth(), PortraitPreview(2, seconds=0.2)]


def main() -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rank, folder = int(os.environ["RANK"]), Path(sys.argv[1])
    shares = [[make_batch(2, 0)], [make_batch(2, 1), make_batch(2, 2)]]
    strategy = DDPStrategy(cluster_environment=LightningEnvironment(), process_group_backend="gloo")
    runner = trainer(folder, *callbacks(), devices=2, strategy=strategy, use_distributed_sampler=False)
    (found,) = runner.validate(KnownDrawer(), loader(shares[rank]), verbose=False)
    (folder / f"rank_{rank}.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
