"""The warp W of the content and warp coherence terms, with whatever of it is at hand already."""

from __future__ import annotations

from torch import Tensor

from lightning_modules.geometry.sampling import sample
from lightning_modules.geometry.spline import SplineBasis


def warped(
    image: Tensor,
    source: Tensor,
    target: Tensor,
    *,
    basis: SplineBasis | None = None,
    sampling_map: Tensor | None = None,
    anchors: bool = False,
) -> Tensor:
    """W(image; source -> target): the image that shows ``source`` warped to show ``target``, border repeated.

    A spline's system and its kernel on the grid depend on the target alone. In a training step the target landmarks
    l_t1 serve the content warp and the first mask's warp (even the same map: both read from l_p); l_t2 serves the
    second mask's warp and the warp between the two drawings. Make one ``SplineBasis(target, size, keep_kernel=True)``
    for each and hand it in, or hand in the finished map.

    Args:
        image: (B, C, H, W).
        source: (B | 1, 68, 2 | 3) landmarks of the image, pixels.
        target: (B | 1, 68, 2 | 3) landmarks of the result.
        basis: the spline basis of ``target`` for (H, W), options and all; ``target`` and ``anchors`` are then not read.
        sampling_map: the finished map (B | 1, H, W, 2), pixels; nothing else is then read.
        anchors: keep eight points of the frame's border still. Published: no anchors.

    Returns:
        (B, C, H, W).

    Raises:
        ValueError: if both a basis and a map are given, or sizes do not fit.
    """
    size = (image.shape[-2], image.shape[-1])
    if basis is not None and sampling_map is not None:
        raise ValueError("give a basis or a sampling map, not both")
    if sampling_map is None:
        basis = basis or SplineBasis(target, size, anchors=anchors)
        if basis.size != size:
            raise ValueError(f"a basis for {basis.size} does not go with an image of {size}")
        sampling_map = basis.sampling_map(source)
    elif tuple(sampling_map.shape[1:3]) != size:
        raise ValueError(f"a map of {tuple(sampling_map.shape)} does not go with an image of {size}")
    return sample(image, sampling_map, "border")
