"""Training with the overlay of W&B: what arrives there, that the run is the same without it, and when W&B breaks."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.dashboards.sections import AXIS, all_names
from experiments.dashboards.speech_sections import SPEECH_SECTIONS

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGS = REPOSITORY / "experiments" / "configs"
DEBUG = ["--config", str(CONFIGS / "portrait_gan" / "debug.yaml")]
WANDB = ["--config", str(CONFIGS / "trainer" / "wandb.yaml")]
MEASURES = """
trainer:
  callbacks+:
    - class_path: callbacks.discriminator_health.DiscriminatorHealth
    - class_path: callbacks.fid.DrawingDistances
    - class_path: callbacks.portrait_preview.PortraitPreview
      init_args: {portraits: 1, seconds: 0.2}
"""
UNLISTED = ("epoch", "trainer/", "seen/", "drawings/", "health/", "drawing_feature_distance/", "best/", "validation/")
OFF = {"geometry", "identity"}  # terms that need a network

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
]


def rows(folder: Path) -> list[dict[str, str]]:
    """metrics.csv, without what depends on the clock and on what the overlay adds."""
    with (folder / "PortraitGAN" / "version_0" / "metrics.csv").open(encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert found
    added = ("throughput/", "gradient_share/")
    return [{name: value for name, value in row.items() if not name.startswith(added)} for row in found]


def fit(folder: Path, *words: str) -> None:
    assert main(["fit", *DEBUG, *words, f"--trainer.default_root_dir={folder}"]) == 0


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same run without W&B, and with it."""
    root = tmp_path_factory.mktemp("runs")
    (root / "measures.yaml").write_text(MEASURES)
    measures = ["--config", str(root / "measures.yaml")]
    fit(root / "plain", *measures)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WANDB_DATA_DIR", raising=False)
        fit(root / "watched", *measures, *WANDB)
    return root


def logged(folder: Path) -> set[str]:
    from offline_run import history, summary

    names = {name.split(".")[0] for row in history(folder) for name in row}
    return names | {name.split(".")[0] for name in summary(folder)}


def test_the_run_is_the_same_with_and_without(runs):
    assert rows(runs / "watched") == rows(runs / "plain")


def test_everything_on_the_dashboard_is_really_logged(runs):
    found = logged(runs / "watched")
    missing = {name for name in all_names(always=True) if name.split("/")[-1] not in OFF} - found
    assert not missing
    unlisted = {name for name in found if not name.startswith(("_", *UNLISTED))} - set(all_names())
    assert not unlisted


def test_the_overlay_adds_to_the_callbacks_and_keeps_the_csv_log(runs):
    import yaml

    folder = runs / "watched" / "PortraitGAN" / "version_0"
    trainer = yaml.safe_load((folder / "config.yaml").read_text())["trainer"]
    names = [one["class_path"].split(".")[-1] for one in trainer["callbacks"]]
    assert {"ExponentialMovingAverage", "PeriodicCheckpoint", "DiscriminatorHealth", "GradientShare"} <= set(names)
    assert (folder / "metrics.csv").is_file()
    assert (folder / "best.json").is_file()


def test_the_axis_is_the_number_of_samples(runs):
    from offline_run import history, metrics

    assert metrics(runs / "watched")["*"] == AXIS
    found = history(runs / "watched")
    assert all(AXIS in row for row in found)
    assert [row[AXIS] for row in found if "raw/content" in row] == [2, 4]
    assert {row[AXIS] for row in found if "inter_frame_ssim/similarity" in row} == {4}


