"""Which terms of the objective pull at the drawing, and how hard: the share of each in the gradient.

Logged in training as ``gradient_share/TERM``, 0 to 1, together 1: the norm of ``d(weight * term) / d(drawing)`` over
the sum of these norms. A weighted value tells how large a term is, this how much the drawing changes for it. Neither
end is good; a term below 0.01 does nothing, one above 0.9 is alone. Terms without weight or network are missing.

Measured on the batch and with the networks at the end of the step, with random states put back, so that training with
and without it is the same bit by bit. It costs about the forward and half the backward of the generator's phase, which
is why it is done seldom; shares logged in between repeat the last ones of the epoch. Every process measures its own
batch; process 0's is what loggers get.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from callbacks.log_interval import is_logged_now
from lightning_modules.batches import PortraitBatch
from lightning_modules.errors import ConfigError
from lightning_modules.losses.objective import Term
from lightning_modules.portrait_gan_terms import DrawnPair


class GradientShare(Callback):
    """See the module's docstring. It needs a module with ``draw``, ``terms`` and ``objective``, as ``PortraitGAN``.

    Args:
        every: measure at every so many-th batch that is logged.
        samples: of the batch, at most; the first ones.

    Raises:
        ConfigError: a number is below 1.
    """

    def __init__(self, every: int = 10, samples: int = 2) -> None:
        if every < 1 or samples < 1:
            raise ConfigError(f"gradient shares of {samples} samples every {every} logs", "give at least 1")
        self.every, self.samples = every, samples
        self._logged = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure, when it is time; the same on all processes."""
        if not is_logged_now(trainer):
            return
        self._logged += 1
        if (self._logged - 1) % self.every == 0:
            if not isinstance(batch, PortraitBatch):
                raise TypeError(f"GradientShare needs batches of PortraitBatch, got {type(batch).__name__}")
            with trainer.precision_plugin.forward_context():
                shares = self.measure(pl_module, batch)
            pl_module.log_dict({f"gradient_share/{term}": value for term, value in shares.items()}, batch_size=1)

    def measure(self, module: Any, batch: PortraitBatch) -> dict[str, Tensor]:
        """Shares of the terms with a weight, scalars on the device.

        Args:
            module: with ``draw``, ``terms`` and ``objective``.
            batch: on the module's device.
        """
        device = module.device
        part = batch.split(-(-len(batch) // self.samples))[0]
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            with torch.no_grad():
                drawn: DrawnPair = module.draw(part)
            with torch.enable_grad():
                frames = drawn.frames.detach().requires_grad_()
                asked = DrawnPair(part, frames, drawn.warps, guide=drawn.guide)
                weights: Mapping[str, float] = module.objective.weights
                terms: Mapping[str, Term] = module.terms(asked)
                norms = {
                    name: _pull(weight * terms[name](), frames)
                    for name, weight in weights.items()
                    if weight and name in terms and name not in module.objective.off
                }
        total = torch.stack(list(norms.values())).sum().clamp_min(torch.finfo(torch.float32).tiny)
        return {name: norm / total for name, norm in norms.items()}


def _pull(value: Tensor, frames: Tensor) -> Tensor:
    """Norm of the gradient with respect to the drawing; 0 where a term does not depend on it."""
    found: Tensor | None = torch.autograd.grad(value, frames, retain_graph=True, allow_unused=True)[0]
    return frames.new_zeros(()) if found is None else torch.linalg.vector_norm(found.float())
