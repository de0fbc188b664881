"""The best that a run has reached, figure by figure, and how much it had seen then.

After each validation, in the run's folder: ``best.json``, ``{"drawings/fid": {"value": 41.2, "seen": 12800, "better":
"lower"}, ...}``; and in the summary of the dashboard ``best/drawings/fid`` and ``best/drawings/fid/seen``. The state
travels in checkpoints, so that a resumed run does not forget.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn

from callbacks.dashboard_logger import dashboards
from callbacks.samples_seen import samples_seen
from lightning_modules.errors import ConfigError, OutputError
from lightning_modules.pipeline.atomic_files import atomic_path

Better = Literal["lower", "higher"]

BETTER: Final[dict[str, Better]] = {
    "drawings/fid": "lower",
    "drawings/kid/value": "lower",
    "drawing_feature_distance/frechet": "lower",
    "drawing_feature_distance/kernel/value": "lower",
    "inter_frame_ssim/similarity": "higher",
    "inter_frame_ssim/compensated_similarity": "higher",
    "lip_landmark_distance/pixels": "lower",
    "lip_landmark_distance/eye_percent": "lower",
    "landmark_error/all": "lower",
    "landmark_error/lips": "lower",
}
"""Figures that callbacks log in validation, and which end of them is good."""

HIGHER_IN_VALIDATION: Final = ("accuracy", "auc", "correlation", "overlap", "percent_right")
"""Words in the names of a module's own validation figures that are good when high; all others are errors."""


NOT_COMPARED: Final = ("validation/ink",)
"""Figures of which neither end is good."""


class BestFigures(Callback):
    """See the module's docstring.

    Args:
        better: further figures and their good end, over those of :data:`BETTER`.

    Raises:
        ConfigError: an end that is neither ``lower`` nor ``higher``.
    """

    def __init__(self, better: dict[str, Better] | None = None) -> None:
        wrong = {name: end for name, end in (better or {}).items() if end not in ("lower", "higher")}
        if wrong:
            raise ConfigError(f"the good end of {wrong} is not known", "give lower or higher")
        self.better: dict[str, Better] = BETTER | (better or {})
        self.best: dict[str, dict[str, Any]] = {}
        self._folder = Path()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Choose the folder, the same on all processes."""
        self._folder = Path(trainer.strategy.broadcast(trainer.log_dir or trainer.default_root_dir))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare; write what has become better."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        seen = samples_seen(trainer, pl_module)
        known = {name: float(value) for name, value in trainer.callback_metrics.items() if self.good_end(name)}
        improved = [name for name, value in known.items() if self._improves(name, value)]
        for name in improved:
            self.best[name] = {"value": known[name], "seen": seen, "better": self.good_end(name)}
        if not improved:
            return
        try:
            with atomic_path(self._folder / "best.json") as aside:
                aside.write_text(json.dumps(self.best, indent=1) + "\n", encoding="utf-8")
        except (OSError, OutputError) as error:
            rank_zero_warn(f"best.json could not be written: {error}")
        for dashboard in dashboards(trainer):
            figures = {f"best/{name}": known[name] for name in improved}
            dashboard.summarise(figures | {f"best/{name}/seen": seen for name in improved})

    def good_end(self, name: str) -> Better | None:
        """Which end of a figure is good; None: it is not compared."""
        if name in self.better or name in NOT_COMPARED or not name.startswith("validation/"):
            return self.better.get(name)
        return "higher" if any(word in name for word in HIGHER_IN_VALIDATION) else "lower"

    def _improves(self, name: str, value: float) -> bool:
        if not math.isfinite(value):
            return False
        if name not in self.best:
            return True
        before = float(self.best[name]["value"])
        return value < before if self.good_end(name) == "lower" else value > before

    def state_dict(self) -> dict[str, Any]:
        """The best figures."""
        return {"best": {name: dict(figure) for name, figure in self.best.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` gave."""
        self.best = {name: dict(figure) for name, figure in state_dict["best"].items()}
