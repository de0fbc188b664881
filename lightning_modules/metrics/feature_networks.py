"""Networks whose features drawings are compared in: Inception where its weights are given, a named stand-in otherwise.

A distance in the features of any network but Inception is no FID and no KID, and is never printed as one: every
network here carries the names under which its distances are reported.
"""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.errors import WeightsError
from lightning_modules.networks.frozen.frozen_network import FrozenNetwork
from lightning_modules.networks.frozen.inception import FidInception

INCEPTION_FILE: Final = "pt_inception-2015-12-05-6726825d.pth"
"""Published name of Inception's weights (also ``weights-inception-2015-12-05-6726825d.pth``, the same bytes)."""
INCEPTION_SIZE: Final = 95_628_359
"""Its size, bytes."""
INCEPTION_SHA256: Final = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""Its sha256; the published name carries the first eight digits."""

_REMEDY: Final = f"give the path of {INCEPTION_FILE} (Apache-2.0, from the release fid_weights of pytorch-fid)"


class FeatureNetwork(FrozenNetwork):
    """What the distances need to know of a network, besides its forward.

    Attributes:
        num_features: D.
        frechet_name: name under which the Fréchet distance in its features is logged.
        kernel_name: the same for the kernel distance; ``…_standard_error`` follows it.
        description: what it is, for the log of a run.
    """

    num_features: int
    frechet_name: str
    kernel_name: str
    description: str


class InceptionFeatures(FeatureNetwork):
    """Inception's 2048 features: the distances are FID and KID.

    Args:
        network: with the published weights; see :func:`load_inception`.
    """

    num_features = FidInception.num_features
    frechet_name = "drawings/fid"
    kernel_name = "drawings/kid"
    description = f"Inception of 2015-12-05, sha256 {INCEPTION_SHA256[:8]}…"

    def __init__(self, network: FidInception) -> None:
        super().__init__()
        self.network = network
        self.settle()

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) uint8 to (B, 2048) float32."""
        return cast("Tensor", self.network(images))


class RandomConvolutionFeatures(FeatureNetwork):
    """The stand-in: how strongly fixed random filters answer to a drawing at four scales. Not Inception, not an FID.

    At each scale (the picture, halved, quartered, at an eighth) 12 filters of 5 x 5, rectified, and 20 of 3 x 3 over
    every other of their answers, rectified, are averaged over the picture: 4 x 32 = 128 features that tell line
    thickness, density, blackness, blur, noise and texture, and know nothing of faces. It needs no file. Its distances
    compare only with distances of this same network at the same picture size.

    The weights are the first bytes of SHAKE-256 of :attr:`SEED`, as whole numbers about zero, each filter of the first
    layer brought to mean zero and every filter to unit length: nothing depends on a library's random generator.
    ``sha256(weight bytes)`` is :attr:`WEIGHTS_SHA256`, checked when the network is made.
    """

    SEED: Final = b"inkspeak drawing features 1"
    WEIGHTS_SHA256: Final = "2df4105319dc5323a9a7496c896fa627fb8be11ebde30c172925a76475a34c61"
    num_features = 128
    frechet_name = "drawing_feature_distance/frechet"
    kernel_name = "drawing_feature_distance/kernel"
    description = "fixed random convolutions, a stand-in without weights of its own (not Inception: not an FID)"

    _SCALES: Final = 4
    _FIRST: Final = (12, 3, 5, 5)
    _SECOND: Final = (20, 12, 3, 3)
    _GAIN: Final = 8.0  # brings the features of line drawings to the order of 1, where the cubic kernel bends

    first: Tensor
    second: Tensor

    def __init__(self) -> None:
        super().__init__()
        sizes = [int(np.prod(self._FIRST)), int(np.prod(self._SECOND))]
        stream = hashlib.shake_256(self.SEED).digest(sum(sizes))
        if hashlib.sha256(stream).hexdigest() != self.WEIGHTS_SHA256:
            raise WeightsError("the stand-in's weights are not the known ones", "change its seed and sha256 together")
        numbers = torch.frombuffer(bytearray(stream), dtype=torch.uint8).double() - 127.5
        first, second = numbers[: sizes[0]].view(self._FIRST), numbers[sizes[0] :].view(self._SECOND)
        first = first - first.mean((1, 2, 3), keepdim=True)
        self.register_buffer("first", (first / first.flatten(1).norm(dim=1)[:, None, None, None]).float())
        self.register_buffer("second", (second / second.flatten(1).norm(dim=1)[:, None, None, None]).float())
        self.settle()

    def forward(self, images: Tensor) -> Tensor:
        """Features of drawings.

        Args:
            images: (B, 3, H, W) uint8 RGB, at least 16 x 16.

        Returns:
            (B, 128) float32, at least 0; computed in float32 even under autocast.

        Raises:
            ValueError: another shape or type.
        """
        if images.ndim != 4 or images.shape[1] != 3 or images.dtype != torch.uint8 or min(images.shape[2:]) < 16:
            raise ValueError(f"drawings are uint8 (B, 3, H, W) from 16 x 16, got {images.dtype} {tuple(images.shape)}")
        features = []
        with torch.autocast(images.device.type, enabled=False):
            x = images.float() / 127.5 - 1
            for scale in range(self._SCALES):
                x = functional.avg_pool2d(x, 2) if scale else x
                # A repeated border, so that the edge of the paper is no line.
                answers = functional.conv2d(_framed(x, 2), self.first).abs()
                again = functional.conv2d(_framed(answers, 1), self.second, stride=2).abs()
                features += [answers.mean((2, 3)), again.mean((2, 3))]
            return torch.cat(features, 1) * self._GAIN


def _framed(x: Tensor, margin: int) -> Tensor:
    return functional.pad(x, (margin,) * 4, mode="replicate")


def load_inception(path: str | Path, *, sha256: str = INCEPTION_SHA256) -> FidInception:
    """Inception with the published weights, from the user's own copy; nothing is downloaded.

    Args:
        path: :data:`INCEPTION_FILE`.
        sha256: what the file has to be; the name FID is earned by these weights alone.

    Returns:
        The network, in eval mode.

    Raises:
        WeightsError: the file is missing, another one, or damaged.
    """
    from lightning_modules.weights.registry import sha256_of

    path = Path(path)
    if not path.is_file():
        raise WeightsError("there are no Inception weights", _REMEDY, path)
    found = sha256_of(path)
    if found != sha256:
        raise WeightsError(f"these are not the Inception weights of the FID (sha256 {found[:8]}…)", _REMEDY, path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsError("the Inception weights cannot be read", _REMEDY, path) from error
    network = FidInception()
    # The classifier is no part of the features; how many batches were seen in training means nothing in eval mode.
    wanted = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    odd = [name for name, value in wanted.items() if name not in state or state[name].shape != value.shape]
    if odd:
        raise WeightsError(f"the Inception weights have no fitting '{odd[0]}' ({len(odd)} such)", _REMEDY, path)
    network.load_state_dict({name: state[name] for name in wanted}, strict=False)
    return network


def make_feature_network(inception_weights: str | Path | None = None) -> FeatureNetwork:
    """The network to compare drawings with.

    Args:
        inception_weights: path of :data:`INCEPTION_FILE`; ``None`` takes the stand-in, whose distances bear its name.

    Returns:
        The network, in eval mode.

    Raises:
        WeightsError: see :func:`load_inception`.
    """
    if inception_weights is None:
        return RandomConvolutionFeatures()
    return InceptionFeatures(load_inception(inception_weights))
