"""A device without values, to train on: what would wait for it, or be handed to it from the host, is found out.

The meta device knows shapes only. Reading a number, ``nonzero`` or a boolean index raises there; copies between it and
the CPU are noticed here, name the line that asked for them, and raise too. A step that passes keeps a GPU's queue full.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.accelerators import Accelerator
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ROOT = Path(__file__).parents[2]


class MetaAccelerator(Accelerator):
    """Lets Lightning train on the meta device."""

    def setup_device(self, device: torch.device) -> None:
        assert device.type == "meta"

    def teardown(self) -> None: ...

    def get_device_stats(self, device: Any) -> dict[str, Any]:
        return {}

    @staticmethod
    def parse_devices(devices: Any) -> int:  # noqa: ARG004
        return 1

    @staticmethod
    def get_parallel_devices(devices: Any) -> list[torch.device]:  # noqa: ARG004
        return [torch.device("meta")]

    @staticmethod
    def auto_device_count() -> int:
        return 1

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def name() -> str:
        return "meta"


class MetaStrategy(SingleDeviceStrategy):
    def __init__(self) -> None:
        super().__init__(device=torch.device("meta"), accelerator=MetaAccelerator())

    def reduce(self, tensor: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Lightning asks at the start whether the lengths of all loaders, added up, are 0."""
        return torch.ones(())

    def teardown(self) -> None:
        """Bring nothing back to the CPU: there are no values."""


class CrossingError(AssertionError):
    """Something went from host to device or back in the middle of a step."""


class NoCrossing(TorchDispatchMode):
    """Refuses operations with tensors of the CPU and of the meta device at once; single numbers on the CPU are fine."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        made = operation(*args, **(kwargs or {}))
        given = [value for value in tree_leaves((args, kwargs)) if isinstance(value, torch.Tensor)]
        if "copy" not in str(operation):
            given = [value for value in given if value.dim()]
        results = [value for value in tree_leaves(made) if isinstance(value, torch.Tensor)]
        if len({value.device.type for value in (*given, *results)} & {"cpu", "meta"}) == 2:
            raise CrossingError(f"{operation} between host and device, asked for at {_asked_for_at()}")
        return made


def _asked_for_at() -> str:
    own = [
        frame for frame in traceback.extract_stack() if Path(frame.filename).is_relative_to(ROOT / "lightning_modules")
    ]
    return f"{Path(own[-1].filename).relative_to(ROOT)}:{own[-1].lineno}" if own else "no line of lightning_modules"


@contextmanager
def no_crossing() -> Iterator[None]:
    """Inside, whatever goes from host to device or back raises."""

    def refusing(make: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def made(*args: Any, **kwargs: Any) -> torch.Tensor:
            found = make(*args, **kwargs)
            if found.is_meta:  # these place numbers without an operation that could be watched
                raise CrossingError(f"numbers were handed to the device at {_asked_for_at()}")
            return found

        return made

    read = torch.Tensor.__getitem__

    def read_without_list(values: torch.Tensor, index: Any) -> torch.Tensor:
        if values.is_meta and any(isinstance(part, list) for part in (index if isinstance(index, tuple) else [index])):
            raise CrossingError(f"a list of numbers was handed to the device at {_asked_for_at()}")
        return read(values, index)

    with pytest.MonkeyPatch.context() as patch, NoCrossing():
        patch.setattr(torch.Tensor, "__getitem__", read_without_list)
        for place, name in ((torch.Tensor, "new_tensor"), (torch, "tensor"), (torch, "as_tensor")):
            patch.setattr(place, name, refusing(getattr(place, name)))
        yield


class WatchSteps(Callback):
    """Refuses crossings from the second step on; the first one may place constants and frozen networks."""

    def __init__(self) -> None:
        self.watched = 0
        self._stack = ExitStack()

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if batch_idx:
            self._stack.enter_context(no_crossing())

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self._stack.close()
        self.watched += batch_idx > 0

    def on_exception(self, trainer, pl_module, exception) -> None:
        self._stack.close()
