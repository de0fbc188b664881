"""Everything the portrait GAN's step derives from a batch: landmark images, flow maps, warped masks, background.

All of it is computed in batches on the device of the batch, in float32 outside autocast and without gradient. Both
targets of a sample are stacked in the order of ``torch.cat``: entry i of a stack of 2B belongs to sample ``i % B``,
entries 0 .. B-1 show l_t1 and entries B .. 2B-1 show l_t2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.batches import PortraitBatch
from lightning_modules.drawing.moved_drawing import MovedDrawing, moved_drawing
from lightning_modules.errors import ConfigError
from lightning_modules.geometry.flow_map import interpolated_flow_map
from lightning_modules.geometry.rasters import landmark_discs
from lightning_modules.geometry.sampling import flow_of, normalize_map, sample
from lightning_modules.geometry.spline import SplineBasis
from lightning_modules.losses.face_window import face_square, landmark_window
from lightning_modules.pipeline.compose import drawing_mask

FlowRegression = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Flow map A: source and target landmarks (B, 68, 2), pixels of a 256 x 256 picture, to backward flow (B, 2, 256, 256)
in pixels, order (x, y), and validity (B, 1, 256, 256) in [0, 1]."""

FLOW_REGRESSION_SIZE = 256


@dataclass(frozen=True)
class InputRecipe:
    """The choices in which the published training differs from what is best now; each is named, the default corrects.

    Args:
        mask_warp: flow that carries the foreground mask: ``"interpolated"`` (flow map B, as when rendering and as the
            paper says), ``"spline"`` (the published training) or ``"articulated"`` (the map that carries the guide of
            a guided generator, so that mask and lines move together).
        soft_matte: keep the matte soft; False cuts it at 0.5 (published).
        background: ``"paper"`` erases the person from the static drawing before Eq. 1, so that where the head moved
            away there is white paper; ``"static_drawing"`` keeps the whole drawing (published: leaves a second face).
        anchors: fixed points of flow map B: ``"frame"`` (corners and mid-edges) or ``"official"`` (corners).
        face_window: where detector and identity features look: the square that the ``"landmarks"`` ask for, or the
            fixed one of the ``"frame"`` (published).
        disc_radius: radius of the discs in landmark images, pixels at 256 x 256; scaled with the picture.
        drawing_mask: blend with the steep mask that holds the whole silhouette line
            (:func:`~lightning_modules.pipeline.compose.drawing_mask`) in place of the photo's matte, whose soft edge
            fades that line to gray. The photo is painted white by the matte all the same.
    """

    mask_warp: Literal["interpolated", "spline", "articulated"] = "interpolated"
    soft_matte: bool = True
    background: Literal["paper", "static_drawing"] = "paper"
    anchors: Literal["frame", "official"] = "frame"
    face_window: Literal["landmarks", "frame"] = "landmarks"
    disc_radius: float = 3.0
    drawing_mask: bool = False

    @classmethod
    def official(cls) -> InputRecipe:
        """The published choices, all of them (reference stage2 §2.2, §4, §7)."""
        return cls(
            mask_warp="spline",
            soft_matte=False,
            background="static_drawing",
            anchors="official",
            face_window="frame",
        )


class GeneratorInputs(NamedTuple):
    """Arguments of the generator's forward: B photos, 2B targets."""

    photo: Tensor
    """(B, 3, S, S) in [-1, 1], background white where foreground and background are separated."""
    source_landmark_image: Tensor
    """(B, 1, S, S), -1 and 1."""
    target_landmark_image: Tensor
    """(2B, 1, S, S), -1 and 1."""
    grid_b: Tensor
    """Flow map B: (2B, S, S, 2), normalised with ``align_corners=True``."""
    flow_a: Tensor
    """Flow map A: (2B, 2, S, S), pixels."""
    validity_a: Tensor
    """(2B, 1, S, S) in [0, 1]."""
    guide: Tensor | None = None
    """The static drawing in the target poses, (2B, C, S, S) in [-1, 1]; for a guided generator only."""

    @property
    def arguments(self) -> tuple[Tensor, ...]:
        """What the generator is called with: all that is there."""
        return tuple(value for value in self if value is not None)


