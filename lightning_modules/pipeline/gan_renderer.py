"""The paper's renderer: the trained generator draws the person in every pose, over a still background."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.geometry.flow_map import interpolated_flow_map
from lightning_modules.geometry.rasters import landmark_discs
from lightning_modules.geometry.sampling import flow_of, normalize_map, sample
from lightning_modules.networks.portrait_generator import SIZE_MULTIPLE, PortraitGenerator
from lightning_modules.pipeline.compose import compose
from lightning_modules.pipeline.portrait import Portrait
from lightning_modules.portrait_gan_inputs import FlowRegression, InputRecipe, painted_white, regressed_flow


class SourceSide(NamedTuple):
    """What the generator needs of one photo, whatever the pose; W is the portrait's side, a multiple of 4."""

    landmarks: Tensor
    """(1, 68, 2) at rest, pixels."""
    mask: Tensor
    """m_p as in training, at the output's scale, (1, 1, W, W) in [0, 1]."""
    encoded: tuple[Tensor, ...]
    """Features of the photo, one tensor a scale; on white where the person is drawn alone."""
    landmark_features: Tensor
    """Features of the landmarks at rest, (1, L, W/4, W/4)."""


class GanRenderer:
    """Draws d_o with the generator and composes by Eq. 1; its inputs are made exactly as in training.

    m_p is the portrait's matte, not the steeper mask by which static drawings are cut out. It is carried by flow map B
    whatever carried it in training, as published; the background stands still. What depends on the photo alone is
    computed at the first frame and kept until another portrait comes. A side that is no multiple of 4 is padded with
    white paper at the right and below, and cut again.

    Args:
        generator: the trained generator; it is moved to the portrait's device and set to eval mode.
        flow_regression: flow map A, if the generator was trained with one. Without it flow map B takes its place, as
            in a training without it.
        recipe: matte, anchors of flow map B and size of the discs, as trained.
        separate_foreground: as trained; False: the generator draws the whole picture and nothing is composed.
        as_published: lay the person over the whole static drawing, with the person in it, and cut levels off instead of
            rounding them, as the published animation does.
    """

    name = "gan"

    def __init__(
        self,
        generator: PortraitGenerator,
        flow_regression: FlowRegression | None = None,
        recipe: InputRecipe | None = None,
        *,
        separate_foreground: bool = True,
        as_published: bool = False,
    ) -> None:
        self.as_published = as_published
        self.generator = generator.eval()
        self.flow_regression = flow_regression
        self.recipe = recipe or InputRecipe()
        self.separate_foreground = separate_foreground
        self._kept: tuple[Portrait, SourceSide] | None = None

    @torch.no_grad()
    def render(self, portrait: Portrait, landmarks: Tensor) -> Tensor:
        """Draw the portrait in every given pose.

        Args:
            portrait: the constants of one photo, of side S.
            landmarks: (B, 68, 3) or (B, 68, 2), crop pixels.

        Returns:
            (B, C, S, S) in [0, 1]; outside the person exactly the portrait's background, if the person is drawn alone.
        """
        source = self.source_side(portrait)
        drawn, map_b = self.draw_person(source, landmarks[..., :2].float())
        side = portrait.size
        drawn = (drawn[..., :side, :side] + 1.0) / 2.0
        if self.separate_foreground:
            mask = sample(source.mask, map_b)[..., :side, :side]
            drawn = compose(drawn, self._background(portrait), mask)
        drawn = drawn.clamp(0.0, 1.0)
        return (drawn * 255.0).floor() / 255.0 if self.as_published else drawn

    def draw_person(self, source: SourceSide, target: Tensor, guide: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """d_o: what the generator draws, before anything is composed.

        Args:
            source: of the photo, side W.
            target: (B, 68, 2) landmarks to show, its pixels.
            guide: (B, C, W, W) in [-1, 1], for a guided generator.

        Returns:
            The drawing (B, C, W, W) in [-1, 1], and flow map B (B, W, W, 2), pixels.
        """
        size = source.mask.shape[-1]
        rest = source.landmarks.expand(len(target), -1, -1)
        map_b = interpolated_flow_map(rest, target, size, anchors=self.recipe.anchors)
        flow, validity = self._flow_a(rest, target, map_b)
        drawing = self.generator.draw(
            source.encoded,
            source.landmark_features,
            self.generator.encode_landmarks(self._discs(target, size)),
            normalize_map(map_b, size),
            flow,
            validity,
            guide,
        )
        return drawing.float(), map_b

    def _background(self, portrait: Portrait) -> Tensor:
        if self.as_published:
            return functional.avg_pool2d(portrait.drawing, portrait.detail)
        return portrait.background

    @torch.no_grad()
    def source_side(self, portrait: Portrait) -> SourceSide:
        """What the generator needs of a portrait: kept from the frame before, or computed now."""
        if self._kept is None or self._kept[0] is not portrait:
            self.generator.to(portrait.photo.device)
            mask = functional.avg_pool2d(portrait.matte, portrait.detail)
            mask = mask if self.recipe.soft_matte else (mask > 0.5).float()
            photo = portrait.photo * 2.0 - 1.0
            photo = painted_white(photo, mask) if self.separate_foreground else photo
            missing = -portrait.size % SIZE_MULTIPLE
            photo = functional.pad(photo, (0, missing, 0, missing), value=1.0)
            landmarks = portrait.landmarks[None, :, :2]
            discs = self._discs(landmarks, photo.shape[-1])
            source = SourceSide(
                landmarks=landmarks,
                mask=functional.pad(mask, (0, missing, 0, missing)),
                encoded=self.generator.encode(photo),
                landmark_features=self.generator.encode_landmarks(discs),
            )
            self._kept = (portrait, source)
        return self._kept[1]

    def _discs(self, landmarks: Tensor, size: int) -> Tensor:
        radius = max(1, round(self.recipe.disc_radius * size / 256))
        return landmark_discs(landmarks, size, radius, value_range=(-1.0, 1.0))

    def _flow_a(self, source: Tensor, target: Tensor, map_b: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Flow map A and its validity; nothing for a generator that does not read them."""
        if not self.generator.warp_a:
            return None, None
        size = map_b.shape[1]
        if self.flow_regression is not None:
            return regressed_flow(self.flow_regression, source, target, size)
        return flow_of(map_b).movedim(-1, 1), map_b.new_ones(len(map_b), 1, size, size)
