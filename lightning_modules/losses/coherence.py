"""The coherence adversarial loss: are two frames neighbours in time? (paper Eq. 8; stage 2, sections 3 and 4).

D_coh sees pairs in their order: adjacent film frames (real), the two drawings made of one photo for two slightly
different targets (made), and two frames of two different clips (made: real frames that do not belong together).

Published code: least squares, a third of the three terms' sum, and made pairs from a pool that is asked for either
frame by itself, so that three of four "pairs" are none; the pool is the caller's matter, and it should hold pairs.
Paper: the log loss, summed (``kind="log"``, ``average=False``).
"""

from __future__ import annotations

from torch import Tensor, nn

from lightning_modules.losses.adversarial import (
    AdversarialKind,
    AdversarialLoss,
    adversarial_loss,
    generator_adversarial_loss,
)


def coherence_discriminator_loss(
    adjacent: Tensor,
    generated: Tensor,
    non_adjacent: Tensor,
    kind: AdversarialKind = "least_squares",
    *,
    average: bool = True,
) -> Tensor:
    """What D_coh minimises.

    Args:
        adjacent: logits of adjacent film frames.
        generated: logits of made pairs (detached from the generator by the caller).
        non_adjacent: logits of frames of two different clips.
        kind: see :func:`.adversarial.adversarial_loss`.
        average: divide by three (published); False: the sum, as Eq. 8 is written.

    Returns:
        A scalar.
    """
    total = adversarial_loss(adjacent, real=True, kind=kind)
    total = total + adversarial_loss(generated, real=False, kind=kind)
    total = total + adversarial_loss(non_adjacent, real=False, kind=kind)
    return total / 3 if average else total


def coherence_generator_loss(
    generated: Tensor, kind: AdversarialKind = "least_squares", *, saturating: bool = False
) -> Tensor:
    """What the generator minimises: its two drawings should be taken for neighbours. Weight lambda6 = 0.5.

    Args:
        generated: logits of the made pairs themselves, not of a pool.
        kind: see :func:`.adversarial.adversarial_loss`.
        saturating: see :func:`.adversarial.generator_adversarial_loss`.

    Returns:
        A scalar.
    """
    return generator_adversarial_loss(generated, kind, saturating=saturating)


class CoherenceLoss(nn.Module):
    """The options of the coherence adversarial loss.

    Args:
        kind: least squares (published) or log (paper Eq. 8).
        saturating: see :func:`.adversarial.generator_adversarial_loss`.
        average: see :func:`coherence_discriminator_loss`.
    """

    def __init__(
        self, kind: AdversarialKind = "least_squares", *, saturating: bool = False, average: bool = True
    ) -> None:
        super().__init__()
        AdversarialLoss(kind, saturating=saturating)  # refuses the same contradictions
        self.kind = kind
        self.saturating = saturating
        self.average = average

    def forward(self, generated: Tensor) -> Tensor:
        """The generator's loss; see :func:`coherence_generator_loss`."""
        return coherence_generator_loss(generated, self.kind, saturating=self.saturating)

    def discriminator(self, adjacent: Tensor, generated: Tensor, non_adjacent: Tensor) -> Tensor:
        """The loss of D_coh; see :func:`coherence_discriminator_loss`."""
        return coherence_discriminator_loss(adjacent, generated, non_adjacent, self.kind, average=self.average)