class Blending(NamedTuple):
    """What Eq. 1 needs besides the generator's drawing."""

    foreground: Tensor
    """m', the foreground mask carried to the targets: (2B, 1, S, S) in [0, 1]."""
    background: Tensor
    """d_b: (2B, C, S, S) in [-1, 1]."""


class Warps(NamedTuple):
    """Sampling maps of the thin-plate warp W, (B, S, S, 2), pixels."""

    content: Tensor
    """Moves a picture of l_p to l_t1 (Eq. 3)."""
    coherence: Tensor
    """Moves a picture of l_t1 to l_t2 (Eq. 7)."""


class Derived(NamedTuple):
    """All that a step needs besides the batch itself."""

    inputs: GeneratorInputs
    warps: Warps
    blending: Blending | None
    """None where foreground and background are not separated."""


def both_targets(values: Tensor) -> Tensor:
    """(B, 2, ...) to the stack (2B, ...): all first targets, then all second ones."""
    return values.transpose(0, 1).flatten(0, 1)


def painted_white(picture: Tensor, mask: Tensor) -> Tensor:
    """White paper where the mask is 0: (B, C, S, S) in [-1, 1] and (B, 1, S, S) in [0, 1] to (B, C, S, S)."""
    return picture * mask + (1.0 - mask)


def blend(drawing: Tensor, blending: Blending) -> Tensor:
    """Eq. 1, ``d = d_o m' + d_b (1 - m')``, the same in [-1, 1] as in [0, 1].

    Args:
        drawing: d_o, what the generator drew, (2B, C, S, S) in [-1, 1].
        blending: mask and background of the same batch.

    Returns:
        (2B, C, S, S) in [-1, 1], float32.
    """
    return blending.background + (drawing.float() - blending.background) * blending.foreground


