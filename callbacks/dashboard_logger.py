"""Weights & Biases as a bystander of training: offline at first, in a thread of its own, and never in the way.

Everything that W&B does, its start included, happens in another thread. A step hands a row of numbers over and goes
on. Without network, key or disk, with a dead or a hanging W&B process, rows are dropped, it is said once, and training
goes on as if there were no W&B. Only process 0 starts anything, and no process waits for another.

One axis serves everything, ``seen/samples``: photos, windows or crops that training has seen, on all processes
together. W&B's own step is not given, as it drops rows that come late.

Offline runs lie in ``wandb/offline-run-…`` in the run's folder, complete with media and artifacts;
``wandb sync FOLDER`` sends one to an account, whenever.
"""

from __future__ import annotations

import os
import secrets
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only, rank_zero_warn

from callbacks.background_sender import BackgroundSender
from lightning_modules.errors import ConfigError

AXIS: Final = "seen/samples"
"""Name of the axis of everything."""

LIMITS: Final = {"figures": 2000, "media": 24, "files": 24}
"""What may wait for W&B; a row of figures takes about 10 kB."""

_DATA: Final = "WANDB_DATA_DIR"
_OWN_DATA: set[str] = set()
"""What this process has set the variable to; what the user has set it to stays."""


@dataclass(frozen=True)
class Picture:
    """A picture by its path."""

    path: Path
    caption: str = ""


@dataclass(frozen=True)
class Film:
    """An H.264 film in MP4 by its path; it is not coded again."""

    path: Path
    caption: str = ""


@dataclass(frozen=True)
class Rows:
    """A table: rows of plain values, pictures and films."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | bool | Picture | Film | None]]


Medium = Picture | Film | Rows
Wish = Callable[[Any], object]
"""Something to be done with W&B's run."""


