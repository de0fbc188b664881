"""Whether generator and discriminators keep each other busy.

Logged in validation for ``d`` in ``d_g``, ``d_ln``, ``d_le``, ``d_ll`` (whole drawing, nose, eyes, lips), ``d_coh``
(drawn pairs against neighbouring film frames) and ``d_coh_strangers`` (frames of two clips against neighbouring ones):

- ``health/d/real_mean``, ``health/d/fake_mean``: mean logits; least squares pulls them to 1 and 0, log loss apart.
- ``health/d/real_sign``, ``health/d/fake_sign``: share of patches judged real, 0 to 1.
- ``health/d/accuracy``: share judged right, 0 to 1. 0.5: D sees no difference; 1: D has won, and G learns little from
  it. Neither end is good. Falling here while it rises in training: D remembers its drawings.

Logged in training, every ``log_every_n_steps``, from what the module reports in its step:

- ``health/d/margin``: mean logit of real minus that of generated drawings, about 0 to 1 with least squares; as above.
- ``health/d_to_g_loss``: loss of the drawing discriminators over the generator's adversarial terms, 0 and up; towards 0
  the discriminators have won.
- ``health/gradient_ratio/drawing``, ``…/coherence``: gradient norm of the discriminators' optimisers over the
  generator's, 0 and up; neither direction is better, jumps tell of instability.
"""

from __future__ import annotations

from typing import Any, Final

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from callbacks.log_interval import is_logged_now
from callbacks.validation_measure import ValidationMeasure
from lightning_modules.batches import PortraitBatch
from lightning_modules.metrics.discriminator_judgement import DiscriminatorJudgement

DRAWING_DISCRIMINATORS: Final = ("d_g", "d_ln", "d_le", "d_ll")
"""The drawing discriminators in the order of their logits."""

_MARGINS: Final = {name: (f"logits/{name}_real", f"logits/{name}_made") for name in DRAWING_DISCRIMINATORS} | {
    "d_coh": ("logits/d_coh_neighbours", "logits/d_coh_made")
}


class DiscriminatorHealth(ValidationMeasure):
    """Judgements on held-out drawings, and balances of the training step; see the module's docstring.

    The module has ``drawing_discriminators(drawing, nose, eyes, lips)`` giving four logits, and
    ``coherence_discriminator(first, second)``.

    Args:
        threshold: logits above it say "real"; ``None``: 0.5, or 0 where the module's ``adversarial_kind`` is ``"log"``.
    """

    def __init__(self, threshold: float | None = None) -> None:
        super().__init__()
        self.threshold = threshold
        names = (*DRAWING_DISCRIMINATORS, "d_coh", "d_coh_strangers")
        self._judgements = {name: DiscriminatorJudgement() for name in names}
        self.metrics = {f"health/{name}/": judgement for name, judgement in self._judgements.items()}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Choose the threshold."""
        halfway = 0.0 if getattr(pl_module, "adversarial_kind", None) == "log" else 0.5
        for judgement in self._judgements.values():
            judgement.threshold = halfway if self.threshold is None else self.threshold

    def feed(self, trainer: Trainer, pl_module: LightningModule, frames: Tensor, batch: PortraitBatch) -> None:
        """Let the discriminators judge a batch: real drawings with their own masks, drawn ones with the targets'."""
        judge: Any = pl_module
        with trainer.precision_plugin.forward_context():
            made = frames[:, 0], batch.target_masks
            for real, (drawing, masks) in ((True, (batch.drawing, batch.drawing_masks)), (False, made)):
                logits = judge.drawing_discriminators(drawing, *masks.chunk(3, dim=1))
                for name, judged in zip(DRAWING_DISCRIMINATORS, logits, strict=True):
                    self._judgements[name].update(judged, real=real)
            neighbours = judge.coherence_discriminator(*batch.adjacent.unbind(1))
            pairs = {"d_coh": frames, "d_coh_strangers": batch.non_adjacent}
            for name, pair in pairs.items():
                self._judgements[name].update(neighbours, real=True)
                self._judgements[name].update(judge.coherence_discriminator(*pair.unbind(1)), real=False)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log the balances; numbers stay on the device."""
        if is_logged_now(trainer):
            pl_module.log_dict(balances(getattr(pl_module, "report", trainer.callback_metrics)), batch_size=1)


def balances(reported: dict[str, Tensor]) -> dict[str, Tensor]:
    """Margins and ratios, as far as the step reported what they are made of; see the module's docstring.

    Args:
        reported: ``logits/…``, ``loss/drawing``, ``raw/adversarial``, ``raw/local``, ``gradient_norm/…``: scalars.
    """
    found = {
        f"health/{name}/margin": reported[real] - reported[made]
        for name, (real, made) in _MARGINS.items()
        if real in reported and made in reported
    }
    given = [reported[name] for name in ("raw/adversarial", "raw/local") if name in reported]
    if given and "loss/drawing" in reported:
        found["health/d_to_g_loss"] = reported["loss/drawing"] / sum(given[1:], given[0]).clamp_min(1e-12)
    generator = reported.get("gradient_norm/generator")
    for phase in ("drawing", "coherence"):
        norm = reported.get(f"gradient_norm/{phase}")
        if generator is not None and norm is not None:
            found[f"health/gradient_ratio/{phase}"] = norm / generator.clamp_min(1e-12)
    return found
