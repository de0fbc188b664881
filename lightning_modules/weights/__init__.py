"""Weights: what is known about every weight file, and published checkpoints as modules of ours.

``from_published`` and ``published_shapes`` can be taken from here; they load torch when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_modules.weights.published import from_published, published_shapes

__all__ = ["from_published", "published_shapes"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from lightning_modules.weights import published

        return getattr(published, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
