"""The identity features that come with the package: the known file, small, better than chance on faces never seen."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch.nn import functional

from datamodules.synthetic.identity_faces import SyntheticIdentityFacesDataModule
from lightning_modules.identity_features import VIEWS
from lightning_modules.metrics.same_person_ranking import SamePersonRanking
from lightning_modules.weights.from_file import network_from_file
from lightning_modules.weights.registry import load_manifest, require_weight

NAME = "starter-identity-features"
REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_file_is_the_known_one_and_small():
    (row,) = [one for one in load_manifest() if one.name == NAME]
    assert not row.default
    path = require_weight(NAME)
    assert path.stat().st_size <= 3_000_000
    network = network_from_file("sphereface", path)
    assert network.arguments == {"widths": [12, 24, 40, 80], "embedding": 128}
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_it_knows_synthetic_faces_again_in_another_drawing():
    data = SyntheticIdentityFacesDataModule(size=256, persons=2, held_out=48, photos=1, batch_size=48)
    batch = next(iter(data.val_dataloader()))
    network = network_from_file("sphereface", require_weight(NAME))
    embedding = network(batch.views.flatten(0, 1)).embedding.unflatten(0, batch.views.shape[:2])
    ranking = SamePersonRanking(VIEWS, [("ink", "pencil_moved")])
    ranking.update(embedding, batch.person, batch.photo)
    # Drawn from one template, they differ in few ways: 0.726 measured, where real held-out faces have 0.998.
    assert ranking.compute()["all"] > 0.7
    flat = functional.normalize(embedding[:, 0], dim=-1)
    assert (flat @ flat.T).min() < 0.98


def test_the_card_says_what_was_measured():
    figures = json.loads(
        (REPOSITORY / "experiments/benchmarks/results/starter_identity_features.json").read_text(encoding="utf-8")
    )
    card = (REPOSITORY / "lightning_modules/weights/starter/identity_features.md").read_text(encoding="utf-8")
    assert torch.tensor(figures["measured"]["all sets"]["auc"]["photo-ink"]) >= 0.97
    for kind, value in figures["measured"]["all sets"]["auc"].items():
        assert f"| {kind.replace('_', ' ')} | {value:.4f} |" in card
