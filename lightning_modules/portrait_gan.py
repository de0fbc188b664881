"""Stage 2, the portrait GAN (paper §3.3, Fig. 3, Eq. 1-9): trains G against D_g, D_ln, D_le, D_ll and D_coh.

One step, on B photos with two target poses each:

1. ``generator_phase``: both targets in one pass of G, blended by Eq. 1; step of G on the objective (Eq. 9).
2. ``drawing_phase``: real drawings against those of 1, detached; step of the drawing discriminators (Eq. 2).
3. ``coherence_phase``: neighbouring film frames against pairs of 1 and frames of two clips; step of D_coh (Eq. 8).

On a CPU the networks run channels-last, in which light convolutions are several times faster.

As in the published training all three steps start from the same parameters: G is judged by the discriminators as they
were, and they learn from what G drew before its step. So micro-batches add up to exactly the gradient of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor, nn
from torch.optim import Optimizer

from lightning_modules.batches import PortraitBatch
from lightning_modules.errors import ConfigError
from lightning_modules.export.generator_file import generator_record
from lightning_modules.host_memory import keep_freed_memory
from lightning_modules.image_pool import ImagePool
from lightning_modules.losses.adversarial import AdversarialKind, discriminator_adversarial_loss
from lightning_modules.losses.coherence import coherence_discriminator_loss
from lightning_modules.losses.objective import Objective
from lightning_modules.optimization import AdamSettings, clip_to_norm, phase, scheduled_adam, stopped_between_logs
from lightning_modules.portrait_gan_inputs import Derived, InputRecipe, PortraitInputs, blend
from lightning_modules.portrait_gan_terms import (
    DrawnPair,
    Terms,
    adversarial_terms,
    content_terms,
    part_channels,
)
from lightning_modules.unregistered_network import unregistered

GENERATOR: Final = 0
DRAWING: Final = 1
COHERENCE: Final = 2
PHASES: Final = ("generator", "drawing", "coherence")
"""Names of the phases in the order of their optimisers."""
DISCRIMINATORS: Final = ("d_g", "d_ln", "d_le", "d_ll")
"""The drawing discriminators in the order of their logits."""

_STATE: Final = "portrait_gan"


class PortraitGAN(LightningModule):
    """Training of the portrait generator.

    ``report`` holds what the last step measured, detached scalars on the device: losses, terms, mean logits, norms of
    the gradients before clipping. Every ``log_every_n_steps`` batches it is logged, with ``seen/photos`` and
    ``updates/...`` as axes.

    Args:
        generator: G, called as ``PortraitGenerator.forward``.
        drawing_discriminators: called with drawing, nose, eyes, lips; gives four logits, the global one first.
        coherence_discriminator: called with two frames; None for styles without film: its phase and term are then off.
        objective: weights of the terms.
        geometry_detector: frozen, crops (B, 3, 112, 112) in [0, 1] to (B, 136) landmarks as fractions; without it the
            geometry term is off, which is said once.
        identity_features: frozen, crops (B, 3, 112, 96) in [-1, 1] to features; without it the identity term is off.
        flow_regression: flow map A: source and target landmarks of 256 x 256 pictures to flow and validity; without it
            flow map B takes its place.
        generator_optimizer: settings for G.
        discriminator_optimizer: settings for the two optimisers of the discriminators.
        separate_foreground: draw the person only and blend by Eq. 1; False is the ablation without separation.
        recipe: further choices about the inputs, ``InputRecipe.official()`` for the published ones.
        symmetric_coherence: let both drawings learn from Eq. 7, as the paper writes it; published: the second only.
        adversarial_kind: ``"least_squares"`` (published) or ``"log"`` (as Eq. 2 and 8 are printed).
        micro_batches: parts that a batch is cut into to save memory; the step stays the same.
        gradient_clip: largest gradient norm of each optimiser; None: no limit.
        pool_size: entries of D_coh's image pool; published 50.
        pool_pairs: keep the drawings of a pair together in it; published False.
        compile_networks: run the three networks through ``torch.compile``.
    """

    def __init__(  # noqa: PLR0913  each argument is one choice of a run's configuration
        self,
        generator: nn.Module,
        drawing_discriminators: nn.Module,
        coherence_discriminator: nn.Module | None,
        objective: Objective,
        geometry_detector: nn.Module | None = None,
        identity_features: nn.Module | None = None,
        flow_regression: nn.Module | None = None,
        generator_optimizer: AdamSettings | None = None,
        discriminator_optimizer: AdamSettings | None = None,
        *,
        separate_foreground: bool = True,
        recipe: InputRecipe | None = None,
        symmetric_coherence: bool = False,
        adversarial_kind: AdversarialKind = "least_squares",
        micro_batches: int = 1,
        gradient_clip: float | None = None,
        pool_size: int = 0,
        pool_pairs: bool = True,
        compile_networks: bool = False,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = generator
        self.drawing_discriminators = drawing_discriminators
        self.coherence_discriminator = coherence_discriminator
        self.objective = objective
        self.geometry_detector = unregistered(geometry_detector)
        self.identity_features = unregistered(identity_features)
        self.flow_regression = unregistered(flow_regression)
        self.generator_optimizer = generator_optimizer or AdamSettings()
        self.discriminator_optimizer = discriminator_optimizer or AdamSettings()
        guided = bool(getattr(generator, "guided", False))
        self.inputs = PortraitInputs(recipe, separate_foreground=separate_foreground, guided=guided)
        self.symmetric_coherence = symmetric_coherence
        self.adversarial_kind: AdversarialKind = adversarial_kind
        self.micro_batches = micro_batches
        self.gradient_clip = gradient_clip
        self.pool = ImagePool(pool_size, pairs=pool_pairs)
        self.compile_networks = compile_networks
        self.photos_seen = 0
        self.image_size: int | None = None
        self.updates = dict.fromkeys(PHASES, 0)
        self.report: dict[str, Tensor] = {}

    # What is drawn -------------------------------------------------------------------------------------------------

    def derive(self, batch: PortraitBatch) -> Derived:
        """Inputs of the generator, warps of the losses, and what Eq. 1 needs; no gradient."""
        return self.inputs.derive(batch, self.flow_regression)

    def draw(self, batch: PortraitBatch, share: float = 1.0) -> DrawnPair:
        """Both drawings of every sample, in one pass of the generator.

        Args:
            batch: B samples.
            share: part of the whole batch that they are.
        """
        inputs, warps, blending = self.derive(batch)
        drawing, guide = self.generator(*inputs.arguments).float(), inputs.guide
        if blending is not None:
            drawing, guide = blend(drawing, blending), None if guide is None else blend(guide, blending)
        return DrawnPair(batch, drawing, warps, share, None if guide is None else guide[: len(batch)])

    def forward(self, batch: PortraitBatch) -> Tensor:
        """Both drawings of every sample: (B, 2, C, S, S) in [-1, 1], blended by Eq. 1."""
        return self.draw(batch).pairs

    # One step ------------------------------------------------------------------------------------------------------

    def training_step(self, batch: PortraitBatch, batch_index: int) -> None:
        """One step of G, of the drawing discriminators and of D_coh; see the module's docstring."""
        self.report = {}
        parts = batch.split(self.micro_batches)
        drawn = self.generator_phase(parts)
        self.drawing_phase(drawn)
        if self.coherence_discriminator is not None:
            self.coherence_phase(drawn)
        self.photos_seen += len(batch) * self.trainer.world_size
        self.image_size = batch.size
        self._log_step(len(batch))

    def generator_phase(self, parts: Sequence[PortraitBatch]) -> list[DrawnPair]:
        """Step of G: lower the objective (Eq. 9) with the discriminators held still.

        Args:
            parts: the micro-batches of one batch.

        Returns:
            What G drew, detached: the other phases judge it.
        """
        drawn = []
        whole = sum(map(len, parts))
        with phase(self, self._optimizer(GENERATOR), "generator_phase") as step:
            for part in parts:
                made = self.draw(part, share=len(part) / whole)
                loss, report = self.objective.total(self.terms(made))
                step.backward(loss, made.share, last=part is parts[-1])
                self._note({"loss/generator": loss, **report}, made.share)
                drawn.append(made.detach())
        return drawn

    def drawing_phase(self, drawn: Sequence[DrawnPair]) -> None:
        """Step of D_g, D_ln, D_le, D_ll: real drawings are real, both of G's are not (Eq. 2)."""
        with phase(self, self._optimizer(DRAWING), "drawing_phase") as step:
            for made in drawn:
                loss = self.drawing_loss(made)
                step.backward(loss, made.share, last=made is drawn[-1])
                self._note({"loss/drawing": loss}, made.share)

    def coherence_phase(self, drawn: Sequence[DrawnPair]) -> None:
        """Step of D_coh: film neighbours are real, G's pairs and frames of two clips are not (Eq. 8)."""
        with phase(self, self._optimizer(COHERENCE), "coherence_phase") as step:
            for made in drawn:
                loss = self.coherence_loss(made)
                step.backward(loss, made.share, last=made is drawn[-1])
                self._note({"loss/coherence": loss}, made.share)

    # The losses of the phases --------------------------------------------------------------------------------------

    def terms(self, drawn: DrawnPair) -> Terms:
        """Every term of the objective (Eq. 9) on what was drawn, each computed when asked for."""
        judged = adversarial_terms(
            drawn, self.drawing_discriminators, self.coherence_discriminator, self.adversarial_kind
        )
        return judged | self._content_terms(drawn)

    def _content_terms(self, drawn: DrawnPair) -> Terms:
        return content_terms(
            drawn,
            self.inputs,
            self.geometry_detector,
            self.identity_features,
            symmetric_coherence=self.symmetric_coherence,
        )

    def drawing_loss(self, drawn: DrawnPair) -> Tensor:
        """Half the loss on real drawings plus half the mean loss on both drawings of G, summed over the four."""
        batch = drawn.batch
        frames = torch.cat((batch.drawing.float(), drawn.frames))
        masks = (torch.cat(pair) for pair in zip(part_channels(batch.drawing_masks), drawn.masks, strict=True))
        losses = []
        for name, logits in zip(DISCRIMINATORS, self.drawing_discriminators(frames, *masks), strict=True):
            real, made = logits.float().split((len(batch), len(drawn.frames)))
            losses.append(discriminator_adversarial_loss(real, made, self.adversarial_kind))
            self._note({f"logits/{name}_real": real.mean(), f"logits/{name}_made": made.mean()}, drawn.share)
        return torch.stack(losses).sum()

    def coherence_loss(self, drawn: DrawnPair) -> Tensor:
        """The mean of three: neighbours real, pairs of G not real, frames of different clips not real."""
        batch = drawn.batch
        if self.coherence_discriminator is None or not batch.adjacent.shape[1]:
            found = "D_coh is to be trained, and the data have no film"
            raise ConfigError(found, "give the data film, or no coherence_discriminator")
        pairs = torch.cat((batch.adjacent.float(), self.pool.query(drawn.pairs), batch.non_adjacent.float()))
        logits = self.coherence_discriminator(*pairs.unbind(1)).float()
        neighbours, made, strangers = logits.split(len(batch))
        means = {"neighbours": neighbours.mean(), "made": made.mean(), "strangers": strangers.mean()}
        self._note({f"logits/d_coh_{name}": mean for name, mean in means.items()}, drawn.share)
        return coherence_discriminator_loss(neighbours, made, strangers, self.adversarial_kind)

    # Optimisers ----------------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> list[dict[str, Any]]:  # type: ignore[override]  # Lightning's union is wider
        """Three optimisers in the order of :data:`PHASES` (without D_coh two), each with its schedule by epochs."""
        settings = (self.generator_optimizer, self.discriminator_optimizer, self.discriminator_optimizer)
        return [
            scheduled_adam(network.parameters(), chosen, f"lr/{name}")
            for network, chosen, name in zip(self._networks(), settings, PHASES, strict=False)
        ]

    def _networks(self) -> list[nn.Module]:
        networks = (self.generator, self.drawing_discriminators, self.coherence_discriminator)
        return [network for network in networks if network is not None]

    def _optimizer(self, index: int) -> LightningOptimizer:
        optimizers: Any = self.optimizers()
        self.updates[PHASES[index]] += 1
        return optimizers[index]  # type: ignore[no-any-return]

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip: here gradients are complete and exchanged, whatever the precision."""
        raw: Any = self.optimizers(use_pl_optimizer=False)
        name = PHASES[next(index for index, known in enumerate(raw) if known is optimizer)]
        self._note({f"gradient_norm/{name}": clip_to_norm(optimizer, self.gradient_clip)}, 1.0)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Log the last step of a run that its time ends."""
        if stopped_between_logs(self.trainer, self.updates[PHASES[GENERATOR]]):
            self._log_report(len(batch))

    def on_train_epoch_end(self) -> None:
        """Step the schedules: Lightning does not in manual mode."""
        schedulers: Any = self.lr_schedulers()
        for scheduler in schedulers:
            scheduler.step()

    # Reports -------------------------------------------------------------------------------------------------------

    def _note(self, values: dict[str, Tensor], share: float) -> None:
        for name, value in values.items():
            part = value.detach() * share
            self.report[name] = self.report[name] + part if name in self.report else part

    def _log_step(self, samples: int) -> None:
        """Log when Lightning passes values on; asked at every step it would take as long as a small network's step."""
        if self.updates[PHASES[GENERATOR]] % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            self._log_report(samples)

    def _log_report(self, samples: int) -> None:
        counts = {"seen/photos": self.photos_seen} | {f"updates/{name}": self.updates[name] for name in PHASES}
        self.log_dict({**self.report, **{name: float(count) for name, count in counts.items()}}, batch_size=samples)

    def setup(self, stage: str) -> None:
        """Switch the terms off whose networks are not at hand; each says so once. On a CPU, prepare for its memory."""
        if stage != "fit":
            return
        if self.trainer.strategy.root_device.type == "cpu":
            for part in self._networks():  # before optimisers and processes take note of the parameters
                part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch declares it wrongly
            if keep_freed_memory():
                rank_zero_info("training on a CPU: freed memory is kept for the next step until the process ends")
        for term, network, name in (
            ("geometry", self.geometry_detector, "geometry_detector"),
            ("identity", self.identity_features, "identity_features"),
            ("coherence", self.coherence_discriminator, "coherence_discriminator"),
        ):
            if network is None:
                self.objective.switch_off(term, f"no {name} is given")
        if self.flow_regression is None:
            rank_zero_info("no flow_regression is given: flow map B takes the place of flow map A")

    def on_fit_start(self) -> None:
        """Compile the networks where that was asked for; weights are loaded by now."""
        if self.compile_networks:
            for network in self._networks():
                network.compile()

    def _evaluate(self, batch: PortraitBatch, stage: str) -> dict[str, Tensor]:
        drawn = self.draw(batch)
        values = {f"{stage}/{name}": term() for name, term in self._content_terms(drawn).items()}
        self.log_dict(values, batch_size=len(batch), sync_dist=True, on_step=False, on_epoch=True)
        return {"frames": drawn.pairs}

    def validation_step(self, batch: PortraitBatch, batch_index: int) -> dict[str, Tensor]:
        """Measure the terms that need no discriminator; returns ``frames`` (B, 2, C, S, S) for metrics and previews."""
        return self._evaluate(batch, "validation")

    def test_step(self, batch: PortraitBatch, batch_index: int) -> dict[str, Tensor]:
        """The same as :meth:`validation_step` under the name ``test``."""
        return self._evaluate(batch, "test")

    def predict_step(self, batch: PortraitBatch, batch_index: int) -> Tensor:
        """Both drawings of every sample: (B, 2, C, S, S) in [-1, 1]."""
        return self.draw(batch).pairs

    # State ---------------------------------------------------------------------------------------------------------

    def generator_state(self) -> dict[str, Tensor]:
        """Weights of G alone, copies on the CPU, for export; averaged ones inside the EMA callback's ``averaged``."""
        weights = self.generator.state_dict()
        return {
            name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in weights.items()
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the counters, every process's image pool, and what G is and draws from: plain values and tensors."""
        record = generator_record(
            self.generator,
            self.inputs.recipe,
            separate_foreground=self.inputs.separate_foreground,
            regressed=self.flow_regression is not None,
            image_size=self.image_size,
        )
        checkpoint[_STATE] = {
            "portrait_generator": record,
            "image_size": self.image_size,
            "photos_seen": self.photos_seen,
            "updates": dict(self.updates),
            "pool": self.pool.gathered(self.device),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the counters and this process's image pool up again."""
        state = checkpoint[_STATE]
        self.photos_seen = int(state["photos_seen"])
        self.image_size = state.get("image_size")
        self.updates = {name: int(state["updates"][name]) for name in PHASES}
        self.pool.load_own_part(state["pool"])
