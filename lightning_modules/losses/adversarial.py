"""The adversarial loss of drawing discriminators and generator (paper Eq. 2; stage 2, section 3).

Logits come without a sigmoid, one for every patch; the loss is their mean, so that a batch weighs like its mean sample.
Published code: least squares with targets 1 and 0. Paper, Eq. 2: the log loss (``kind="log"``), which the generator
minimises as ``log(1 - D(F))`` with ``saturating=True``, and by default as ``-log D(F)``: the same optimum, with a
gradient also where the discriminator is sure.

A local discriminator judges the whole drawing, white outside the part, with the mask as one more channel; the three
local terms together weigh 0.5 in the objective.
"""

from __future__ import annotations

from typing import Literal, assert_never

from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.losses.precision import in_full_precision

AdversarialKind = Literal["least_squares", "log"]


@in_full_precision
def adversarial_loss(
    logits: Tensor,
    real: bool,  # noqa: FBT001  reads well by name and by place
    kind: AdversarialKind = "least_squares",
) -> Tensor:
    """How far logits are from what they should say.

    ``mean (x - t)^2`` with t = 1 for real and 0 for made, or ``-mean log sigmoid(x)`` and
    ``-mean log(1 - sigmoid(x))``.

    Args:
        logits: floating point, any shape.
        real: whether they should say "real".
        kind: least squares (published) or log (paper Eq. 2).

    Returns:
        A scalar, at least 0.
    """
    match kind:
        case "least_squares":
            return (logits - float(real)).square().mean()
        case "log":
            return functional.softplus(-logits if real else logits).mean()
        case _:
            assert_never(kind)


def generator_adversarial_loss(
    logits: Tensor, kind: AdversarialKind = "least_squares", *, saturating: bool = False
) -> Tensor:
    """What the generator minimises: made drawings should be taken for real.

    Args:
        logits: of made drawings; any shape.
        kind: see :func:`adversarial_loss`.
        saturating: log only: ``mean log(1 - D(F))`` to the letter of Eq. 2, a negative number.

    Returns:
        A scalar.

    Raises:
        ValueError: ``saturating`` with least squares, where it means nothing.
    """
    if saturating and kind != "log":
        raise ValueError("saturating is an option of the log loss, not of least squares")
    if saturating:
        return -adversarial_loss(logits, real=False, kind=kind)
    return adversarial_loss(logits, real=True, kind=kind)


def discriminator_adversarial_loss(
    real_logits: Tensor, fake_logits: Tensor, kind: AdversarialKind = "least_squares", *, average: bool = True
) -> Tensor:
    """What a drawing discriminator minimises.

    Published: ``(real + (made 1 + made 2) / 2) / 2``; with both targets' drawings in one batch this is what comes out.

    Args:
        real_logits: of real drawings.
        fake_logits: of made drawings (detached from the generator by the caller); another batch size is fine.
        kind: see :func:`adversarial_loss`.
        average: False: the sum of both halves, as Eq. 2 is written.

    Returns:
        A scalar.
    """
    total = adversarial_loss(real_logits, real=True, kind=kind) + adversarial_loss(fake_logits, real=False, kind=kind)
    return total / 2 if average else total


class AdversarialLoss(nn.Module):
    """The options of the adversarial loss.

    Args:
        kind: least squares (published) or log (paper Eq. 2).
        saturating: see :func:`generator_adversarial_loss`.
        average: see :func:`discriminator_adversarial_loss`.
    """

    def __init__(
        self, kind: AdversarialKind = "least_squares", *, saturating: bool = False, average: bool = True
    ) -> None:
        super().__init__()
        if kind not in ("least_squares", "log"):
            raise ValueError(f"kind must be 'least_squares' or 'log', got {kind!r}")
        if saturating and kind != "log":
            raise ValueError("saturating is an option of the log loss, not of least squares")
        self.kind = kind
        self.saturating = saturating
        self.average = average

    def forward(self, logits: Tensor) -> Tensor:
        """The generator's loss; see :func:`generator_adversarial_loss`."""
        return generator_adversarial_loss(logits, self.kind, saturating=self.saturating)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The discriminator's loss; see :func:`discriminator_adversarial_loss`."""
        return discriminator_adversarial_loss(real_logits, fake_logits, self.kind, average=self.average)
