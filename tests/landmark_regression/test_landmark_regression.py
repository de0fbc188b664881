"""Training of the landmark detector: how it begins, what its norms do, and the debug file from end to end."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
import yaml

from experiments.__main__ import main
from lightning_modules.export.network_file import load_network
from lightning_modules.geometry.landmark_groups import MIRROR
from lightning_modules.landmark_batches import FaceLandmarksBatch
from lightning_modules.landmark_regression import LandmarkRegression
from lightning_modules.metrics.lip_landmark_distance import outer_eye_distance
from lightning_modules.networks.frozen.mobilefacenet import MobileFaceNet
from lightning_modules.weights.from_file import NetworkFromFile

CONFIGS = Path(__file__).resolve().parents[2] / "experiments" / "configs" / "landmark_regression"

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def module() -> LandmarkRegression:
    torch.manual_seed(0)
    return LandmarkRegression(MobileFaceNet(trainable=True, fixed_slopes=True))


def test_it_begins_with_a_face_in_the_middle(module):
    face = module.network.output_norm.bias.detach().view(68, 2)
    low, high = face.amin(0), face.amax(0)
    assert torch.allclose((low + high) / 2, torch.tensor((0.5, 0.5)), atol=1e-6)
    assert float((high - low).max()) == pytest.approx(1 / 1.3, abs=1e-6)
    mirrored = face[list(MIRROR)] * torch.tensor((-1.0, 1.0)) + torch.tensor((1.0, 0.0))
    assert torch.allclose(face, mirrored, atol=1e-6)
    found = module(torch.rand(4, 3, 112, 112))
    assert float((found - face).abs().mean()) < 0.5 * float(outer_eye_distance(face))


def test_an_answer_does_not_depend_on_what_else_is_in_the_batch(module):
    network = module.train().network
    assert network.training
    assert not network.output_norm.training
    assert not network.gather.norm.training
    # All other norms kept still as well, the answers are those of single crops.
    crops = torch.rand(3, 3, 112, 112)
    for one in network.modules():
        if isinstance(one, torch.nn.BatchNorm2d):
            one.eval()
    together = network(crops)
    assert torch.allclose(together[:1], network(crops[:1]), atol=1e-5)
    module.train()
    assert network.stem.norm.training


def batch(count: int = 4) -> FaceLandmarksBatch:
    face = LandmarkRegression(MobileFaceNet(trainable=True)).network.output_norm.bias.detach().view(1, 68, 2)
    return FaceLandmarksBatch(torch.rand(count, 3, 112, 112), face.expand(count, -1, -1), torch.arange(count) % 2)


def test_the_loss_falls_when_one_batch_is_learned():
    torch.manual_seed(0)
    trained = LandmarkRegression(MobileFaceNet(trainable=True, fixed_slopes=True, side=32))
    one = batch()
    optimizer = torch.optim.Adam(trained.parameters(), 3e-3)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = trained.losses(one)["wing"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.7 * losses[0]


def test_a_preview_shows_crop_labels_and_answer(module):
    cells = module.preview(batch(2))
    assert len(cells) == 2 * len(module.preview_columns)
    assert {cell.shape for cell in cells} == {(224, 224, 3)}
    assert (cells[0] != cells[1]).any()


def test_the_debug_file_runs_from_end_to_end(tmp_path):
    assert main(["fit", "--config", str(CONFIGS / "debug.yaml"), f"--trainer.default_root_dir={tmp_path}"]) == 0
    run = tmp_path / "LandmarkRegression" / "version_0"
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    logged = {name: float(value) for row in rows for name, value in row.items() if value}
    for domain in ("photo", "static_drawing", "artist_drawing"):
        assert 0 < logged[f"val/{domain}/error"] < 100
        assert 0 <= logged[f"val/{domain}/failures"] <= 100
    assert not [name for name in logged if name.startswith("val/cartoon")]
    assert logged["seen/samples"] == 8
    assert list((run / "previews").glob("*.png"))

    # The file says where its fractions begin, and is half the size of single precision.
    file = tmp_path / "detector.safetensors"
    assert main(["weights", "export", str(run / "checkpoints" / "last.ckpt"), str(file)]) == 0
    stored = load_network(file)
    assert (stored.kind, stored.facts["samples_seen"]) == ("mobilefacenet", 8)
    assert NetworkFromFile("mobilefacenet", str(file)).fraction_origin == "edge"
    assert file.stat().st_size < 2_500_000
    assert stored.network.side == 32  # type: ignore[union-attr]
    assert stored.network(torch.rand(1, 3, 112, 112)).shape == (1, 136)


def test_the_recipes_build_the_network_they_say(capsys):
    files = [word for name in ("default", "starter") for word in ("--config", str(CONFIGS / f"{name}.yaml"))]
    assert main(["fit", *files, "--dry_run"]) == 0, capsys.readouterr().err
    shown = capsys.readouterr().out
    assert "1,007,248 parameters" in shown
    resolved = yaml.safe_load(shown)
    steps = resolved["trainer"]["max_steps"]
    chosen = resolved["model"]["init_args"]
    assert chosen["optimizer"]["steps"] == steps
    assert chosen["network"]["init_args"]["side"] == 64
