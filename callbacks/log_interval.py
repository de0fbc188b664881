"""When Lightning hands the numbers of a training step to the loggers."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Trainer


def is_logged_now(trainer: Trainer) -> bool:
    """Whether what is logged in this training batch reaches the loggers (``log_every_n_steps``).

    Anything else that is logged in a step is dropped, so that whoever collects over many steps has to wait for this.
    The same answer on all processes, and from the start of the batch to its end.
    """
    connector: Any = trainer._logger_connector  # noqa: SLF001  as Lightning's own monitors ask; there is no other way
    return bool(connector.should_update_logs)
