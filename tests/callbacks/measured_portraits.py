"""A module and batches that a callback can watch: what is drawn is known, so that every number can be worked out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from lightning_modules.batches import PortraitBatch

SIZE = 32


def landmarks(*shape: int, generator: torch.Generator) -> Tensor:
    points = torch.rand((*shape, 68, 2), generator=generator) * 20 + 6
    points[..., 36, :] = torch.tensor([8.0, 12.0])
    points[..., 45, :] = torch.tensor([24.0, 12.0])  # outer eye corners 16 px apart
    return points


def make_batch(count: int = 2, seed: int = 0, channels: int = 1) -> PortraitBatch:
    generator = torch.Generator().manual_seed(seed)

    def picture(*shape: int) -> Tensor:
        return torch.rand((count, *shape, SIZE, SIZE), generator=generator)

    rest = landmarks(count, generator=generator)
    first = rest + 0.2
    return PortraitBatch(
        photo=picture(3) * 2 - 1,
        static_drawing=picture(channels) * 2 - 1,
        matte=picture(1),
        landmarks=rest,
        target_landmarks=torch.stack([first, first + 0.3], 1),
        target_masks=picture(3),
        drawing=picture(channels) * 2 - 1,
        drawing_masks=picture(3),
        adjacent=picture(2, channels) * 2 - 1,
        non_adjacent=picture(2, channels) * 2 - 1,
    )


class FourJudges(nn.Module):
    """Logits (B, 1, 2, 2): mean grey of the drawing in [0, 1] plus 0, 1, 2 or 3."""

    def forward(self, drawing: Tensor, *masks: Tensor) -> list[Tensor]:
        assert len(masks) == 3
        assert all(mask.shape[1] == 1 for mask in masks)
        grey = (drawing.mean((1, 2, 3)) + 1) / 2
        return [(grey + kind).view(-1, 1, 1, 1).expand(-1, 1, 2, 2) for kind in range(4)]


class PairJudge(nn.Module):
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return (first - second).abs().mean((1, 2, 3)).view(-1, 1, 1, 1)


class KnownDrawer(LightningModule):
    """Draws a smooth picture of the first target and the same, a little darker, of the second."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.shade = nn.Parameter(torch.zeros(1))
        self.drawing_discriminators = FourJudges()
        self.coherence_discriminator = PairJudge()
        self.photos_seen = 0
        self.drawn = 0

    def forward(self, batch: PortraitBatch) -> Tensor:
        self.drawn += 1
        assert not torch.is_grad_enabled()
        assert not self.training
        grey = functional.avg_pool2d(batch.photo.mean(1, keepdim=True), 5, 1, 2)
        moved = batch.target_landmarks.mean((2, 3))[:, :, None, None, None] / SIZE - 0.5
        return (grey[:, None] + moved + self.shade).clamp(-1, 1)

    def training_step(self, batch: PortraitBatch, batch_idx: int) -> None:
        self.photos_seen += len(batch)

    def validation_step(self, batch: PortraitBatch, batch_idx: int) -> dict[str, Tensor]:
        return {"frames": self(batch)}

    def test_step(self, batch: PortraitBatch, batch_idx: int) -> dict[str, Tensor]:
        return {"frames": self(batch)}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loader(batches: list[PortraitBatch]) -> DataLoader:
    return DataLoader(batches, batch_size=None)


def trainer(folder: Path, *callbacks: Any, **options: Any) -> Trainer:
    given = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "callbacks": list(callbacks),
        "default_root_dir": folder,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return Trainer(**(given | options))
