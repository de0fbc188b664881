"""The blocks that the image networks are made of: convolution with instance normalisation, residual blocks.

Instance normalisation has neither parameters nor running statistics (eps 1e-5), so training and evaluation compute the
same, and every sample is computed as if it were alone in its batch. A bias in front of it has no effect; it is kept
because the published weights have it. Sources: paper Fig. 3; reference stage2 §1, auxiliary §1.1.
"""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

BlockType = Literal["residual", "separable"]
"""What the residual blocks and what joins features are made of.

``"residual"``: dense 3x3 convolutions, as published. ``"separable"``: in the residual path depth-wise 5x5, then
point-wise; where features are only joined (merging scales, the shortcut beside landmarks), point-wise alone. The larger
kernel costs next to nothing there and lets six blocks see further than nine of the published ones.
"""


def instance_normalization(features: Tensor) -> Tensor:
    """Zero mean and unit variance for every channel of every sample (eps 1e-5, no parameters).

    On a CPU, features laid out channels-last keep that layout, in which depth-wise convolutions run several times
    faster; the kernel behind ``instance_norm`` would copy them to the plain one and leave them so. There are two ways
    with the same mathematics: as groups of one channel, the fastest forward, and sample by sample through
    ``batch_norm``, whose backward takes a quarter of the time (in bfloat16 a thirtieth). Both sum squares in one pass:
    the errors of a drawing grow from 1e-5 to 1e-4 (of a range of 2).

    A single sample always goes through ``batch_norm``, which then is the same: given a gradient laid out channels-last,
    ``instance_norm`` of torch 2.13 returns a wrong one for it on a CPU (off by as much as it is large).

    Args:
        features: (B, C, H, W), more than one position.

    Returns:
        (B, C, H, W) in the layout of the input.
    """
    if len(features) == 1:
        return _normalized(features)
    if features.device.type != "cpu" or features.is_contiguous():
        return functional.instance_norm(features)
    if torch.is_grad_enabled() and features.requires_grad and not torch.compiler.is_compiling():
        return torch.cat([_normalized(sample) for sample in torch.split(features, 1)])
    return functional.group_norm(features, features.shape[1])


def _normalized(sample: Tensor) -> Tensor:
    return functional.batch_norm(sample, None, None, training=True)


class SeparableConvolution(nn.Module):
    """A depth-wise k x k convolution followed by a point-wise one: 1/k² + 1/C_out of the work of a dense one.

    There is nothing between the two, so that the pair stands for one convolution, not for two layers. Size is kept,
    borders are reflected.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: side of the depth-wise kernel, odd.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 5) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels,
            in_channels,
            kernel,
            padding=kernel // 2,
            padding_mode="reflect",
            groups=in_channels,
            bias=False,
        )
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, C_out, H, W)."""
        return cast("Tensor", self.pointwise(self.depthwise(features)))


def residual_convolution(
    block_type: BlockType, in_channels: int, out_channels: int
) -> nn.Conv2d | SeparableConvolution:
    """A convolution of the residual path: reflected borders, with bias; it keeps the size."""
    if block_type == "separable":
        return SeparableConvolution(in_channels, out_channels)
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode="reflect")


def joining_convolution(block_type: BlockType, in_channels: int, out_channels: int) -> nn.Conv2d:
    """A convolution that brings joined features to another number of channels: zero borders; it keeps the size."""
    kernel = 1 if block_type == "separable" else 3
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)


class NormalizedConvolution(nn.Module):
    """Convolution, instance normalisation, and a ReLU where asked for.

    A convolution of stride 2 has its output pixel i centred on input pixel 2i. So has a transposed one, the other way
    round; the feature maps of all sizes therefore share one grid: pixel i at level L lies at image pixel 2^L i.

    Args:
        convolution: the convolution to run first.
        relu: whether a ReLU ends the layer.
    """

    def __init__(self, convolution: nn.Module, *, relu: bool = True) -> None:
        super().__init__()
        self.convolution = convolution
        self.relu = relu

    def forward(self, features: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, C_out, H', W')."""
        normalized = instance_normalization(self.convolution(features))
        return functional.relu(normalized, inplace=True) if self.relu else normalized


def flat_layer(in_channels: int, out_channels: int) -> NormalizedConvolution:
    """7x7, reflected borders, IN, ReLU; same size. The first layer of the image encoders."""
    return NormalizedConvolution(nn.Conv2d(in_channels, out_channels, 7, padding=3, padding_mode="reflect"))


def down_layer(in_channels: int, out_channels: int, *, relu: bool = True) -> NormalizedConvolution:
    """3x3, stride 2, zero borders, IN and (unless told otherwise) ReLU; half the size."""
    return NormalizedConvolution(nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1), relu=relu)


def up_layer(in_channels: int, out_channels: int) -> NormalizedConvolution:
    """Transposed 3x3, stride 2, IN, ReLU; twice the size."""
    return NormalizedConvolution(
        nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1)
    )


class ResidualBlock(nn.Module):
    """``x + IN(conv(ReLU(IN(conv(x)))))`` with reflected borders, and nothing after the sum.

    Args:
        channels: channels of input and output.
        block_type: dense or separable convolutions.
    """

    def __init__(self, channels: int, block_type: BlockType = "residual") -> None:
        super().__init__()
        self.first = NormalizedConvolution(residual_convolution(block_type, channels, channels))
        self.second = NormalizedConvolution(residual_convolution(block_type, channels, channels), relu=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W); H and W at least 2."""
        return features + cast("Tensor", self.second(self.first(features)))


class LandmarkResidualBlock(nn.Module):
    """A residual block that also reads landmark features; a convolution on the shortcut brings the channels back.

    The input of both paths is the concatenation [features, source landmarks, target landmarks]. The shortcut is
    convolution (zero borders) and IN without ReLU (reference stage2 §1.4).

    Args:
        channels: channels of input and output.
        landmark_channels: channels of each of the two landmark features.
        block_type: dense or separable convolutions.
    """

    def __init__(self, channels: int, landmark_channels: int, block_type: BlockType = "residual") -> None:
        super().__init__()
        total = channels + 2 * landmark_channels
        self.first = NormalizedConvolution(residual_convolution(block_type, total, channels))
        self.second = NormalizedConvolution(residual_convolution(block_type, channels, channels), relu=False)
        self.shortcut = NormalizedConvolution(joining_convolution(block_type, total, channels), relu=False)

    def forward(self, features: Tensor, source_landmarks: Tensor, target_landmarks: Tensor) -> Tensor:
        """Features (B, C, H, W) and landmark features (B, L, H, W), twice, to (B, C, H, W)."""
        joined = torch.cat((features, source_landmarks, target_landmarks), dim=1)
        return cast("Tensor", self.shortcut(joined)) + cast("Tensor", self.second(self.first(joined)))
