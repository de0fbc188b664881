"""The geometry loss: landmarks detected on the drawing against the target landmarks (paper Eq. 4, lambda2 = 50).

The face square of the drawing is resized to the detector's input; the detector's fractions of the square go back to
pixels, both sides are divided by the frame's size, and the squared differences are averaged. Everything is
differentiable down to the drawing; the detector is handed in. Stage 2, section 4; auxiliary, section 4.3.

Published: the face square is fixed, the mean of points 0-47 counts once and that of the lips *twice*
(``lip_weight=2``). Paper: one mean over all 68 points (``lip_weight=None``), and a square from a face detector.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from lightning_modules.geometry.landmark_groups import LIPS, POINT_COUNT
from lightning_modules.geometry.points import plane_points
from lightning_modules.losses.face_window import WindowChoice, chosen_window, crop_square
from lightning_modules.losses.precision import in_full_precision

FractionOrigin = Literal["first_pixel", "edge"]
"""Where fraction 0 lies: at the centre of the square's first pixel (published), or at the square's edge, half a pixel
before; then a mirrored drawing has exactly mirrored landmarks."""

ChannelOrder = Literal["bgr", "rgb"]

DETECTOR_SIZE = 112
"""Side of the crop that MobileFaceNet takes, pixels."""


def detector_crop(
    drawing: Tensor, window: Tensor, size: int = DETECTOR_SIZE, channel_order: ChannelOrder = "bgr"
) -> Tensor:
    """What the detector is shown: bicubic without anti-aliasing, [0, 1], always three channels.

    Args:
        drawing: (B, 1 | 3, H, W) in [-1, 1].
        window: (B | 1, 3); see :mod:`.face_window`.
        size: side of the crop, pixels.
        channel_order: of a colour drawing; published BGR.

    Returns:
        (B, 3, size, size); the bicubic kernel may overshoot [0, 1].

    Raises:
        ValueError: if the drawing has neither 1 nor 3 channels.
    """
    if drawing.shape[1] not in (1, 3):
        raise ValueError(f"a drawing has 1 or 3 channels, got {tuple(drawing.shape)}")
    crop = (crop_square(drawing, window, (size, size), "bicubic") + 1) / 2
    if crop.shape[1] == 1:
        return crop.expand(-1, 3, -1, -1)
    return crop.flip(1) if channel_order == "bgr" else crop


@in_full_precision
def detected_landmarks(
    drawing: Tensor,
    detector: Callable[[Tensor], Tensor],
    window: Tensor,
    *,
    size: int = DETECTOR_SIZE,
    channel_order: ChannelOrder = "bgr",
    fraction_origin: FractionOrigin = "first_pixel",
) -> Tensor:
    """Landmarks of the drawing in its own pixels.

    Args:
        drawing: (B, 1 | 3, H, W) in [-1, 1].
        detector: crop (B, 3, size, size) in [0, 1] to (B, 136) fractions of the crop, x and y in turn.
        window: (B | 1, 3) the square to look at; see :mod:`.face_window`.
        size: side of the detector's crop, pixels.
        channel_order: see :func:`detector_crop`.
        fraction_origin: see :data:`FractionOrigin`.

    Returns:
        (B, 68, 2) pixels, order (x, y).
    """
    fractions = detector(detector_crop(drawing, window, size, channel_order)).view(-1, POINT_COUNT, 2)
    window = window.to(fractions)
    origin = window[:, None, :2] - (0.5 if fraction_origin == "edge" else 0.0)
    return origin + fractions * window[:, None, 2:]


@in_full_precision
def geometry_loss(predicted: Tensor, target: Tensor, size: int, lip_weight: float | None = 2.0) -> Tensor:
    """Mean squared distance of landmarks as shares of the frame, the lips counted by themselves.

    ``MSE(points 0-47) + lip_weight MSE(points 48-67)``, each the mean over samples, points and both coordinates.

    Args:
        predicted: (B, 68, 2 | 3) pixels.
        target: (B, 68, 2 | 3) pixels.
        size: side of the frame, pixels; what both are divided by.
        lip_weight: 2 as published; None: one mean over all 68 points.

    Returns:
        A scalar.

    Raises:
        ValueError: if shapes do not fit.
    """
    predicted, target = plane_points(predicted, "predicted"), plane_points(target, "target")
    if predicted.shape != target.shape or predicted.shape[1] != POINT_COUNT:
        raise ValueError(
            f"predicted {tuple(predicted.shape)} and target {tuple(target.shape)} must both be (B, 68, 2|3)"
        )
    squared = ((predicted - target) / size).square()
    if lip_weight is None:
        return squared.mean()
    return squared[:, : LIPS.start].mean() + lip_weight * squared[:, LIPS.start :].mean()


class DrawingLandmarks(nn.Module):
    """A detector made to read drawings: where to look, how to show it the face, and how to read its answer.

    Args:
        detector: crop (B, 3, 112, 112) in [0, 1] to (B, 136) fractions of the crop, x and y in turn.
        window: where to look: the fixed face square of the ``"frame"`` (published), or the square that the given
            ``"landmarks"`` ask for, see :func:`.face_window.landmark_window`.
        channel_order: see :func:`detector_crop`.
        fraction_origin: see :data:`FractionOrigin`.
        detector_size: side of the detector's crop, pixels.
    """

    def __init__(
        self,
        detector: nn.Module,
        *,
        window: WindowChoice = "frame",
        channel_order: ChannelOrder = "bgr",
        fraction_origin: FractionOrigin = "first_pixel",
        detector_size: int = DETECTOR_SIZE,
    ) -> None:
        super().__init__()
        self.detector = detector
        self.window: WindowChoice = window
        self.channel_order: ChannelOrder = channel_order
        self.fraction_origin: FractionOrigin = fraction_origin
        self.detector_size = detector_size

    def forward(self, drawing: Tensor, landmarks: Tensor) -> Tensor:
        """Landmarks as they are drawn.

        Args:
            drawing: (B, 1 | 3, S, S) in [-1, 1].
            landmarks: (B, 68, 2 | 3) pixels: what the drawing was made for. Only tells where to look, and only with
                ``window="landmarks"``.

        Returns:
            (B, 68, 2) pixels.

        Raises:
            ValueError: if the drawing is not square or has neither 1 nor 3 channels.
        """
        return self.inside(drawing, chosen_window(drawing, landmarks, self.window))

    def inside(self, drawing: Tensor, window: Tensor) -> Tensor:
        """The same for a window (B | 1, 3) that is known, as the published data hold one for every sample."""
        return detected_landmarks(
            drawing,
            self.detector,
            window,
            size=self.detector_size,
            channel_order=self.channel_order,
            fraction_origin=self.fraction_origin,
        )


class GeometryLoss(nn.Module):
    """The geometry loss with its detector.

    Args:
        landmarks: what reads landmarks off a drawing.
        lip_weight: see :func:`geometry_loss`.
    """

    def __init__(self, landmarks: DrawingLandmarks, lip_weight: float | None = 2.0) -> None:
        super().__init__()
        self.landmarks = landmarks
        self.lip_weight = lip_weight

    def forward(self, drawing: Tensor, target: Tensor) -> Tensor:
        """The loss of square drawings.

        Args:
            drawing: F, (B, 1 | 3, S, S) in [-1, 1].
            target: l_t, (B, 68, 2 | 3) pixels.

        Returns:
            A scalar.

        Raises:
            ValueError: if shapes do not fit.
        """
        return geometry_loss(self.landmarks(drawing, target), target, drawing.shape[-1], self.lip_weight)
