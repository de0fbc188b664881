"""Keeps a step with gradients that are not finite from harming the weights, on all processes alike.

All processes agree before every step of an optimiser; then all take it or none does. Where the optimiser runs fused on
a CUDA device the step is skipped there, and nobody waits for the answer: it is read a batch later.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from torch.optim import Optimizer

from lightning_modules.errors import ConfigError, TrainingError


class _Question:
    """Were the gradients of a batch wrong? A device's answer travels while the host goes on."""

    def __init__(self, flag: Tensor, keys: list[str], batch_number: int) -> None:
        self.keys = keys
        self.batch_number = batch_number
        self.is_answered_later = flag.is_cuda
        self._flag = flag
        if flag.is_cuda:
            self._flag = torch.empty((), dtype=flag.dtype, pin_memory=True)
            self._flag.copy_(flag, non_blocking=True)
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._arrived.record()

    def answer(self) -> bool:
        if self.is_answered_later:
            self._arrived.synchronize()  # asked a batch ago: there, unless the device is a whole batch behind
        return bool(self._flag)


class NanGuard(Callback):
    """Skips steps whose gradients are not finite, counts them, notes the samples, and stops when it goes on.

    Every process appends its samples to ``non_finite/rank_R.jsonl`` in the run's folder, one line a batch.

    Args:
        stop_after: stop training after this many such batches in a row.
        folder: where the notes go; None: the run's folder.

    Raises:
        ConfigError: ``stop_after`` is below 1.
    """

    def __init__(self, stop_after: int = 10, folder: str | None = None) -> None:
        if stop_after < 1:
            raise ConfigError(f"stop_after is {stop_after}", "give the number of batches in a row after which to stop")
        self.stop_after = stop_after
        self.folder = folder
        self.skipped = 0
        self.in_a_row = 0
        self._flags: list[Tensor] = []
        self._waiting: _Question | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a gradient scaler: it skips steps itself, and not finite gradients are its daily work."""
        if getattr(trainer.precision_plugin, "scaler", None) is not None:
            raise ConfigError("16-mixed precision skips steps itself", "train with bf16-mixed, or without NanGuard")
        if self.folder is None:
            self.folder = str(trainer.strategy.broadcast(trainer.log_dir or trainer.default_root_dir))

    @torch.no_grad()
    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Let the step happen everywhere or nowhere."""
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        # The largest magnitude is not finite exactly when a gradient is not; a sum of squares could overflow.
        largest = torch.stack(torch._foreach_norm(gradients, float("inf")))  # noqa: SLF001  one kernel for all
        wrong = (~torch.isfinite(largest)).any().float()
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(wrong, op=dist.ReduceOp.MAX)
        self._flags.append(wrong)
        if wrong.is_cuda and optimizer.defaults.get("fused"):
            optimizer.found_inf = wrong  # type: ignore[attr-defined]  # read by the fused step, as from a scaler
        elif bool(wrong):
            for parameter in parameters:
                parameter.grad = None  # an optimiser leaves a parameter without gradient alone, state and all

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Read the answer: of this batch on a CPU, of the one before on a device, where it is long there."""
        if not self._flags:
            return
        flag = torch.stack(self._flags).max()
        self._flags.clear()
        keys = list(batch.keys()) if hasattr(batch, "keys") else []
        question: _Question | None = _Question(flag, keys, trainer.fit_loop.total_batch_idx)
        if flag.is_cuda:
            question, self._waiting = self._waiting, question
        if question is not None:
            self._judge(trainer, question)

    def _judge(self, trainer: Trainer, question: _Question) -> None:
        if not question.answer():
            self.in_a_row = 0
            return
        self.skipped += 1
        self.in_a_row += 1
        note = Path(self.folder or ".") / "non_finite" / f"rank_{trainer.global_rank}.jsonl"
        note.parent.mkdir(parents=True, exist_ok=True)
        with note.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"batch": question.batch_number, "samples": question.keys}) + "\n")
        rank_zero_warn(
            f"batch {question.batch_number} gave gradients that are not finite: its steps were skipped; see {note}"
        )
        if self.in_a_row >= self.stop_after:
            found = f"{self.in_a_row} batches in a row gave gradients that are not finite"
            raise TrainingError(found, "look at the samples named there, or lower the learning rate", note.parent)

    def state_dict(self) -> dict[str, Any]:
        """Counts of skipped batches: all, and those in a row up to now."""
        return {"skipped": self.skipped, "in_a_row": self.in_a_row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` gave."""
        self.skipped = int(state_dict["skipped"])
        self.in_a_row = int(state_dict["in_a_row"])
