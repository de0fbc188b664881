"""The renderer of a guided generator: the static drawing is carried to every pose, and the generator corrects it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.drawing.moved_drawing import moved_drawing
from lightning_modules.geometry.sampling import sample
from lightning_modules.networks.portrait_generator import SIZE_MULTIPLE, PortraitGenerator
from lightning_modules.pipeline.compose import compose
from lightning_modules.pipeline.gan_renderer import GanRenderer
from lightning_modules.pipeline.portrait import Portrait
from lightning_modules.portrait_gan_inputs import FlowRegression, InputRecipe


class GuidedRenderer(GanRenderer):
    """Makes the guide as in training, lets the generator correct it, and composes by Eq. 1.

    The guide is carried at the portrait's finer scale and then averaged, so its lines stay sharp. At another size than
    the generator was trained for, the generator works at its own, and what it changes is enlarged and added to the
    guide of the full size: lines keep the sharpness of the static drawing at any size.

    Args:
        generator: guided; it is moved to the portrait's device and set to eval mode.
        flow_regression: as :class:`GanRenderer`.
        recipe: as trained; of the masks a guided generator uses the one that is carried with the guide.
        separate_foreground: as trained.
        image_size: side that the generator was trained at, pixels; None: it works at the portrait's.
        stride: of the smooth part of the guide's map, output pixels.
    """

    name = "gan"

    def __init__(
        self,
        generator: PortraitGenerator,
        flow_regression: FlowRegression | None = None,
        recipe: InputRecipe | None = None,
        *,
        separate_foreground: bool = True,
        image_size: int | None = None,
        stride: int = 4,
    ) -> None:
        super().__init__(generator, flow_regression, recipe, separate_foreground=separate_foreground)
        # Light convolutions are fastest so, on a CPU as on tensor cores.
        self.generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch names it for tensors
        self.image_size = image_size
        self.stride = stride
        self._seen: tuple[Portrait, Portrait] | None = None

    @torch.no_grad()
    def render(self, portrait: Portrait, landmarks: Tensor) -> Tensor:
        """Draw the portrait in every given pose; see :meth:`GanRenderer.render`."""
        detail, target = portrait.detail, landmarks[..., :2].float()
        rest = portrait.landmarks[None, :, :2].float()
        fine_rest, fine_target = ((points + 0.5) * detail - 0.5 for points in (rest, target))
        moved = moved_drawing(portrait.drawing, fine_rest, fine_target, stride=self.stride * detail)
        guide = functional.avg_pool2d(moved.drawing, detail)
        drawn = (guide + self._correction(portrait, target, guide)).clamp(0.0, 1.0)
        if not self.separate_foreground:
            return drawn
        cut = portrait.mask if self.recipe.drawing_mask else portrait.matte
        mask = sample(cut.expand(len(target), -1, -1, -1), moved.positions, padding="border")
        return compose(drawn, portrait.background, functional.avg_pool2d(mask, detail)).clamp(0.0, 1.0)

    def _correction(self, portrait: Portrait, target: Tensor, guide: Tensor) -> Tensor:
        """What the generator changes: (B, C, S, S), to be added to the guide in [0, 1]."""
        seen = self._at_trained_size(portrait)
        source = self.source_side(seen)
        size, padded = seen.size, source.mask.shape[-1]
        shown = guide if size == portrait.size else _resized(guide, size)
        missing = padded - size
        shown = functional.pad(shown, (0, missing, 0, missing), value=1.0) * 2.0 - 1.0
        drawing, _ = self.draw_person(source, (target + 0.5) * (size / portrait.size) - 0.5, shown)
        change = ((drawing - shown) / 2.0)[..., :size, :size]
        return change if size == portrait.size else _resized(change, portrait.size)

    def _at_trained_size(self, portrait: Portrait) -> Portrait:
        """The portrait as the generator is shown it; kept until another one comes."""
        if self.image_size is None or self.image_size == portrait.size:
            return portrait
        if self._seen is None or self._seen[0] is not portrait:
            size = self.image_size - self.image_size % SIZE_MULTIPLE
            landmarks = portrait.landmarks.clone()
            landmarks[:, :2] = (landmarks[:, :2] + 0.5) * (size / portrait.size) - 0.5
            matte = _resized(functional.avg_pool2d(portrait.matte, portrait.detail), size)
            photo = _resized(portrait.photo, size)
            self._seen = (
                portrait,
                replace(portrait, size=size, detail=1, landmarks=landmarks, photo=photo, matte=matte),
            )
        return self._seen[1]


def _resized(pictures: Tensor, size: int) -> Tensor:
    """(B, C, H, W) to (B, C, size, size): averaged where that is smaller, smooth where it is larger."""
    return functional.interpolate(pictures, size=(size, size), mode="bicubic", antialias=True, align_corners=False)
