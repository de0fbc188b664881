"""The YAML files of the static drawer: the published networks, a short schedule, a run from end to end."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

from experiments.__main__ import main
from lightning_modules.export.network_file import load_network
from lightning_modules.losses.static_drawing_objective import StaticDrawingObjective
from lightning_modules.networks.frozen.edge_detector import EdgeDetector
from lightning_modules.networks.frozen.perceptual_distance import PerceptualDistance
from lightning_modules.weights.published import PUBLISHED

CONFIGS = Path(__file__).resolve().parents[2] / "experiments" / "configs" / "static_drawing"

pytestmark = pytest.mark.filterwarnings("ignore")


def resolved(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["fit", "--config", str(CONFIGS / f"{name}.yaml"), "--dry_run"]) == 0
    return capsys.readouterr().out


def test_the_default_file_builds_the_published_networks_and_schedule(capsys: pytest.CaptureFixture[str]) -> None:
    shown = resolved("default", capsys)
    # Section 1: G 11,968,897 with 3 styles, F, D_D 9,448,388 with 3 styles, D_P, three local ones, the classifier.
    generator = 11_968_897 + 256 * 9
    judge = 9_448_388 + 512 * 16 * 16 + 1
    classifier = 25 * (16 + 16 * 32 + 32 * 64 + 64 * 128) + 3 * (16 + 32 + 64 + 128) + 4 * 128 + 4
    total = generator + 11_371_907 + judge + (2_763_713 + 1_024) + 3 * 2_763_713 + classifier
    assert f"{total:,} parameters" in shown
    model = yaml.safe_load(shown)["model"]["init_args"]
    assert StaticDrawingObjective(**model["objective"]["init_args"]).weights(0.5) == StaticDrawingObjective().weights(
        0.5
    )
    for name in ("generator_optimizer", "discriminator_optimizer"):
        settings = model[name]
        assert (settings["learning_rate"], settings["constant_epochs"], settings["decay_epochs"]) == (1.5e-5, 100, 200)
    assert yaml.safe_load(shown)["trainer"]["max_epochs"] == 200
    assert model["style_names"] == ["gibson", "phil_may", "seattle_1906", "vallotton_masques"]


def test_the_small_file_is_for_a_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    shown = yaml.safe_load(resolved("small", capsys))
    assert shown["trainer"]["accelerator"] == "cpu"
    assert shown["data"]["init_args"]["image_size"] == 128


def published(kind: str, network: torch.nn.Module) -> dict[str, torch.Tensor]:
    own, sizes = network.state_dict(), {"width": 3} if kind == "edge_detector" else {}
    return {key: own[name].clone() for key, name in PUBLISHED[kind].names_at(sizes).items()}


def test_the_debug_file_runs_with_files_of_hed_and_alexnet_and_its_drawer_is_exported(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_file(published("edge_detector", EdgeDetector(3)), tmp_path / "hed.safetensors")
    alexnet = published("perceptual_distance", PerceptualDistance())
    save_file({k: v for k, v in alexnet.items() if k.startswith("features")}, tmp_path / "alexnet.safetensors")
    arguments = ["fit", "--config", str(CONFIGS / "debug.yaml"), f"--trainer.default_root_dir={tmp_path}"]
    given = [
        "--model.edge_detector=lightning_modules.weights.from_file.NetworkFromFile",
        "--model.edge_detector.kind=edge_detector",
        f"--model.edge_detector.path={tmp_path / 'hed.safetensors'}",
        "--model.distance=lightning_modules.weights.perceptual_distance.PerceptualDistanceFromFile",
        f"--model.distance.path={tmp_path / 'alexnet.safetensors'}",
    ]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert main([*arguments, *given]) == 0
    assert not [one for one in told if "instead of" in str(one.message)]
    run = tmp_path / "StaticDrawing" / "version_0"
    names, *rows = (line.split(",") for line in (run / "metrics.csv").read_text(encoding="utf-8").splitlines())
    assert "throughput/images_per_second" in names
    assert "term/truncation_cycle" in names
    assert max(int(float(row[names.index("seen/photos")] or 0)) for row in rows) == 8
    assert (run / "previews" / "samples_000000008.png").is_file()
    out = tmp_path / "drawer.safetensors"
    assert main(["weights", "export", str(run / "checkpoints" / "last.ckpt"), str(out), "--licence", "MIT"]) == 0
    stored = load_network(out)
    assert stored.kind == "static_drawing_generator"
    assert stored.facts["styles"] == ["fine", "bold"]
    assert stored.facts["licence"] == "MIT"
    drawing = stored.network(torch.zeros(1, 3, 64, 64), torch.tensor([[0.0, 1.0]]))
    assert drawing.shape == (1, 1, 64, 64)


def test_the_debug_file_says_what_stands_in_and_trains_in_bfloat16(tmp_path: Path) -> None:
    arguments = ["fit", "--config", str(CONFIGS / "debug.yaml"), f"--trainer.default_root_dir={tmp_path}"]
    with pytest.warns(UserWarning, match="edge response instead of HED"):
        assert main([*arguments, "--trainer.precision=bf16-mixed", "--trainer.max_epochs=1"]) == 0
