"""Both sides of the static drawer's objective: what the generators make, their terms, the discriminators' losses.

Convention: photos x (B, 3, S, S) and drawings d (B, C, S, S) in [-1, 1], +1 = white paper; part masks (B, 3, S, S) in
[0, 1]; styles (B, styles), shares that add up to 1. Source: auxiliary, section 1.3. Adversarial losses are least
squares.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_modules.image_pool import ImagePool
from lightning_modules.losses.adversarial import discriminator_adversarial_loss, generator_adversarial_loss
from lightning_modules.losses.asymmetric_cycle import relaxed_cycle_loss, strict_cycle_loss
from lightning_modules.losses.static_drawing_objective import Term
from lightning_modules.losses.style import soft_style_loss
from lightning_modules.networks.style_discriminator import StyleJudgement
from lightning_modules.unpaired_batches import UnpairedBatch


@dataclass(frozen=True, eq=False)
class Made:
    """What the two generators made of one batch."""

    drawing: Tensor
    """G(x, s)."""
    photo: Tensor
    """F(d)."""
    recovered_photo: Tensor
    """F(G(x, s))."""
    recovered_photo_truncated: Tensor | None
    """F(T(G(x, s))); None where its term has no weight."""
    recovered_drawing: Tensor
    """G(F(d), s)."""

    def detach(self) -> Made:
        """The same without a way back to the generators."""
        rest = self.recovered_photo_truncated
        return Made(
            self.drawing.detach(),
            self.photo.detach(),
            self.recovered_photo.detach(),
            None if rest is None else rest.detach(),
            self.recovered_drawing.detach(),
        )


@dataclass(frozen=True, eq=False)
class Judges:
    """The three kinds of discriminators, or what is called like them."""

    drawings: Callable[[Tensor], StyleJudgement]
    """D_D: drawings to logits of reality and style."""
    photos: Callable[[Tensor], Tensor]
    """D_P: photos to logits."""
    parts: Callable[[Tensor, Tensor], tuple[Tensor, ...]]
    """Drawings and their part masks to logits of nose, eyes, lips."""


def generator_terms(
    made: Made,
    batch: UnpairedBatch,
    style: Tensor,
    judges: Judges,
    edges: Callable[[Tensor], Tensor],
    distance: Callable[[Tensor, Tensor], Tensor],
) -> dict[str, Term]:
    """Terms of the generators by name, each computed when asked; see :class:`.StaticDrawingObjective`.

    Args:
        made: what they made of the batch.
        batch: photos and drawings.
        style: s, what was drawn in.
        judges: the discriminators.
        edges: see :func:`.relaxed_cycle_loss`.
        distance: see :func:`.relaxed_cycle_loss`.
    """
    judged: list[StyleJudgement] = []

    def judgement() -> StyleJudgement:
        if not judged:
            judged.append(judges.drawings(made.drawing))
        return judged[0]

    def cycle(recovered: Tensor | None) -> Tensor:
        if recovered is None:
            raise ValueError("the truncation cycle has a weight, and nothing was recovered from the truncated drawing")
        return relaxed_cycle_loss(recovered, batch.photo, edges, distance)

    return {
        "adversarial": lambda: generator_adversarial_loss(judgement().patches),
        "local": lambda: torch.stack(
            [generator_adversarial_loss(part) for part in judges.parts(made.drawing, batch.photo_masks)]
        ).sum(),
        "photo": lambda: generator_adversarial_loss(judges.photos(made.photo)),
        "style": lambda: soft_style_loss(judgement().styles, style),
        "relaxed_cycle": lambda: cycle(made.recovered_photo),
        "truncation_cycle": lambda: cycle(made.recovered_photo_truncated),
        "strict_cycle": lambda: strict_cycle_loss(made.recovered_drawing, batch.drawing),
    }


@dataclass(frozen=True, eq=False)
class ShownDrawings:
    """Made drawings as the discriminators are shown them: with the masks and the style that they were made with."""

    drawing: Tensor
    masks: Tensor
    style: Tensor


def shown_drawings(pool: ImagePool, drawing: Tensor, masks: Tensor, style: Tensor) -> ShownDrawings:
    """Exchange made drawings against earlier ones; masks and style stay with their drawing.

    The published training asks a pool of its own for every discriminator, and takes the masks of the newest photo.

    Args:
        pool: of rows that hold all three.
        drawing: (B, C, S, S).
        masks: (B, 3, S, S).
        style: (B, styles).
    """
    parts = (drawing, masks, style)
    rows = pool.query(torch.cat([part.detach().float().flatten(1) for part in parts], dim=1))
    found = torch.split_with_sizes(rows, [math.prod(part.shape[1:]) for part in parts], dim=1)
    return ShownDrawings(*(row.reshape(part.shape) for row, part in zip(found, parts, strict=True)))


def discriminator_losses(
    batch: UnpairedBatch, style: Tensor, shown: ShownDrawings, photo: Tensor, judges: Judges
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Losses of the discriminators: half of those on what is real plus half of those on what is made.

    Args:
        batch: what is real.
        style: s of the real drawings.
        shown: made drawings.
        photo: made photos.
        judges: the discriminators.

    Returns:
        The losses ``drawing``, ``style`` (D_D learns the styles of real and of made drawings, as published), ``photo``
        and ``local`` (the sum over nose, eyes and lips), scalars; and for the report mean logits of real and made ones.
    """
    size = len(batch.drawing)

    def both(logits: Tensor) -> tuple[Tensor, Tensor]:
        return logits[:size], logits[size:]

    drawings = torch.cat((batch.drawing.float(), shown.drawing))
    judged = judges.drawings(drawings)
    styles = [soft_style_loss(*pair) for pair in zip(both(judged.styles), (style, shown.style), strict=True)]
    real, made = both(judged.patches)
    logits = {"drawing_real": real.mean(), "drawing_made": made.mean()}
    losses = {"drawing": discriminator_adversarial_loss(real, made), "style": (styles[0] + styles[1]) / 2}
    real, made = both(judges.photos(torch.cat((batch.photo.float(), photo))))
    logits |= {"photo_real": real.mean(), "photo_made": made.mean()}
    losses["photo"] = discriminator_adversarial_loss(real, made)
    parts = judges.parts(drawings, torch.cat((batch.drawing_masks.float(), shown.masks)))
    losses["local"] = torch.stack([discriminator_adversarial_loss(*both(part)) for part in parts]).sum()
    return losses, {f"logits/{name}": value.detach().float() for name, value in logits.items()}
