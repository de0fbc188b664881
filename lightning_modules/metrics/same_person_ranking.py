"""Whether pictures of one face rank above pictures of two, by the cosine of their embeddings.

For two kinds of views a and b: pairs of one photo's views (a, b) against all pairs (a of one, b of another person). The
figure is the area under the ROC curve, the probability that a pair of one face has the larger cosine (ties count half).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import Metric
from torchmetrics.functional.classification import binary_auroc
from torchmetrics.utilities import dim_zero_cat


def rank_share(same: Tensor, different: Tensor) -> Tensor:
    """Share of (same, different) pairs of scores in which the same is larger.

    Args:
        same: (N,) scores of pairs that belong together, N > 0.
        different: (M,) of those that do not, M > 0.

    Returns:
        A scalar in [0, 1].
    """
    truth = torch.cat((torch.ones_like(same), torch.zeros_like(different))).long()
    # Handed scores outside [0, 1] the library would put a sigmoid over them, which rounds neighbours into ties.
    scores = torch.cat((same, different)).double()
    scores = (scores - scores.min()) / (scores.max() - scores.min()).clamp(min=1e-12)
    return binary_auroc(scores, truth)


class SamePersonRanking(Metric):
    """AUC by kinds of views.

    Args:
        views: names of the views of a sample, in their order.
        pairs: pairs of names that are compared; None for all.
        photos_of_a_person: names of views by which two photos of one person are compared too.
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = True

    def __init__(
        self,
        views: Sequence[str],
        pairs: Sequence[tuple[str, str]] | None = None,
        photos_of_a_person: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.views = tuple(views)
        self.pairs = tuple(combinations(self.views, 2)) if pairs is None else tuple(pairs)
        self.photos_of_a_person = tuple(photos_of_a_person)
        self.embedding: list[Tensor]
        self.person: list[Tensor]
        self.photo: list[Tensor]
        for name in ("embedding", "person", "photo"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, embedding: Tensor, person: Tensor, photo: Tensor) -> None:
        """Take samples in.

        Args:
            embedding: (B, V, D), one for each view.
            person: (B,) who it is.
            photo: (B,) which photo; a photo that came twice is counted once.
        """
        self.embedding.append(embedding.detach().float())
        self.person.append(person)
        self.photo.append(photo)

    def compute(self) -> dict[str, Tensor]:
        """AUC by ``a-b`` for views of one photo, ``person/a`` for two photos, and ``all`` pairs of views together.

        A kind without a pair of one face, or without one of two, is left out.
        """
        photo, person = dim_zero_cat(self.photo), dim_zero_cat(self.person)
        kept = _first_of_each(photo)
        person = person[kept]
        unit = functional.normalize(dim_zero_cat(self.embedding)[kept], dim=-1)
        stranger = person[:, None] != person
        itself = torch.eye(len(person), dtype=torch.bool, device=person.device)
        found: dict[str, Tensor] = {}
        together: list[tuple[Tensor, Tensor]] = []
        for first, second in self.pairs:
            cosine = unit[:, self.views.index(first)] @ unit[:, self.views.index(second)].T
            together.append((cosine[itself], cosine[stranger]))
            found[f"{first}-{second}"] = _share(*together[-1])
        for view in self.photos_of_a_person:
            cosine = unit[:, self.views.index(view)] @ unit[:, self.views.index(view)].T
            found[f"person/{view}"] = _share(cosine[~stranger & ~itself], cosine[stranger])
        found["all"] = _share(*(torch.cat(part) for part in zip(*together, strict=True)))
        return {name: value for name, value in found.items() if not value.isnan()}


def _first_of_each(number: Tensor) -> Tensor:
    """Places at which a number comes for the first time; processes that share samples unevenly repeat some."""
    places: dict[int, int] = {}
    for place, value in enumerate(number.tolist()):
        places.setdefault(value, place)
    return torch.tensor(sorted(places.values()), dtype=torch.long, device=number.device)


def _share(same: Tensor, different: Tensor) -> Tensor:
    return rank_share(same, different) if len(same) and len(different) else same.new_tensor(torch.nan)
