"""The generator's side of the objective (paper Eq. 9): every term of a micro-batch, each computed only when asked for.

Convention: pictures (B, C, S, S) in [-1, 1], 1 = white; stacks of 2B hold all first targets, then all second ones.
Published terms that act on both drawings are sums over the two, so the mean over a stack counts twice (reference
stage2 §4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.batches import PortraitBatch
from lightning_modules.losses.adversarial import AdversarialKind, generator_adversarial_loss
from lightning_modules.losses.coherence import coherence_generator_loss
from lightning_modules.losses.coherence_warp import coherence_warp_loss
from lightning_modules.losses.content import content_loss
from lightning_modules.losses.geometry import FractionOrigin, detected_landmarks, geometry_loss
from lightning_modules.losses.identity import identity_crop, identity_loss
from lightning_modules.losses.lip_line import lip_line_loss
from lightning_modules.portrait_gan_inputs import PortraitInputs, Warps, both_targets

Terms = dict[str, Callable[[], Tensor]]
"""Name of a term to what computes it, a scalar."""


@dataclass(frozen=True, eq=False)
class DrawnPair:
    """What the generator made of one micro-batch: two drawings a sample, blended by Eq. 1."""

    batch: PortraitBatch
    frames: Tensor
    """F_1 and F_2 stacked: (2B, C, S, S) in [-1, 1], float32."""
    warps: Warps
    """Maps that move the static drawing to F_1 and F_1 to F_2."""
    share: float = 1.0
    """Part of the whole batch that this micro-batch is."""
    guide: Tensor | None = None
    """The guide of F_1, blended as F_1 is, (B, C, S, S): W(d_s) of Eq. 3 for a guided generator."""

    @property
    def first(self) -> Tensor:
        """F_1, (B, C, S, S)."""
        return self.frames[: len(self.batch)]

    @property
    def second(self) -> Tensor:
        """F_2, (B, C, S, S)."""
        return self.frames[len(self.batch) :]

    @property
    def pairs(self) -> Tensor:
        """Both frames of each sample: (B, 2, C, S, S)."""
        return torch.stack((self.first, self.second), dim=1)

    @property
    def masks(self) -> tuple[Tensor, Tensor, Tensor]:
        """Nose, eyes and lips in the stacked frames: (2B, 1, S, S) each."""
        return part_channels(self.batch.target_masks.repeat(2, 1, 1, 1))

    @property
    def target_landmarks(self) -> Tensor:
        """The landmarks that the stacked frames were made for: (2B, 68, 2)."""
        return both_targets(self.batch.target_landmarks)

    def detach(self) -> DrawnPair:
        """The same without a way back to the generator."""
        return DrawnPair(self.batch, self.frames.detach(), self.warps, self.share, self.guide)


def part_channels(masks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Part masks (B, 3, S, S) as nose, eyes and lips, (B, 1, S, S) each."""
    nose, eyes, lips = masks.chunk(3, dim=1)
    return nose, eyes, lips


def content_terms(
    drawn: DrawnPair,
    inputs: PortraitInputs,
    geometry_detector: Callable[[Tensor], Tensor] | None,
    identity_features: Callable[[Tensor], Sequence[Tensor]] | None,
    *,
    symmetric_coherence: bool = False,
) -> Terms:
    """Terms that need no discriminator: content, lip line, warp coherence, and with their networks geometry, identity.

    A guided generator's content term compares with the guide, the same static drawing carried by a map that does not
    swing beside closing eyes and lips, instead of with that of the thin-plate warp.

    Args:
        drawn: a micro-batch.
        inputs: says where the face networks look.
        geometry_detector: crops (B, 3, 112, 112) in [0, 1] to (B, 136); where its fractions begin is asked of its
            attribute ``fraction_origin``, if it has one.
        identity_features: crops (B, 3, 112, 96) in [-1, 1] to features.
        symmetric_coherence: let both drawings learn from Eq. 7, as the paper writes it.
    """
    batch, size = drawn.batch, drawn.batch.size
    source, targets = batch.landmarks.float(), drawn.target_landmarks.float()
    first, second = targets.chunk(2)
    static = batch.static_drawing.float()
    terms: Terms = {
        "content": lambda: (
            content_loss(drawn.first, static, source, first, sampling_map=drawn.warps.content)
            if drawn.guide is None
            else functional.l1_loss(drawn.first, drawn.guide)
        ),
        "lip_line": lambda: 2 * lip_line_loss(drawn.frames, targets),
        "coherence_warp": lambda: coherence_warp_loss(
            drawn.first, drawn.second, first, second, not symmetric_coherence, sampling_map=drawn.warps.coherence
        ),
    }
    if geometry_detector is not None:
        window = inputs.face_window(targets, size)
        origin: FractionOrigin = getattr(geometry_detector, "fraction_origin", "first_pixel")

        def geometry() -> Tensor:
            found = detected_landmarks(drawn.frames, geometry_detector, window, fraction_origin=origin)
            return 2 * geometry_loss(found, targets, size)

        terms["geometry"] = geometry
    if identity_features is not None:

        def identity() -> Tensor:
            with torch.no_grad():
                wanted = identity_features(identity_crop(static, inputs.face_window(source, size)))
            return identity_loss(identity_features(identity_crop(drawn.first, inputs.face_window(first, size))), wanted)

        terms["identity"] = identity
    return terms


def adversarial_terms(
    drawn: DrawnPair,
    judge_drawing: Callable[..., Sequence[Tensor]],
    judge_pair: Callable[[Tensor, Tensor], Tensor] | None,
    kind: AdversarialKind,
) -> Terms:
    """Terms of the discriminators: global, local (sum over nose, eyes, lips), coherence on the true pair.

    Args:
        drawn: a micro-batch.
        judge_drawing: the drawing discriminators.
        judge_pair: the coherence discriminator; None: without its term.
        kind: ``"least_squares"`` (published) or ``"log"`` (Eq. 2).
    """
    logits: list[Sequence[Tensor]] = []

    def judged() -> Sequence[Tensor]:
        # One pass serves both terms, unless the other one was only measured, without gradient.
        if not logits or (torch.is_grad_enabled() and not logits[0][0].requires_grad):
            logits[:] = [judge_drawing(drawn.frames, *drawn.masks)]
        return logits[0]

    def local() -> Tensor:
        return 2 * torch.stack([generator_adversarial_loss(part, kind) for part in judged()[1:]]).sum()

    terms: Terms = {"adversarial": lambda: 2 * generator_adversarial_loss(judged()[0], kind), "local": local}
    if judge_pair is not None:
        terms["coherence"] = lambda: coherence_generator_loss(judge_pair(drawn.first, drawn.second), kind)
    return terms