class WandbDashboard(Logger):
    """See the module's docstring; :class:`~callbacks.dashboard_run.DashboardRun` tells it where the run lies.

    Args:
        project: of W&B.
        mode: ``"offline"`` or ``"online"``; None takes the environment's ``WANDB_MODE``, and without one offline
            (online in a sweep of W&B). Online without a key or a network goes on offline, which is said.
        name: of the run as people see it; None lets W&B choose.
        group: of runs that belong together, such as the seeds of one ablation.
        tags: of the run.
        run_id: W&B's id; None takes the environment's ``WANDB_RUN_ID``, as agents of sweeps set it, or a new one. Give
            one where a scheduler starts the run again, so that it goes on in the same place.
        patience: seconds that the end of a run waits for W&B at most.

    Raises:
        ConfigError: an unknown mode, or a negative patience.
    """

    def __init__(
        self,
        project: str = "inkspeak",
        mode: Literal["offline", "online"] | None = None,
        name: str | None = None,
        group: str | None = None,
        tags: list[str] | None = None,
        run_id: str | None = None,
        patience: float = 60.0,
    ) -> None:
        super().__init__()
        swept = "online" if "WANDB_SWEEP_ID" in os.environ else "offline"  # a sweep's agent lives by its account
        chosen = mode or os.environ.get("WANDB_MODE") or swept
        if chosen == "disabled" or patience < 0:
            raise ConfigError(f"W&B is {chosen} with a patience of {patience:g} s", "leave the logger out, or set them")
        self.mode = "online" if chosen in {"online", "shared", "run"} else "offline"
        self.project, self.run_name, self.group, self.tags = project, name, group, tags
        self.run_id = run_id or os.environ.get("WANDB_RUN_ID") or secrets.token_hex(4)
        self.patience = patience
        self.folder: Path | None = None
        self.seen: int | None = None
        """Samples seen so far, written beside every row."""
        self.is_complete = True
        """Whether W&B took all that it was given, up to the last :meth:`finalize`."""
        self._run: Any = None
        self._sender: BackgroundSender | None = None

    @property
    def name(self) -> str:
        """The project."""
        return self.project

    @property
    def version(self) -> str:
        """W&B's id of the run."""
        return self.run_id

    @rank_zero_only
    def do(self, kind: str, wish: Wish) -> None:
        """Have something done with W&B's run, in its thread.

        Args:
            kind: a key of :data:`LIMITS`.
            wish: called with the run.
        """
        if self._sender is None:
            sender = BackgroundSender(LIMITS, rank_zero_warn, lambda: self._open(sender), "W&B")
            self._sender = sender
        self._sender.submit(kind, lambda: wish(self._run))

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Hand a row of numbers over."""
        row = {**metrics} if step is None else {**metrics, "trainer/batches": step}
        self._log("figures", row)

    @rank_zero_only
    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Hand over what the run was configured with."""
        given = dict(vars(params)) if isinstance(params, Namespace) else dict(params)
        if given:
            self.do("files", lambda run: run.config.update(given, allow_val_change=True))

    @rank_zero_only
    def show(self, media: Mapping[str, Medium], seen: int | None = None) -> None:
        """Hand pictures, films and tables over; their files must stay until the run ends.

        Args:
            media: by the names of their panels.
            seen: samples seen when they were made; None: now.
        """
        self._log("media", media, seen)

    @rank_zero_only
    def summarise(self, figures: Mapping[str, float | str]) -> None:
        """Set figures of the run's summary."""
        given = dict(figures)
        self.do("figures", lambda run: run.summary.update(given))

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Wait for W&B, not longer than the patience. What comes later opens the same run again."""
        sender, self._sender = self._sender, None
        if sender is not None:
            if sender.is_alive:
                sender.submit("files", lambda: self._run.finish(exit_code=0 if status == "success" else 1))
            self.is_complete = sender.stop(self.patience) and self.is_complete

    def _log(self, kind: str, values: Mapping[str, Any], seen: int | None = None) -> None:
        axis = self.seen if seen is None else seen
        row = {**values} if axis is None else {**values, AXIS: axis}
        self.do(kind, lambda run: run.log({name: as_wandb(value) for name, value in row.items()}))

    # In the thread -------------------------------------------------------------------------------------------------

    def _open(self, sender: BackgroundSender) -> None:
        folder = self.folder or Path("runs")
        folder.mkdir(parents=True, exist_ok=True)
        # Otherwise what artifacts hold lies in the user's home until it is sent, apart from the run.
        if os.environ.get(_DATA) in {None, *_OWN_DATA}:
            os.environ[_DATA] = str((folder / "wandb").resolve())
            _OWN_DATA.add(os.environ[_DATA])
        import wandb

        mode = self.mode
        if mode == "online" and not _has_key(wandb):
            mode = "offline"
        try:
            self._run = self._init(wandb, folder, mode)
        except Exception:
            if mode == "offline":
                raise
            self._run = self._init(wandb, folder, "offline")
            mode = "offline"
        if mode != self.mode:
            sender.remark("W&B has no key or does not answer: the run stays offline; send it later with wandb sync")
        self._run.define_metric(AXIS, hidden=True)
        self._run.define_metric("*", step_metric=AXIS)

    def _init(self, wandb: Any, folder: Path, mode: str) -> Any:
        # W&B must not catch what the terminal is told, ask questions there, or look after code.
        quiet = wandb.Settings(console="off", silent=True, init_timeout=max(self.patience, 5.0), save_code=False)
        return wandb.init(
            dir=str(folder),
            mode=mode,
            project=self.project,
            name=self.run_name,
            group=self.group,
            tags=self.tags,
            id=self.run_id,
            resume="allow" if mode == "online" else None,
            settings=quiet,
        )


def dashboards(trainer: Trainer) -> list[WandbDashboard]:
    """The dashboards among the loggers of a trainer."""
    return [logger for logger in trainer.loggers if isinstance(logger, WandbDashboard)]


def as_wandb(value: Any) -> Any:
    """What W&B calls a medium; everything else stays as it is. Reads the files."""
    if not isinstance(value, Picture | Film | Rows):
        return value
    import wandb

    if isinstance(value, Picture):
        return wandb.Image(str(value.path), caption=value.caption or None)
    if isinstance(value, Film):
        return wandb.Video(str(value.path), caption=value.caption or None, format="mp4")
    return wandb.Table(columns=list(value.columns), data=[[as_wandb(cell) for cell in row] for row in value.rows])


def _has_key(wandb: Any) -> bool:
    """Whether W&B knows an account; nobody is asked for one."""
    return bool(wandb.login(prompt=False, verify=False))
