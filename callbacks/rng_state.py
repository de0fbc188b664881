"""The random states of every process in the checkpoint, so that a resumed run draws the numbers it would have drawn.

The states are kept from the end of a training batch to the beginning of the next one. So whatever happens in between
(validation, previews, a loader that starts its workers, the resume itself) does not change the training.
"""

from __future__ import annotations

import random
from typing import Any, Final

import numpy as np
import torch
import torch.distributed as dist
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

States = dict[str, Tensor]

_KEY: Final = "random_states"


def capture_random_states() -> States:
    """The states of torch (CPU and current CUDA device), NumPy and Python, as integer tensors on the CPU.

    States of CUDA are read on the host: no device is waited for.
    """
    version, words, gauss = random.getstate()
    numpy_state: Any = np.random.get_state(legacy=False)  # noqa: NPY002  the global one, which libraries use
    if version != 3 or numpy_state["bit_generator"] != "MT19937":
        raise RuntimeError(f"unknown random generators: Python's {version}, NumPy's {numpy_state['bit_generator']}")
    twister = numpy_state["state"]
    rest = [twister["pos"], numpy_state["has_gauss"], _bits(numpy_state["gauss"])]
    states = {
        "torch": torch.get_rng_state(),
        "numpy": torch.from_numpy(twister["key"].astype(np.int64)),
        "numpy_rest": torch.tensor(rest, dtype=torch.int64),
        "python": torch.tensor(words, dtype=torch.int64),
        "python_rest": torch.tensor([gauss is not None, _bits(gauss or 0.0)], dtype=torch.int64),
    }
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def restore_random_states(states: States) -> None:
    """Set what :func:`capture_random_states` gave; a CUDA state is left out where there is no CUDA device."""
    torch.set_rng_state(states["torch"])
    position, has_gauss, cached = states["numpy_rest"].tolist()
    keys = states["numpy"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, position, has_gauss, _number(cached)))  # noqa: NPY002
    has_gauss, cached = states["python_rest"].tolist()
    random.setstate((3, tuple(states["python"].tolist()), _number(cached) if has_gauss else None))
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])


def _bits(number: float) -> int:
    return int(np.float64(number).view(np.int64))


def _number(bits: int) -> float:
    return float(np.int64(bits).view(np.float64))


class RandomState(Callback):
    """Saves and restores the random states of all processes; see the module's docstring."""

    def __init__(self) -> None:
        self._states: States | None = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Go on where the last training batch ended."""
        if self._states is not None:
            restore_random_states(self._states)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Remember where this batch ended."""
        self._states = capture_random_states()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Collect the states of all processes; all of them come here."""
        states = self._states or capture_random_states()
        checkpoint[_KEY] = {name: _from_all(value, pl_module.device) for name, value in states.items()}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Take this process's states; another number of processes is announced, and new ones start from their seed."""
        stored = checkpoint.get(_KEY)
        count = 0 if stored is None else len(stored["torch"])
        if count != trainer.world_size:
            rank_zero_warn(
                f"the checkpoint holds random states of {count} processes and the run has {trainer.world_size}: "
                "the order of the data stays the same, the numbers drawn in the training step do not"
            )
        if stored is not None and trainer.global_rank < count:
            self._states = {name: value[trainer.global_rank].clone() for name, value in stored.items()}


def _from_all(values: Tensor, device: torch.device) -> Tensor:
    """The tensors of all processes, stacked, on the CPU."""
    if not (dist.is_available() and dist.is_initialized()):
        return values[None]
    sent = values.to(device)
    parts = [torch.empty_like(sent) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, sent)
    return torch.stack(parts).cpu()
