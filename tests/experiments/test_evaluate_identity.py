"""``inkspeak evaluate identity`` on a small prepared set: what it counts, and that a network that knows ranks first."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.face_warp import WarpSettings
from datamodules.identity_faces import FaceFolder
from experiments.__main__ import main
from experiments.identity_evaluation import Measured, by_the_loss, figures, hardest, held_out_people, measured, table
from lightning_modules.export.network_file import save_network
from lightning_modules.identity_features import VIEWS
from lightning_modules.losses.identity import identity_loss
from lightning_modules.networks.frozen.sphereface import SphereFace

DATAMODULES = str(Path(__file__).resolve().parents[1] / "datamodules")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    if DATAMODULES not in sys.path:
        sys.path.insert(0, DATAMODULES)
    from prepared_synthetic_sets import write_photos

    return write_photos(tmp_path_factory.mktemp("sets") / "photos", 3)


def made(embedding, features, person, source=None):
    """Measurements of photos whose views have these embeddings (N, V, D)."""
    embedding = torch.nn.functional.normalize(embedding, dim=-1)
    count = len(person)
    views = torch.zeros(count, len(VIEWS), 3, 112, 96)
    given = torch.zeros(count, dtype=torch.long) if source is None else torch.tensor(source)
    return Measured(views, embedding, features, torch.tensor(person), given)


def test_the_command_measures_a_file(prepared, tmp_path, capsys):
    torch.manual_seed(0)
    file = save_network("sphereface", SphereFace((4, 4, 8, 8), 16), tmp_path / "f.safetensors")
    words = ["evaluate", "identity", str(prepared), "--weights", str(file), "--hold-out", "1", "--quiet"]
    words += ["--json", str(tmp_path / "f.json"), "--sheet", str(tmp_path / "s.png")]
    assert main(words) == 0
    told = json.loads((tmp_path / "f.json").read_text())
    assert (told["all sets"]["people"], told["all sets"]["photos"]) == (3, 3)
    assert set(told["all sets"]["auc"]) >= {"photo-ink", "ink-pencil_moved", "all"}
    assert all(0 <= value <= 1 for value in told["all sets"]["auc"].values())
    printed = capsys.readouterr().out
    assert "| held out | 3 people, 3 photos |" in printed
    assert f"| photo-ink | {told['all sets']['auc']['photo-ink']:.4f} |" in printed
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.width > 3 * 192

    people = held_out_people([FaceFolder(prepared, hold_out=1.0)])
    once, again = (measured(SphereFace((4, 4, 8, 8), 16).eval(), people, WarpSettings()) for _ in range(2))
    assert torch.equal(once.views, again.views)
    assert once.embedding.norm(dim=-1).sub(1).abs().max() < 1e-5


def test_sets_apart_and_people_with_two_photos():
    torch.manual_seed(1)
    own = torch.randn(5, 1, 8).expand(-1, len(VIEWS), -1)
    own = own[[0, 0, 1, 2, 3]]  # the first two photos show one person
    found = made(own, [own], [0, 0, 1, 2, 3], [0, 0, 0, 1, 1])
    told = figures(found, ["first", "second"])
    assert told["all sets"]["auc"]["photo-ink"] == 1
    assert told["all sets"]["auc"]["person/photo"] == 1
    assert (told["first"]["people"], told["first"]["photos"], told["second"]["photos"]) == (2, 3, 2)
    assert "person/photo" not in told["second"]["auc"]
    assert told["all sets"]["by the loss"] == {"ink-ink_moved": 1, "ink-pencil_moved": 1}
    assert table(told).splitlines()[0] == "| AUC | all sets | first | second |"


def test_the_loss_ranks_by_distance():
    features = torch.zeros(2, len(VIEWS), 2)
    features[0, VIEWS.index("ink_moved")] = 3.0  # farther from its own ink than from the stranger's
    features[1, VIEWS.index("ink")] = 2.0
    found = made(torch.ones(2, len(VIEWS), 2), [features], [0, 1])
    # Own: |0 - 3| = 3 and |2 - 0| = 2; strangers: |0 - 0| = 0 and |2 - 3| = 1.
    assert by_the_loss(found, "ink", "ink_moved") == 0


def test_the_ranking_by_the_loss_is_that_of_the_loss():
    torch.manual_seed(4)
    features = [torch.randn(3, len(VIEWS), 2, 4, 5), torch.randn(3, len(VIEWS), 6)]
    a, b = VIEWS.index("ink"), VIEWS.index("pencil_moved")

    def loss(row, column):
        return identity_loss([one[row, a] for one in features], [one[column, b] for one in features]).item()

    same = [loss(row, row) for row in range(3)]
    different = [loss(row, column) for row in range(3) for column in range(3) if row != column]
    expected = sum(one < other for one in same for other in different) / (len(same) * len(different))
    found = made(torch.ones(3, len(VIEWS), 2), features, [0, 1, 2])
    assert by_the_loss(found, "ink", "pencil_moved") == pytest.approx(expected)


def test_the_sheet_begins_with_the_worst():
    torch.manual_seed(2)
    embedding = torch.eye(4)[:, None].repeat(1, len(VIEWS), 1)
    embedding[2, VIEWS.index("ink_moved")] = embedding[0, 0]  # drawn like the first
    found = made(embedding, [], [0, 1, 2, 3])
    found.views[2, VIEWS.index("ink_moved")] = 1.0
    sheet = hardest(found, rows=2)
    cell = np.asarray(sheet[: sheet.shape[0] // 2, : sheet.shape[1] // 5])
    assert (cell == 255).mean() > 0.9
    assert (np.asarray(sheet[sheet.shape[0] // 2 :, : sheet.shape[1] // 5]) == 255).mean() < 0.7


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "no set"),
        (["SET", "--most", "0"], "0 people"),
        (["SET", "--hold-out", "0"], "nobody is held out"),
        (["SET", "--hold-out", "0.1", "0.2"], "2 shares for 1 sets"),
        (["/no/such/set"], "no prepared set is there"),
    ],
)
def test_what_cannot_be_measured_is_told_in_one_line(more, told, prepared, tmp_path, capsys):
    file = save_network("sphereface", SphereFace((4, 4, 8, 8), 16), tmp_path / "f.safetensors")
    words = [str(prepared) if word == "SET" else word for word in more]
    assert main(["evaluate", "identity", *words, "--weights", str(file), "--quiet"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("inkspeak: ")]
    assert told in line
