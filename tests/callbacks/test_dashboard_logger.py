"""The dashboard as a logger: what it hands to W&B, and what it does when W&B is not there."""

from __future__ import annotations

import sys
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest
from false_wandb import FalseWandb

from callbacks.dashboard_logger import AXIS, WandbDashboard
from lightning_modules.errors import ConfigError

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def no_mode(monkeypatch):
    for name in ("WANDB_MODE", "WANDB_RUN_ID", "WANDB_SWEEP_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_DATA_DIR", "set so that the logger does not set it")


def made(folder: Path, **options) -> WandbDashboard:
    dashboard = WandbDashboard(**options)
    dashboard.folder = folder
    return dashboard


def test_rows_carry_the_axis_and_no_step(tmp_path, monkeypatch):
    false = FalseWandb().put_in_place(monkeypatch)
    dashboard = made(tmp_path, run_id="abc", group="g", tags=["t"])
    dashboard.seen = 64
    dashboard.log_metrics({"raw/content": 2.0}, step=3)
    dashboard.seen = 128
    dashboard.log_hyperparams({"a": 1})
    dashboard.summarise({"best/x": 1.0})
    dashboard.show({"x": 5}, seen=100)
    dashboard.finalize("success")
    assert dashboard.is_complete
    assert false.rows == [{"raw/content": 2.0, "trainer/batches": 3, AXIS: 64}, {"x": 5, AXIS: 100}]
    assert false.summary_figures == {"best/x": 1.0}
    (_, begun), *rest = false.calls
    assert (begun["mode"], begun["dir"], begun["id"], begun["group"]) == ("offline", str(tmp_path), "abc", "g")
    assert rest[:2] == [("define", AXIS, {"hidden": True}), ("define", "*", {"step_metric": AXIS})]
    assert ("config", {"a": 1}) in rest
    assert rest[-1] == ("finish", 0)
    assert false.settings[0]["console"] == "off"


def test_nothing_is_started_before_something_is_logged_and_a_failed_run_is_marked(tmp_path, monkeypatch):
    false = FalseWandb().put_in_place(monkeypatch)
    dashboard = made(tmp_path)
    dashboard.finalize("success")
    assert not false.calls
    dashboard.log_metrics({"a": 1.0})
    dashboard.finalize("failed")
    assert false.calls[-1] == ("finish", 1)
    dashboard.log_metrics({"a": 2.0})  # a test after a fit
    dashboard.finalize("success")
    assert [call[1]["id"] for call in false.calls if call[0].startswith("init")] == [dashboard.version] * 2


@pytest.mark.parametrize(
    ("failing", "key", "modes", "remark"),
    [
        ((), True, ["online"], None),
        ((), False, ["offline"], "stays offline"),
        (("init online",), True, ["online", "offline"], "stays offline"),
        (
            ("init online", "init offline"),
            True,
            ["online", "offline"],
            "cannot be started .*offline fails",
        ),
    ],
)
def test_online_without_key_or_network_goes_on_offline(tmp_path, monkeypatch, failing, key, modes, remark):
    false = FalseWandb(failing, key=key).put_in_place(monkeypatch)
    dashboard = made(tmp_path, mode="online")
    with nullcontext() if remark is None else pytest.warns(UserWarning, match=remark):
        dashboard.log_metrics({"a": 1.0})
        dashboard.finalize("success")
    assert [call[0].removeprefix("init ") for call in false.calls if call[0].startswith("init")] == modes
    assert len(false.rows) == (0 if len(failing) == 2 else 1)


def test_the_environment_chooses_the_mode(monkeypatch):
    assert WandbDashboard().mode == "offline"
    monkeypatch.setenv("WANDB_SWEEP_ID", "s")
    monkeypatch.setenv("WANDB_RUN_ID", "given by the agent")
    assert (WandbDashboard().mode, WandbDashboard().version) == ("online", "given by the agent")
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert WandbDashboard().mode == "offline"
    assert WandbDashboard(mode="online").mode == "online"
    with pytest.raises(ConfigError, match="patience of -1 s"):
        WandbDashboard(patience=-1.0)


def train_a_little(dashboard: WandbDashboard) -> None:
    dashboard.log_hyperparams({"a": 1})
    for number in range(5):
        dashboard.log_metrics({"a": float(number)}, number)
    dashboard.finalize("success")


@pytest.mark.parametrize("broken", ["import", "folder", "log", "config"])
def test_nothing_is_raised_whatever_breaks(tmp_path, monkeypatch, broken):
    false = FalseWandb((broken,)).put_in_place(monkeypatch)
    folder = tmp_path / "run"
    if broken == "import":
        monkeypatch.setitem(sys.modules, "wandb", None)
    if broken == "folder":
        folder.write_text("a file where the folder should be")
    dashboard = made(folder)
    with pytest.warns(UserWarning, match="W&B (cannot be started|failed with)"):  # by whichever call comes after it
        train_a_little(dashboard)
    assert not dashboard.is_complete
    assert len(false.rows) == (5 if broken == "config" else 0)


def test_a_hanging_service_is_not_waited_for_longer_than_the_patience(tmp_path, monkeypatch):
    gate = threading.Event()
    FalseWandb(gate=gate).put_in_place(monkeypatch)
    dashboard = made(tmp_path, patience=0.3)
    for number in range(10):
        dashboard.log_metrics({"a": float(number)}, number)
    with pytest.warns(UserWarning, match=r"did not answer for 0.3 s: \d+ jobs are left out"):
        dashboard.finalize("success")
    gate.set()
