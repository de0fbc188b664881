"""Manual optimisation with several optimisers, said once: a phase, its backward passes, clipping, schedules.

Two rules make it work on several processes and in mixed precision: gradients flow only through Lightning's
``manual_backward``, and whether a phase runs never depends on what one process sees.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.profilers import Profiler
from lightning.pytorch.strategies import ParallelStrategy
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR


@dataclass(frozen=True)
class AdamSettings:
    """Settings of one Adam optimiser and its schedule.

    Args:
        learning_rate: of the constant part; published 5e-5.
        beta1: decay of the first moment; published 0.5.
        beta2: decay of the second moment.
        constant_epochs: epochs at the full rate; published 70.
        decay_epochs: epochs over which the rate then falls linearly; it reaches 0 one epoch after them. Published 0.
        weight_decay: added to the gradients, times the weights.
    """

    learning_rate: float = 5e-5
    beta1: float = 0.5
    beta2: float = 0.999
    constant_epochs: int = 70
    decay_epochs: int = 0
    weight_decay: float = 0.0


class ConstantThenLinear:
    """Learning rate factor after n finished epochs: ``1 - max(0, n + 1 - constant) / (decay + 1)``, never below 0.

    Args:
        constant_epochs: epochs at factor 1.
        decay_epochs: epochs in which the factor falls.
    """

    def __init__(self, constant_epochs: int, decay_epochs: int) -> None:
        self.constant_epochs = constant_epochs
        self.decay_epochs = decay_epochs

    def __call__(self, epoch: int) -> float:
        """Factor during epoch ``epoch``, counted from 0."""
        return max(0.0, 1.0 - max(0, epoch + 1 - self.constant_epochs) / (self.decay_epochs + 1))


def scheduled_adam(parameters: Iterable[nn.Parameter], settings: AdamSettings, name: str) -> dict[str, Any]:
    """One optimiser and its schedule, in the form that ``configure_optimizers`` gives to Lightning.

    On CUDA the fused form is taken: one kernel, and a step that can be skipped without waiting for the device.

    Args:
        parameters: what is optimised.
        settings: rates and epochs.
        name: of the schedule, as learning rate monitors log it.

    Returns:
        Lightning's dictionary of optimiser and scheduler.
    """
    wanted = list(parameters)
    optimizer = Adam(
        wanted,
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        weight_decay=settings.weight_decay,
        fused=any(parameter.is_cuda for parameter in wanted),
    )
    schedule = LambdaLR(optimizer, ConstantThenLinear(settings.constant_epochs, settings.decay_epochs))
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "name": name}}


@dataclass(frozen=True)
class AdamWSettings:
    """Settings of one AdamW optimiser, whose rate rises linearly and then falls along a half cosine.

    Args:
        learning_rate: the highest rate.
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        weight_decay: share of the weights taken off in a step, times the rate; not of biases, norms and slopes.
        warm_up: share of the steps in which the rate rises.
        steps: of the whole schedule; None for as many as the run has. Give them where a run is ended by its time.
    """

    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    weight_decay: float = 1e-4
    warm_up: float = 0.05
    steps: int | None = None


class WarmUpThenCosine:
    """Learning rate factor after n steps: up to 1 in a straight line, then ``(1 + cos(pi t)) / 2``; 0 after the end.

    Args:
        steps: of the whole schedule.
        warm_up: share of them in which the factor rises.
    """

    def __init__(self, steps: int, warm_up: float) -> None:
        self.steps = max(steps, 1)
        self.rising = max(round(self.steps * warm_up), 1)

    def __call__(self, step: int) -> float:
        """Factor of step ``step``, counted from 0."""
        if step < self.rising:
            return (step + 1) / self.rising
        done = min((step - self.rising) / max(self.steps - self.rising, 1), 1.0)
        return 0.5 * (1.0 + math.cos(math.pi * done))


def annealed_adamw(
    parameters: Iterable[tuple[str, nn.Parameter]], settings: AdamWSettings, steps: int
) -> dict[str, Any]:
    """One AdamW and its schedule by steps, in the form that ``configure_optimizers`` gives to Lightning.

    Args:
        parameters: what is optimised, with names; those that require no gradient are left out.
        settings: rates.
        steps: of the schedule.

    Returns:
        Lightning's dictionary of optimiser and scheduler.
    """
    wanted = [parameter for _, parameter in parameters if parameter.requires_grad]
    groups = [
        {"params": [one for one in wanted if one.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [one for one in wanted if one.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = AdamW(
        [group for group in groups if group["params"]],
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        fused=any(parameter.is_cuda for parameter in wanted),
    )
    schedule = LambdaLR(optimizer, WarmUpThenCosine(steps, settings.warm_up))
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "name": "lr", "interval": "step"}}


class Phase:
    """One optimiser's turn: backward passes over the micro-batches of a batch, then one step; see :func:`phase`."""

    def __init__(self, module: LightningModule) -> None:
        self._module = module

    def backward(self, loss: Tensor, share: float = 1.0, *, last: bool = True) -> None:
        """Add the gradient of ``share * loss``.

        Args:
            loss: scalar, a mean over the micro-batch.
            share: part of the batch that the micro-batch is.
            last: gradients are exchanged between processes at the last micro-batch only.
        """
        with nullcontext() if last else without_gradient_exchange(self._module):
            self._module.manual_backward(loss * share)


