"""W&B's workspace and report, made from :mod:`experiments.dashboards.boards`; needs the extra ``dashboards``.

Both are built here without a network; saving one sends it to the account that ``wandb login`` chose.
"""

from __future__ import annotations

from typing import Any

from experiments.dashboards import Module
from experiments.dashboards.boards import DASHBOARDS
from experiments.dashboards.sections import AXIS, DashboardPanel
from lightning_modules.errors import BackendError


def make_workspace(entity: str, project: str, module: Module = "portrait_gan") -> Any:
    """The workspace: one section of panels for each of ours, with the count of samples as axis.

    Args:
        entity: user or team of W&B.
        project: of W&B.
        module: whose runs it shows.

    Returns:
        A ``wandb_workspaces.workspaces.Workspace``, not saved.

    Raises:
        BackendError: the extra is not installed.
    """
    workspaces, reports = _libraries()
    board = DASHBOARDS[module]
    sections = [
        workspaces.Section(
            name=section.title,
            panels=[make_panel(reports, panel) for panel in section.panels],
            is_open=number < 4,
            panel_settings=workspaces.SectionPanelSettings(x_axis=AXIS),
        )
        for number, section in enumerate(board.sections)
    ]
    settings = workspaces.WorkspaceSettings(x_axis=AXIS)
    return workspaces.Workspace(entity=entity, project=project, name=board.title, sections=sections, settings=settings)


def make_report(entity: str, project: str, module: Module = "portrait_gan") -> Any:
    """The report: the same panels under their questions, as minutes of a review to be filled in.

    Args:
        entity: user or team of W&B.
        project: of W&B.
        module: whose runs it shows.

    Returns:
        A ``wandb_workspaces.reports.v2.Report``, not saved.

    Raises:
        BackendError: the extra is not installed.
    """
    _, reports = _libraries()
    board = DASHBOARDS[module]
    blocks: list[Any] = [reports.TableOfContents()]
    for section in board.sections:
        panels = [make_panel(reports, panel) for panel in section.panels]
        runset = reports.Runset(entity=entity, project=project)
        blocks += [
            reports.H1(section.title),
            reports.P(f"{section.question} Stop: {section.stop}"),
            reports.PanelGrid(runsets=[runset], panels=panels),
            reports.P("Seen: …"),
        ]
    blocks += [reports.H1("What is done next"), reports.P("…")]
    return reports.Report(
        entity=entity,
        project=project,
        title=board.title,
        description=f"Sections in the order of a review; the axis is the number of {board.counted} seen.",
        blocks=blocks,
    )


def make_panel(reports: Any, panel: DashboardPanel) -> Any:
    """One panel as W&B's.

    Args:
        reports: the module ``wandb_workspaces.reports.v2``.
        panel: ours.
    """
    if panel.kind == "media":
        return reports.MediaBrowser(title=panel.title, media_keys=list(panel.names), num_columns=1)
    if panel.kind == "table":
        return reports.WeavePanelSummaryTable(table_name=panel.names[0])
    if panel.kind == "summary":
        return reports.BarPlot(title=panel.title, metrics=[reports.SummaryMetric(name) for name in panel.names])
    good = "" if panel.better == "neither" else f" ({panel.better} is better)"
    return reports.LinePlot(
        title=panel.title + good,
        x=AXIS,
        y=list(panel.names),
        log_y=panel.logarithmic,
        title_x="samples seen",
    )


def _libraries() -> tuple[Any, Any]:
    try:
        import wandb_workspaces.reports.v2 as reports
        from wandb_workspaces import workspaces
    except ImportError as error:
        found = "wandb-workspaces, which builds workspaces and reports, is not installed"
        raise BackendError(found, "pip install wandb-workspaces, or install inkspeak[dashboards]") from error
    return workspaces, reports
