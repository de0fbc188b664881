"""Both stages of the matting network's training, from end to end and piece by piece."""

from __future__ import annotations

from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.synthetic.portrait_mattes import SyntheticPortraitMattes
from experiments.__main__ import main
from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.export.network_file import load_network, save_network
from lightning_modules.faces.matter import make_matter
from lightning_modules.losses.matting_consistency import MattingConsistencyLoss
from lightning_modules.matting_batches import MattingBatch
from lightning_modules.networks.frozen.modnet import MODNet
from lightning_modules.optimization import AdamWSettings
from lightning_modules.portrait_matting import PortraitMatting

CONFIGS = Path(__file__).resolve().parents[2] / "experiments" / "configs" / "portrait_matting"
pytestmark = pytest.mark.filterwarnings("ignore")


def tiny_network(*, trainable: bool = True) -> MODNet:
    torch.manual_seed(0)
    return MODNet(trainable=trainable, width=4, encoder_eighths=1)


def small_data() -> SyntheticPortraitMattes:
    return SyntheticPortraitMattes(photos=6, image_size=64, batch_size=2, hold_out=0.3, samples_per_epoch=4)


def batch_of(data: SyntheticPortraitMattes) -> MattingBatch:
    return next(iter(data.train_dataloader()))


def trained(module: PortraitMatting, epochs: int, folder: Path) -> lightning.Trainer:
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    trainer.fit(module, small_data())
    return trainer


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("start")
    network = tiny_network()
    for module in network.modules():  # running numbers that training would move
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.add_(0.1)
    return str(save_network("modnet", network, folder / "modnet.safetensors"))


def test_the_debug_file_runs_and_its_network_makes_mattes(tmp_path, capsys):
    debug = str(CONFIGS / "debug.yaml")
    assert main(["fit", "--config", debug, f"--trainer.default_root_dir={tmp_path}"]) == 0
    run = tmp_path / "PortraitMatting" / "version_0"
    header = (run / "metrics.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert {"loss/semantic", "loss/detail", "loss/matte", "loss/total", "validation/mad", "validation/overlap"} <= set(
        header
    )
    sheet = np.asarray(Image.open(run / "previews" / "samples_000000004.png"))
    assert sheet.ndim == 3
    exported = tmp_path / "modnet.safetensors"
    assert main(["weights", "export", str(run / "checkpoints" / "last.ckpt"), str(exported)]) == 0, capsys.readouterr()
    stored = load_network(exported)
    assert stored.kind == "modnet"
    assert stored.network.arguments == {"width": 4, "encoder_eighths": 1}
    matte = make_matter("modnet-256", weights=exported).matte(np.full((80, 60, 3), 128, np.uint8))
    assert matte.shape == (80, 60)
    assert np.isfinite(matte).all()


def test_the_supervised_losses_fall_and_the_matte_nears(tmp_path):
    data = small_data()
    batch = batch_of(data)
    module = PortraitMatting(tiny_network(), optimizer=AdamWSettings(learning_rate=1e-2))
    optimizer = torch.optim.AdamW(module.network.parameters(), 1e-2)
    module.train()
    totals = []
    for _ in range(100):
        terms = module.losses(batch)
        assert list(terms) == ["semantic", "detail", "matte"]
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
        totals.append(sum(terms.values()).item())
    assert totals[-1] < 0.5 * totals[0]
    apart = (module.modnet.maps(batch.photo).matte - batch.matte).abs().mean().item()
    assert apart < 0.25


def test_the_teacher_stands_still_for_an_epoch(start, tmp_path):
    module = PortraitMatting(
        tiny_network(), "consistency", start, optimizer=AdamWSettings(learning_rate=1e-3, weight_decay=0)
    )
    seen = []

    class Watcher(lightning.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            copied = pl_module.teacher.state_dict()
            key = "fusion.at_full.1.convolution.weight"
            seen.append((copied[key].clone(), pl_module.modnet.state_dict()[key].clone()))

    before = {key: value.clone() for key, value in module.modnet.state_dict().items()}
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=tmp_path,
        callbacks=[Watcher()],
    )
    trainer.fit(module, small_data())
    teachers, learners = zip(*seen, strict=True)  # two epochs of two batches
    assert torch.equal(teachers[0], before["fusion.at_full.1.convolution.weight"])
    assert torch.equal(teachers[0], teachers[1])
    assert torch.equal(teachers[2], learners[1])
    assert torch.equal(teachers[2], teachers[3])
    assert not torch.equal(learners[3], teachers[3])
    after = module.modnet.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before if "running" in key)
    assert not any(parameter.requires_grad for parameter in module.teacher.parameters())
    assert int(module.teacher_epoch) == 1


def test_a_resumed_epoch_keeps_its_teacher(start):
    module = PortraitMatting(tiny_network(), "consistency", start)
    module.teacher_epoch.fill_(0)  # as a checkpoint within epoch 0 says; current_epoch is 0 without a trainer
    with torch.no_grad():
        module.modnet.fusion.at_full[1].convolution.weight.add_(1)
    kept = module.teacher.fusion.at_full[1].convolution.weight.clone()
    module.on_train_epoch_start()
    assert torch.equal(module.teacher.fusion.at_full[1].convolution.weight, kept)
    module.teacher_epoch.fill_(-1)
    module.on_train_epoch_start()
    assert torch.equal(module.teacher.fusion.at_full[1].convolution.weight, kept + 1)


def test_consistency_looks_at_no_matte(start):
    module = PortraitMatting(tiny_network(), "consistency", start, consistency=MattingConsistencyLoss(10.0, 2.0))
    batch = batch_of(small_data())
    torch.manual_seed(1)
    other = batch._replace(matte=torch.rand_like(batch.matte), trimap=torch.full_like(batch.trimap, 0.5))
    one, two = module.losses(batch), module.losses(other)
    assert list(one) == ["semantics", "outline"]
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert one["semantics"] > 0


def test_what_validation_says(tmp_path):
    module = PortraitMatting(tiny_network())
    trainer = trained(module, 1, tmp_path)
    measured = {name: value.item() for name, value in trainer.callback_metrics.items() if "validation" in name}
    module.eval()
    with torch.no_grad():
        made = [(module(batch.photo), batch.matte) for batch in small_data().val_dataloader()]
    apart = torch.cat([(one - other).abs() for one, other in made]).mean().item()
    assert measured["validation/mad"] == pytest.approx(1000 * apart, rel=1e-4)


def test_the_preview_shows_what_it_says():
    module = PortraitMatting(tiny_network()).eval()
    batch = batch_of(small_data())
    with torch.no_grad():
        photo, given, made, composite = module.preview(batch)[:4]
    assert photo.shape == given.shape == made.shape == composite.shape == (64, 64, 3)
    assert np.array_equal(given[..., 0], (batch.matte[0, 0] * 255).round().byte().numpy())
    share = made[..., :1] / 255
    np.testing.assert_allclose(composite, photo * share + np.array([70, 190, 110]) * (1 - share), atol=1.5)


def test_what_is_refused(start, tmp_path):
    with pytest.raises(ConfigError, match="not trainable"):
        PortraitMatting(tiny_network(trainable=False))
    with pytest.raises(ConfigError, match="refines a trained network"):
        PortraitMatting(tiny_network(), "consistency")
    with pytest.raises(WeightsError, match="of other sizes"):
        PortraitMatting(MODNet(trainable=True, width=8, encoder_eighths=1), initial_weights=start)
    with pytest.raises(WeightsError, match="no such weight file"):
        PortraitMatting(tiny_network(), initial_weights=str(tmp_path / "gone.safetensors"))
