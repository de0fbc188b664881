"""Trains on one of two processes with everything of the overlay; run by test_dashboard_on_two_ranks.py.

Arguments: folder. Process 1's false W&B fails at every call, and process 0 is slowed: whoever waits for W&B, or calls
something together with others on one process alone, hangs or fails here.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "portrait_gan"))
sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from false_wandb import FalseWandb
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy
from tiny_gan import TinyData, tiny_gan, trainer

from callbacks.best_figures import BestFigures
from callbacks.dashboard_artifacts import DashboardArtifacts
from callbacks.dashboard_logger import WandbDashboard
from callbacks.dashboard_run import DashboardRun
from callbacks.gradient_share import GradientShare
from callbacks.inner_pictures import InnerPictures
from callbacks.inter_frame_ssim import FrameSteadiness
from callbacks.portrait_table import PortraitTable


def main() -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rank, folder = int(os.environ["RANK"]), Path(sys.argv[1])
    false = FalseWandb()
    false.Image = lambda path, **_: (time.sleep(0.2), path)[1]
    false.Table = lambda data, **_: len(data)
    sys.modules["wandb"] = false
    callbacks = [FrameSteadiness(), DashboardRun(), BestFigures(), GradientShare(every=1), InnerPictures(1)]
    callbacks += [PortraitTable(2), DashboardArtifacts("none")]
    runner = trainer(
        folder,
        epochs=2,
        callbacks=callbacks,
        devices=2,
        strategy=DDPStrategy(
            cluster_environment=LightningEnvironment(), process_group_backend="gloo", find_unused_parameters=True
        ),
        limit_val_batches=1,
        logger=[CSVLogger(folder, name="log", version=0), WandbDashboard()],
    )
    module = tiny_gan()
    runner.fit(module, TinyData())
    weight = module.generator.last.weight.detach().flatten().tolist()
    calls = [call[0] for call in false.calls]
    rows = [sorted(row) for row in false.rows]
    (folder / f"rank_{rank}.json").write_text(json.dumps({"calls": calls, "rows": rows, "weight": weight}))


if __name__ == "__main__":
    main()
