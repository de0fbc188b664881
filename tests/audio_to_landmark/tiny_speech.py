"""A small problem of stage 1 in memory: loud frames open the mouth, and a speaker nods as loud as he speaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, Trainer
from torch import Tensor

from lightning_modules.audio_to_landmark import AudioToLandmark
from lightning_modules.networks.content_branch import ContentBranch
from lightning_modules.networks.landmark_discriminators import MotionDiscriminator
from lightning_modules.networks.speaker_branch import SpeakerBranch
from lightning_modules.networks.speech_windows import window_view
from lightning_modules.optimization import AdamSettings
from lightning_modules.speech_batches import SpeechBatch

LOWER_LIP = (55, 56, 57, 58, 59, 65, 66, 67)


def still_face() -> Tensor:
    """68 points in face units; only the eye corners and the lips matter."""
    generator = torch.Generator().manual_seed(4)
    face = torch.randn(68, 3, generator=generator) * 0.3
    face[36], face[45] = torch.tensor([-0.5, 0, 0]), torch.tensor([0.5, 0, 0])
    face[48:68, 1] = 0.8
    return face


def speech(
    samples: int, windows: int, seed: int = 0, *, nod: float = 0.0, past: int = 0, future: int = 17
) -> SpeechBatch:
    """A batch whose mouths follow the first feature of each window's own frame."""
    generator = torch.Generator().manual_seed(seed)
    loudness = torch.randn(samples, 1, 80, generator=generator)
    features = loudness + 0.1 * torch.randn(samples, windows + past + future, 80, generator=generator)
    cut = window_view(features, past + 1 + future)
    embedding = torch.rand(samples, 256, generator=generator)
    target = still_face().expand(samples, windows, 68, 3).clone()
    target[..., list(LOWER_LIP), 1] += 0.2 * torch.sigmoid(2 * cut[:, :, past, :1])
    target[..., 0] += nod * embedding[:, None, :1]
    return SpeechBatch(
        windows=cut,
        static=still_face().flatten().expand(samples, -1).clone(),
        target=target.flatten(2),
        embedding=embedding / embedding.norm(dim=1, keepdim=True),
        sample_keys=tuple(f"sample {index}" for index in range(samples)),
    )


class Batches:
    """Finished batches as a loader."""

    def __init__(self, *batches: SpeechBatch) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[SpeechBatch]:
        return iter(self.batches)


class TinySpeech(LightningDataModule):
    """A few batches for training, one for validation and test."""

    def __init__(self, batches: int = 4, samples: int = 4, windows: int = 6, nod: float = 0.0, **context: int) -> None:
        super().__init__()
        self.made = [speech(samples, windows, seed, nod=nod, **context) for seed in range(batches + 1)]

    def train_dataloader(self) -> Batches:
        return Batches(*self.made[:-1])

    def val_dataloader(self) -> Batches:
        return Batches(self.made[-1])

    test_dataloader = val_dataloader


def tiny_content() -> ContentBranch:
    return ContentBranch(prior_width=8, prior_features=6, hidden=12, layers=1, head_width=16)


def tiny_speaker(**options: Any) -> SpeakerBranch:
    sizes = {"hidden": 8, "layers": 1, "code": 4, "noise": 2, "width": 8, "feed_forward": 16, "head_width": 16}
    return SpeakerBranch(**(sizes | options))


def tiny_judge() -> MotionDiscriminator:
    return MotionDiscriminator(code=4, window=4, width=8, feed_forward=16)


def settings(rate: float = 5e-3) -> AdamSettings:
    return AdamSettings(learning_rate=rate, beta1=0.9, constant_epochs=1000)


def content_stage(seed: int = 0, **options: Any) -> AudioToLandmark:
    torch.manual_seed(seed)
    given = {"content_branch": tiny_content(), "optimizer": settings()}
    return AudioToLandmark(**(given | options))


def speaker_stage(seed: int = 0, *, judged: bool = False, **options: Any) -> AudioToLandmark:
    torch.manual_seed(seed)
    given = {
        "content_branch": tiny_content(),
        "speaker_branch": tiny_speaker(),
        "motion_discriminator": tiny_judge() if judged else None,
        "stage": "speaker",
        "optimizer": settings(),
        "discriminator_optimizer": settings(),
    }
    return AudioToLandmark(**(given | options))


def trainer(folder: Path, *, epochs: int = 1, callbacks: list[Callback] | None = None, **options: Any) -> Trainer:
    given = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": epochs,
        "callbacks": callbacks,
        "default_root_dir": folder,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "num_sanity_val_steps": 0,
        "log_every_n_steps": 1,
    }
    return Trainer(**(given | options))
