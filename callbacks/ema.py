"""An exponential moving average of the generator's weights: what validation, test, prediction and export use.

Only the generator is averaged, after every batch whatever the number of optimisers, in float32, and the average lives
in the callback's state, so that a checkpoint holds both the trained and the averaged weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from lightning_modules.errors import ConfigError


class ExponentialMovingAverage(Callback):
    """Average ``a <- d a + (1 - d) w`` after every batch, with ``d = min(decay, (1 + n) / (10 + n))`` at update n.

    Args:
        decay: in [0, 1). 0.999 averages over about a thousand batches.
        warm_up: let the average follow faster in the beginning; False: ``d = decay`` always.
        network: name of the averaged network in the LightningModule.

    Raises:
        ConfigError: the decay is out of range.
    """

    def __init__(self, decay: float = 0.999, *, warm_up: bool = True, network: str = "generator") -> None:
        if not 0.0 <= decay < 1.0:
            raise ConfigError(f"the decay of the moving average is {decay}", "give a number from 0 to below 1")
        self.decay = decay
        self.warm_up = warm_up
        self.network = network
        self.updates = 0
        self.average: dict[str, Tensor] = {}
        self._swaps = ExitStack()

    def _tensors(self, module: LightningModule) -> dict[str, Tensor]:
        network: nn.Module = getattr(module, self.network)
        return network.state_dict()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start from the weights as they are, or take the loaded average to their device."""
        for name, value in self._tensors(pl_module).items():
            known = self.average.get(name, value)
            dtype = torch.float32 if value.is_floating_point() else value.dtype
            self.average[name] = known.detach().to(device=value.device, dtype=dtype, copy=True)

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Update; what is not floating point is copied."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.warm_up else self.decay
        self.updates += 1
        tensors = self._tensors(pl_module)
        averaged = [name for name, value in tensors.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [self.average[name] for name in averaged], [tensors[name].float() for name in averaged], 1.0 - decay
        )
        for name in tensors.keys() - set(averaged):
            self.average[name].copy_(tensors[name])

    @contextmanager
    def averaged(self, module: LightningModule) -> Iterator[None]:
        """Inside, the network has the averaged weights; afterwards, also after an exception, its own again, bit by bit.

        Args:
            module: the LightningModule that holds the network.
        """
        tensors = self._tensors(module)
        kept = {name: value.detach().clone() for name, value in tensors.items()}
        try:
            _copy(self.average, tensors)
            yield
        finally:
            _copy(kept, tensors)

    def _enter(self, trainer: Trainer, module: LightningModule) -> None:
        self._swaps.close()
        if self.average and not trainer.sanity_checking:
            self._swaps.enter_context(self.averaged(module))

    def _leave(self) -> None:
        self._swaps.close()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Validate the average."""
        self._enter(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the trained weights back."""
        self._leave()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Test the average."""
        self._enter(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the trained weights back."""
        self._leave()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Predict with the average."""
        self._enter(trainer, pl_module)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the trained weights back."""
        self._leave()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Give the trained weights back, whatever happened."""
        self._leave()

    def state_dict(self) -> dict[str, Any]:
        """The average, on the CPU, and how often it was updated."""
        return {"updates": self.updates, "average": {name: value.cpu() for name, value in self.average.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` gave."""
        self.updates = int(state_dict["updates"])
        self.average = {name: value.clone() for name, value in state_dict["average"].items()}


@torch.no_grad()
def _copy(source: dict[str, Tensor], target: dict[str, Tensor]) -> None:
    for name, value in target.items():
        value.copy_(source[name])
