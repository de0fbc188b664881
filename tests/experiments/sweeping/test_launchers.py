"""Launchers: what runs at once, what a failure of one does to the others, and how they stop."""

from __future__ import annotations

import importlib.util
import threading
import time
from pathlib import Path

import pytest
from sweeps import pretend_processes, runs

from experiments.sweeping import local_launcher
from experiments.sweeping.launcher import make_launcher
from experiments.sweeping.local_launcher import LocalLauncher, slots, visible_gpus
from experiments.sweeping.one_run import carry_out
from experiments.sweeping.record import RunRecord
from experiments.sweeping.slurm_launcher import job_parameters
from experiments.sweeping.sweep_file import LauncherSettings
from lightning_modules.errors import BackendError, ConfigError

HAS_RAY = importlib.util.find_spec("ray") is not None
HAS_SUBMITIT = importlib.util.find_spec("submitit") is not None


@pytest.mark.parametrize("processes", [1, 3])
def test_so_many_run_at_once_and_no_more(processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, most, lock = 0, 0, threading.Lock()

    def one(run: object, environment: object, stopped: object) -> RunRecord:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.1)
        with lock:
            now -= 1
        return RunRecord("finished")

    monkeypatch.setattr(local_launcher, "carry_out", one)
    outcomes = list(LocalLauncher(LauncherSettings(processes=processes)).launch(runs(tmp_path, seeds=[0, 1, 2])))
    assert most == processes
    assert len({outcome.run.name for outcome in outcomes}) == 6


def test_a_run_that_fails_does_not_keep_the_others_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_processes(monkeypatch, lambda words: "--seed_everything=0" in words and any("less" in w for w in words))
    everything = runs(tmp_path)
    everything[3].folder.mkdir(parents=True)
    (everything[3].folder / "run.json").write_text("{")
    outcomes = {one.run.name: one for one in LocalLauncher(LauncherSettings()).launch(everything)}
    assert outcomes["full/seed_0"].record.state == "finished"
    assert outcomes["less/seed_0"].record.state == "failed"
    assert outcomes["full/seed_1"].record.state == "finished"
    assert outcomes["less/seed_1"].record is None
    assert "cannot be read as the record" in outcomes["less/seed_1"].error


def test_leaving_early_stops_what_runs_and_begins_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def one(run: object, environment: object, stopped: object) -> RunRecord:
        begun.append(run.name)
        if len(begun) > 1:
            while not stopped():
                time.sleep(0.01)
            return RunRecord("interrupted")
        return RunRecord("finished")

    monkeypatch.setattr(local_launcher, "carry_out", one)
    outcomes = LocalLauncher(LauncherSettings()).launch(runs(tmp_path))
    assert next(outcomes).run.name == "full/seed_0"
    outcomes.close()
    assert len(begun) <= 2


def test_gpus_are_shared_out_and_none_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert slots(None, 2, 4) == [{}, {}]
    assert slots(["2", "3", "5", "7", "9"], 2, 2) == [
        {"CUDA_VISIBLE_DEVICES": "2,3"},
        {"CUDA_VISIBLE_DEVICES": "5,7"},
    ]
    with pytest.raises(ConfigError, match="3 runs at once with 2 GPUs each, and 5 GPUs are there"):
        slots(list("01234"), 3, 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert visible_gpus() == ["4", "6"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
    with pytest.raises(ConfigError, match="0 GPUs are there"):
        LocalLauncher(LauncherSettings(gpus=True))


def test_every_run_at_once_sees_its_own_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, busy, lock = set(), set(), threading.Lock()

    def one(run: object, environment: dict, stopped: object) -> RunRecord:
        mine = environment["CUDA_VISIBLE_DEVICES"]
        with lock:
            assert mine not in busy
            busy.add(mine)
            seen.add(mine)
        time.sleep(0.05)
        with lock:
            busy.remove(mine)
        return RunRecord("finished")

    monkeypatch.setattr(local_launcher, "carry_out", one)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    settings = LauncherSettings(processes=2, devices=2, gpus=True)
    assert len(list(LocalLauncher(settings).launch(runs(tmp_path)))) == 4
    assert seen == {"0,1", "2,3"}


def test_parameters_of_the_job_array() -> None:
    assert job_parameters(LauncherSettings(processes=8)) == {
        "name": "inkspeak",
        "nodes": 1,
        "tasks_per_node": 1,
        "cpus_per_task": 1,
        "slurm_array_parallelism": 8,
    }
    more = {"timeout_min": 60, "cpus_per_task": 32}
    found = job_parameters(LauncherSettings(devices=4, gpus=True, threads=6, slurm=more))
    assert (found["cpus_per_task"], found["gpus_per_node"], found["timeout_min"]) == (32, 4, 60)


@pytest.mark.skipif(HAS_RAY, reason="ray is installed")
def test_without_ray_the_remedy_is_named() -> None:
    with pytest.raises(BackendError, match=r"Ray is not installed; pip install 'inkspeak\[ray\]'"):
        make_launcher(LauncherSettings(kind="ray"))


@pytest.mark.skipif(HAS_SUBMITIT, reason="submitit is installed")
def test_without_submitit_the_remedy_is_named() -> None:
    with pytest.raises(BackendError, match=r"submitit is not installed; pip install 'inkspeak\[slurm\]'"):
        make_launcher(LauncherSettings(kind="slurm"))


@pytest.mark.skipif(not HAS_SUBMITIT, reason="submitit is not installed")
def test_submitit_without_slurm_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="srun"):
        list(make_launcher(LauncherSettings(kind="slurm")).launch(runs(tmp_path)))
    wrong = make_launcher(LauncherSettings(kind="slurm", cluster="local", slurm={"no_such": 1}))
    with pytest.raises(ConfigError, match=r"launcher\.slurm: .*no_such"):
        list(wrong.launch(runs(tmp_path)))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # submitit leaves its logs open
@pytest.mark.skipif(not HAS_SUBMITIT, reason="submitit is not installed")
def test_the_job_of_the_array_carries_a_run_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In submitit's debug executor, which runs the pickled job in this process."""
    said = pretend_processes(
        monkeypatch, lambda words: "--seed_everything=1" in words and any("less" in w for w in words)
    )
    everything = runs(tmp_path)
    carry_out(everything[0])
    launcher = make_launcher(LauncherSettings(kind="slurm", cluster="debug"))
    outcomes = {one.run.name: one for one in launcher.launch(everything)}
    states = {name: one.record.state for name, one in outcomes.items()}
    assert states == dict.fromkeys(["full/seed_0", "less/seed_0", "full/seed_1"], "finished") | {
        "less/seed_1": "failed"
    }
    assert sum(words[0] == "fit" for words in said) == 4  # the finished one was not trained again


@pytest.mark.skipif(not HAS_SUBMITIT, reason="submitit is not installed")
def test_a_job_that_loses_its_machine_is_queued_again(tmp_path: Path) -> None:
    import submitit

    from experiments.sweeping.slurm_launcher import RunJob

    run = runs(tmp_path)[0]
    job = RunJob(str(tmp_path), submitit.helpers.DelayedSubmission)
    again = job.checkpoint(run)
    assert isinstance(again, submitit.helpers.DelayedSubmission)
    assert (again.function, again.args) == (job, (run,))
