"""Contrast of views: the views of one face against those of all others in the batch (Chen et al. 2020, NT-Xent).

For every view i and every other view j of the same sample: ``-log(e_ij / (e_ij + sum over strangers k of e_ik))`` with
``e_ik = exp(cos(x_i, x_k) / temperature)``, and the mean of all these. Strangers are the views of other people; other
samples of the same person count neither way. With two views of different people each this is the published form.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.losses.precision import in_full_precision


@in_full_precision
def view_contrast_loss(embedding: Tensor, people: Tensor, temperature: float = 0.1) -> Tensor:
    """Normalised, temperature-scaled cross entropy across views.

    Args:
        embedding: (B, V, D), V >= 2 views of B faces.
        people: (B,) long, who it is.
        temperature: of the cosines, above 0.

    Returns:
        A scalar; 0 where the batch holds no two people.

    Raises:
        ValueError: if shapes do not fit, or the temperature is not positive.
    """
    if embedding.ndim != 3 or embedding.shape[1] < 2 or people.shape != embedding.shape[:1]:
        raise ValueError(f"embedding must be (B, V, D) of people (B,), got {tuple(embedding.shape)}, {people.shape}")
    if temperature <= 0:
        raise ValueError(f"the temperature must be positive, got {temperature}")
    samples, views = embedding.shape[:2]
    flat = functional.normalize(embedding.flatten(0, 1), dim=1)
    likeness = flat @ flat.T / temperature
    sample = torch.arange(samples, device=embedding.device).repeat_interleave(views)
    person = people.repeat_interleave(views)
    same = sample[:, None] == sample
    strangers = likeness.masked_fill(person[:, None] == person, -torch.inf).logsumexp(1, keepdim=True)
    terms = functional.softplus(strangers - likeness)
    pairs = same & ~torch.eye(len(flat), dtype=torch.bool, device=flat.device)
    return terms[pairs].mean()


class ViewContrastLoss(nn.Module):
    """The same with its temperature.

    Args:
        temperature: see :func:`view_contrast_loss`.
    """

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embedding: Tensor, people: Tensor) -> Tensor:
        """The loss of embeddings (B, V, D) of people (B,)."""
        return view_contrast_loss(embedding, people, self.temperature)
