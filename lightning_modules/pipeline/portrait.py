"""Everything that is constant for one photo, computed once: the source side of every renderer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name the field uses

from lightning_modules.drawing.short_strokes import without_short_strokes
from lightning_modules.faces.matter import LEAST_COVERAGE, face_coverage
from lightning_modules.geometry.alignment import PortraitFrame, crop, portrait_frame, to_crop
from lightning_modules.pipeline.compose import drawing_mask
from lightning_modules.pipeline.inpainting import covered_region, dilate, fill_smoothly, without_foreground
from lightning_modules.pipeline.white_margins import inside_margins

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lightning_modules.drawing.drawer import StaticDrawer
    from lightning_modules.faces.face import Face
    from lightning_modules.faces.matter import Matter
    from lightning_modules.faces.photo import Photo


@dataclass(frozen=True)
class Portrait:
    """The constants of one photo, in the square of the paper's crop.

    Pictures that will be warped are kept ``detail`` times finer than the output, so that a warped line is averaged down
    and stays as sharp as a line at rest. Point p of the output lies at
    ``(p + 0.5) · detail − 0.5`` of the finer picture.

    Attributes:
        size: S, side of the output square in pixels.
        detail: how many times finer ``drawing``, ``mask`` and ``matte`` are than the output, at least 1.
        frame: the square in photo pixels.
        landmarks: (68, 3) at rest, crop pixels (x right, y down, z towards the viewer), float32.
        photo: (1, 3, S, S) in [0, 1]; white outside the photo.
        drawing: d_s, (1, C, S·detail, S·detail) in [0, 1]: the static drawing of the photo.
        background: d_b, (1, C, S, S) in [0, 1]: the drawing of the photo with the person taken out.
        mask: (1, 1, S·detail, S·detail) in [0, 1]: m_p made to cut a static drawing out: steep at its edge, silhouette
            line included.
        matte: m_p itself as the matte's source gave it, (1, 1, S·detail, S·detail) in [0, 1], 0 outside the photo: what
            a generator was trained with.
        notes: what the user should know about how it was made.
    """

    size: int
    detail: int
    frame: PortraitFrame
    landmarks: Tensor
    photo: Tensor
    drawing: Tensor
    background: Tensor
    mask: Tensor
    matte: Tensor
    notes: tuple[str, ...] = ()

    def to(self, device: torch.device | str) -> Portrait:
        """The same portrait on another device."""
        tensors = ("landmarks", "photo", "drawing", "background", "mask", "matte")
        return replace(self, **{name: getattr(self, name).to(device) for name in tensors})


def image_tensor(image: NDArray[np.uint8]) -> Tensor:
    """A uint8 picture as a batch of one.

    Args:
        image: (H, W) or (H, W, C), uint8.

    Returns:
        (1, C, H, W) float32 in [0, 1].
    """
    channels_last = image[..., None] if image.ndim == 2 else image
    return torch.from_numpy(np.ascontiguousarray(channels_last)).permute(2, 0, 1)[None].float() / 255.0


def image_array(image: Tensor) -> NDArray[np.uint8]:
    """A batch of pictures as uint8, rounded, channels last.

    Args:
        image: (B, C, H, W) in [0, 1]; values outside are clipped.

    Returns:
        (B, H, W, C) uint8.
    """
    eight_bit = (image.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)
    array: NDArray[np.uint8] = eight_bit.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return array


def _eight_bit(image: Tensor) -> Tensor:
    """Round to the 256 levels that a cached portrait holds, so that a cached run equals a fresh one bit by bit."""
    return (image.clamp(0.0, 1.0) * 255.0).round() / 255.0


def default_detail(size: int) -> int:
    """How much finer than the output the warped pictures are kept: 2 up to 384 pixels, then 1 (lines are wide)."""
    return 2 if size <= 384 else 1


def draw_within(
    photo: Tensor, valid: Tensor, drawer: StaticDrawer, landmarks: Tensor | None, matte: Tensor | None
) -> Tensor:
    """Draw a crop that may stick out of its photo: smooth continuation for the drawer, blank paper outside.

    Args:
        photo: (1, 3, H, W) in [0, 1].
        valid: (1, 1, H, W) in [0, 1], 1 inside the photo.
        drawer: the static drawer.
        landmarks: (1, 68, 3) pixels of ``photo``, or ``None``.
        matte: (1, 1, H, W) in [0, 1], or ``None``.

    Returns:
        (1, C, H, W) in [0, 1].
    """
    drawing = drawer.draw(continued_outside(photo, valid), landmarks=landmarks, matte=matte)
    return blank_outside(drawing, valid)


def continued_outside(photo: Tensor, valid: Tensor) -> Tensor:
    """A crop that may stick out of its photo, continued smoothly outside of it.

    Args:
        photo: (B, C, H, W).
        valid: (1, 1, H, W) in [0, 1], 1 inside the photo.

    Returns:
        (B, C, H, W); the photo itself where nothing sticks out.
    """
    inside = (valid > 0.999).to(photo.dtype)
    return fill_smoothly(photo, inside) if bool((inside < 1).any()) else photo


def blank_outside(drawing: Tensor, valid: Tensor) -> Tensor:
    """A drawing with blank paper outside of the photo.

    Args:
        drawing: (B, C, H, W) in [0, 1].
        valid: (1, 1, H, W) in [0, 1], 1 inside the photo.

    Returns:
        (B, C, H, W) in [0, 1].
    """
    # The photo's own border would be drawn as a line.
    outside = dilate((valid <= 0.999).to(drawing.dtype), round(0.012 * drawing.shape[-2]))
    return 1.0 - (1.0 - drawing) * (1.0 - outside)


def prepare_portrait(
    photo: Photo,
    face: Face,
    *,
    drawer: StaticDrawer,
    matter: Matter,
    size: int = 256,
    detail: int | None = None,
    device: torch.device | str = "cpu",
) -> Portrait:
    """Compute all that stays the same while the portrait talks.

    Args:
        photo: the photo.
        face: the chosen face, landmarks in photo pixels.
        drawer: draws d_s and d_b.
        matter: separates the person from the background. A matte that misses the face, as on some paintings and
            drawings, is not used, which :attr:`Portrait.notes` says.
        size: side of the output square in pixels.
        detail: see :class:`Portrait`; ``None`` takes :func:`default_detail`.
        device: where to compute and keep the result.

    Returns:
        The portrait; its pictures hold 8-bit levels.

    Source:
        Paper §3.3 (static drawing, foreground mask, Eq. 1) and reference stage 2 §8 step 1 (crop).
    """
    detail = default_detail(size) if detail is None else detail
    fine = size * detail
    frame = portrait_frame(face.landmarks)
    rgb = crop(photo.rgb, frame, fine, fill=255)
    inside = crop(inside_margins(photo.rgb), frame, fine, fill=0)
    valid = image_tensor(inside).to(device)
    colour = image_tensor(rgb).to(device)
    # The drawer follows the matte's edge, so it gets the matte uncut: the photo's border is no silhouette.
    found, in_crop = matter.matte(rgb), to_crop(face.landmarks, frame, fine)
    coverage = face_coverage(found, in_crop)
    notes: tuple[str, ...] = ()
    if coverage < LEAST_COVERAGE:
        found = np.ones_like(found)
        missed = f"the matte counts {coverage:.0%} of the face as person and is not used"
        notes = (f"{missed}: the whole picture moves with the head",)
    uncut = torch.from_numpy(np.ascontiguousarray(found))[None, None].float().to(device)
    matte = uncut * valid
    fine_landmarks = torch.from_numpy(in_crop)[None].float().to(device)
    mask = drawing_mask(matte)
    if bool((mask < 1.0).any()):
        # Two drawings that know nothing of each other. Most of the work is done by operations too small to be shared
        # by threads, so that two cores draw both in the time of one.
        with ThreadPoolExecutor(1) as beside:
            without_person = beside.submit(_draw_behind, colour, valid, drawer, covered_region(matte))
            drawing = draw_within(colour, valid, drawer, fine_landmarks, uncut)
            behind = without_person.result()
    else:
        drawing = draw_within(colour, valid, drawer, fine_landmarks, uncut)
        behind = torch.ones_like(drawing)
    return Portrait(
        size=size,
        detail=detail,
        frame=frame,
        landmarks=torch.from_numpy(to_crop(face.landmarks, frame, size)).float().to(device),
        photo=_eight_bit(F.avg_pool2d(colour, detail)),
        drawing=_eight_bit(drawing),
        background=_eight_bit(F.avg_pool2d(behind, detail)),
        mask=_eight_bit(mask),
        matte=_eight_bit(matte),
        notes=notes,
    )


def _draw_behind(colour: Tensor, valid: Tensor, drawer: StaticDrawer, covered: Tensor) -> Tensor:
    """The drawing of the photo with the person taken out, (1, C, H, W) in [0, 1]."""
    behind = draw_within(without_foreground(colour, covered), valid, drawer, None, torch.zeros_like(covered))
    # What the head uncovers is guessed: no line is invented there, the paper stays blank as around a drawn head. A
    # colour drawing would show a white hole; the colours around, which fill the photo, fill it.
    return without_short_strokes(behind + (1.0 - behind) * covered) if drawer.channels == 1 else behind
