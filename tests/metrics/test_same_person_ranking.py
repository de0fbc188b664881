"""Ranks of cosines by hand, against a count of all pairs; and no network of a loss is known to the metrics."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from lightning_modules import metrics
from lightning_modules.metrics.same_person_ranking import SamePersonRanking, rank_share


def test_shares_by_hand():
    assert rank_share(torch.tensor([3.0, 1.0]), torch.tensor([2.0, 0.0])).item() == pytest.approx(0.75)
    assert rank_share(torch.tensor([1.0]), torch.tensor([1.0])).item() == pytest.approx(0.5)
    assert rank_share(torch.tensor([0.9]), torch.tensor([0.1, 0.2])).item() == 1
    near = torch.tensor([0.99999])  # neighbours that a sigmoid in single precision would make equal
    assert rank_share(near + 1e-6, near).item() == 1


def test_against_a_count_of_all_pairs():
    torch.manual_seed(0)
    embedding, person = torch.randn(6, 2, 3), torch.tensor([0, 0, 1, 2, 2, 3])
    embedding[:, 1] += 1.5 * embedding[:, 0]
    ranking = SamePersonRanking(("photo", "ink"), photos_of_a_person=("photo",))
    ranking.update(embedding[:4], person[:4], torch.arange(4))
    ranking.update(embedding[2:], person[2:], torch.arange(2, 6))  # two photos come twice
    found = ranking.compute()
    unit = functional.normalize(embedding, dim=-1)

    def share(same, different):
        return sum((a > b) + 0.5 * (a == b) for a in same for b in different) / (len(same) * len(different))

    def cosines(first, second, wanted):
        rows = range(6)
        return [float(unit[i, first] @ unit[j, second]) for i in rows for j in rows if wanted(i, j)]

    def stranger(i, j):
        return person[i] != person[j]

    expected = share(cosines(0, 1, lambda i, j: i == j), cosines(0, 1, stranger))
    assert found["photo-ink"].item() == pytest.approx(expected)
    assert found["all"].item() == pytest.approx(expected)
    twice = share(cosines(0, 0, lambda i, j: i != j and not stranger(i, j)), cosines(0, 0, stranger))
    assert found["person/photo"].item() == pytest.approx(twice)
    assert 0.5 < expected < 1


def test_what_cannot_be_ranked_is_left_out():
    ranking = SamePersonRanking(("photo", "ink"), photos_of_a_person=("photo",))
    ranking.update(torch.eye(3)[:, None].expand(3, 2, 3), torch.arange(3), torch.arange(3))
    assert {name: value.item() for name, value in ranking.compute().items()} == {"photo-ink": 1, "all": 1}


def test_no_metric_knows_the_network_of_the_identity_loss():
    """Likeness (CSIM) measured by what was trained on would say how well the loss was minimised."""
    files = sorted(Path(metrics.__file__).parent.glob("**/*.py"))
    assert len(files) > 5
    for file in files:
        text = file.read_text(encoding="utf-8").lower()
        for name in ("sphereface", "identity_features", "identityfeatures", "losses.identity"):
            assert name not in text, f"{file.name} names {name}"
