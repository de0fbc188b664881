"""The benchmark of stage 1's training: its loop does what the published one does, and its figures are whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from experiments.benchmarks import landmark_training
from lightning_modules.networks.content_branch import ContentBranch
from lightning_modules.networks.convolutional_branch import ConvolutionalBranch
from lightning_modules.networks.speech_windows import follow_one_another


def tiny():
    return ContentBranch(prior_width=8, prior_features=6, hidden=8, layers=1, head_width=16)


def test_open_mouths_are_left_alone_and_inverted_ones_closed():
    face = landmark_training.talking_face(4).reshape(4, 68, 3).astype(np.float64)
    assert landmark_training.repair_lips(face.copy()) == 0
    wrong = face.copy()
    wrong[2, 61:64, 1], wrong[2, 65:68, 1] = face[2, 65:68, 1].max() + 0.01, face[2, 61:64, 1].min() - 0.01
    found = wrong.copy()
    assert landmark_training.repair_lips(found) == 1
    assert np.array_equal(found[[0, 1, 3]], wrong[[0, 1, 3]])
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        middle = (wrong[2, upper] + wrong[2, lower]) / 2
        assert np.array_equal(found[2, upper], middle)
        assert np.array_equal(found[2, lower], middle)
    # Outer lip: as far from its inner partner as in the frame before; lower points are paired with 64 to 67.
    assert found[2, 57, 1] == pytest.approx(found[2, 66, 1] + face[1, 57, 1] - face[1, 66, 1])
    assert found[2, 51, 1] == pytest.approx(found[2, 62, 1] + face[1, 51, 1] - face[1, 62, 1])


def test_the_published_loop_trains(monkeypatch):
    monkeypatch.setattr(landmark_training, "SEGMENT", 24)
    torch.manual_seed(0)
    loop = landmark_training.PublishedLoop(tiny())
    losses = [loop.step() for _ in range(30)]
    assert losses[-1] < losses[0]
    assert loop.windows_seen == 30 * 24
    assert loop.repair_seconds > 0


@pytest.mark.filterwarnings("ignore")
def test_the_figures_are_whole(monkeypatch):
    monkeypatch.setattr(landmark_training, "SEGMENT", 24)
    branch = ConvolutionalBranch(width=8, steps=(1, 2), coefficients=4, face_width=8)
    found = landmark_training.compare(branch, samples=2, windows=12, turns=2)
    rates = found["windows_per_second"]
    assert found["ratio"] == pytest.approx(rates["ours"] / rates["published_loop"])
    assert len(found["ratio_in_each_turn"]) == 2
    assert found["windows_of_a_step"] == {"ours": 24, "published_loop": 24}
    assert found["milliseconds_of_lip_repair_per_window"] > 0
    assert follow_one_another(landmark_training.made_up_batch(2, 12, branch.window).windows)
