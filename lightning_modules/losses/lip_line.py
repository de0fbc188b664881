"""The lip line loss: where the target's lip contours run there must be ink (paper Eq. 5, lambda3 = 50).

``|| (F + 1) M ||_1`` with F = -1 for ink, and M the closed outer and inner lip contours of the target landmarks as
crisp lines, 2 px thick at 256. Published: the mean over *all* pixels of the frame, which lambda3 is made for; and as
F + 1 lies in [0, 2], the loss is twice that of an image in [0, 1]. ``mean_over="mask"`` divides by the mask's area
instead, so that the loss does not depend on the mouth's size. Stage 2, section 4. No gradient flows to the landmarks.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from lightning_modules.geometry.part_masks import lip_line_mask
from lightning_modules.losses.precision import in_full_precision

MeanOver = Literal["frame", "mask"]


def lip_line_thickness(side: int) -> int:
    """Line thickness for a frame side in pixels: 2 at 256, 4 at 512 (published), never below 2."""
    return max(2, round(side / 128))


@in_full_precision
def lip_line_loss(
    drawing: Tensor, target_landmarks: Tensor, mean_over: MeanOver = "frame", thickness: int | None = None
) -> Tensor:
    """How much paper shows on the lip lines.

    Args:
        drawing: F, (B, C, H, W) in [-1, 1], 1 = paper.
        target_landmarks: l_t, (B, 68, 2 | 3) pixels.
        mean_over: all pixels of the frame (published), or those of the mask (a mouth outside the frame counts 0).
        thickness: of the lines as in ``cv2.line``, pixels; None: :func:`lip_line_thickness` of the longer side.

    Returns:
        A scalar: 0 for pure ink on all lines, at most 2.

    Raises:
        ValueError: if batch sizes do not fit.
    """
    if len(drawing) != len(target_landmarks):
        raise ValueError(f"{len(drawing)} drawings do not go with {len(target_landmarks)} landmark sets")
    size = (drawing.shape[-2], drawing.shape[-1])
    mask = lip_line_mask(target_landmarks, size, thickness or lip_line_thickness(max(size))).to(drawing.dtype)
    light = (drawing + 1) * mask
    if mean_over == "frame":
        return light.mean()
    area = mask.sum((1, 2, 3)).clamp(min=1) * drawing.shape[1]
    return (light.sum((1, 2, 3)) / area).mean()


class LipLineLoss(nn.Module):
    """The options of the lip line loss.

    Args:
        mean_over: all pixels of the frame (published), or those of the mask.
        thickness: of the lines, pixels; None: 2 at 256, 4 at 512.
    """

    def __init__(self, mean_over: MeanOver = "frame", thickness: int | None = None) -> None:
        super().__init__()
        if mean_over not in ("frame", "mask"):
            raise ValueError(f"mean_over must be 'frame' or 'mask', got {mean_over!r}")
        self.mean_over: MeanOver = mean_over
        self.thickness = thickness

    def forward(self, drawing: Tensor, target_landmarks: Tensor) -> Tensor:
        """See :func:`lip_line_loss`."""
        return lip_line_loss(drawing, target_landmarks, self.mean_over, self.thickness)
