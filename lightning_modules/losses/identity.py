"""The identity loss: face features of the drawing against those of the static drawing (paper Eq. 6, lambda4 = 3).

``|| R(d_s) - R(F) ||_1``. Published: R are five outputs of SphereFace-20a (four stages and the embedding), the mean
absolute difference of each, plainly added; the static drawing's side takes no gradient; the face square is squeezed to
112 x 96 without alignment, bilinear with aligned corners, in [-1, 1] and RGB; only the first target's drawing is
judged. For cartoons both pictures are reduced to luminance first (``luminance=True``). Stage 2, section 4; auxiliary,
section 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lightning_modules.geometry.points import constant
from lightning_modules.losses.face_window import WindowChoice, chosen_window, crop_square
from lightning_modules.losses.precision import in_full_precision

FEATURE_SIZE = (112, 96)
"""(height, width) of the crop that SphereFace takes, pixels."""

LUMINANCE = (0.299, 0.587, 0.114)
"""Shares of red, green and blue."""


@in_full_precision
def identity_crop(
    drawing: Tensor, window: Tensor, size: tuple[int, int] = FEATURE_SIZE, *, luminance: bool = False
) -> Tensor:
    """What the features are computed from.

    Args:
        drawing: (B, 1 | 3, H, W) in [-1, 1].
        window: (B | 1, 3); see :mod:`.face_window`.
        size: (height, width) of the crop.
        luminance: reduce colour to grey first (published for cartoons).

    Returns:
        (B, 3, height, width) in [-1, 1].

    Raises:
        ValueError: if the drawing has neither 1 nor 3 channels.
    """
    if drawing.shape[1] not in (1, 3):
        raise ValueError(f"a drawing has 1 or 3 channels, got {tuple(drawing.shape)}")
    if luminance and drawing.shape[1] == 3:
        drawing = (drawing * constant(LUMINANCE, drawing)[:, None, None]).sum(1, keepdim=True)
    crop = crop_square(drawing, window, size, "bilinear", align_corners=True)
    return crop.expand(-1, 3, -1, -1)


@in_full_precision
def identity_loss(
    features_a: Sequence[Tensor], features_b: Sequence[Tensor], stage_weights: Sequence[float] | None = None
) -> Tensor:
    """Sum over the stages of the mean absolute difference; no gradient reaches the second features.

    Args:
        features_a: of the drawing: tensors (B, ...).
        features_b: of what it should resemble: tensors of the same shapes.
        stage_weights: one weight a stage; None: all 1, as published.

    Returns:
        A scalar.

    Raises:
        ValueError: if numbers of stages or shapes do not fit.
    """
    weights = [1.0] * len(features_a) if stage_weights is None else list(stage_weights)
    if not features_a or not len(features_a) == len(features_b) == len(weights):
        raise ValueError(f"{len(features_a)} and {len(features_b)} stages do not go with {len(weights)} weights")
    total = features_a[0].new_zeros(())
    for weight, a, b in zip(weights, features_a, features_b, strict=True):
        if a.shape != b.shape:
            raise ValueError(f"features must be of one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
        total = total + weight * (a - b.detach()).abs().mean()
    return total


class FaceFeatures(nn.Module):
    """A face network made to read drawings: where to look and how to show it the face.

    Args:
        network: crop (B, 3, 112, 96) in [-1, 1] to a sequence of tensors; another face network goes with its own
            ``feature_size``.
        window: where to look, see :func:`.face_window.chosen_window`.
        luminance: see :func:`identity_crop`.
        feature_size: (height, width) of the crop.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        window: WindowChoice = "frame",
        luminance: bool = False,
        feature_size: tuple[int, int] = FEATURE_SIZE,
    ) -> None:
        super().__init__()
        self.network = network
        self.window: WindowChoice = window
        self.luminance = luminance
        self.feature_size = feature_size

    def forward(self, drawing: Tensor, landmarks: Tensor) -> Sequence[Tensor]:
        """Features of the faces drawn.

        Args:
            drawing: (B, 1 | 3, S, S) in [-1, 1].
            landmarks: (B, 68, 2 | 3) pixels, of the face in the drawing; read only with ``window="landmarks"``.

        Returns:
            Features (B, ...), in float32.

        Raises:
            ValueError: if the drawing is not square or has neither 1 nor 3 channels.
        """
        return self.inside(drawing, chosen_window(drawing, landmarks, self.window))

    def inside(self, drawing: Tensor, window: Tensor) -> Sequence[Tensor]:
        """The same for a window (B | 1, 3) that is known, as the published data hold one for every sample."""
        crop = identity_crop(drawing, window, self.feature_size, luminance=self.luminance)
        with torch.autocast(drawing.device.type, enabled=False):
            features: Sequence[Tensor] = self.network(crop)
        return features


class IdentityLoss(nn.Module):
    """The identity loss with its features.

    Args:
        features: what reads features off a drawing.
        stage_weights: see :func:`identity_loss`.
    """

    def __init__(self, features: FaceFeatures, stage_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.features = features
        self.stage_weights = stage_weights

    def forward(
        self, drawing: Tensor, static_drawing: Tensor, target_landmarks: Tensor, source_landmarks: Tensor
    ) -> Tensor:
        """The loss of drawings.

        Args:
            drawing: F, (B, 1 | 3, S, S) in [-1, 1].
            static_drawing: d_s, (B, 1 | 3, S, S) in [-1, 1].
            target_landmarks: l_t, (B, 68, 2 | 3) pixels: where the face is in the drawing.
            source_landmarks: l_p, (B, 68, 2 | 3) pixels: where it is in the static drawing.

        Returns:
            A scalar.
        """
        found = self.features(drawing, target_landmarks)
        with torch.no_grad():
            wanted = self.features(static_drawing, source_landmarks)
        return identity_loss(found, wanted, self.stage_weights)
