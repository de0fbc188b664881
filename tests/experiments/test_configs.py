"""The YAML files that come along: each is accepted by the classes it names, and every overlay trains a batch."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.__main__ import main

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
PORTRAIT_GAN = EXPERIMENTS / "configs" / "portrait_gan"
AUDIO_TO_LANDMARK = EXPERIMENTS / "configs" / "audio_to_landmark"
FLOW_REGRESSION = EXPERIMENTS / "configs" / "flow_regression"
PORTRAIT_MATTING = EXPERIMENTS / "configs" / "portrait_matting"
STATIC_DRAWING = EXPERIMENTS / "configs" / "static_drawing"
LANDMARK_REGRESSION = EXPERIMENTS / "configs" / "landmark_regression"
TRAINERS = EXPERIMENTS / "configs" / "trainer"
STYLES = EXPERIMENTS / "styles"
ABLATIONS = sorted((EXPERIMENTS / "ablations").glob("*.yaml"))
SWEEPS = sorted((EXPERIMENTS / "sweeps").glob("*.yaml"))
FILES = sorted({*EXPERIMENTS.glob("configs/*/*.yaml"), *STYLES.glob("*.yaml"), *ABLATIONS, *SWEEPS})
DEBUG = PORTRAIT_GAN / "debug.yaml"
ONE_BATCH = ["--trainer.limit_train_batches=1", "--trainer.limit_val_batches=0"]

# Lightning itself triggers deprecation warnings of torch, and tells a tiny run that it is tiny.
pytestmark = pytest.mark.filterwarnings("ignore")


def configs(*files: Path) -> list[str]:
    """Arguments that give these files."""
    return [word for file in files for word in ("--config", str(file))]


def dry_run(capsys: pytest.CaptureFixture[str], *files: Path, more: tuple[str, ...] = ()) -> dict[str, Any]:
    """Build data and model of these files and return the resolved configuration."""
    assert main(["fit", *configs(*files), *more, "--dry_run"]) == 0, capsys.readouterr().err
    resolved: dict[str, Any] = yaml.safe_load(capsys.readouterr().out)
    return resolved


def train_one_batch(folder: Path, *files: Path, more: tuple[str, ...] = ()) -> dict[str, float]:
    """Train one batch with the debug file and what is laid over it; return what was logged."""
    arguments = ["fit", *configs(DEBUG, *files), f"--trainer.default_root_dir={folder}", *ONE_BATCH, *more]
    assert main(arguments) == 0
    (metrics,) = folder.glob("PortraitGAN/version_0/metrics.csv")
    names, values = (line.split(",") for line in metrics.read_text(encoding="utf-8").splitlines()[:2])
    return {name: float(value) for name, value in zip(names, values, strict=True) if value}


def leaves(tree: object, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    """Values of a nested mapping by their paths; lists count as values."""
    if not isinstance(tree, dict):
        return {path: tree}
    return {key: value for name, branch in tree.items() for key, value in leaves(branch, (*path, name)).items()}


def test_the_files_that_were_promised_are_there() -> None:
    names = {str(file.relative_to(EXPERIMENTS)) for file in FILES}
    promised = {f"configs/portrait_gan/{name}.yaml" for name in ("paper", "lite", "debug", "frozen_networks")}
    promised |= {
        f"configs/audio_to_landmark/{name}.yaml" for name in ("paper", "default", "starter", "debug", "speaker")
    }
    promised |= {f"configs/flow_regression/{name}.yaml" for name in ("default", "starter", "debug")}
    promised |= {f"configs/portrait_matting/{name}.yaml" for name in ("default", "consistency", "debug")}
    promised |= {f"configs/static_drawing/{name}.yaml" for name in ("default", "small", "debug")}
    promised |= {f"configs/identity_features/{name}.yaml" for name in ("default", "starter", "a_softmax", "debug")}
    promised |= {f"configs/landmark_regression/{name}.yaml" for name in ("default", "starter", "debug")}
    promised |= {f"configs/trainer/{name}.yaml" for name in ("cpu", "gpu", "ddp", "slurm", "wandb", "wandb_numbers")}
    promised |= {f"styles/{name}.yaml" for name in ("drawing", "cartoon")}
    promised |= {f"sweeps/{name}.yaml" for name in ("ablations", "small", "debug")}
    losses = ("content", "geometry", "identity", "coherence_warp", "coherence", "foreground")
    others = ("single_scale_warp", "flow_a_only", "flow_b_only")
    promised |= {f"ablations/{name}.yaml" for name in (*(f"no_{loss}" for loss in losses), *others)}
    assert promised <= names


@pytest.mark.parametrize("file", ABLATIONS, ids=lambda file: file.stem)
def test_an_overlay_is_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 8


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_value_is_explained(file: Path) -> None:
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        sets_a_value = re.match(r"\s*(- )?[a-z_0-9]+: [^#]", line)
        assert not sets_a_value or "class_path:" in line or " # " in line, f"{file.name}:{number} has no comment"
        assert len(line) <= 120


def told_defaults(file: Path) -> list[tuple[str, str, object]]:
    """Class, key and default of every value whose comment tells a default of one word, and whose class is named."""
    from lightning.pytorch import Trainer

    lines = file.read_text(encoding="utf-8").splitlines()
    found: list[tuple[str, str, object]] = []

    def look(node: yaml.Node, owner: object) -> None:
        if isinstance(node, yaml.SequenceNode):
            for one in node.value:
                look(one, None)
        if not isinstance(node, yaml.MappingNode):
            return
        paths = [value.value for key, value in node.value if key.value == "class_path"]
        for key, value in node.value:
            named = key.value
            if named == "trainer":
                look(value, Trainer)
            elif named == "init_args" and paths:
                module, _, name = paths[0].rpartition(".")
                look(value, getattr(importlib.import_module(module), name))
            else:
                look(value, settings.get(named))
            told = re.search(r"Default: ([a-z0-9_.-]+?)\.?(,|$)", lines[key.start_mark.line])
            if told and owner is not None and isinstance(value, yaml.ScalarNode):
                takers = (inspect.signature(one).parameters for one in owner.__mro__)  # type: ignore[attr-defined]
                default = next(parameters[named].default for parameters in takers if named in parameters)
                found.append((f"{owner.__name__}.{named}", told[1], default))  # type: ignore[attr-defined]

    from datamodules.matting_augmentation import MattingAugmentation
    from datamodules.speech_augmentation import SpeechAugmentation
    from datamodules.targets import TargetSettings
    from lightning_modules.optimization import AdamSettings, AdamWSettings
    from lightning_modules.portrait_gan_inputs import InputRecipe

    settings = {"generator_optimizer": AdamSettings, "recipe": InputRecipe, "targets": TargetSettings}
    settings |= {"discriminator_optimizer": AdamSettings, "classifier_optimizer": AdamSettings}
    settings |= {"optimizer": AdamSettings, "augmentation": SpeechAugmentation}
    if file.parent in (FLOW_REGRESSION, LANDMARK_REGRESSION, PORTRAIT_MATTING):
        settings |= {"optimizer": AdamWSettings, "augmentation": MattingAugmentation}
    look(yaml.compose("\n".join(lines)), None)
    return found


@pytest.mark.parametrize(
    ("file", "least"),
    [
        (PORTRAIT_GAN / "paper.yaml", 45),
        (PORTRAIT_GAN / "lite.yaml", 40),
        (DEBUG, 20),
        (AUDIO_TO_LANDMARK / "paper.yaml", 35),
        (AUDIO_TO_LANDMARK / "default.yaml", 35),
        (AUDIO_TO_LANDMARK / "debug.yaml", 15),
        (AUDIO_TO_LANDMARK / "speaker.yaml", 10),
        (FLOW_REGRESSION / "default.yaml", 30),
        (FLOW_REGRESSION / "debug.yaml", 18),
        (PORTRAIT_MATTING / "default.yaml", 30),
        (PORTRAIT_MATTING / "consistency.yaml", 25),
        (PORTRAIT_MATTING / "debug.yaml", 20),
        (STATIC_DRAWING / "default.yaml", 45),
        (STATIC_DRAWING / "small.yaml", 35),
        (STATIC_DRAWING / "debug.yaml", 25),
        (LANDMARK_REGRESSION / "default.yaml", 20),
        (LANDMARK_REGRESSION / "debug.yaml", 12),
        (TRAINERS / "wandb.yaml", 10),
        (TRAINERS / "wandb_numbers.yaml", 4),
    ],
    ids=lambda value: f"{value.parent.name}/{value.stem}" if isinstance(value, Path) else str(value),
)
def test_the_defaults_in_the_comments_are_those_of_the_classes(file: Path, least: int) -> None:
    told = told_defaults(file)
    assert len(told) >= least
    # Lightning resolves these two itself: 1000 epochs where nothing else ends a run.
    resolved = {"Trainer.max_epochs": 1000, "Trainer.log_every_n_steps": 50, "Trainer.check_val_every_n_epoch": 1}
    shown = {
        "Trainer.num_sanity_val_steps": 2,
        "Trainer.enable_progress_bar": True,
        "Trainer.enable_model_summary": True,
    }
    for key, word, default in told:
        actual = (resolved | shown).get(key, default) if default is None else default
        said = None if word in {"none", "null"} else yaml.safe_load(word.replace("5e-5", "0.00005"))
        assert said == actual, f"{key}: the comment says {word}, the class takes {actual}"


@pytest.mark.parametrize(("name", "style"), [("paper", "cartoon"), ("lite", "drawing"), ("lite", "cartoon")])
def test_channels_are_said_once(capsys: pytest.CaptureFixture[str], name: str, style: str) -> None:
    resolved = dry_run(capsys, PORTRAIT_GAN / f"{name}.yaml", STYLES / f"{style}.yaml")
    channels = {"drawing": 1, "cartoon": 3}[style]
    networks = resolved["model"]["init_args"]
    assert resolved["data"]["init_args"]["drawing_channels"] == channels
    assert networks["generator"]["init_args"]["output_channels"] == channels
    assert networks["drawing_discriminators"]["init_args"]["channels"] == channels
    assert networks["coherence_discriminator"]["init_args"]["channels"] == channels


def test_the_paper_file_builds_the_papers_generator_and_the_published_choices(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from lightning_modules.losses.objective import Objective
    from lightning_modules.networks.portrait_generator import PortraitGenerator
    from lightning_modules.portrait_gan_inputs import InputRecipe

    chosen = dry_run(capsys, PORTRAIT_GAN / "paper.yaml")["model"]["init_args"]
    generator = PortraitGenerator(**chosen["generator"]["init_args"])
    assert sum(parameter.numel() for parameter in generator.parameters()) == 15_925_553
    recipe = dict(chosen["recipe"].get("init_args", chosen["recipe"]))
    assert InputRecipe(**recipe) == InputRecipe.official()
    assert Objective(**chosen["objective"]["init_args"]).weights == Objective().weights


def test_the_lite_file_builds_the_light_generator_without_flow_map_a(capsys: pytest.CaptureFixture[str]) -> None:
    from lightning_modules.networks.portrait_generator import PortraitGenerator, lite_generator

    chosen = dry_run(capsys, PORTRAIT_GAN / "lite.yaml")["model"]["init_args"]["generator"]["init_args"]
    assert chosen["warp_a"] is False
    with_a = PortraitGenerator(**chosen | {"warp_a": True}).state_dict()
    light = lite_generator().state_dict()
    assert {name: value.shape for name, value in with_a.items()} == {n: v.shape for n, v in light.items()}


@pytest.mark.parametrize("name", ["gpu", "ddp", "slurm"])
def test_a_trainer_file_fits_every_other_file(capsys: pytest.CaptureFixture[str], name: str) -> None:
    given = leaves(yaml.safe_load((TRAINERS / f"{name}.yaml").read_text(encoding="utf-8")))
    resolved = leaves(dry_run(capsys, PORTRAIT_GAN / "lite.yaml", TRAINERS / f"{name}.yaml"))
    for path, value in given.items():
        assert resolved[path] == value or isinstance(value, list), path


@pytest.mark.parametrize("file", ABLATIONS, ids=lambda file: file.stem)
def test_an_overlay_reaches_the_paper_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = leaves(yaml.safe_load(file.read_text(encoding="utf-8")))
    assert main(["fit", *configs(PORTRAIT_GAN / "paper.yaml", file), "--print_config"]) == 0
    resolved = leaves(yaml.safe_load(capsys.readouterr().out))
    assert {path: resolved[path] for path in given} == given


@pytest.mark.parametrize("file", ABLATIONS, ids=lambda file: file.stem)
def test_an_overlay_trains_a_batch(file: Path, tmp_path: Path) -> None:
    logged = train_one_batch(tmp_path, file)
    assert logged["seen/photos"] == 2
    assert logged["loss/generator"] > 0
    ablated = {name.removeprefix("ablated/") for name in logged if name.startswith("ablated/")}
    objective = yaml.safe_load(file.read_text(encoding="utf-8"))["model"]["init_args"].get("objective")
    # Geometry and identity ask networks that are not at hand: they are off, and so cannot be measured either.
    assert ablated == (set(objective["init_args"]) if objective else set()) - {"geometry", "identity"}
    assert not {"raw/geometry", "raw/identity", "weighted/geometry", "weighted/identity"} & set(logged)
    assert {"raw/content", "ablated/content"} & set(logged)


def test_the_debug_file_runs_from_end_to_end_on_the_cpu(tmp_path: Path) -> None:
    from lightning_modules.losses.objective import TermOffWarning

    arguments = ["fit", *configs(DEBUG, TRAINERS / "cpu.yaml"), f"--trainer.default_root_dir={tmp_path}"]
    with pytest.warns(TermOffWarning) as warned:
        assert main(arguments) == 0
    assert {str(one.message).split(" term")[0] for one in warned if one.category is TermOffWarning} == {
        "the geometry",
        "the identity",
    }
    run = tmp_path / "PortraitGAN" / "version_0"
    assert (run / "config.yaml").is_file()
    assert (run / "previews" / "photos_000000004.png").is_file()
    assert (run / "checkpoints" / "photos_000000004.ckpt").is_file()


def test_colour_reaches_every_network_of_the_debug_file(tmp_path: Path) -> None:
    assert train_one_batch(tmp_path, more=("--data.drawing_channels=3",))["loss/drawing"] > 0


@pytest.mark.parametrize(
    "key", ["model.init_args.objective.init_args.contnet", "trainer.epochs", "data.init_args.side"]
)
def test_an_unknown_key_is_refused(key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overlay: object = 1
    for name in reversed(key.split(".")):
        overlay = {name: overlay}
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(overlay), encoding="utf-8")
    assert main(["fit", *configs(DEBUG, wrong), "--dry_run"]) == 2
    assert key.rpartition(".")[2] in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_train_with_the_ddp_file(tmp_path: Path) -> None:
    two = ["--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.precision=32-true"]
    arguments = ["fit", *configs(DEBUG, TRAINERS / "ddp.yaml"), f"--trainer.default_root_dir={tmp_path}", *two]
    done = subprocess.run(
        [sys.executable, "-m", "experiments", *arguments],
        cwd=EXPERIMENTS.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("PortraitGAN/version_0/checkpoints/photos_000000004.ckpt"))
