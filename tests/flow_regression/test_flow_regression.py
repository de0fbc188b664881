"""The training of flow map A as a whole: the debug file, its figures, and the file that comes out."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from datamodules.flow_pairs import FlowPairsDataModule
from experiments.__main__ import main
from lightning_modules.export.network_file import load_network
from lightning_modules.flow_regression import FlowRegression, interpolated_flow
from lightning_modules.networks.landmark_flow import LandmarkFlow
from lightning_modules.weights.from_file import network_from_file

DEBUG = Path(__file__).resolve().parents[2] / "experiments" / "configs" / "flow_regression" / "debug.yaml"

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flow")
    assert main(["fit", "--config", str(DEBUG), f"--trainer.default_root_dir={folder}"]) == 0
    return folder / "FlowRegression" / "version_0"


def test_the_debug_file_trains_and_measures(run: Path) -> None:
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    measured = {name: float(value) for row in rows for name, value in row.items() if value}
    assert measured["seen/samples"] == 4
    assert 0 < measured["validation/end_point_error"] < 60
    ratio = measured["validation/end_point_error"] / measured["validation/end_point_error_flow_b"]
    assert measured["validation/end_point_error_ratio"] == pytest.approx(ratio, rel=1e-4)
    assert {"validation/overlap_visible", "validation/overlap_mean"} <= set(measured)
    assert (run / "previews" / "samples_000000004.png").is_file()


def test_what_was_trained_is_exported_and_used(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "flow.safetensors"
    checkpoint = str(run / "checkpoints" / "last.ckpt")
    assert main(["weights", "export", checkpoint, str(out), "--licence", "MIT", "--description", "a trial"]) == 0
    assert "moving average" in capsys.readouterr().out
    stored = load_network(out)
    assert stored.facts == {
        "samples_seen": 4,
        "averaged": True,
        "licence": "MIT",
        "source": "not stated",
        "description": "a trial",
    }
    network = network_from_file("flow_regression", out)
    points = torch.rand(1, 68, 2, generator=torch.Generator().manual_seed(0)) * 100 + 70
    flow, validity = network(points, points + 3)
    assert flow.shape == (1, 2, 256, 256)
    assert validity.shape == (1, 1, 256, 256)


def test_the_spline_alone_is_measured_as_it_is() -> None:
    data = FlowPairsDataModule(validation_pairs=4, batch_size=4, workers=0)
    (batch,) = data.val_dataloader()
    module = FlowRegression(LandmarkFlow("spline_unet", width=4, levels=2, widest=8)).eval()
    flow, _ = module.at_full_size(batch)
    visible = batch.visibility == 0
    errors = (flow - batch.flow).square().sum(1).sqrt()[visible]
    module.on_validation_epoch_start()
    module.validation_step(batch, 0)
    assert module.errors["flow_a"].compute().item() == pytest.approx(errors.mean().item(), rel=1e-4)  # type: ignore[operator]
    interpolated = (interpolated_flow(batch) - batch.flow).square().sum(1).sqrt()[visible]
    assert module.errors["flow_b"].compute().item() == pytest.approx(interpolated.mean().item(), rel=1e-4)  # type: ignore[operator]
    assert interpolated.mean() < 0.5 * batch.flow.square().sum(1).sqrt()[visible].mean()


def test_a_step_lowers_the_loss() -> None:
    torch.manual_seed(0)
    data = FlowPairsDataModule(pairs=4, batch_size=4, workers=0)
    batch = next(iter(data.train_dataloader()))
    module = FlowRegression(LandmarkFlow("spline_unet", width=4, levels=2, widest=8))
    optimizer = torch.optim.AdamW(module.network.parameters(), 1e-3)
    losses = []
    for _ in range(12):
        total = sum(module.losses(batch).values(), start=torch.zeros(()))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(total.item())
    assert losses[-1] < 0.9 * losses[0]