def regressed_flow(network: FlowRegression, source: Tensor, target: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Flow map A of a network that works at 256 x 256, for pictures of any size.

    Args:
        network: see :data:`FlowRegression`.
        source: (B, 68, 2) landmarks of the photo, pixels of the S x S picture.
        target: (B, 68, 2) landmarks to show.
        size: S.

    Returns:
        Flow (B, 2, S, S) in pixels of that picture and validity (B, 1, S, S).
    """
    scale = FLOW_REGRESSION_SIZE / size
    # Pixel centres are at integers, so positions scale about the picture's corner at -0.5.
    flow, validity = network((source + 0.5) * scale - 0.5, (target + 0.5) * scale - 0.5)
    if size != FLOW_REGRESSION_SIZE:
        flow = functional.interpolate(flow, size=(size, size), mode="bilinear", align_corners=False) / scale
        validity = functional.interpolate(validity, size=(size, size), mode="bilinear", align_corners=False)
    return flow, validity


class PortraitInputs:
    """Derives the generator's inputs from batches.

    Args:
        recipe: see :class:`InputRecipe`.
        separate_foreground: paint the photo's background white, draw the person only, and lay it over the background
            by Eq. 1. False: the network draws everything (ablation).
        guided: make the guide of a guided generator.

    Raises:
        ConfigError: the recipe asks for what only a guided generator is drawn with.
    """

    def __init__(
        self, recipe: InputRecipe | None = None, *, separate_foreground: bool = True, guided: bool = False
    ) -> None:
        self.recipe = recipe or InputRecipe()
        if not guided and (self.recipe.mask_warp == "articulated" or self.recipe.drawing_mask):
            found = "the recipe carries the mask with a guide, and the generator has none"
            raise ConfigError(found, "give the generator a guided head, or leave out mask_warp and drawing_mask")
        self.separate_foreground = separate_foreground
        self.guided = guided

    def matte(self, batch: PortraitBatch) -> Tensor:
        """m_p as the recipe wants it: (B, 1, S, S) in [0, 1]."""
        return batch.matte.float() if self.recipe.soft_matte else (batch.matte > 0.5).float()

    def photo(self, batch: PortraitBatch) -> Tensor:
        """The photo as the generator sees it: (B, 3, S, S) in [-1, 1]."""
        return painted_white(batch.photo, self.matte(batch)) if self.separate_foreground else batch.photo

    @torch.no_grad()
    def derive(self, batch: PortraitBatch, flow_regression: FlowRegression | None = None) -> Derived:
        """Inputs of one generator pass for both targets, the warps of the losses, and what to blend the drawing with.

        Args:
            batch: B samples. With triangles of their targets, as :func:`.batches.stack_samples` makes them, landmarks
                are not checked again and no device is waited for.
            flow_regression: flow map A; without it, flow map B takes its place everywhere (and is then used twice).
        """
        with torch.autocast(batch.photo.device.type, enabled=False):
            size = batch.size
            landmarks = batch.landmarks.float()
            source = landmarks.repeat(2, 1, 1)
            target = both_targets(batch.target_landmarks).float()
            made = batch.triangles(self.recipe.anchors)
            triangles = None if made is None else both_targets(made)
            map_b = interpolated_flow_map(source, target, size, anchors=self.recipe.anchors, triangles=triangles)
            radius = max(1, round(self.recipe.disc_radius * size / 256))
            discs = landmark_discs(torch.cat((landmarks, target)), size, radius, value_range=(-1.0, 1.0))
            if flow_regression is None:
                flow, validity = flow_of(map_b).movedim(-1, 1), map_b.new_ones(len(map_b), 1, size, size)
            else:
                flow, validity = regressed_flow(flow_regression, source, target, size)
            moved = self._moved(batch, source, target)
            inputs = GeneratorInputs(
                photo=self.photo(batch),
                source_landmark_image=discs[: len(batch)],
                target_landmark_image=discs[len(batch) :],
                grid_b=normalize_map(map_b, size),
                flow_a=flow,
                validity_a=validity,
                guide=2.0 * moved.drawing - 1.0 if self.guided and moved is not None else None,
            )
            # One factorisation and one kernel serve the warps to both targets.
            carries_mask = self.separate_foreground and self.recipe.mask_warp == "spline"
            basis = SplineBasis(target, size, keep_kernel=carries_mask, checked=made is None)
            starts = torch.cat((landmarks, target[: len(batch)]))
            warps = Warps(*basis.sampling_map(starts).chunk(2))
            if not self.separate_foreground:
                return Derived(inputs, warps, None)
            if self.recipe.mask_warp == "articulated" and moved is not None:
                map_b = moved.positions
            return Derived(inputs, warps, self._blending(batch, basis.sampling_map(source) if carries_mask else map_b))

    def _moved(self, batch: PortraitBatch, source: Tensor, target: Tensor) -> MovedDrawing | None:
        """The static drawing in the target poses, where anything asks for it or for its map."""
        if not self.guided and self.recipe.mask_warp != "articulated":
            return None
        static = (batch.static_drawing.float() + 1.0) / 2.0
        return moved_drawing(static.repeat(2, 1, 1, 1), source, target)

    def _blending(self, batch: PortraitBatch, sampling_map: Tensor) -> Blending:
        matte = drawing_mask(batch.matte.float()) if self.recipe.drawing_mask else self.matte(batch)
        background = batch.static_drawing.float()
        if self.recipe.background == "paper":
            background = painted_white(background, 1.0 - matte)
        foreground = sample(matte.repeat(2, 1, 1, 1), sampling_map)
        return Blending(foreground, background.repeat(2, 1, 1, 1))

    def face_window(self, landmarks: Tensor, size: int) -> Tensor:
        """The square that the frozen face networks are shown: (B | 1, 3) left, top, side in pixels.

        Args:
            landmarks: (B, 68, 2) of the picture that they look at.
            size: S.
        """
        return landmark_window(landmarks) if self.recipe.face_window == "landmarks" else face_square(size, landmarks)
