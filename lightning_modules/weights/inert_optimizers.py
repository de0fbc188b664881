"""Checkpoints that hold an optimiser as an object, read without building one (reference stage1 §13).

The published image translation keeps its Adam as a pickled object, which torch's restricted reader refuses. Inside
:func:`inert_optimizers` it gets an object of ours in its place that forgets whatever it is told, and a plain dictionary
in place of the optimiser's ``defaultdict``. So nothing is allowed that could run code, and ``weights_only=True`` stays.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Final

import torch

OPTIMIZERS: Final = ("adam.Adam", "adamw.AdamW", "sgd.SGD", "rmsprop.RMSprop")
"""Those that stand in for nothing, below ``torch.optim``."""


class ForgottenOptimizer:
    """What is left of an optimiser in a checkpoint: nothing."""

    def __setstate__(self, state: object) -> None:
        """Forget."""


def _empty_dictionary(*_: object) -> dict[Any, Any]:
    """In place of ``defaultdict``, whose factory is not called while reading."""
    return {}


def inert_optimizers() -> AbstractContextManager[None]:
    """Inside, ``torch.load(..., weights_only=True)`` reads checkpoints that hold optimisers as objects."""
    stand_ins: list[Any] = [(ForgottenOptimizer, f"torch.optim.{name}") for name in OPTIMIZERS]
    stand_ins += [(_empty_dictionary, "collections.defaultdict"), (dict, "__builtin__.dict"), dict]
    return torch.serialization.safe_globals(stand_ins)
