"""Tells the dashboard where the run lies, how far it is and what it is made of; see :mod:`callbacks.dashboard_logger`.

Put into W&B's configuration of the run: ``configuration`` (the resolved ``config.yaml`` of the run's folder, when there
is one), ``objective/ablated`` and ``objective/off`` (terms without weight, terms without their network), ``parameters``
(trained ones), ``processes``, ``device`` and the ``versions`` of what computes.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any, Final

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.dashboard_logger import dashboards
from callbacks.samples_seen import samples_seen

LIBRARIES: Final = ("inkspeak", "torch", "lightning", "torchmetrics", "numpy")


class DashboardRun(Callback):
    """See the module's docstring. Without a dashboard among the loggers it does nothing."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Put the dashboard into the run's folder; asked on all processes, which exchange it."""
        folder = trainer.strategy.broadcast(trainer.log_dir or trainer.default_root_dir)
        for dashboard in dashboards(trainer):
            dashboard.folder = dashboard.folder or Path(folder)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell what the run is made of; by now the configuration is written and a checkpoint is loaded."""
        self._count(trainer, pl_module)
        for dashboard in dashboards(trainer):
            if trainer.is_global_zero:
                dashboard.log_hyperparams(facts(trainer, pl_module, dashboard.folder))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the axis on, before the numbers of this batch are logged."""
        self._count(trainer, pl_module)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The same for numbers of validation."""
        self._count(trainer, pl_module)

    @staticmethod
    def _count(trainer: Trainer, module: LightningModule) -> None:
        for dashboard in dashboards(trainer):
            dashboard.seen = samples_seen(trainer, module)


def facts(trainer: Trainer, module: LightningModule, folder: Path | None) -> dict[str, Any]:
    """What the run is made of; see the module's docstring.

    Args:
        trainer: of the run.
        module: that is trained.
        folder: of the run.
    """
    objective: Any = getattr(module, "objective", None)
    found: dict[str, Any] = {
        "parameters": sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad),
        "processes": trainer.world_size,
        "device": str(trainer.strategy.root_device),
        "versions": {name: _version(name) for name in LIBRARIES},
        "objective/ablated": list(getattr(objective, "ablated", ())),
        "objective/off": dict(getattr(objective, "off", {})),
    }
    configuration = None if folder is None else folder / "config.yaml"
    if configuration is not None and configuration.is_file():
        found["configuration"] = yaml.safe_load(configuration.read_text(encoding="utf-8"))
    return found


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
