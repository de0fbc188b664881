"""MakeItTalk + UPD: an image translation network turns landmark lines and the photo into frames, which are then drawn.

Reference: stage 1, section 12. The network was trained with pictures of 256 x 256 in the channel order BGR.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import cv2
import numpy as np
import torch

from experiments.evaluation import method_names as names
from experiments.evaluation.methods import Made
from lightning_modules.errors import WeightsError
from lightning_modules.geometry import landmark_groups as groups

if TYPE_CHECKING:
    from experiments.evaluation.clips import Clip, Pixels, Points
    from experiments.evaluation.scene import Scene
    from lightning_modules.networks.image_translation import ImageTranslation

SIDE: Final = 256
"""Of its pictures, pixels."""

_THICKNESS: Final = 2
_JAW, _BROW, _NOSE, _EYE, _LIP = (255, 144, 25), (50, 205, 50), (208, 224, 63), (71, 99, 255), (238, 130, 238)
_LINES: Final = (
    (tuple(groups.JAW), _JAW, False),
    (tuple(groups.RIGHT_BROW), _BROW, False),
    (tuple(groups.LEFT_BROW), _BROW, False),
    (tuple(groups.NOSE), _NOSE, False),
    (tuple(groups.RIGHT_EYE), _EYE, True),
    (tuple(groups.LEFT_EYE), _EYE, True),
    (tuple(range(48, 60)), _LIP, True),
    (tuple(range(60, 68)), _LIP, True),
)


def landmark_lines(landmarks: Points) -> Pixels:
    """The lines that the network reads: coordinates cut to whole pixels, no smoothing, on white.

    Args:
        landmarks: (68, 2) pixels of a 256 x 256 frame.

    Returns:
        (256, 256, 3) uint8 BGR.
    """
    raster = np.full((SIDE, SIDE, 3), 255, np.uint8)
    points = landmarks.astype(np.int32)  # cut, as published
    for line, colour, closed in _LINES:
        cv2.polylines(raster, [points[list(line)][:, None]], closed, colour, _THICKNESS)
    return raster


def load_translation(path: Path) -> ImageTranslation:
    """Read the network.

    Args:
        path: a file that inkspeak exported, or the published checkpoint. Code in it is never run.

    Raises:
        WeightsError: there is no such file, it is damaged, or it holds another network.
    """
    from lightning_modules.export.network_file import stored_network
    from lightning_modules.weights.checkpoint_file import read_weight_file
    from lightning_modules.weights.published import from_published

    state, header = read_weight_file(path)
    if header is None:
        try:
            network = from_published("image_translation", state)
        except WeightsError as error:
            raise WeightsError(error.found, error.remedy, path) from error
    else:
        stored = stored_network(state, header, path)
        if stored.kind != "image_translation":
            raise WeightsError(f"it holds a {stored.kind}", "give an image translation network", path)
        network = stored.network
    return cast("ImageTranslation", network.eval().requires_grad_(requires_grad=False))


class TranslateThenDraw:
    """MakeItTalk's second half with the landmarks of our stage 1, each frame drawn by itself.

    Args:
        network: the image translation.
    """

    name = names.MAKEITTALK_UPD
    remark = f"{names.MAKEITTALK_UPD}: image translation from the landmarks of our stage 1, drawn frame by frame"

    def __init__(self, network: ImageTranslation) -> None:
        self.network = network

    def marks(self, clip: Clip) -> dict[str, str]:
        """Nothing more."""
        return {}

    def make(self, scene: Scene) -> Made:
        """See :class:`~experiments.evaluation.methods.Method`."""
        asked = np.asarray(scene.session.track.landmarks[: len(scene.filmed), :, :2], np.float32)
        return Made(self._frames(scene, asked), asked)

    def _frames(self, scene: Scene, asked: Points) -> Iterator[Pixels]:
        drawer = scene.tools.frame_drawer
        device = scene.tools.device
        self.network.to(device)
        photo, _ = next(scene.filmed.first(1).fine_frames(SIDE))
        bgr = np.ascontiguousarray(photo[..., ::-1])
        for landmarks in asked:
            lines = landmark_lines((landmarks + 0.5) * (SIDE / scene.filmed.size) - 0.5)
            shown = np.concatenate((lines, bgr), axis=2).transpose(2, 0, 1)[None].astype(np.float32) / 255
            with torch.inference_mode():
                made = torch.tanh(self.network(torch.from_numpy(shown).to(device))).clamp_min(0)[0]
            picture = (made * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()[..., ::-1]
            larger = cv2.resize(picture, (drawer.side, drawer.side), interpolation=cv2.INTER_CUBIC)
            yield drawer.draw(np.ascontiguousarray(larger), None, landmarks)
