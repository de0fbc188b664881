"""The training commands with a tiny model: values said once, overrides that reach everything, safe checkpoints."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

import pytest
import yaml

from experiments.__main__ import main

# Lightning itself triggers deprecation warnings of torch, and tells a tiny run that it is tiny.
pytestmark = pytest.mark.filterwarnings("ignore")

TINY = """
import torch
from torch.utils.data import DataLoader, TensorDataset
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.loggers import Logger

class Data(LightningDataModule):
    def __init__(self, image_size: int = 8, folder: str = "x", count: int = 8):
        super().__init__()
        self.count, self.image_size = count, image_size
    def train_dataloader(self):
        values = torch.linspace(0, 1, self.count * self.image_size).view(self.count, -1)
        return DataLoader(TensorDataset(values), batch_size=4)
    val_dataloader = test_dataloader = predict_dataloader = train_dataloader

class SizelessData(Data):
    def __init__(self, folder: str = "x"):
        super().__init__(8, folder)

class Model(LightningModule):
    def __init__(self, image_size: int, width: int = 4, rate: float = 0.1):
        super().__init__()
        self.save_hyperparameters()
        self.inner, self.rate, self.image_size = torch.nn.Linear(image_size, width), rate, image_size
    def training_step(self, batch, _):
        loss = self.inner(batch[0]).square().mean()
        self.log("loss", loss, on_epoch=True)
        return loss
    def validation_step(self, batch, _):
        self.log("error", self.inner(batch[0]).square().mean())
    def test_step(self, batch, _):
        self.log("error", self.inner(batch[0]).square().mean())
    def predict_step(self, batch, _):
        return self.inner(batch[0])
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), self.rate)

class UsualModel(Model):
    def __init__(self, image_size: int = 8, **others):
        super().__init__(image_size, **others)

class InheritingModel(UsualModel):
    def __init__(self, extra: int = 1, **others):
        super().__init__(**others)

class OtherLogger(Logger):
    name, version = "other", 7
    def log_metrics(self, metrics, step):
        pass
    def log_hyperparams(self, *arguments):
        pass

class SizelessModel(Model):
    def __init__(self, width: int = 4):
        super().__init__(8, width)
