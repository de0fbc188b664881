"""What belongs to a run and is no number, as versioned artifacts: configuration, manifests of the data, checkpoints.

- ``configuration-RUN`` (type ``configuration``): the resolved ``config.yaml``.
- ``data-RUN`` (type ``dataset``): ``manifest.jsonl`` and ``set.json`` of every prepared set that the data module names:
  what the data were, with hashes and licences, without a pixel of them.
- ``checkpoint-RUN`` (type ``model``), alias ``last`` for the newest one and ``best`` for what ``ModelCheckpoint``
  found best; as references (path, size and hash), or whole.
- ``figures-RUN`` (type ``figures``), at the end: ``metrics.csv`` and ``best.json``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.dashboard_logger import WandbDashboard, dashboards
from callbacks.samples_seen import samples_seen
from lightning_modules.errors import ConfigError

SET_FILES: Final = ("manifest.jsonl", "set.json")
"""Of a prepared set: one row an item; format and settings."""


class DashboardArtifacts(Callback):
    """Hands artifacts to the dashboard, on process 0 alone; they are read and hashed in the dashboard's thread.

    Args:
        checkpoints: ``"reference"`` keeps path, size and hash of the checkpoint (it stays where it is, and is found as
            long as it stays), ``"whole"`` copies and later uploads its bytes, ``"none"`` leaves checkpoints out.
        every_minutes: between two artifacts of the newest checkpoint; there is always one at the end.

    Raises:
        ConfigError: an unknown choice, or a time that is not above 0.
    """

    def __init__(
        self, checkpoints: Literal["reference", "whole", "none"] = "reference", every_minutes: float = 60.0
    ) -> None:
        if checkpoints not in {"reference", "whole", "none"} or every_minutes <= 0:
            found = f"checkpoints {checkpoints!r} every {every_minutes} minutes"
            raise ConfigError(found, "choose reference, whole or none, and a time above 0")
        self.checkpoints, self.every_minutes = checkpoints, every_minutes
        self._last: Path | None = None
        self._clock = 0.0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Configuration and data."""
        self._clock = time.monotonic()
        if not trainer.is_global_zero:
            return
        sets = prepared_sets(getattr(trainer, "datamodule", None))
        for dashboard in dashboards(trainer):
            if dashboard.folder is not None:
                keep_files(dashboard, "configuration", [dashboard.folder / "config.yaml"])
            keep_files(dashboard, "data", [folder / name for folder in sets for name in SET_FILES], "dataset")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A checkpoint, when it is time."""
        if time.monotonic() - self._clock >= 60.0 * self.every_minutes and not trainer.sanity_checking:
            self._clock = time.monotonic()
            self._keep_checkpoints(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The last checkpoint, and the figures."""
        self._keep_checkpoints(trainer, pl_module)
        for dashboard in dashboards(trainer):
            if trainer.is_global_zero and dashboard.folder is not None:
                keep_files(dashboard, "figures", [dashboard.folder / name for name in ("metrics.csv", "best.json")])

    def _keep_checkpoints(self, trainer: Trainer, module: LightningModule) -> None:
        if self.checkpoints == "none" or not trainer.is_global_zero:
            return
        newest, best = newest_checkpoint(trainer), best_checkpoint(trainer)
        chosen = {path: alias for path, alias in ((best, ["best"]), (newest, ["last"])) if path is not None}
        if newest is not None and newest == best:
            chosen = {newest: ["last", "best"]}
        if newest is None or newest == self._last:
            return
        self._last = newest
        seen = samples_seen(trainer, module)
        for dashboard in dashboards(trainer):
            for path, aliases in chosen.items():
                whole = self.checkpoints == "whole"
                keep_files(dashboard, "checkpoint", [path], "model", aliases, whole=whole, facts={"seen/samples": seen})


def keep_files(
    dashboard: WandbDashboard,
    name: str,
    files: Sequence[Path],
    kind: str | None = None,
    aliases: Iterable[str] = (),
    *,
    whole: bool = True,
    facts: dict[str, Any] | None = None,
) -> None:
    """Hand files over as one artifact ``NAME-RUN``; those that are not there are left out, and none makes no artifact.

    Args:
        dashboard: where to.
        name: of the artifact, without the run's id.
        files: two of one name are told apart by their folders.
        kind: W&B's type; None: the name.
        aliases: besides ``latest``, which W&B gives.
        whole: copy the bytes; False keeps references.
        facts: metadata.
    """
    present = [file.resolve() for file in files if file.is_file()]
    if not present:
        return
    labels = [file.name if len({one.name for one in present}) == len(present) else _label(file) for file in present]
    label = f"{name}-{dashboard.run_id}"

    def keep(run: Any) -> None:
        import wandb

        artifact = wandb.Artifact(label, kind or name, metadata=facts or {})
        for file, inside in zip(present, labels, strict=True):
            if whole:
                artifact.add_file(str(file), name=inside)
            else:
                artifact.add_reference(file.as_uri(), name=inside)
        run.log_artifact(artifact, aliases=["latest", *aliases])

    dashboard.do("files", keep)


def prepared_sets(datamodule: object) -> list[Path]:
    """Folders of prepared sets among the plain attributes of a data module, in their order."""
    found: dict[Path, None] = {}
    for value in vars(datamodule).values() if datamodule is not None else ():
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, str | Path) and str(one) and (Path(one) / SET_FILES[0]).is_file():
                found[Path(one)] = None
    return list(found)


def newest_checkpoint(trainer: Trainer) -> Path | None:
    """The checkpoint file written last by any callback of the run."""
    folders = [getattr(callback, "dirpath", None) for callback in trainer.checkpoint_callbacks]
    files = [file for folder in folders if folder for file in Path(folder).glob("*.ckpt") if not file.is_symlink()]
    return max(files, key=lambda file: file.stat().st_mtime_ns, default=None)


def best_checkpoint(trainer: Trainer) -> Path | None:
    """What a ``ModelCheckpoint`` with a monitored figure found best."""
    for callback in trainer.checkpoint_callbacks:
        path = getattr(callback, "best_model_path", "")
        if path and getattr(callback, "monitor", None) and Path(path).is_file():
            return Path(path)
    return None


def _label(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"
