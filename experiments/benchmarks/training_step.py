"""Images per second of the portrait GAN's training step, against the published order of work on the same networks.

One run, the two sides taking turns, A B A B: ours (A) trains under Lightning's Trainer on batches, the published order
(B, :mod:`experiments.benchmarks.published_order`) on the same photos one at a time, each with its own copy of the same
networks. Both do the same arithmetic (the published recipe, in float32); reading and decoding files is in neither.
"""

from __future__ import annotations

import copy
import shutil
import time
from typing import TYPE_CHECKING, Any, Final, Literal

from experiments.benchmarks.timing import quartiles
from experiments.benchmarks.training_setup import Preset, fit_quietly, make_batch, make_module, quiet_trainer

if TYPE_CHECKING:
    from experiments.benchmarks.published_order import PublishedOrder
    from lightning_modules.batches import PortraitBatch
    from lightning_modules.faces.matter import Matter
    from lightning_modules.portrait_gan import PortraitGAN

Layout = Literal["plain", "channels_last"]
"""How networks lie in memory; the published training knows the plain one only, ours takes the other on a CPU."""

NOTES: Final = {
    "matting": "MODNet, which the published step runs on every photo, is not in the repository: the selfie matte of "
    "mediapipe, a smaller network, is run instead; ratio_without_matting leaves it out",
    "flow_a": "no network of flow map A is at hand, and neither side runs one; both make what it is shown, 2 x 2 sets "
    "of 68 heat maps a photo: in NumPy landmark by landmark, or all at once; ratio_without_heat_maps leaves out what "
    "the published side takes for them, and matting, but not what ours takes",
    "layout": "the published side's networks lie plain in memory, as published; ours on a CPU channels-last; "
    "with_the_layout_of_ours gives the published side ours as well, so that only the order of work differs",
    "terms": "geometry and identity are off on both sides, as in the configurations: no weights are given",
    "files": "samples are in memory: reading and decoding 23 pictures a sample is not counted, nor is triangulating "
    "targets, which ours does where samples are made",
}
"""What to know before quoting the figures; part of the result."""


def run(*, quick: bool) -> dict[str, Any]:
    """Measure the step of the light preset.

    Args:
        quick: 64 pixels and one counted turn instead of 256 and five, and only the comparison.

    Returns:
        ``as_published`` and ``with_the_layout_of_ours`` (see :func:`compare`), ``ours_alone`` in several ways (see
        :func:`alone`) and ``notes``.
    """
    if quick:
        return {"as_published": compare("lite", size=64, turns=1), "notes": NOTES}
    return {
        "as_published": compare("lite"),
        "with_the_layout_of_ours": compare("lite", layout="channels_last"),
        "ours_alone": {
            "plain": alone("lite"),
            "compiled": alone("lite", compile_networks=True),
            "bfloat16": alone("lite", precision="bf16-mixed"),
        },
        "notes": NOTES,
    }


def make_published(
    module: PortraitGAN, matter: Matter, *, with_heat_maps: bool = False, layout: Layout = "plain"
) -> PublishedOrder:
    """The published order of work with copies of a module's networks, where they are now."""
    import torch

    from experiments.benchmarks.published_order import PublishedOrder

    memory_format = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    networks: list[Any] = [module.generator, module.drawing_discriminators, module.coherence_discriminator]
    generator, judges, pair_judge = (copy.deepcopy(one).to(memory_format=memory_format) for one in networks)
    return PublishedOrder(
        generator,
        judges,
        pair_judge,
        module.objective,
        module.generator_optimizer,
        matter,
        with_heat_maps=with_heat_maps,
    )


def alone(
    preset: Preset,
    *,
    size: int = 256,
    batch_size: int = 4,
    turns: int = 5,
    compile_networks: bool = False,
    precision: Literal["32-true", "bf16-mixed"] = "32-true",
) -> dict[str, Any]:
    """Our step by itself, without heat maps; the first two turns, which compile, are not counted.

    Args:
        preset: whose networks.
        size: side of the pictures.
        batch_size: photos of the batch.
        turns: counted turns.
        compile_networks: through ``torch.compile``.
        precision: of the Trainer.

    Returns:
        ``images_per_second`` by the median turn and the quartiles of the ``seconds`` of a turn; or ``not_measured``,
        the reason.
    """
    if compile_networks and not any(shutil.which(name) for name in ("g++", "clang++", "cl")):
        return {"not_measured": "torch.compile needs a C++ compiler, and there is none"}
    stopwatch = _stopwatch()
    module, batch = make_module(preset, compile_networks=compile_networks), make_batch(size, batch_size)
    fit_quietly(quiet_trainer([stopwatch], precision=precision), module, [batch] * (turns + 2))
    seconds = _spread(stopwatch.seconds[2:])
    return {"images_per_second": batch_size / seconds["median"], "seconds": seconds}