"""
CHOSEN = ["--model", "tiny_training.Model", "--data", "tiny_training.Data"]
WRONG_MODEL = "model: Problem with given class_path"
SHORT = ["--trainer.accelerator=cpu", "--trainer.max_epochs=1", "--trainer.enable_progress_bar=false"]
SHORT += ["--trainer.enable_model_summary=false", "--trainer.log_every_n_steps=1"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with the module that holds the tiny classes on the import path."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "tiny_training.py").write_text(TINY)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    monkeypatch.delitem(__import__("sys").modules, "tiny_training", raising=False)
    monkeypatch.chdir(tmp_path)
    # Their handlers hold the standard error of the test in which lightning was first imported.
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
    return tmp_path


def dry_run(capsys, *words: str, command: str = "fit") -> tuple[dict, list[str]]:
    """The resolved configuration, and the remarks below it."""
    capsys.readouterr()
    assert main([command, *words, "--dry_run"]) == 0
    text = capsys.readouterr().out
    remarks = [line for line in text.splitlines() if line.startswith("# ") and "lightning.pytorch==" not in line]
    return yaml.safe_load(text), remarks


def refused(capsys, *words: str, command: str = "fit") -> str:
    capsys.readouterr()
    assert main([command, *words]) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if not line.startswith("Seed set")]
    assert len(lines) == 1, captured.err
    assert captured.out == ""
    return lines[0].removeprefix("inkspeak: error: ")


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
def test_help_is_honest_and_ends_with_an_example(here, capsys, command):
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: inkspeak {command} [--config FILE ...]")
    assert "portrait GAN of stage 2" in " ".join(text.split())
    assert "stage 1, speech to landmarks" in text
    assert f"\nexample:\n  inkspeak {command} --model mine.Model" in text


def test_the_model_follows_its_data(here, capsys):
    config, remarks = dry_run(capsys, *CHOSEN, "--data.image_size", "12")
    assert config["data"]["init_args"]["image_size"] == 12
    assert remarks == [
        "# model.init_args.image_size follows the data: 12",
        "# dry run: data and model were built, 52 parameters; nothing was run",
    ]
    assert not (here / "runs").exists()


def test_the_default_of_the_data_reaches_the_model_too(here, capsys):
    assert dry_run(capsys, *CHOSEN)[1][0] == "# model.init_args.image_size follows the data: 8"


def test_an_own_default_of_the_model_gives_way(here, capsys):
    words = ["--model", "tiny_training.UsualModel", "--data", "tiny_training.Data", "--data.image_size", "6"]
    assert dry_run(capsys, *words)[1][0].endswith("follows the data: 6")
    words[1] = "tiny_training.InheritingModel"
    assert dry_run(capsys, *words)[1][0].endswith("follows the data: 6")


def test_without_the_parameter_on_one_side_there_is_no_link(here, capsys):
    words = ["--model", "tiny_training.Model", "--data", "tiny_training.SizelessData"]
    config, remarks = dry_run(capsys, *words, "--model.image_size", "5")
    assert config["model"]["init_args"]["image_size"] == 5
    assert len(remarks) == 1
    config, remarks = dry_run(capsys, "--model", "tiny_training.SizelessModel", "--data", "tiny_training.Data")
    assert "image_size" not in config["model"]["init_args"]
    config, _ = dry_run(capsys, "--model", "tiny_training.UsualModel", "--data", "tiny_training.SizelessData")
    assert config["model"]["init_args"]["image_size"] == 8


def test_a_value_that_nobody_gives_is_refused(here, capsys):
    told = refused(capsys, "--model", "tiny_training.Model", "--data", "tiny_training.SizelessData")
    assert told == (
        "tiny_training.Model needs 'image_size', and tiny_training.SizelessData does not hand it over; "
        "give it as model.init_args.image_size"
    )
    assert "there are no data; give it as" in refused(capsys, "--model", "tiny_training.Model")


def test_two_different_values_are_refused(here, capsys):
    told = refused(capsys, *CHOSEN, "--data.image_size", "12", "--model.image_size", "16")
    assert told.startswith("'image_size' is 16 for the model and 12 for the data; give it once, as data.init_args")
    assert dry_run(capsys, *CHOSEN, "--data.image_size", "12", "--model.image_size", "12")[1][0].endswith(" 12")


def test_interpolation_crosses_files_and_follows_overrides(here, capsys):
    (here / "model.yaml").write_text(
        "model:\n  class_path: tiny_training.Model\n  init_args:\n    width: ${data.init_args.count}\n"
    )
    (here / "data.yaml").write_text(
        "data:\n  class_path: tiny_training.Data\n  init_args:\n"
        "    count: 4\n    folder: ${trainer.default_root_dir}/set\n"
    )
    files = ["--config", "model.yaml", "--config", "data.yaml"]
    config, _ = dry_run(capsys, *files)
    assert (config["model"]["init_args"]["width"], config["data"]["init_args"]["folder"]) == (4, "runs/set")
    config, _ = dry_run(capsys, *files, "--data.count", "6", "--trainer.default_root_dir", "else")
    assert (config["model"]["init_args"]["width"], config["data"]["init_args"]["folder"]) == (6, "else/set")


def test_interpolation_of_a_linked_value_is_no_contradiction(here, capsys):
    (here / "model.yaml").write_text(
        "model:\n  class_path: tiny_training.Model\n  init_args:\n    image_size: ${data.init_args.image_size}\n"
    )
    words = ["--config", "model.yaml", "--data", "tiny_training.Data", "--data.image_size", "10"]
    assert dry_run(capsys, *words)[1][0].endswith(" 10")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([*CHOSEN, "--model.widht", "4"], f"{WRONG_MODEL} 'tiny_training.Model': Option 'widht' is not"),
        ([*CHOSEN, "--trainer.max_epoch", "4"], "unrecognized arguments: --trainer.max_epoch 4; see inkspeak"),
        ([*CHOSEN, "--data.count", "x"], "data: Problem with given class_path 'tiny_training.Data': \"count\": "),
        (["--model", "tiny_training.Nothing"], f"{WRONG_MODEL} 'tiny_training.Nothing': module"),
        (["--config", "missing.yaml"], '"config": File does not exist: '),
        (["--config", "typo.yaml"], f"{WRONG_MODEL} 'tiny_training.Model': Option 'widht' is not"),
        (["--config", "broken.yaml"], "Problems parsing config: "),
        ([], "the following arguments are required: fit.model; see inkspeak fit --help"),
        ([*CHOSEN, "--ckpt_path", "http://a/b.ckpt"], "http://a/b.ckpt: checkpoints are not read from the network"),
        ([*CHOSEN, "--ckpt_path", "none.ckpt"], "none.ckpt: there is no such checkpoint; check ckpt_path"),
        ([*CHOSEN, "--weights_only", "false"], "weights_only is false, which lets a checkpoint run code; leave"),
        ([*CHOSEN, "--trainer.accelerator", "abacus"], "You selected an invalid accelerator name: "),
    ],
)
def test_mistakes_get_one_line_and_exit_code_2(here, capsys, words, told):
    (here / "typo.yaml").write_text("model:\n  class_path: tiny_training.Model\n  init_args:\n    widht: 3\n")
    (here / "broken.yaml").write_text("model: [1, \n")
    assert refused(capsys, *words).startswith(told)
    assert not (here / "runs").exists()


def test_a_run_keeps_its_log_its_configuration_and_safe_checkpoints(here, capsys):
    import torch

    assert main(["fit", *CHOSEN, *SHORT, "--data.image_size", "6", "--model.width", "3"]) == 0
    folder = here / "runs" / "Model" / "version_0"
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["loss_step"]) > 0
    (checkpoint,) = (folder / "checkpoints").iterdir()
    saved = torch.load(checkpoint, weights_only=True)
    assert saved["state_dict"]["inner.weight"].shape == (3, 6)
    assert saved["hyper_parameters"]["image_size"] == 6

    config, _ = dry_run(capsys, "--config", str(folder / "config.yaml"))
    assert config == yaml.safe_load((folder / "config.yaml").read_text())
    assert config["seed_everything"] == 0
    assert dry_run(capsys, "--config", str(folder / "config.yaml"), "--data.image_size", "9")[1][0].endswith(" 9")

    words = ["--config", str(folder / "config.yaml"), "--ckpt_path", str(checkpoint)]
    assert main(["fit", *words, "--model.rate", "0.5", "--trainer.max_epochs", "2"]) == 0
    resumed = yaml.safe_load((here / "runs" / "Model" / "version_1" / "config.yaml").read_text())
    assert resumed["model"]["init_args"]["rate"] == 0.5  # the checkpoint's own hyper-parameters do not win
    for command in ("validate", "test", "predict"):
        assert main([command, *words]) == 0
    assert len(list((here / "runs" / "Model").iterdir())) == 5


def test_the_same_command_gives_the_same_weights(here, capsys):
    import torch

    for folder in ("one", "two", "three"):
        seed = "5" if folder == "three" else "4"
        assert main(["fit", *CHOSEN, *SHORT, "--trainer.default_root_dir", folder, "--seed_everything", seed]) == 0
    one, two, three = (
        torch.load(next((here / folder).rglob("*.ckpt")), weights_only=True)["state_dict"]["inner.weight"]
        for folder in ("one", "two", "three")
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, three)


def test_the_configuration_is_also_kept_beside_checkpoints_that_go_elsewhere(here):
    words = ["--trainer.callbacks+=ModelCheckpoint", "--trainer.callbacks.dirpath", "kept"]
    assert main(["fit", *CHOSEN, *SHORT, *words]) == 0
    beside = (here / "kept" / "config.yaml").read_text()
    assert beside == (here / "runs" / "Model" / "version_0" / "config.yaml").read_text()
    assert len(list((here / "kept").glob("*.ckpt"))) == 1
    assert not list(here.rglob("*.tmp"))


@pytest.mark.parametrize("logger", ["--trainer.logger=false", "--trainer.logger=tiny_training.OtherLogger"])
def test_the_csv_log_is_there_whatever_else_is_asked_for(here, logger):
    assert main(["fit", *CHOSEN, *SHORT, logger]) == 0
    assert (here / "runs" / "Model" / "version_0" / "metrics.csv").is_file()


def test_a_checkpoint_that_could_run_code_is_refused(here, capsys):
    import torch

    assert main(["fit", *CHOSEN, *SHORT]) == 0
    (checkpoint,) = here.rglob("*.ckpt")
    saved = torch.load(checkpoint, weights_only=True)
    torch.save(saved | {"surprise": Path}, here / "surprise.ckpt")  # a class: refused by the safe loader
    told = refused(capsys, *CHOSEN, *SHORT, "--ckpt_path", "surprise.ckpt", command="validate")
    assert told.startswith("the checkpoint is damaged, or holds more than tensors and plain values; give a checkpoint")


def test_print_config_still_works(here, capsys):
    assert main(["fit", *CHOSEN, "--print_config"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["model"]["class_path"] == "tiny_training.Model"