def test_films_pictures_and_artifacts_are_complete_offline(runs):
    from offline_run import artifacts

    folder = runs / "watched" / "PortraitGAN" / "version_0"
    films = list((folder / "wandb").rglob("files/media/videos/preview/*.mp4"))
    made = list((folder / "previews").glob("photos_000000004_*.mp4"))
    assert len(films) == len(made) == 3
    assert {film.read_bytes() for film in films} == {film.read_bytes() for film in made}  # not coded again
    kept = {name.rsplit("-", 1)[0]: found for name, found in artifacts(folder).items()}
    assert {"configuration", "checkpoint", "figures"} <= set(kept)
    kind, aliases, files = kept["checkpoint"]
    assert (kind, set(aliases)) == ("model", {"latest", "last"})
    entry = files["photos_000000004.ckpt"]
    assert entry.ref.startswith("file://")
    assert entry.size == (folder / "checkpoints" / "photos_000000004.ckpt").stat().st_size
    assert set(kept["figures"][2]) == {"metrics.csv", "best.json"}
    assert all(Path(one.local_path).is_file() for one in kept["configuration"][2].values() if one.local_path)


def test_the_summary_holds_the_best_figures(runs):
    import json

    from offline_run import summary

    best = json.loads((runs / "watched" / "PortraitGAN" / "version_0" / "best.json").read_text())
    found = summary(runs / "watched")
    for name, figure in best.items():
        assert found[f"best/{name}"] == pytest.approx(figure["value"])
        assert found[f"best/{name}/seen"] == 4
    assert "drawing_feature_distance/frechet" in best


@pytest.mark.parametrize(
    ("failing", "remark"),
    [(("log",), "W&B failed with figures"), (("init offline",), "W&B cannot be started")],
)
def test_a_broken_wandb_changes_nothing(runs, tmp_path, monkeypatch, failing, remark):
    from false_wandb import FalseWandb

    FalseWandb(failing).put_in_place(monkeypatch)
    with pytest.warns(UserWarning, match=remark):
        fit(tmp_path, "--config", str(runs / "measures.yaml"), *WANDB)
    assert rows(tmp_path) == rows(runs / "plain")


KILLS = """
import os, signal, time
from pathlib import Path
from lightning.pytorch import Callback

def service():
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and b"wandb-core" in (folder / "cmdline").read_bytes():
                if f"PPid:\\t{os.getpid()}\\n" in (folder / "status").read_text():
                    return int(folder.name)
        except OSError:
            pass

class KillsWandb(Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        if index == 0:
            end = time.monotonic() + 120
            while service() is None and time.monotonic() < end:
                time.sleep(0.05)
            os.kill(service(), signal.SIGKILL)
            print("KILLED", flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds W&B's process in /proc")
def test_the_death_of_wandbs_process_changes_nothing(runs, tmp_path):
    """The run goes on, ends with 0, says so, and does not wait at the exit of Python either."""
    (tmp_path / "killing.py").write_text(KILLS)
    words = [*DEBUG, "--config", str(runs / "measures.yaml"), *WANDB, "--trainer.logger.patience=10"]
    words += ["--trainer.callbacks+=killing.KillsWandb", f"--trainer.default_root_dir={tmp_path}"]
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}"}
    environment.pop("WANDB_SERVICE", None)  # otherwise it shares the process that the runs above have started
    run = subprocess.run(
        [sys.executable, "-m", "experiments", "fit", *words],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert "KILLED" in run.stdout
    assert "W&B" in run.stderr
    assert "Traceback" not in run.stderr
    assert rows(tmp_path) == rows(runs / "plain")


@pytest.mark.slow
def test_everything_on_the_dashboard_of_speech_is_really_logged(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_DATA_DIR", raising=False)
    debug = ["--config", str(CONFIGS / "audio_to_landmark" / "debug.yaml")]
    numbers = ["--config", str(CONFIGS / "trainer" / "wandb_numbers.yaml")]
    terms = [f"--model.objective.{name}=1.0" for name in ("motion", "lip_opening")]
    assert main(["fit", *debug, *numbers, *terms, f"--trainer.default_root_dir={tmp_path}"]) == 0
    found = logged(tmp_path)
    judged = {name for name, panel in all_names(SPEECH_SECTIONS).items() if "discriminator" in panel.needs}
    assert set(all_names(SPEECH_SECTIONS)) - judged <= found
    assert set(all_names(SPEECH_SECTIONS, always=True)) <= found
    unlisted = {name for name in found if not name.startswith(("_", "epoch", "trainer/", "seen/", "best/"))}
    assert unlisted <= set(all_names(SPEECH_SECTIONS))
