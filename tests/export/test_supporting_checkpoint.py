"""From the training of a supporting network to its file: one network, its average, halves, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import lightning
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from callbacks.ema import ExponentialMovingAverage
from callbacks.sheet_preview import SheetPreview
from lightning_modules.errors import WeightsError
from lightning_modules.export.network_file import load_network, save_network
from lightning_modules.export.supporting_checkpoint import export_supporting_network, is_supporting_checkpoint
from lightning_modules.networks.landmark_flow import LandmarkFlow
from lightning_modules.optimization import AdamWSettings, WarmUpThenCosine
from lightning_modules.supporting_network import SupportingNetwork

pytestmark = pytest.mark.filterwarnings("ignore")


class Batch(NamedTuple):
    points: Tensor


class Trainer(SupportingNetwork):
    kind = "flow_regression"
    preview_columns = ("left", "right")

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        flows = self.network.predict(batch.points, batch.points + 1).flows  # type: ignore[operator]
        return {"flow": flows[0].square().mean()}

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        self.log("validation/loss", self.losses(batch)["flow"], batch_size=len(batch.points))

    def preview(self, batch: Batch) -> list[NDArray[np.uint8]]:
        return [np.zeros((16, 16, 3), np.uint8)] * 2 * len(batch.points)

    @staticmethod
    def samples_of(batch: Batch) -> int:
        return len(batch.points)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    data = [torch.rand(68, 2) * 256 for _ in range(4)]
    loader: DataLoader[Tensor] = DataLoader(data, batch_size=2, collate_fn=lambda rows: Batch(torch.stack(rows)))  # type: ignore[arg-type]
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        default_root_dir=folder,
        num_sanity_val_steps=0,
        callbacks=[ExponentialMovingAverage(0.5, network="network"), SheetPreview(rows=1)],
    )
    network = LandmarkFlow("residual_unet", width=4, levels=2, widest=8)
    trainer.fit(Trainer(network, AdamWSettings(learning_rate=1e-2)), loader, loader)
    trainer.save_checkpoint(folder / "last.ckpt")
    return folder / "last.ckpt"


def test_a_sheet_was_written(checkpoint: Path) -> None:
    assert [path.name for path in (checkpoint.parent / "previews").iterdir()] == ["samples_000000004.png"]


def test_the_average_is_exported_in_halves(checkpoint: Path, tmp_path: Path) -> None:
    state = torch.load(checkpoint, weights_only=True)
    average = next(value for name, value in state["callbacks"].items() if name.startswith("Exponential"))["average"]
    assert is_supporting_checkpoint(checkpoint)
    export_supporting_network(checkpoint, tmp_path / "a.safetensors", facts={"licence": "MIT"})
    read = load_network(tmp_path / "a.safetensors")
    assert read.kind == "flow_regression"
    assert read.facts == {"samples_seen": 4, "averaged": True, "licence": "MIT"}
    for name, value in read.network.state_dict().items():
        expected = average[name].half().float() if average[name].ndim > 1 else average[name]
        assert torch.equal(value, expected), name
    raw = export_supporting_network(checkpoint, tmp_path / "b.safetensors", averaged=False, half=False)
    name = "network.enter.convolution.weight"
    assert torch.equal(
        load_network(tmp_path / "b.safetensors").network.state_dict()[name], raw.network.state_dict()[name]
    )
    assert torch.equal(raw.network.state_dict()[name], state["state_dict"][f"network.{name}"])
    assert (tmp_path / "a.safetensors").stat().st_size < 0.7 * (tmp_path / "b.safetensors").stat().st_size


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = save_network("flow_regression", LandmarkFlow("residual_unet", 4, 2, 8), tmp_path / "n.safetensors")
    assert not is_supporting_checkpoint(path)
    with pytest.raises(WeightsError, match="no checkpoint of a supporting network"):
        export_supporting_network(path, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_the_schedule_rises_and_falls() -> None:
    factor = WarmUpThenCosine(100, 0.1)
    assert factor(0) == pytest.approx(0.1)
    assert factor(9) == factor(10) == 1.0
    assert factor(55) == pytest.approx(0.5)
    assert factor(100) == factor(1000) == 0.0