@contextmanager
def phase(module: LightningModule, optimizer: LightningOptimizer, name: str) -> Iterator[Phase]:
    """One named phase of a training step.

    Inside, only parameters of this optimiser require gradients, and they start from zero; at the end the optimiser
    takes one step. After an exception no step is taken, and all parameters require what they required before.

    Args:
        module: the LightningModule, in manual mode.
        optimizer: as ``module.optimizers()`` gives it.
        name: label in the profiler.

    Yields:
        What does the backward passes.
    """
    profiler: Profiler = module.trainer.profiler  # type: ignore[attr-defined]  # Lightning gives it no type
    with profiler.profile(f"[{type(module).__name__}]{name}"), module.toggled_optimizer(optimizer):
        optimizer.zero_grad()
        yield Phase(module)
        optimizer.step()


def without_gradient_exchange(module: LightningModule) -> AbstractContextManager[None]:
    """Inside, backward passes add up gradients on each process and exchange nothing."""
    strategy = module.trainer.strategy
    return strategy.block_backward_sync() if isinstance(strategy, ParallelStrategy) else nullcontext()


def clip_to_norm(optimizer: Optimizer, limit: float | None) -> Tensor:
    """Scale an optimiser's gradients down so that their common Euclidean norm is at most ``limit``.

    To be called from ``on_before_optimizer_step``: there gradients are complete, exchanged and unscaled.

    Args:
        optimizer: its parameters' gradients are changed in place.
        limit: largest norm; None only measures.

    Returns:
        The norm before clipping, a scalar on the gradients' device. Nothing is waited for.
    """
    given = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    gradients = [parameter.grad for parameter in given if parameter.grad is not None]
    norm: Tensor = torch.nn.utils.get_total_norm(gradients)
    if limit is not None and gradients:
        torch.nn.utils.clip_grads_with_norm_(given, limit, norm)
    return norm


def stopped_between_logs(trainer: Trainer, step: int) -> bool:
    """Whether a run was stopped from outside, by its time or by a callback, in a step that was not logged.

    To be asked in ``on_train_batch_end``, which comes after that of all callbacks. Lightning would now hand the loggers
    the numbers that it still holds, those of an earlier step, as if they were this one's; so they are dropped here, and
    the caller logs what is right.

    Args:
        trainer: the trainer.
        step: number of this step, counted from 1.
    """
    if not trainer.should_stop or step % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
        return False
    if trainer._results is not None:  # noqa: SLF001  there is no other way to them
        trainer._results.reset()  # noqa: SLF001
    return True