def compare(
    preset: Preset,
    *,
    size: int = 256,
    batch_size: int = 4,
    turns: int = 5,
    layout: Layout = "plain",
    matter: Matter | None = None,
) -> dict[str, Any]:
    """Our step and the published order in turns, the first turn not counted.

    Args:
        preset: whose networks.
        size: side of the pictures.
        batch_size: photos of our batch; the published order takes the same ones one by one.
        turns: counted turns.
        layout: of the published side's networks.
        matter: runs in every published step; None for the selfie matte.

    Returns:
        ``images_per_second`` of both by the median turn, their ``ratio``, also without matting, and without matting and
        heat maps; quartiles of the seconds of a turn; the ratios turn by turn; and what the published order's parts on
        the host take per image.
    """
    from lightning_modules.faces.matter import make_matter

    module = make_module(preset, with_heat_maps=True)
    batch = make_batch(size, batch_size)
    turning = _in_turns(matter or make_matter("selfie"), batch, layout)
    fit_quietly(quiet_trainer([turning]), module, [batch] * (turns + 1))
    ours, theirs = turning.seconds[1:], turning.published[1:]
    matting, heat_maps = (turning.parts[part][1:] for part in ("matting", "heat_maps"))
    unmatted = [whole - part for whole, part in zip(theirs, matting, strict=True)]
    bare = [whole - part for whole, part in zip(unmatted, heat_maps, strict=True)]
    middle = quartiles(ours)[1]
    images = (turns + 1) * batch_size
    return {
        "preset": preset,
        "device": str(module.device) if module.device.type == "cpu" else turning.device,
        "size": size,
        "batch_size": batch_size,
        "layout_of_the_published_side": layout,
        "images_per_second": {"ours": batch_size / middle, "published_order": batch_size / quartiles(theirs)[1]},
        "ratio": quartiles(theirs)[1] / middle,
        "ratio_without_matting": quartiles(unmatted)[1] / middle,
        "ratio_without_heat_maps": quartiles(bare)[1] / middle,
        "ratio_in_each_turn": [b / a for a, b in zip(ours, theirs, strict=True)],
        "seconds_of_a_turn": {"ours": _spread(ours), "published_order": _spread(theirs)},
        "seconds_on_the_host_per_image": {part: sum_ / images for part, sum_ in turning.host_seconds.items()},
        "generator_loss_in_the_first_turn": turning.losses,
    }


def _spread(seconds: list[float]) -> dict[str, float]:
    low, median, high = quartiles(seconds)
    return {"median": median, "low": low, "high": high, "repeats": float(len(seconds))}


def _stopwatch() -> Any:
    """A callback that times our step, the device waited for."""
    import torch
    from lightning.pytorch import Callback

    class Stopwatch(Callback):
        def __init__(self) -> None:
            self.seconds: list[float] = []
            self.device = "cpu"

        def now(self) -> float:
            if self.device != "cpu":
                torch.cuda.synchronize()
            return time.perf_counter()

        def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
            if pl_module.device.type == "cuda":
                self.device = torch.cuda.get_device_name(pl_module.device)

        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            self.start = self.now()

        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            self.seconds.append(self.now() - self.start)

    return Stopwatch()


def _in_turns(matter: Matter, host: PortraitBatch, layout: Layout) -> Any:
    """A stopwatch that after each of our steps times the published order on the same photos."""
    import torch

    watch: Any = type(_stopwatch())

    class InTurns(watch):  # type: ignore[misc]  # the class that _stopwatch made
        def __init__(self) -> None:
            super().__init__()
            self.published: list[float] = []
            self.parts: dict[str, list[float]] = {"matting": [], "heat_maps": []}
            self.losses: dict[str, float] = {}

        def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
            super().on_fit_start(trainer, pl_module)
            self.other = make_published(pl_module, matter, with_heat_maps=True, layout=layout)
            self.host_seconds = self.other.host_seconds

        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
            pairs = list(zip(host.split(len(host)), batch.split(len(batch)), strict=True))
            before = dict(self.host_seconds)
            start = self.now()
            losses = [self.other.step(sample, moved)["generator"] for sample, moved in pairs]
            self.published.append(self.now() - start)
            for part, spent in self.parts.items():
                spent.append(self.host_seconds[part] - before.get(part, 0.0))
            if not self.losses:
                mean = float(torch.stack(losses).mean())
                self.losses = {"ours": float(pl_module.report["loss/generator"]), "published_order": mean}

    return InTurns()
