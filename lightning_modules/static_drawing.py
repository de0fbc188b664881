"""The static drawer d_s of a photo, trained from unpaired photos and drawings by the asymmetric cycle (Yi et al. 2020).

One step, on B photos x and B real drawings d that do not belong together:

1. the style s of each drawing: the softmax of the style classifier, or without one the drawing's label;
2. ``generator_phase``: G(x, s) and F(d), and both ways back; one step of G and F on their objective;
3. ``discriminator_phase``: one step of D_D (drawings and their style), D_P (photos) and three local discriminators, on
   what is real and on what was made before this step's update of G and F, or earlier, from a pool;
4. ``classifier_phase``: one step of the style classifier, which sees real drawings and their labels only.

Source: auxiliary, section 1. Published, the classifier was trained before, by itself; here it is a phase of the same
run, so that one command and one checkpoint are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import numpy as np
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from lightning_modules.errors import ConfigError
from lightning_modules.export.network_file import plain_arguments
from lightning_modules.export.supporting_checkpoint import STATE
from lightning_modules.host_memory import keep_freed_memory
from lightning_modules.image_pool import ImagePool
from lightning_modules.losses.asymmetric_cycle import TruncationGradient, truncated
from lightning_modules.losses.edge_response import EdgeResponse
from lightning_modules.losses.static_drawing_objective import StaticDrawingObjective
from lightning_modules.losses.structural_distance import StructuralDistance
from lightning_modules.optimization import AdamSettings, clip_to_norm, phase, scheduled_adam, stopped_between_logs
from lightning_modules.static_drawing_terms import (
    Judges,
    Made,
    discriminator_losses,
    generator_terms,
    shown_drawings,
)
from lightning_modules.unpaired_batches import UnpairedBatch
from lightning_modules.unregistered_network import UnregisteredNetwork

PHASES: Final = ("generators", "discriminators", "classifier")
"""Names of the phases in the order of their optimisers."""

_STATE: Final = "static_drawing"
_PUBLISHED: Final = AdamSettings(learning_rate=1.5e-5, constant_epochs=100, decay_epochs=200)


class StaticDrawing(LightningModule):
    """Training of the static drawer.

    ``report`` holds what the last step measured, detached scalars on the device. Every ``log_every_n_steps`` batches it
    is logged, with ``seen/photos`` as axis.

    Args:
        generator: G, photo and style to drawing.
        inverse_generator: F, drawing to photo.
        style_discriminator: D_D, drawing to logits of reality and style.
        photo_discriminator: D_P, photo to logits.
        local_discriminators: drawing and part masks to logits of nose, eyes, lips.
        objective: weights of the terms, and how the cycle's budget moves.
        style_classifier: real drawing to logits of styles; None: a drawing's style is its label.
        edge_detector: frozen, photos in [0, 1] to edges in [0, 1]; published HED. None: the edge response, which needs
            no weights; that is said.
        distance: frozen, two pictures (B, 1, S, S) in [-1, 1] to (B,); published LPIPS. None: the structural distance,
            which needs no weights; that is said.
        generator_optimizer: Adam of G and F; None: as published, 1.5e-5, 100 epochs constant, 200 falling.
        discriminator_optimizer: Adam of all discriminators; None: the same.
        classifier_optimizer: Adam of the style classifier; None: 1e-3 throughout.
        style_names: of the styles, in the order of the style vector; None: numbers.
        truncation_gradient: of the truncation cycle to G: ``"stopped"`` (published) or ``"straight_through"``.
        gradient_clip: largest gradient norm of each optimiser; None: no limit.
        pool_size: made drawings, and made photos, that are remembered for the discriminators.

    Raises:
        ConfigError: networks that do not know the same number of styles.
    """

    def __init__(  # noqa: PLR0913  each argument is one choice of a run's configuration
        self,
        generator: nn.Module,
        inverse_generator: nn.Module,
        style_discriminator: nn.Module,
        photo_discriminator: nn.Module,
        local_discriminators: nn.Module,
        objective: StaticDrawingObjective,
        style_classifier: nn.Module | None = None,
        edge_detector: nn.Module | None = None,
        distance: nn.Module | None = None,
        *,
        generator_optimizer: AdamSettings | None = None,
        discriminator_optimizer: AdamSettings | None = None,
        classifier_optimizer: AdamSettings | None = None,
        style_names: Sequence[str] | None = None,
        truncation_gradient: TruncationGradient = "stopped",
        gradient_clip: float | None = None,
        pool_size: int = 50,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = generator
        self.inverse_generator = inverse_generator
        self.style_discriminator = style_discriminator
        self.photo_discriminator = photo_discriminator
        self.local_discriminators = local_discriminators
        self.style_classifier = style_classifier
        self.objective = objective
        self.stand_ins = [
            said
            for given, said in (
                (edge_detector, "no edge_detector is given: photos are compared by the edge response instead of HED"),
                (distance, "no distance is given: edges are compared by the structural distance instead of LPIPS"),
            )
            if given is None
        ]
        self.edges = UnregisteredNetwork(edge_detector or EdgeResponse())
        self.distance = UnregisteredNetwork(distance or StructuralDistance())
        self.optimizer_settings = (
            generator_optimizer or _PUBLISHED,
            discriminator_optimizer or _PUBLISHED,
            classifier_optimizer or AdamSettings(learning_rate=1e-3, beta1=0.9, constant_epochs=1_000_000),
        )
        self.styles = int(cast("Any", generator).styles)
        self.style_names = tuple(style_names or (f"style {number + 1}" for number in range(self.styles)))
        self._require_styles()
        self.truncation_gradient: TruncationGradient = truncation_gradient
        self.gradient_clip = gradient_clip
        self.drawing_pool, self.photo_pool = ImagePool(pool_size), ImagePool(pool_size)
        self.image_size: int | None = None
        self.samples_seen = 0
        self.updates = 0
        self.report: dict[str, Tensor] = {}

    def _require_styles(self) -> None:
        found = {"generator": self.styles, "style_names": len(self.style_names)}
        for name in ("style_discriminator", "style_classifier"):
            arguments = getattr(getattr(self, name), "arguments", {})
            if "styles" in arguments:
                found[name] = arguments["styles"]
        if len(set(found.values())) > 1:
            told = ", ".join(f"{name} {count}" for name, count in found.items())
            raise ConfigError(f"the parts know different numbers of styles: {told}", "give all of them the same")

    # What is drawn -------------------------------------------------------------------------------------------------

    @property
    def photos_seen(self) -> int:
        """Another name of ``samples_seen``."""
        return self.samples_seen

    @property
    def progress(self) -> float:
        """p, the share of the cycle's schedule that is over, 0 to 1."""
        return self.objective.progress(self.current_epoch)

    @property
    def judges(self) -> Judges:
        """The discriminators."""
        return Judges(self.style_discriminator, self.photo_discriminator, self.local_discriminators)

    def one_hot(self, label: Tensor) -> Tensor:
        """Pure styles (B, styles) of labels (B,)."""
        return functional.one_hot(label, self.styles).float()

    @torch.no_grad()
    def style_of(self, drawing: Tensor, label: Tensor) -> Tensor:
        """s_d, shares of the styles (B, styles) of real drawings (B, C, S, S) with labels (B,); no gradient."""
        if self.style_classifier is None:
            return self.one_hot(label)
        return cast("Tensor", self.style_classifier(drawing)).float().softmax(1)

    def forward(self, photo: Tensor, style: Tensor) -> Tensor:
        """Drawings (B, C, S, S) in [-1, 1] of photos (B, 3, S, S) in styles (B, styles)."""
        return cast("Tensor", self.generator(photo, style)).float()

    def make(self, batch: UnpairedBatch, style: Tensor, *, truncate: bool = True) -> Made:
        """Both ways round.

        Args:
            batch: photos x and drawings d.
            style: s of the drawings, which the photos are drawn in too.
            truncate: also recover photos from truncated drawings.
        """
        drawing = self(batch.photo, style)
        shown = [drawing, batch.drawing.float()]
        shown += [truncated(drawing, self.truncation_gradient)] if truncate else []
        photos = cast("Tensor", self.inverse_generator(torch.cat(shown))).float().chunk(len(shown))
        return Made(
            drawing=drawing,
            photo=photos[1],
            recovered_photo=photos[0],
            recovered_photo_truncated=photos[2] if truncate else None,
            recovered_drawing=self(photos[1], style),
        )

    # One step ------------------------------------------------------------------------------------------------------

    def training_step(self, batch: UnpairedBatch, batch_index: int) -> None:
        """One step of the generators, of the discriminators and of the classifier; see the module's docstring."""
        self.report = {}
        self.updates += 1
        style = self.style_of(batch.drawing, batch.label)
        made = self.generator_phase(batch, style)
        self.discriminator_phase(batch, style, made)
        if self.style_classifier is not None:
            self.classifier_phase(batch)
        self.samples_seen += len(batch.photo) * self.trainer.world_size
        self.image_size = batch.photo.shape[-1]
        if self.updates % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            self._log_report(len(batch.photo))

    def generator_phase(self, batch: UnpairedBatch, style: Tensor) -> Made:
        """Step of G and F, with the discriminators held still; returns what they made, detached."""
        progress = self.progress
        with phase(self, self._optimizer(0), "generator_phase") as step:
            made = self.make(batch, style, truncate=self.objective.weights(progress)["truncation_cycle"] > 0)
            terms = generator_terms(made, batch, style, self.judges, self.edges, self.distance)
            loss, report = self.objective.total(terms, progress)
            step.backward(loss)
        self.report |= {"loss/generators": loss.detach(), **report, "progress": loss.new_tensor(progress)}
        return made.detach()

    def discriminator_phase(self, batch: UnpairedBatch, style: Tensor, made: Made) -> None:
        """Step of D_D, D_P and the local discriminators on what is real and what was made."""
        shown = shown_drawings(self.drawing_pool, made.drawing, batch.photo_masks, style)
        photo = self.photo_pool.query(made.photo)
        with phase(self, self._optimizer(1), "discriminator_phase") as step:
            losses, logits = discriminator_losses(batch, style, shown, photo, self.judges)
            weights = {"style": self.objective.style}
            loss = torch.stack([weights.get(name, 1.0) * value for name, value in losses.items()]).sum()
            step.backward(loss)
        self.report |= {f"loss/d_{name}": value.detach() for name, value in losses.items()} | logits

    def classifier_phase(self, batch: UnpairedBatch) -> None:
        """Step of the style classifier on real drawings."""
        classifier = cast("nn.Module", self.style_classifier)
        with phase(self, self._optimizer(2), "classifier_phase") as step:
            logits = classifier(batch.drawing).float()
            loss = functional.cross_entropy(logits, batch.label)
            step.backward(loss)
        right = (logits.detach().argmax(1) == batch.label).float().mean()
        self.report |= {"loss/classifier": loss.detach(), "classifier_accuracy": right}

    # Optimisers ----------------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> list[dict[str, Any]]:  # type: ignore[override]  # Lightning's union is wider
        """The optimisers of :data:`PHASES`, each with its schedule by epochs; without a classifier two."""
        return [
            scheduled_adam([one for part in parts for one in part.parameters()], settings, f"lr/{name}")
            for name, parts, settings in zip(PHASES, self._networks(), self.optimizer_settings, strict=True)
            if parts
        ]

    def _networks(self) -> tuple[list[nn.Module], ...]:
        generators = [self.generator, self.inverse_generator]
        discriminators = [self.style_discriminator, self.photo_discriminator, self.local_discriminators]
        return generators, discriminators, [] if self.style_classifier is None else [self.style_classifier]

    def _optimizer(self, index: int) -> LightningOptimizer:
        optimizers: Any = self.optimizers()
        return optimizers[index]  # type: ignore[no-any-return]

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip: here gradients are complete and exchanged, whatever the precision."""
        raw: Any = self.optimizers(use_pl_optimizer=False)
        name = PHASES[next(index for index, known in enumerate(raw) if known is optimizer)]
        self.report[f"gradient_norm/{name}"] = clip_to_norm(optimizer, self.gradient_clip).detach()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Log the last step of a run that its time ends."""
        if stopped_between_logs(self.trainer, self.updates):
            self._log_report(len(batch.photo))

    def on_train_epoch_end(self) -> None:
        """Step the schedules: Lightning does not in manual mode."""
        schedulers: Any = self.lr_schedulers()
        for scheduler in schedulers:
            scheduler.step()

    def _log_report(self, samples: int) -> None:
        self.log_dict({**self.report, "seen/photos": float(self.samples_seen)}, batch_size=samples)

    def setup(self, stage: str) -> None:
        """Say what stands in for what is not at hand. On a CPU, prepare for its memory."""
        if stage != "fit":
            return
        for said in self.stand_ins:
            rank_zero_warn(said)
        if self.trainer.strategy.root_device.type == "cpu":
            for network in (one for part in self._networks() for one in part):
                network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch declares it wrongly
            if keep_freed_memory():
                rank_zero_info("training on a CPU: freed memory is kept for the next step until the process ends")

    # Validation ----------------------------------------------------------------------------------------------------

    def _in_every_style(self, photo: Tensor) -> Tensor:
        """Drawings of photos (B, 3, S, S) in each pure style: (B, styles, C, S, S)."""
        pure = torch.eye(self.styles, device=photo.device)
        return torch.stack([self(photo, style.expand(len(photo), -1)) for style in pure], dim=1)

    def validation_step(self, batch: UnpairedBatch, batch_index: int) -> None:
        """Measure both cycles on held-out photos and drawings, and whether styles are told and drawn.

        ``validation/classifier_accuracy``: share of real drawings whose style the classifier tells;
        ``validation/drawn_style_accuracy``: share of made drawings in a pure style that it takes for that style.
        """
        style = self.style_of(batch.drawing, batch.label)
        made = self.make(batch, style)
        terms = generator_terms(made, batch, style, self.judges, self.edges, self.distance)
        wanted = ("relaxed_cycle", "truncation_cycle", "strict_cycle")
        values = {f"validation/{name}": terms[name]() for name in wanted}
        values["validation/ink"] = (1.0 - made.drawing).mean() / 2
        if self.style_classifier is not None:
            told = self.style_classifier(batch.drawing).argmax(1)
            drawn = self._in_every_style(batch.photo).flatten(0, 1)
            taken_for = self.style_classifier(drawn).argmax(1).view(-1, self.styles)
            aim = torch.arange(self.styles, device=taken_for.device)
            values["validation/classifier_accuracy"] = (told == batch.label).float().mean()
            values["validation/drawn_style_accuracy"] = (taken_for == aim).float().mean()
        self.log_dict(values, batch_size=len(batch.photo), sync_dist=True, on_step=False, on_epoch=True)

    @property
    def preview_columns(self) -> tuple[str, ...]:
        """What the pictures of a row of :meth:`preview` show."""
        return ("photo", *self.style_names, "photo made back", "real drawing", "its photo")

    def preview(self, batch: UnpairedBatch) -> list[NDArray[np.uint8]]:
        """Each photo, its drawing in every style, F of the first of them, a real drawing and F of that."""
        drawn = self._in_every_style(batch.photo)
        back, made = (self.inverse_generator(one).float() for one in (drawn[:, 0], batch.drawing))
        rows = [[batch.photo, *drawn.unbind(1), back, batch.drawing, made]]
        return [_pixels(column[index]) for row in rows for index in range(len(batch.photo)) for column in row]

    # State ---------------------------------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the counters, every process's pools, and for the export what builds G: plain values and tensors."""
        checkpoint[STATE] = {
            "kind": "static_drawing_generator",
            "attribute": "generator",
            "arguments": plain_arguments(self.generator),
            "samples_seen": self.samples_seen,
            "facts": {"styles": list(self.style_names), "image_size": self.image_size},
        }
        checkpoint[_STATE] = {
            "updates": self.updates,
            "drawing_pool": self.drawing_pool.gathered(self.device),
            "photo_pool": self.photo_pool.gathered(self.device),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the counters and this process's pools up again."""
        self.samples_seen = int(checkpoint[STATE]["samples_seen"])
        self.image_size = checkpoint[STATE]["facts"]["image_size"]
        state = checkpoint[_STATE]
        self.updates = int(state["updates"])
        self.drawing_pool.load_own_part(state["drawing_pool"])
        self.photo_pool.load_own_part(state["photo_pool"])


def _pixels(picture: Tensor) -> NDArray[np.uint8]:
    """A picture (1 | 3, S, S) in [-1, 1] as RGB (S, S, 3)."""
    values = ((picture.detach().float().clamp(-1, 1) + 1.0) * 127.5).round().to(torch.uint8)
    return values.expand(3, -1, -1).permute(1, 2, 0).cpu().numpy()
