"""``inkspeak dashboard``: the dashboard as a checklist, as W&B's workspace or report; an evaluation sent there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from experiments.dashboards import Module
from experiments.signature_parser import Option

OPTIONS = {"folder": Option(metavar="FOLDER"), "out": Option(metavar="FOLDER")}


def show_dashboard(*, module: Module = "portrait_gan") -> int:
    """Print what stands on the dashboard, in the order of a review: questions, panels, when to stop.

    Args:
        module: whose runs it shows

    Returns:
        0.

    Example:
        inkspeak dashboard show
        inkspeak dashboard show --module audio_to_landmark
    """
    from experiments.dashboards.boards import DASHBOARDS
    from experiments.dashboards.sections import as_markdown

    print(as_markdown(DASHBOARDS[module].sections), end="")
    return 0


def send_workspace(entity: str, *, project: str = "inkspeak", module: Module = "portrait_gan") -> int:
    """Make the workspace of a W&B project, so that a new project shows the same view; needs an account and a network.

    Args:
        entity: user or team of W&B
        project: of W&B
        module: whose runs it shows

    Returns:
        0.

    Example:
        inkspeak dashboard workspace my-team
    """
    from experiments.dashboards.workspace import make_workspace

    return _save(make_workspace(entity, project, module))


def send_report(entity: str, *, project: str = "inkspeak", module: Module = "portrait_gan") -> int:
    """Make a W&B report with the same panels under the questions of a review; needs an account and a network.

    Args:
        entity: user or team of W&B
        project: of W&B
        module: whose runs it shows

    Returns:
        0.

    Example:
        inkspeak dashboard report my-team
    """
    from experiments.dashboards.workspace import make_report

    return _save(make_report(entity, project, module))


def send_evaluation(
    folder: Path,
    *,
    out: Path = Path("runs/evaluation"),
    project: str = "inkspeak",
    mode: Literal["offline", "online"] = "offline",
    name: str | None = None,
) -> int:
    """Make a W&B run of an evaluation: tables of figures and videos, the summary, the files as an artifact.

    Args:
        folder: what inkspeak evaluate clips wrote
        out: folder that the run is written into
        project: of W&B
        mode: online needs an account and a network; offline runs can be sent later with wandb sync
        name: of the run; without it W&B chooses

    Returns:
        0, or 2 when W&B took not everything.

    Example:
        inkspeak evaluate clips clips/*.mpg -o table1
        inkspeak dashboard evaluation table1
    """
    from callbacks.dashboard_logger import WandbDashboard
    from experiments.dashboards.evaluation_run import log_evaluation

    dashboard = WandbDashboard(project, mode, name, tags=["evaluation"])
    dashboard.folder = out
    figures = log_evaluation(dashboard, folder)
    print(f"{len(figures)} figures are in {out / 'wandb'}, run {dashboard.version}")
    return 0 if dashboard.is_complete else 2


def _save(made: Any) -> int:
    from lightning_modules.errors import BackendError

    try:
        made.save()
    except Exception as error:  # the library raises bare exceptions
        why = " ".join(str(error).split())[:200]
        raise BackendError(
            f"W&B did not take it ({why})", "log in with wandb login, and look at the network"
        ) from error
    print(made.url)
    return 0


SUBCOMMANDS = {
    "show": show_dashboard,
    "workspace": send_workspace,
    "report": send_report,
    "evaluation": send_evaluation,
}
