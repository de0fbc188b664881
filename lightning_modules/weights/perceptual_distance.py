"""LPIPS from a file of the user: AlexNet as torchvision distributes it; the heads come with torchmetrics.

In a run's YAML::

    distance:
      class_path: lightning_modules.weights.perceptual_distance.PerceptualDistanceFromFile
      init_args:
        path: weights/alexnet-owt-7be5be79.pth
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from torch import Tensor

from lightning_modules.errors import WeightsError
from lightning_modules.networks.frozen.frozen_network import FrozenNetwork
from lightning_modules.weights.checkpoint_file import read_weight_file
from lightning_modules.weights.published import from_published
from lightning_modules.weights.registry import load_manifest

KIND = "perceptual_distance"
HEADS = "lpips-heads"
"""Name of the heads' file in the manifest."""


def heads_file() -> Path:
    """The heads of LPIPS in the installed torchmetrics.

    Raises:
        WeightsError: this torchmetrics has none.
    """
    row = next(row for row in load_manifest() if row.name == HEADS)
    found = importlib.util.find_spec(str(row.package))
    folders = [] if found is None else list(found.submodule_search_locations or [])
    for folder in folders:
        if (Path(folder) / row.file).is_file():
            return Path(folder) / row.file
    raise WeightsError("the installed torchmetrics has no heads of LPIPS", "install torchmetrics again", row.file)


class PerceptualDistanceFromFile(FrozenNetwork):
    """LPIPS; nothing is downloaded, and code in a file is never run.

    Args:
        path: weights of AlexNet, keys ``features.0.weight`` and so on; its classifier is not read.

    Raises:
        WeightsError: there is no such file, it is damaged, or it holds another network.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        features, heads = read_weight_file(path)[0], read_weight_file(heads_file())[0]
        try:
            self.network = from_published(KIND, {**features, **heads})
        except WeightsError as error:
            raise WeightsError(error.found, "give torchvision's file of AlexNet, unchanged", path) from error
        self.settle()

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Distances (B,) of pictures (B, 1 | 3, H, W) in [-1, 1]."""
        distances: Tensor = self.network(first, second)
        return distances
