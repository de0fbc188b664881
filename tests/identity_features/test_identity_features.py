"""The trainer of the identity features: it learns, both objectives count, it is exported and taken by the loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from datamodules.synthetic.identity_faces import SyntheticIdentityFacesDataModule
from experiments.__main__ import main
from lightning_modules.errors import ConfigError
from lightning_modules.export.network_file import load_network, save_network
from lightning_modules.identity_features import VIEWS, IdentityFeatures
from lightning_modules.losses.identity import FaceFeatures, IdentityLoss
from lightning_modules.losses.view_contrast import view_contrast_loss
from lightning_modules.networks.frozen.sphereface import SphereFace
from lightning_modules.weights.from_file import network_from_file

CONFIGS = Path(__file__).resolve().parents[2] / "experiments" / "configs" / "identity_features"
SMALL = {"widths": [4, 4, 8, 8], "embedding": 16}

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def batch():
    data = SyntheticIdentityFacesDataModule(size=72, persons=8, held_out=0, batch_size=8)
    return next(iter(data.train_dataloader()))


def trainer(**settings):
    torch.manual_seed(0)
    return IdentityFeatures(SphereFace(**SMALL, trainable=True), **settings)


def test_sizes_of_the_network():
    network = SphereFace(**SMALL)
    features = network(torch.rand(2, 3, 112, 96))
    shapes = [(2, 4, 56, 48), (2, 4, 28, 24), (2, 8, 14, 12), (2, 8, 7, 6), (2, 16)]
    assert [tuple(one.shape) for one in features] == shapes
    assert network.arguments == SMALL
    assert SphereFace().arguments == {"widths": [64, 128, 256, 512], "embedding": 512}
    for wrong in ({"widths": [4, 4, 8]}, {"widths": [4, 4, 8, 0]}, {"embedding": 0}):
        with pytest.raises(ValueError, match="4 widths"):
            SphereFace(**wrong)


def test_first_weights_keep_the_signal():
    module = IdentityFeatures(SphereFace((16, 16, 16, 16), 32, trainable=True))
    features = module.network(torch.randn(4, 3, 112, 96))
    assert all(0.2 < one.std().item() < 8 for one in features[:4])


def test_the_contrast_is_that_of_the_embeddings(batch):
    module = trainer(contrast=2.0, temperature=0.2)
    embedding = module.network(batch.views.flatten(0, 1)).embedding.view(8, 2, 16)
    expected = 2 * view_contrast_loss(embedding, batch.person, 0.2)
    terms = module.losses(batch)
    assert list(terms) == ["contrast"]
    assert terms["contrast"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_it_learns_a_batch(batch):
    module = trainer()
    optimizer = torch.optim.Adam(module.network.parameters(), 3e-3)
    values = []
    for _ in range(25):
        value = module.losses(batch)["contrast"]
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.6 * values[0]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"contrast": 0.0}, "one of them above 0"),
        ({"angular": -1.0}, "weights from 0"),
        ({"temperature": 0.0}, "temperature above 0"),
        ({"margin": 6}, "margin from 1 to 5"),
    ],
)
def test_settings_out_of_range_are_refused(settings, told):
    with pytest.raises(ConfigError, match=told):
        trainer(**settings)


def test_a_frozen_network_is_refused():
    with pytest.raises(ConfigError, match="trainable: true"):
        IdentityFeatures(SphereFace(**SMALL))


def test_the_debug_file_runs_from_end_to_end_and_the_loss_takes_what_it_made(tmp_path):
    assert main(["fit", "--config", str(CONFIGS / "debug.yaml"), f"--trainer.default_root_dir={tmp_path}"]) == 0
    (run,) = tmp_path.glob("*/version_0")
    names = (run / "metrics.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert {"loss/contrast", "loss/angular", "validation/auc/all", "validation/auc/person/photo"} <= set(names)
    assert list((run / "previews").glob("*.png"))
    checkpoint = run / "checkpoints" / "last.ckpt"
    saved = torch.load(checkpoint, weights_only=True)
    assert saved["state_dict"]["angular_loss.directions"].shape == (8, 16)
    groups = saved["optimizer_states"][0]["param_groups"]
    with torch.device("meta"):
        parameters = len(list(SphereFace(**SMALL).parameters()))
    assert sum(len(group["params"]) for group in groups) == parameters + 1  # the directions are trained too

    file = tmp_path / "features.safetensors"
    assert main(["weights", "export", str(checkpoint), str(file)]) == 0
    stored = load_network(file)
    assert (stored.kind, stored.network.arguments, stored.facts["samples_seen"]) == ("sphereface", SMALL, 8)
    network = network_from_file("sphereface", file)
    loss = IdentityLoss(FaceFeatures(network))
    drawing, landmarks = torch.rand(1, 1, 64, 64, requires_grad=True), torch.rand(1, 68, 2) * 64
    loss(drawing, torch.rand(1, 1, 64, 64), landmarks, landmarks).backward()
    assert drawing.grad.abs().sum() > 0

    again = ["fit", "--config", str(run / "config.yaml"), "--ckpt_path", str(checkpoint), "--trainer.max_epochs=2"]
    assert main(again) == 0


def test_a_file_with_odd_sizes_is_refused(tmp_path):
    path = save_network("sphereface", SphereFace(**SMALL), tmp_path / "f.safetensors")
    assert load_network(path).network.arguments == SMALL
    other = SphereFace(**SMALL)
    other.arguments = SMALL | {"embedding": 8}
    with pytest.raises(ConfigError, match="no sphereface"):
        save_network("sphereface", other, tmp_path / "g.safetensors")


def test_the_views_of_the_preview(batch):
    module = trainer()
    views = batch.views[:, :1].expand(-1, len(VIEWS), -1, -1, -1)
    cells = module.preview(batch._replace(views=views))
    assert len(cells) == 3 * 8
    assert {cell.shape for cell in cells} == {(118, 96, 3)}
    # All views of a face are the same picture: its drawing has cosine 1, a bar of full width.
    assert (cells[1][-1] == (40, 110, 60)).all()


@pytest.mark.parametrize("names", [("default",), ("default", "starter"), ("default", "a_softmax"), ("debug",)])
def test_every_file_builds_what_it_says(names, capsys):
    words = [word for name in names for word in ("--config", str(CONFIGS / f"{name}.yaml"))]
    assert main(["fit", *words, "--dry_run"]) == 0, capsys.readouterr().err
    resolved = yaml.safe_load(capsys.readouterr().out)
    chosen = resolved["model"]["init_args"]
    if names == ("default",):
        assert SphereFace(**chosen["network"]["init_args"]).arguments == SphereFace().arguments
    if "a_softmax" in names:
        assert (chosen["contrast"], chosen["angular"], chosen["margin"]) == (0, 1, 4)
