"""A run whose configuration names files of the frozen networks: trained with, kept out of checkpoints, resumed."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from experiments.__main__ import main
from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.export.generator_file import load_generator
from lightning_modules.export.network_file import load_network, save_network
from lightning_modules.losses.objective import TermOffWarning
from lightning_modules.networks.frozen.mobilefacenet import MobileFaceNet
from lightning_modules.networks.frozen.sphereface import SphereFace
from lightning_modules.networks.landmark_flow import LandmarkFlow
from lightning_modules.unregistered_network import unregistered
from lightning_modules.weights.from_file import NetworkFromFile, network_from_file
from lightning_modules.weights.published import PUBLISHED
from lightning_modules.weights.registry import require_weight

CONFIGS = Path(__file__).resolve().parents[2] / "experiments" / "configs" / "portrait_gan"
KEYS = {"geometry_detector": "mobilefacenet", "identity_features": "sphereface", "flow_regression": "flow_regression"}
FLOW = {"architecture": "residual_unet", "width": 2, "levels": 2, "widest": 4}

# Lightning itself triggers deprecation warnings of torch, and tells a tiny run that it is tiny.
pytestmark = pytest.mark.filterwarnings("ignore")


def published(kind: str, network: torch.nn.Module, sizes: dict) -> dict[str, torch.Tensor]:
    """The network's weights under their published names."""
    own = network.state_dict()
    return {key: own[name] for key, name in PUBLISHED[kind].names_at(sizes).items()}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One file in each form: a published checkpoint of torch, an own export, published names in safetensors."""
    folder = tmp_path_factory.mktemp("frozen")
    torch.manual_seed(1)
    made = {kind: folder / f"{kind}.{form}" for kind, form in zip(KEYS.values(), ("pth.tar", "st", "st"), strict=True)}
    detector = {"epoch": 3, "state_dict": published("mobilefacenet", MobileFaceNet(), {})}
    torch.save(detector, made["mobilefacenet"])
    save_network("sphereface", SphereFace(), made["sphereface"])
    save_file(published("flow_regression", LandmarkFlow(**FLOW), FLOW), made["flow_regression"])
    return made


def train(folder: Path, files: dict[str, Path], *more: str) -> int:
    arguments = ["fit", "--config", str(CONFIGS / "debug.yaml"), "--config", str(CONFIGS / "frozen_networks.yaml")]
    arguments += [f"--model.{key}.path={files[kind]}" for key, kind in KEYS.items()]
    arguments += [f"--trainer.default_root_dir={folder}", "--trainer.limit_val_batches=0", *more]
    return main(arguments)


def errors(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the command itself says, between remarks of Lightning."""
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("inkspeak: ")]


def test_a_run_trains_with_all_three_and_goes_on_from_its_checkpoint(files, tmp_path, capsys):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert train(tmp_path, files, "--trainer.limit_train_batches=1") == 0
    assert not [one for one in warned if one.category is TermOffWarning]
    run = tmp_path / "PortraitGAN" / "version_0"
    names, values = (line.split(",") for line in (run / "metrics.csv").read_text(encoding="utf-8").splitlines()[:2])
    logged = {name: float(value) for name, value in zip(names, values, strict=True) if value}
    assert logged["raw/geometry"] > 0
    assert logged["weighted/geometry"] == pytest.approx(50 * logged["raw/geometry"], rel=1e-4)
    assert logged["raw/identity"] > 0
    assert not [name for name in logged if name.startswith("ablated/")]

    (checkpoint,) = (run / "checkpoints").glob("photos_*.ckpt")
    saved = torch.load(checkpoint, weights_only=True)  # plain values and tensors only
    assert not [name for name in saved["state_dict"] if name.startswith(tuple(KEYS))]
    assert checkpoint.stat().st_size < 3_000_000

    # Resumed by its own configuration; the files are read again.
    again = ["fit", "--config", str(run / "config.yaml"), "--ckpt_path", str(checkpoint)]
    assert main([*again, "--trainer.max_epochs=2"]) == 0
    (resumed,) = (tmp_path / "PortraitGAN" / "version_1" / "checkpoints").glob("photos_*.ckpt")
    assert torch.load(resumed, weights_only=True)["portrait_gan"]["photos_seen"] == 4

    # Its generator says that it needs flow map A.
    assert main(["weights", "export", str(resumed), str(tmp_path / "g.safetensors")]) == 0
    assert load_generator(tmp_path / "g.safetensors").training.flow_a == "regressed"

    # One file gone: one line.
    capsys.readouterr()
    gone = tmp_path / "gone.pth"
    assert main([*again, f"--model.geometry_detector.path={gone}"]) == 2
    (line,) = errors(capsys)
    assert line == f"inkspeak: error: {gone}: there is no such weight file; check the path"


