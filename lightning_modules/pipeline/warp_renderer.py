"""The paper's baseline renderer: the static drawing warped by the landmarks, over a still background."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name the field uses

from lightning_modules.drawing.moved_drawing import moved_drawing
from lightning_modules.geometry.sampling import sample
from lightning_modules.pipeline.compose import compose
from lightning_modules.pipeline.portrait import Portrait


class WarpRenderer:
    """Warps d_s and m_p from the landmarks at rest to those of the frame, and composes by Eq. 1.

    The map (:func:`.articulated_map.articulated_map`) is anchored at the border of the square, so shoulders and frame
    stand still. What a warp cannot show is drawn: the inside of a mouth that is closed in the photo, the line of an eye
    that is open there (:mod:`.mouth_interior`, :mod:`.closed_lids`). Without that the baseline is exactly the paper's
    "static drawing + landmark warping".

    Args:
        drawn_features: draw opened mouths and closed eyes; ``False`` stretches and squeezes as the paper's baseline.
        stride: the spline is evaluated on every ``stride``-th output pixel and interpolated between (mean error
            0.015 px at 4, reference auxiliary networks §5.3).
    """

    name = "warp"

    def __init__(self, *, drawn_features: bool = True, stride: int = 4) -> None:
        self.drawn_features = drawn_features
        self.stride = stride

    def render(self, portrait: Portrait, landmarks: Tensor) -> Tensor:
        """Draw the portrait in every given pose.

        Args:
            portrait: the constants of one photo.
            landmarks: (B, 68, 3) or (B, 68, 2), crop pixels of the output square.

        Returns:
            (B, C, S, S) in [0, 1].
        """
        detail = portrait.detail
        target = (landmarks[..., :2] + 0.5) * detail - 0.5
        rest = (portrait.landmarks[None, :, :2] + 0.5) * detail - 0.5
        count = target.shape[0]
        drawing, positions = moved_drawing(
            portrait.drawing, rest, target, stride=self.stride * detail, drawn_features=self.drawn_features
        )
        mask = sample(portrait.mask.expand(count, -1, -1, -1), positions, padding="border")
        # Averaged before composing: the background is kept at the output's scale only. Exact where the mask is 0 or 1.
        premultiplied = F.avg_pool2d((1.0 - drawing) * mask, detail)
        coverage = F.avg_pool2d(mask, detail)
        ink = compose((premultiplied / coverage.clamp_min(1e-6)), 1.0 - portrait.background, coverage)
        return 1.0 - ink
