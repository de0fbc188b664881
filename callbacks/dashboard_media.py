"""Pictures and films to whatever dashboard a run has, by their paths."""

from __future__ import annotations

from collections.abc import Mapping

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_warn

from callbacks.dashboard_logger import AXIS, Medium, as_wandb, dashboards


def show_media(trainer: Trainer, media: Mapping[str, Medium], seen: int) -> None:
    """Show them on process 0; what fails is warned of and does not end a run.

    Lightning's own ``WandbLogger`` is served too, at once and in this thread: it knows no other way, so that a slow
    disk or network is then waited for. W&B's own step is not given.

    Args:
        trainer: whose loggers are served.
        media: by the names of their panels; the files must stay until the run ends.
        seen: samples seen when they were made.
    """
    if not trainer.is_global_zero:
        return
    for dashboard in dashboards(trainer):
        dashboard.show(media, seen)
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            try:
                logger.experiment.log({name: as_wandb(medium) for name, medium in media.items()} | {AXIS: seen})
            except Exception as error:  # noqa: BLE001  whatever W&B raises, training goes on
                rank_zero_warn(f"W&B did not take {', '.join(media)}: {error}")
