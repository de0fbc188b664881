"""The content loss: the drawing against the warped static drawing (paper Eq. 3, lambda1 = 5; stage 2, section 4).

``|| W(d_s) - F ||_1`` with the landmark warp W from l_p to l_t. Published: the mean over all pixels and channels, of
the first target's blended drawing only, W without border anchors. With more targets in a batch the loss is their mean.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.geometry.spline import SplineBasis
from lightning_modules.losses.landmark_warp import warped
from lightning_modules.losses.precision import in_full_precision


@in_full_precision
def content_loss(
    drawing: Tensor,
    static_drawing: Tensor,
    source: Tensor,
    target: Tensor,
    *,
    basis: SplineBasis | None = None,
    sampling_map: Tensor | None = None,
    anchors: bool = False,
) -> Tensor:
    """Mean absolute difference between the drawing and the static drawing moved to the target landmarks.

    Args:
        drawing: F, (B, C, H, W) in [-1, 1].
        static_drawing: d_s, (B, C, H, W) in [-1, 1].
        source: l_p, (B, 68, 2 | 3) pixels.
        target: l_t, (B, 68, 2 | 3) pixels.
        basis: see :func:`.landmark_warp.warped`.
        sampling_map: see :func:`.landmark_warp.warped`.
        anchors: see :func:`.landmark_warp.warped`.

    Returns:
        A scalar in [0, 2]. Gradients reach the drawing, and the static drawing and landmarks where they ask for it.

    Raises:
        ValueError: if shapes do not fit.
    """
    moved = warped(static_drawing, source, target, basis=basis, sampling_map=sampling_map, anchors=anchors)
    if moved.shape != drawing.shape:
        raise ValueError(f"drawing {tuple(drawing.shape)} and static drawing {tuple(moved.shape)} must be of one shape")
    return functional.l1_loss(drawing, moved)


class ContentLoss(nn.Module):
    """The options of the content loss.

    Args:
        anchors: keep the frame's border still in the warp. Published: False, and the corners move freely.
    """

    def __init__(self, *, anchors: bool = False) -> None:
        super().__init__()
        self.anchors = anchors

    def forward(
        self,
        drawing: Tensor,
        static_drawing: Tensor,
        source: Tensor,
        target: Tensor,
        *,
        basis: SplineBasis | None = None,
        sampling_map: Tensor | None = None,
    ) -> Tensor:
        """See :func:`content_loss`."""
        return content_loss(
            drawing,
            static_drawing,
            source,
            target,
            basis=basis,
            sampling_map=sampling_map,
            anchors=self.anchors,
        )
