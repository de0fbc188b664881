"""What judges the static drawer's pictures: local discriminators, style classifier, LPIPS against torchmetrics' own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.networks.frozen.perceptual_distance import PerceptualDistance
from lightning_modules.networks.local_discriminators import LocalDiscriminators
from lightning_modules.networks.style_classifier import StyleClassifier
from lightning_modules.weights.perceptual_distance import PerceptualDistanceFromFile, heads_file
from lightning_modules.weights.registry import load_manifest, sha256_of


class Seen(nn.Module):
    """Keeps what it is asked."""

    def forward(self, judged: torch.Tensor) -> torch.Tensor:
        self.judged = judged
        return judged


def test_a_local_discriminator_sees_its_part_on_white_and_the_mask() -> None:
    judges = LocalDiscriminators(width=2)
    judges.parts = nn.ModuleList(Seen() for _ in range(3))
    drawing = torch.tensor([[[[-1.0, -0.5], [0.0, 1.0]]]])
    masks = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]], [[0.5, 0.5], [0.5, 0.5]], [[0.0, 1.0], [1.0, 1.0]]]])
    judges(drawing, masks)
    nose, eyes, lips = (part.judged[0] for part in judges.parts)
    # The published form: 2 ((d / 2 + 1 / 2) m + 1 - m) - 1.
    for judged, mask in zip((nose, eyes, lips), masks[0], strict=True):
        assert torch.allclose(judged[0], 2 * ((drawing[0, 0] / 2 + 0.5) * mask + 1 - mask) - 1)
        assert torch.equal(judged[1], mask)
    assert nose[0].tolist() == [[-1.0, 1.0], [1.0, 1.0]]
    assert eyes[0].tolist() == [[0.0, 0.25], [0.5, 1.0]]
    assert lips[0].tolist() == [[1.0, -0.5], [0.0, 1.0]]


def test_local_discriminators_are_the_published_three() -> None:
    kernels = [2 * 64, 64 * 128, 128 * 256, 256 * 512, 512 * 1]  # inputs times outputs of the 4 x 4 convolutions
    biases = 64 + 128 + 256 + 512 + 1
    judge = LocalDiscriminators().parts[0]
    assert sum(value.numel() for value in judge.parameters()) == 16 * sum(kernels) + biases
    logits = LocalDiscriminators(width=2)(torch.zeros(2, 1, 64, 64), torch.ones(2, 3, 64, 64))
    assert [tuple(one.shape) for one in logits] == [(2, 1, 6, 6)] * 3
    with pytest.raises(ValueError, match="masks must be"):
        LocalDiscriminators(width=2)(torch.zeros(1, 1, 64, 64), torch.ones(1, 2, 64, 64))


def test_the_style_classifier_learns_the_width_of_strokes() -> None:
    generator = torch.Generator().manual_seed(0)

    def lines(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        label = torch.randint(2, (count,), generator=generator)
        drawing = torch.ones(count, 1, 32, 32)
        for index, bold in enumerate(label.tolist()):
            for row in torch.randint(2, 26, (2,), generator=generator).tolist():
                drawing[index, 0, row : row + (4 if bold else 1)] = -1
        return drawing, label

    torch.manual_seed(0)
    classifier = StyleClassifier(width=4, styles=2)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=5e-3)
    drawing, label = lines(32)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(classifier(drawing), label).backward()
        optimizer.step()
    unseen, truth = lines(64)
    assert (classifier(unseen).argmax(1) == truth).float().mean() > 0.9
    with pytest.raises(ConfigError, match="styles 0"):
        StyleClassifier(styles=0)


def alexnet_features() -> nn.Sequential:
    """Torchvision's AlexNet without its classifier, typed from its paper and section 1.3's reference."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, 1, 1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, 1, 1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2),
    )  # fmt: skip


def test_lpips_from_a_file_is_that_of_torchmetrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lpips = pytest.importorskip("torchmetrics.functional.image.lpips")
    torch.manual_seed(0)
    features = alexnet_features()
    stored = {f"features.{name}": value for name, value in features.state_dict().items()}
    save_file(stored | {"classifier.1.weight": torch.zeros(2, 2)}, tmp_path / "alexnet.safetensors")
    monkeypatch.setattr(lpips, "_get_tv_model_features", lambda *_, **__: features)
    reference = lpips._LPIPS(net="alex", pretrained=True, eval_mode=True)
    ours = PerceptualDistanceFromFile(str(tmp_path / "alexnet.safetensors"))
    first, second = torch.rand(2, 3, 64, 70) * 2 - 1, torch.rand(2, 3, 64, 70) * 2 - 1
    expected = reference(first, second).flatten()
    assert expected.min() > 1e-3
    assert torch.allclose(ours(first, second), expected, rtol=1e-4)
    grey, other = first[:, :1], second[:, :1]
    assert torch.allclose(ours(grey, other), reference(grey.expand(-1, 3, -1, -1), other.expand(-1, 3, -1, -1)).ravel())
    assert ours(first, first).abs().max() == 0
    assert not any(value.requires_grad for value in ours.parameters())
    assert sum(value.numel() for value in ours.parameters()) == 2_469_696 + 1_152  # AlexNet's features, and the heads
    first.requires_grad_()
    ours(first, first.detach()).sum().backward()
    assert first.grad.isfinite().all()


def test_another_file_is_no_alexnet(tmp_path: Path) -> None:
    save_file({"features.0.weight": torch.zeros(2, 3, 3, 3)}, tmp_path / "vgg.safetensors")
    with pytest.raises(WeightsError, match="give torchvision's file of AlexNet"):
        PerceptualDistanceFromFile(str(tmp_path / "vgg.safetensors"))
    with pytest.raises(ValueError, match="at least 32"):
        PerceptualDistance()(torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 16, 16))


def test_the_heads_are_those_of_the_manifest() -> None:
    row = next(row for row in load_manifest() if row.name == "lpips-heads")
    assert sha256_of(heads_file()) == row.sha256
