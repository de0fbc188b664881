"""Images per second of the portrait GAN's training step, against the published order of work on the same networks.

One run, the two sides taking turns, A B A B: ours (A) trains under Lightning's Trainer on batches, the published order
(B, :mod:`experiments.benchmarks.published_order`) on the same photos one at a time, each with its own copy of the same
networks. Both do the same arithmetic (the published recipe); reading and decoding files is in neither.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from experiments.benchmarks.timing import quartiles

if TYPE_CHECKING:
    from lightning.pytorch import Callback, Trainer

    from experiments.benchmarks.published_order import PublishedOrder
    from lightning_modules.batches import PortraitBatch
    from lightning_modules.faces.matter import Matter
    from lightning_modules.portrait_gan import PortraitGAN

Preset = Literal["lite", "paper"]

LITE_GENERATOR: Final[dict[str, Any]] = {
    "width": 24,
    "blocks": 6,
    "landmark_blocks": (0, 2, 4),
    "block_type": "separable",
    "head": "subpixel",
    "warp_a": False,
}
"""What ``experiments/configs/portrait_gan/lite.yaml`` gives to the generator."""
PAPER_GENERATOR: Final[dict[str, Any]] = {"compat": "official"}
"""What ``experiments/configs/portrait_gan/paper.yaml`` gives to the generator, apart from defaults."""

NOTES: Final = {
    "matting": "MODNet, which the published step runs on every photo, is not in the repository: the selfie matte of "
    "mediapipe is run instead, 'ratio_without_matting' leaves it out",
    "flow_a": "no network of flow map A is at hand: neither side uses it, and no heat maps are made in the steps; what "
    "the four sets of one photo would add is 'seconds_heat_maps_per_image_not_counted'",
    "terms": "geometry and identity are off on both sides, as in the configurations: no weights are given",
    "files": "samples are in memory: reading and decoding 23 pictures a sample is not counted",
}
"""What to know before quoting the figures; part of the result."""

_CHILD: Final = """
import json, sys
from experiments.benchmarks.training_step import peak_bytes
print(json.dumps(peak_bytes(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
"""


def run(*, quick: bool, compile_networks: bool = False) -> dict[str, Any]:
    """Measure step, memory and wait for data of the light preset.

    Args:
        quick: 64 pixels and two counted turns instead of 256 and five.
        compile_networks: measure our step once more with ``torch.compile``; compiling takes minutes.

    Returns:
        ``comparison`` (see :func:`compare`), ``compiled`` where asked for, ``memory`` of both presets,
        ``data_wait`` and ``notes``.
    """
    size, turns = (64, 2) if quick else (256, 5)
    figures: dict[str, Any] = {"comparison": compare("lite", size=size, turns=turns)}
    if compile_networks:
        figures["compiled"] = compare("lite", size=size, turns=turns, compile_networks=True)
    figures["memory"] = {preset: memory_per_image(preset, size) for preset in ("lite", "paper")}
    figures["data_wait"] = data_wait(size=size, batches=4 if quick else 10)
    figures["notes"] = NOTES
    return figures


def make_module(preset: Preset, *, compile_networks: bool = False) -> PortraitGAN:
    """The portrait GAN as its preset builds it, random weights, with the published recipe.

    Args:
        preset: ``"lite"`` or ``"paper"``.
        compile_networks: see ``PortraitGAN``.
    """
    import torch

    from lightning_modules.losses.objective import Objective
    from lightning_modules.networks.coherence_discriminator import CoherenceDiscriminator
    from lightning_modules.networks.drawing_discriminators import DrawingDiscriminators
    from lightning_modules.networks.portrait_generator import PortraitGenerator
    from lightning_modules.portrait_gan import PortraitGAN
    from lightning_modules.portrait_gan_inputs import InputRecipe

    torch.manual_seed(0)
    width = 32 if preset == "lite" else 64
    return PortraitGAN(
        PortraitGenerator(**(LITE_GENERATOR if preset == "lite" else PAPER_GENERATOR)),
        DrawingDiscriminators(width=width),
        CoherenceDiscriminator(width=width),
        Objective(geometry=0.0, identity=0.0),
        recipe=InputRecipe.official(),
        pool_size=50,
        compile_networks=compile_networks,
    )


def make_published(module: PortraitGAN, matter: Matter, *, with_heat_maps: bool = False) -> PublishedOrder:
    """The published order of work with copies of a module's networks, where they are now."""
    from experiments.benchmarks.published_order import PublishedOrder

    judges: Any = module.drawing_discriminators
    return PublishedOrder(
        copy.deepcopy(module.generator),
        copy.deepcopy(judges),
        copy.deepcopy(module.coherence_discriminator),  # type: ignore[arg-type]  # make_module gives one
        module.objective,
        module.generator_optimizer,
        matter,
        with_heat_maps=with_heat_maps,
    )


def make_batch(size: int, samples: int, *, seed: int = 0) -> PortraitBatch:
    """A batch of synthetic samples.

    Args:
        size: side of the pictures.
        samples: how many.
        seed: of the faces.
    """
    from datamodules.samplers import SampleAddress
    from datamodules.synthetic.portraits import SyntheticPortraitsDataModule
    from lightning_modules.batches import stack_samples

    data = SyntheticPortraitsDataModule(
        photos=samples, drawings=2, clips=2, clip_frames=2, image_size=size, validation_photos=0, seed=seed
    )
    data.setup("fit")
    chosen = data.samples()
    return stack_samples([chosen[SampleAddress(0, index)] for index in range(samples)])


def quiet_trainer(callbacks: list[Callback], epochs: int = 1, **options: Any) -> Trainer:
    """A Trainer that trains on one device and writes nothing."""
    from lightning.pytorch import Trainer

    given: dict[str, Any] = {
        "accelerator": "auto",
        "devices": 1,
        "max_epochs": epochs,
        "callbacks": callbacks,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "num_sanity_val_steps": 0,
        "limit_val_batches": 0,
    }
    return Trainer(**(given | options))


def fit_quietly(trainer: Trainer, module: PortraitGAN, data: Any) -> None:
    """Train on a data module or on a list of batches, without Lightning's advice about worker processes."""
    from torch.utils.data import DataLoader

    given = DataLoader(cast("Any", data), batch_size=None) if isinstance(data, list) else data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(module, given)


def compare(
    preset: Preset,
    *,
    size: int = 256,
    batch_size: int = 4,
    turns: int = 5,
    compile_networks: bool = False,
    matter: Matter | None = None,
) -> dict[str, Any]:
    """Our step and the published order in turns, the first turn not counted.

    Args:
        preset: whose networks.
        size: side of the pictures.
        batch_size: photos of our batch; the published order takes the same ones one by one.
        turns: counted turns.
        compile_networks: ours through ``torch.compile``.
        matter: runs in every published step; None for the selfie matte.

    Returns:
        ``images_per_second`` of both by the median turn, their ``ratio``, also without matting; quartiles of the
        seconds of a turn; the ratios turn by turn; and what the published order's parts on the host take per image.
    """
    from lightning_modules.faces.matter import make_matter

    module = make_module(preset, compile_networks=compile_networks)
    batch = make_batch(size, batch_size)
    turning = _in_turns(matter or make_matter("selfie"), batch)
    fit_quietly(quiet_trainer([turning]), module, [batch] * (turns + 1))
    ours, theirs, matting = turning.ours[1:], turning.published[1:], turning.matting[1:]
    middle, published = quartiles(ours)[1], quartiles(theirs)[1]
    unmatted = quartiles([whole - part for whole, part in zip(theirs, matting, strict=True)])[1]
    images = (turns + 1) * batch_size
    return {
        "preset": preset,
        "device": str(module.device) if module.device.type == "cpu" else turning.device,
        "size": size,
        "batch_size": batch_size,
        "torch_compile": compile_networks,
        "images_per_second": {"ours": batch_size / middle, "published_order": batch_size / published},
        "ratio": published / middle,
        "ratio_without_matting": unmatted / middle,
        "ratio_in_each_turn": [b / a for a, b in zip(ours, theirs, strict=True)],
        "seconds_of_a_turn": {"ours": _spread(ours), "published_order": _spread(theirs)},
        "seconds_on_the_host_per_image": {part: sum_ / images for part, sum_ in turning.host_seconds.items()},
        "seconds_heat_maps_per_image_not_counted": heat_map_seconds(batch),
        "generator_loss_in_the_first_turn": turning.losses,
    }


def _spread(seconds: list[float]) -> dict[str, float]:
    low, median, high = quartiles(seconds)
    return {"median": median, "low": low, "high": high, "repeats": float(len(seconds))}


def heat_map_seconds(batch: PortraitBatch) -> float:
    """What the heat maps of one photo take: four sets, the source twice."""
    from experiments.benchmarks.published_order import heat_maps

    source, targets = batch.landmarks[0].numpy(), batch.target_landmarks[0].numpy()
    start = time.perf_counter()
    for target in targets:
        heat_maps(source, batch.size)
        heat_maps(target, batch.size)
    return time.perf_counter() - start


def _in_turns(matter: Matter, host: PortraitBatch) -> Any:
    """A callback that times our step, and after each of our steps the published order on the same photos."""
    import torch
    from lightning.pytorch import Callback

    class InTurns(Callback):
        def __init__(self) -> None:
            self.ours: list[float] = []
            self.published: list[float] = []
            self.matting: list[float] = []
            self.losses: dict[str, float] = {}
            self.host_seconds: dict[str, float] = {}
            self.device = "cpu"

        def _now(self) -> float:
            if self.device != "cpu":
                torch.cuda.synchronize()
            return time.perf_counter()

        def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
            if pl_module.device.type == "cuda":
                self.device = torch.cuda.get_device_name(pl_module.device)
            self.other = make_published(pl_module, matter)
            self.host_seconds = self.other.host_seconds

        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            self.start = self._now()

        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            self.ours.append(self._now() - self.start)
            pairs = list(zip(host.split(len(host)), batch.split(len(batch)), strict=True))
            before = self.host_seconds.get("matting", 0.0)
            start = self._now()
            losses = [self.other.step(sample, moved)["generator"] for sample, moved in pairs]
            self.published.append(self._now() - start)
            self.matting.append(self.host_seconds["matting"] - before)
            if not self.losses:
                mean = float(torch.stack(losses).mean())
                self.losses = {"ours": float(pl_module.report["loss/generator"]), "published_order": mean}

    return InTurns()


def peak_bytes(preset: Preset, batch_size: int, size: int) -> dict[str, float]:
    """Peak memory of this process after two training steps; to be called in a fresh one.

    Returns:
        ``bytes``: resident memory, or allocated memory of the GPU where there is one.
    """
    import resource

    import torch

    module, batch = make_module(preset), make_batch(size, batch_size)
    fit_quietly(quiet_trainer([]), module, [batch] * 2)
    if torch.cuda.is_available():
        return {"bytes": float(torch.cuda.max_memory_allocated())}
    scale = 1 if sys.platform == "darwin" else 1024
    return {"bytes": float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale)}


def memory_per_image(preset: Preset, size: int, batch_sizes: tuple[int, int] = (1, 3)) -> dict[str, Any]:
    """What one more photo in the batch takes: peaks of two fresh processes, compared.

    Args:
        preset: whose networks.
        size: side of the pictures.
        batch_sizes: the smaller and the larger batch.
    """
    peaks = []
    for count in batch_sizes:
        child = subprocess.run(  # noqa: S603 - our own interpreter and our own text
            [sys.executable, "-c", _CHILD, preset, str(count), str(size)],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        peaks.append(json.loads(child.stdout.strip().splitlines()[-1])["bytes"])
    few, many = batch_sizes
    return {
        "megabytes_per_image": (peaks[1] - peaks[0]) / (many - few) / 1e6,
        "peak_megabytes": {f"batch {count}": peak / 1e6 for count, peak in zip(batch_sizes, peaks, strict=True)},
    }


def data_wait(*, size: int, batches: int, batch_size: int = 4, workers: int = 1) -> dict[str, Any]:
    """A short run on the synthetic data with worker processes, measured by the callback that every run has.

    Args:
        size: side of the pictures.
        batches: counted ones; two before them are not.
        batch_size: photos of a batch.
        workers: processes that make samples.
    """
    from callbacks.throughput import Throughput
    from datamodules.synthetic.portraits import SyntheticPortraitsDataModule

    steps = batches + 4
    data = SyntheticPortraitsDataModule(
        image_size=size, batch_size=batch_size, samples_per_epoch=steps * batch_size, workers=workers
    )
    trainer = quiet_trainer([Throughput(warm_up=2)], log_every_n_steps=steps - 1)
    fit_quietly(trainer, make_module("lite"), data)
    found = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("throughput/")}
    return {name.removeprefix("throughput/"): value for name, value in found.items()} | {"workers": workers}
