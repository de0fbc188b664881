"""The warp coherence loss: one drawing moved onto the other must look the same (paper Eq. 7, lambda5 = 10).

``|| W(F_1) - F_2 ||_1`` for two drawings of one photo with slightly different targets, W from l_t1 to l_t2. Published:
mean over all pixels, and no gradient through the warped F_1 (``detach=True``), so that only F_2 learns. Paper: both
learn (``detach=False``). Stage 2, section 4.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.geometry.spline import SplineBasis
from lightning_modules.losses.landmark_warp import warped
from lightning_modules.losses.precision import in_full_precision


@in_full_precision
def coherence_warp_loss(
    first: Tensor,
    second: Tensor,
    l_t1: Tensor,
    l_t2: Tensor,
    detach: bool = True,  # noqa: FBT001, FBT002  part of the agreed signature
    *,
    basis: SplineBasis | None = None,
    sampling_map: Tensor | None = None,
    anchors: bool = False,
) -> Tensor:
    """Mean absolute difference between the second drawing and the first one moved to the second's landmarks.

    Args:
        first: F_1, (B, C, H, W) in [-1, 1].
        second: F_2, of the same shape.
        l_t1: target landmarks of the first, (B, 68, 2 | 3) pixels.
        l_t2: target landmarks of the second.
        detach: stop the gradient at the warped first drawing (published); False: both learn (paper).
        basis: spline basis of ``l_t2``; see :func:`.landmark_warp.warped`.
        sampling_map: see :func:`.landmark_warp.warped`.
        anchors: see :func:`.landmark_warp.warped`.

    Returns:
        A scalar in [0, 2].

    Raises:
        ValueError: if shapes do not fit.
    """
    if first.shape != second.shape:
        raise ValueError(f"the two drawings must be of one shape, got {tuple(first.shape)} and {tuple(second.shape)}")
    start = first.detach() if detach else first
    moved = warped(start, l_t1, l_t2, basis=basis, sampling_map=sampling_map, anchors=anchors)
    return functional.l1_loss(second, moved)


class CoherenceWarpLoss(nn.Module):
    """The options of the warp coherence loss.

    Args:
        detach: stop the gradient at the warped first drawing. Published: True.
        anchors: keep the frame's border still in the warp. Published: False.
    """

    def __init__(self, *, detach: bool = True, anchors: bool = False) -> None:
        super().__init__()
        self.detach = detach
        self.anchors = anchors

    def forward(
        self,
        first: Tensor,
        second: Tensor,
        l_t1: Tensor,
        l_t2: Tensor,
        *,
        basis: SplineBasis | None = None,
        sampling_map: Tensor | None = None,
    ) -> Tensor:
        """See :func:`coherence_warp_loss`."""
        return coherence_warp_loss(
            first,
            second,
            l_t1,
            l_t2,
            self.detach,
            basis=basis,
            sampling_map=sampling_map,
            anchors=self.anchors,
        )
