"""Models of stage 1 whose answers are known: mouths that follow the loudness of the log-mel."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lightning_modules.export.landmark_model_file import LandmarkModel, LandmarkTraining, NaturalGains
from lightning_modules.networks.content_branch import ContentBranch
from lightning_modules.networks.speaker_branch import SpeakerBranch

MEAN, STD = 0.2, 0.3
LOWER = [55, 56, 57, 58, 59, 65, 66, 67]


class LoudMouth(ContentBranch):
    """The lower lip sinks with the mean of the window's first frame, silence included: it never says 0 by itself."""

    def __init__(self) -> None:
        super().__init__(prior_width=4, prior_features=4, hidden=4, layers=1, head_width=4)
        self.asked = 0

    def forward(self, windows: Tensor, static: Tensor) -> Tensor:
        self.asked += len(windows)
        made = torch.zeros(*windows.shape[:-2], 68, 3)
        made[..., LOWER, 1] = 0.1 + 0.05 * windows[..., 0, :].mean(-1, keepdim=True)
        made[..., 48, 0] = -0.02 * windows[..., 0, :].mean(-1)
        return made.flatten(-2)

    def displacements(self, features: Tensor, static: Tensor, frames: Tensor, *, chunk: int = 512) -> Tensor:
        return self(features.unfold(0, 18, 1).transpose(-1, -2)[frames], static)


class Nodder(SpeakerBranch):
    """All points move down with the mean of the window's first frame; the lips also open, which must be taken out."""

    def __init__(self) -> None:
        super().__init__(hidden=4, layers=1, code=4, noise=4, width=4, feed_forward=4, head_width=4)

    def displacements(self, features: Tensor, scaled_embedding: Tensor, frames: Tensor, *, chunk: int = 512) -> Tensor:
        assert int(frames.max()) - int(frames.min()) < self.longest
        made = torch.zeros(len(frames), 68, 3)
        made[..., 1] = 0.1 * features[frames].mean(-1, keepdim=True)
        made[:, LOWER, 1] += 0.2
        return made.flatten(1)


def model(
    *, content: ContentBranch | None = None, speaker: SpeakerBranch | None = None, **gains: float
) -> LandmarkModel:
    return LandmarkModel(
        content_branch=(content or LoudMouth()).eval(),
        speaker_branch=None if speaker is None else speaker.eval(),
        feature_mean=torch.full((80,), MEAN),
        feature_std=torch.full((80,), STD),
        mean_embedding=torch.full((256,), 1 / 16),
        training=LandmarkTraining(gains=NaturalGains(**gains)),
    )


def seeded_model(*, speaker: bool = False) -> LandmarkModel:
    """Small networks with random weights."""
    torch.manual_seed(0)
    content = ContentBranch(prior_width=16, prior_features=12, hidden=16, layers=2, head_width=32)
    branch = SpeakerBranch(hidden=8, layers=1, code=4, noise=4, width=8, feed_forward=16, head_width=16)
    with torch.no_grad():
        for parameter in [*content.parameters(), *branch.parameters()]:
            if parameter.ndim > 1:
                parameter.mul_(1.5)
    return model(content=content, speaker=branch if speaker else None)


def lip_gaps(landmarks: np.ndarray) -> np.ndarray:
    """(T, 3) how far the inner lips are apart along y."""
    return np.stack([landmarks[:, low, 1] - landmarks[:, up, 1] for up, low in ((61, 67), (62, 66), (63, 65))], axis=1)