def test_one_network_by_flags(files, tmp_path, capsys):
    given = "--model.identity_features=lightning_modules.weights.from_file.NetworkFromFile"
    words = ["fit", "--config", str(CONFIGS / "debug.yaml"), given, "--model.identity_features.kind=sphereface"]
    assert main([*words, f"--model.identity_features.path={files['sphereface']}", "--dry_run"]) == 0
    assert "class_path: lightning_modules.weights.from_file.NetworkFromFile" in capsys.readouterr().out
    assert main([*words, f"--model.identity_features.path={files['mobilefacenet']}", "--dry_run"]) == 2
    (line,) = errors(capsys)
    assert f"{files['mobilefacenet']}: sphereface weights without conv1_1.weight; give" in line


def test_all_forms_of_a_file_give_the_same_network(files, tmp_path):
    crop = torch.rand(1, 3, 112, 112)
    torch.manual_seed(1)
    detector = MobileFaceNet()
    saved = save_network("mobilefacenet", detector, tmp_path / "m.safetensors")
    for path in (files["mobilefacenet"], saved):
        network = NetworkFromFile("mobilefacenet", str(path)).train()
        assert torch.equal(network(crop), detector(crop))
        assert not any(module.training for module in network.modules())
        assert not any(parameter.requires_grad for parameter in network.parameters())
    flow, validity = network_from_file("flow_regression", files["flow_regression"])(*torch.rand(2, 1, 68, 2) * 256)
    assert (flow.shape, validity.shape) == ((1, 2, 256, 256), (1, 1, 256, 256))


def test_wrong_files_are_named(files, tmp_path):
    with pytest.raises(WeightsError, match="it holds a sphereface, and a mobilefacenet is asked for"):
        network_from_file("mobilefacenet", files["sphereface"])
    with pytest.raises(WeightsError, match=r"flow_regression\.st: .*mobilefacenet weights without conv1\.conv\.weight"):
        network_from_file("mobilefacenet", files["flow_regression"])
    with pytest.raises(ConfigError, match="called 'portrait_generator'"):
        network_from_file("portrait_generator", files["sphereface"])
    shutil.copy(files["mobilefacenet"], tmp_path / "cut.pth")
    with (tmp_path / "cut.pth").open("r+b") as file:
        file.truncate(5000)
    torch.save({"state_dict": {"surprise": Path}}, tmp_path / "code.pth")
    (tmp_path / "text.pth").write_text("no weights")
    for name, told in (("cut", "damaged"), ("code", "that could run code"), ("text", "damaged")):
        with pytest.raises(WeightsError, match=told) as caught:
            network_from_file("mobilefacenet", tmp_path / f"{name}.pth")
        assert caught.value.path == tmp_path / f"{name}.pth"
        assert "\n" not in str(caught.value)


def test_the_starter_is_named_by_one_word(files, monkeypatch):
    starter = NetworkFromFile("mobilefacenet", "starter")
    assert starter.fraction_origin == "edge"
    crop = torch.rand(1, 3, 112, 112)
    assert torch.equal(starter(crop), load_network(require_weight("starter-landmark-detector")).network(crop))
    assert NetworkFromFile("mobilefacenet", str(files["mobilefacenet"])).fraction_origin == "first_pixel"
    with pytest.raises(ConfigError, match="no modnet comes with this package"):
        network_from_file("modnet", "starter")


def test_the_geometry_term_reads_fractions_as_the_detector_means_them():
    class Fixed(torch.nn.Module):
        def __init__(self, origin: str | None) -> None:
            super().__init__()
            if origin is not None:
                self.fraction_origin = origin

        def forward(self, crop: torch.Tensor) -> torch.Tensor:
            return torch.full((len(crop), 136), 0.5)

    assert unregistered(Fixed("edge")).fraction_origin == "edge"
    assert unregistered(Fixed(None)).fraction_origin == "first_pixel"
