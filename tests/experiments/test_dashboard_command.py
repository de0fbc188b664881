"""``inkspeak dashboard``: the checklist, the workspace without its library, an evaluation on the dashboard."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from pathlib import Path
from typing import get_args

import pytest

from experiments.__main__ import main
from experiments.dashboards import Module
from experiments.dashboards.boards import DASHBOARDS
from experiments.dashboards.evaluation_run import average_table, clip_table
from experiments.dashboards.sections import all_names
from experiments.dashboards.speech_sections import SPEECH_SECTIONS
from experiments.pages.evaluation_summary import read_summary
from lightning_modules.losses.landmark_objective import LandmarkObjective

HERE = Path(__file__).parent


@pytest.fixture
def evaluation(tmp_path):
    """Three clips, two methods, one failure, one video that is not there."""
    made = runpy.run_path(str(HERE / "pages" / "small_evaluation.py"))
    made["write_evaluation"](tmp_path / "table1")
    return tmp_path / "table1"


@pytest.mark.parametrize("module", DASHBOARDS)
def test_the_checklist_names_every_panel(module, capsys):
    assert main(["dashboard", "show", "--module", module]) == 0
    text = capsys.readouterr().out
    sections = DASHBOARDS[module].sections
    places = [text.index(f"## {section.title}\n") for section in sections]
    assert places == sorted(places)
    for section in sections:
        assert section.question in text
        assert f"Stop: {section.stop}" in text
    assert all(f"`{name}`" in text for name in all_names(sections))


def test_the_portrait_gan_is_shown_where_nothing_is_said(capsys):
    assert main(["dashboard", "show"]) == 0
    assert "- FID (lower is better): `drawings/fid`; needs Inception's weights" in capsys.readouterr().out
    assert set(DASHBOARDS) == set(get_args(Module))


@pytest.mark.parametrize("module", DASHBOARDS)
def test_every_section_asks_and_says_when_to_stop(module):
    sections = DASHBOARDS[module].sections
    assert all(section.question.endswith("?") or "." in section.question for section in sections)
    assert all(section.stop.endswith(".") for section in sections)
    names = [name for section in sections for panel in section.panels for name in panel.names]
    assert len(names) == len(set(names))


def test_the_terms_of_speech_are_those_of_its_objective():
    import torch

    objective = LandmarkObjective(motion=1.0, lip_opening=1.0)
    pair = torch.zeros(2, 1, 4, 204)
    terms = objective.terms(*pair) | {"adversarial": lambda: torch.zeros(())}
    _, report = objective.total(terms)
    shown = set(all_names(SPEECH_SECTIONS))
    assert set(report) == {name for name in shown if name.startswith("term/")}
    assert {f"validation/{name}" for name in objective.terms(*pair)} <= shown


@pytest.mark.parametrize("command", ["workspace", "report"])
def test_without_the_library_one_line_says_what_to_install(command, monkeypatch, capsys):
    for name in ("wandb_workspaces", "wandb_workspaces.reports.v2"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["dashboard", command, "team"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("is not installed; pip install wandb-workspaces, or install inkspeak[dashboards]")


@pytest.mark.skipif(importlib.util.find_spec("wandb_workspaces") is None, reason="the extra dashboards")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the library's own
@pytest.mark.parametrize("module", DASHBOARDS)
def test_workspace_and_report_hold_every_panel(module):
    from experiments.dashboards.workspace import make_report, make_workspace

    board = DASHBOARDS[module]
    workspace = make_workspace("team", "inkspeak", module)
    assert workspace.name == board.title
    assert [section.name for section in workspace.sections] == [section.title for section in board.sections]
    text = workspace._to_model().model_dump_json(by_alias=True)
    assert all(name in text for name in all_names(board.sections))
    assert text.count('"seen/samples"') >= sum(panel.kind == "lines" for one in board.sections for panel in one.panels)
    report = make_report("team", "inkspeak", module)
    grids = [block for block in report.blocks if type(block).__name__ == "PanelGrid"]
    assert [len(grid.panels) for grid in grids] == [len(section.panels) for section in board.sections]


def test_the_tables_of_an_evaluation(evaluation):
    summary = read_summary(evaluation)
    names = [metric.name for metric in summary.metrics]
    average = average_table(summary)
    assert len(average.columns) == 1 + 3 * len(names)
    assert [row[0] for row in average.rows] == list(summary.methods)
    assert all(len(row) == len(average.columns) for row in average.rows)
    clips = clip_table(summary)
    assert len(clips.rows) == sum(len(clip.results) for clip in summary.clips)
    for row in clips.rows:
        clip = next(one for one in summary.clips if one.name == row[0])
        result = clip.results[row[1]]
        assert list(row[2 : 2 + len(names)]) == [result.figures.get(name) for name in names]
        assert row[-3] == (result.failed or "")
        assert (row[-2] is None) == (result.video is None or not result.video.is_file())
        assert row[-2] is None or row[-2].path == result.video


def test_an_evaluation_becomes_a_run(evaluation, tmp_path, monkeypatch, capsys):
    from offline_run import artifacts, history, summary

    monkeypatch.delenv("WANDB_DATA_DIR", raising=False)
    assert main(["dashboard", "evaluation", str(evaluation), "--out", str(tmp_path / "run")]) == 0
    figures = summary(tmp_path / "run")
    read = read_summary(evaluation)
    for method, own in read.average.items():
        for name, figure in own.items():
            if figure.value is not None:
                assert figures[f"evaluation/{method}/{name}"] == pytest.approx(figure.value)
    logged = {name.split(".")[0] for row in history(tmp_path / "run") for name in row}
    assert {"evaluation/average", "evaluation/clips"} <= logged
    kept = {name.split("-")[0]: found for name, found in artifacts(tmp_path / "run").items()}
    assert "summary.json" in kept["evaluation"][2]
    films = {clip.results[method].video for clip in read.clips for method in clip.results}
    there = {film.read_bytes() for film in films if film is not None and film.is_file()}
    sent = {path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert there <= sent


def test_a_folder_without_an_evaluation_is_refused(tmp_path, capsys):
    assert main(["dashboard", "evaluation", str(tmp_path), "--out", str(tmp_path / "run")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "run").exists()
