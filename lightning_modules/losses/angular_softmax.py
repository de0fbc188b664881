"""A-Softmax, the loss that SphereFace is trained with: a margin between people in the angle (auxiliary, section 3.2).

The target's ``cos theta`` is replaced by ``(lambda cos theta + psi(theta)) / (1 + lambda)`` with
``psi = (-1)^k cos(m theta) - 2k`` for ``theta`` in ``[k pi / m, (k + 1) pi / m]``: monotone, and below ``cos theta``.
The weights have no bias and count by their direction only; the features keep their length.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.losses.precision import in_full_precision


def margin_cosine(cosine: Tensor, margin: int) -> Tensor:
    """The function psi of the angle, from the angle's cosine.

    Args:
        cosine: any shape, in [-1, 1].
        margin: m, 1 to 5; 1 changes nothing.

    Returns:
        The same shape, in [1 - 2 m, 1]. The gradient is that of the piece the angle lies in.

    Raises:
        ValueError: for another margin.
    """
    if not 1 <= margin <= 5:
        raise ValueError(f"the margin must be 1 to 5, got {margin}")
    with torch.no_grad():
        piece = (margin * cosine.clamp(-1, 1).acos() / math.pi).floor().clamp(max=margin - 1)
    # Chebyshev's recurrence gives cos(m theta) without a derivative of the arc cosine, which is infinite at its ends.
    before, multiple = torch.ones_like(cosine), cosine
    for _ in range(margin - 1):
        before, multiple = multiple, 2 * cosine * multiple - before
    return (1 - 2 * (piece % 2)) * multiple - 2 * piece


@in_full_precision
def angular_softmax_loss(
    embedding: Tensor, directions: Tensor, labels: Tensor, *, margin: int = 4, blend: float = 5.0
) -> Tensor:
    """Cross entropy of people with an angular margin.

    Args:
        embedding: (B, D).
        directions: (C, D), one row a person; only their directions count.
        labels: (B,) long in [0, C).
        margin: m, published 4.
        blend: lambda; large: plain softmax over ``|x| cos theta``; 0: the full margin.

    Returns:
        A scalar.

    Raises:
        ValueError: if shapes do not fit, or the margin is not 1 to 5.
    """
    if embedding.ndim != 2 or directions.shape[1:] != embedding.shape[1:] or labels.shape != embedding.shape[:1]:
        shapes = f"{tuple(embedding.shape)}, {tuple(directions.shape)}, {tuple(labels.shape)}"
        raise ValueError(f"embedding (B, D), directions (C, D) and labels (B,) do not fit: {shapes}")
    length = embedding.norm(dim=1, keepdim=True)
    cosine = (functional.normalize(embedding, dim=1) @ functional.normalize(directions, dim=1).T).clamp(-1, 1)
    own = cosine.gather(1, labels[:, None])
    wanted = (blend * own + margin_cosine(own, margin)) / (1 + blend)
    return functional.cross_entropy(length * cosine.scatter(1, labels[:, None], wanted), labels)


def published_blend(step: int) -> float:
    """Lambda at a step: ``max(5, 1500 / (1 + 0.1 step))``; it is 5 from step 2990 on."""
    return max(5.0, 1500.0 / (1.0 + 0.1 * step))


class AngularSoftmaxLoss(nn.Module):
    """The loss with its directions, which are trained with the network and thrown away after it.

    Args:
        features: D, numbers of an embedding.
        people: C.
        margin: m, published 4.
    """

    def __init__(self, features: int, people: int, margin: int = 4) -> None:
        super().__init__()
        self.margin = margin
        self.directions = nn.Parameter(functional.normalize(torch.randn(people, features), dim=1))

    def forward(self, embedding: Tensor, labels: Tensor, step: int) -> Tensor:
        """The loss of embeddings (B, D) of people (B,) at a step of the training, which says lambda."""
        return angular_softmax_loss(embedding, self.directions, labels, margin=self.margin, blend=published_blend(step))
