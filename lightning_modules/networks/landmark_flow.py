"""Flow map A as the portrait GAN asks for it: two sets of landmarks in, flow and validity out (reference stage2 §2.1).

Convention: landmarks (B, 68, 2), order (x, y), pixels of a 256 x 256 picture; the flow network itself works at 224.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.errors import ConfigError
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.geometry.rasters import landmark_heat_maps
from lightning_modules.geometry.sampling import identity_map
from lightning_modules.geometry.spline import SplineBasis
from lightning_modules.networks.flow_pyramid import FlowPyramid
from lightning_modules.networks.flow_residual_unet import FlowResidualUNet
from lightning_modules.networks.flow_spline_unet import FlowSplineUNet, pose_numbers
from lightning_modules.networks.flow_unet import FlowUNet

FlowArchitecture = Literal["unet", "residual_unet", "spline_unet"]
"""``"unet"`` and ``"residual_unet"``, which the published options call ``unet`` and ``unet_v2``, and ours."""

PICTURE_SIZE: Final = 256
NETWORK_SIZE: Final = 224
FLOW_UNIT: Final = 20.0
"""Pixels at 224 that 1 in the network's flow stands for."""

_DISC_RADIUS: Final = 4.0
_LIGHT_DISC_RADIUS: Final = 1.25  # at a quarter of the size
_FIRST_BACKGROUND: Final = 2  # visibility classes from here on are no part of the face
_WIDEST: Final = {"unet": 512, "residual_unet": 128, "spline_unet": 128}
_NETWORKS: Final[dict[str, Callable[[int, int, int], nn.Module]]] = {
    "unet": FlowUNet,
    "residual_unet": FlowResidualUNet,
    "spline_unet": FlowSplineUNet,
}

# Of the spline that the light network corrects: it passes the landmarks by pixels, which keeps it calm between them.
_SMOOTHING: Final = 0.02
_STRIDE: Final = 4
_FACE_UNIT: Final = 74.0  # pixels at 224 that stand for 1, so that smoothing means the same for both splines


class LandmarkFlow(nn.Module):
    """A flow network with its feeding and resizing.

    Args:
        architecture: see :data:`FlowArchitecture`.
        width: channels of the network's stem.
        levels: how often it halves the picture after the stem, 2 to 4: more do not go into 224 pixels.
        widest: its largest number of channels; None for the published one.

    Raises:
        ConfigError: if the arguments are out of range.
    """

    def __init__(
        self,
        architecture: FlowArchitecture = "unet",
        width: int = 32,
        levels: int = 4,
        widest: int | None = None,
    ) -> None:
        super().__init__()
        if architecture not in get_args(FlowArchitecture):
            known = ", ".join(get_args(FlowArchitecture))
            raise ConfigError(f"a flow network of architecture {architecture!r}", f"use one of {known}")
        widest = _WIDEST[architecture] if widest is None else widest
        if width < 1 or widest < 1 or not 2 <= levels <= 4:
            found = f"a flow network of width {width}, at most {widest}, and {levels} levels"
            raise ConfigError(found, "use widths from 1 on and 2 to 4 levels")
        self.arguments = {"architecture": architecture, "width": width, "levels": levels, "widest": widest}
        self.network = _NETWORKS[architecture](width, levels, widest)

    def predict(self, source: Tensor, target: Tensor) -> FlowPyramid:
        """What the network says, as it is trained: at 224 and below, flow over :data:`FLOW_UNIT`.

        Args:
            source: (B, 68, 2) landmarks of the photo.
            target: (B, 68, 2) landmarks to show.
        """
        scale = NETWORK_SIZE / PICTURE_SIZE
        if isinstance(self.network, FlowSplineUNet):
            quarter = NETWORK_SIZE // 4
            discs = [landmark_heat_maps(points * scale / 4, quarter, _LIGHT_DISC_RADIUS) for points in (source, target)]
            spline, place = self._splines(source, target)
            small = functional.avg_pool2d(torch.cat((spline, place), dim=1), 2)
            numbers = pose_numbers(source[..., :2].float(), target[..., :2].float())
            return cast("FlowPyramid", self.network(torch.cat((*discs, small), dim=1), spline, place[:, :2], numbers))
        maps = [landmark_heat_maps(points * scale, NETWORK_SIZE, _DISC_RADIUS) for points in (source, target)]
        return cast("FlowPyramid", self.network(torch.cat(maps, dim=1)))

    def _splines(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Smoothing splines over the target's landmarks, at half the network's size; no gradient.

        Returns:
            The flow to the source (B, 2, 112, 112) over :data:`FLOW_UNIT`, and where on a frontal face each pixel lies
            (B, 3, 112, 112), x, y and z in face units.
        """
        with torch.no_grad(), torch.autocast(target.device.type, enabled=False):
            scale = NETWORK_SIZE / PICTURE_SIZE
            start, goal = (((points[..., :2].float() + 0.5) * scale - 0.5) for points in (source, target))
            basis = SplineBasis(
                goal, NETWORK_SIZE, regularization=_SMOOTHING, stride=_STRIDE, keep_kernel=True, checked=False
            )
            frontal = torch.from_numpy(frontal_face()).to(goal) * _FACE_UNIT
            face = [frontal[None, :, :2], functional.pad(frontal[None, :, 2:], (0, 1))]
            flow, across, deep = (basis.flow(points).movedim(-1, 1) for points in (start, *face))
            own = identity_map(NETWORK_SIZE, device=goal.device, dtype=goal.dtype).movedim(-1, 1)
            place = torch.cat((across + own, deep[:, :1] + own[:, :1]), dim=1) / _FACE_UNIT
            return functional.avg_pool2d(flow, 2) / FLOW_UNIT, functional.avg_pool2d(place, 2)

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Flow map A and where it is valid.

        Args:
            source: (B, 68, 2) landmarks of the photo.
            target: (B, 68, 2) landmarks to show.

        Returns:
            Backward flow (B, 2, 256, 256), pixels, order (x, y): target pixel p shows source pixel p + flow(p); and the
            validity (B, 1, 256, 256) in [0, 1], soft at its edges, towards which the flow fades as published.

        Raises:
            ValueError: if the landmarks' shape is wrong.
        """
        flows, visibility = self.predict(source, target)
        flow, logits = (
            functional.interpolate(values, scale_factor=2, mode="bilinear", align_corners=False)
            for values in (flows[0], visibility)
        )
        face = (logits.argmax(dim=1, keepdim=True) < _FIRST_BACKGROUND).to(flow.dtype)
        size = (PICTURE_SIZE, PICTURE_SIZE)
        return (
            functional.interpolate(
                flow * (FLOW_UNIT * PICTURE_SIZE / NETWORK_SIZE) * face, size, mode="bilinear", align_corners=True
            ),
            functional.interpolate(face, size, mode="bilinear", align_corners=True),
        )
