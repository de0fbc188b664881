"""Frames stream in batches; the batch changes neither their number nor their order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_modules.pipeline.animator import Animator


class Numbering:
    """Writes the x of landmark 0 into every pixel; refuses batches above ``most``."""

    name = "numbering"

    def __init__(self, most: int = 1000) -> None:
        self.most, self.asked = most, []

    def render(self, portrait: Any, landmarks: Tensor) -> Tensor:
        self.asked.append(len(landmarks))
        if len(landmarks) > self.most:
            raise torch.OutOfMemoryError("too many")
        return (landmarks[:, 0, 0] / 255).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)


def track(count: int) -> Any:
    landmarks = np.zeros((count, 68, 3), np.float32)
    landmarks[:, 0, 0] = np.arange(count)
    return SimpleNamespace(landmarks=landmarks, fps=25.0)


PORTRAIT = SimpleNamespace(drawing=torch.zeros(1))


@pytest.mark.parametrize("batch", [1, 7, 16, 100])
def test_all_frames_in_order(batch: int) -> None:
    batches = list(Animator(Numbering(), batch).batches(PORTRAIT, track(37)))
    assert [len(frames) for frames in batches[:-1]] == [1, *[batch] * (len(batches) - 2)]
    assert np.concatenate(batches)[:, 0, 0, 0].tolist() == list(range(37))
    assert batches[0].dtype == np.uint8


def test_out_of_memory_halves_the_batch_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    renderer = Numbering(most=5)
    animator = Animator(renderer, 16)
    frames = np.concatenate(list(animator.batches(PORTRAIT, track(11))))
    assert frames[:, 0, 0, 0].tolist() == list(range(11))
    assert animator.batch == 4
    assert renderer.asked == [1, 10, 8, 4, 4, 2]


def test_out_of_memory_with_one_frame_is_an_error() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        list(Animator(Numbering(most=0), 1).batches(PORTRAIT, track(2)))
