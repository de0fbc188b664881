"""What all networks used as black boxes share: they stay as they were loaded."""

from __future__ import annotations

from typing import Self

from torch import nn


class FrozenNetwork(nn.Module):
    """A network that never leaves eval mode and whose parameters ask for no gradient; gradients pass through it.

    A parent's ``train()`` reaches every submodule, and a detector in train mode would normalise by the batch it sees
    and overwrite its running statistics. Subclasses call :meth:`settle` at the end of their constructor.

    Args:
        trainable: an ordinary network after all, for whoever trains it; everything said above is then off.
    """

    def __init__(self, *, trainable: bool = False) -> None:
        super().__init__()
        self.trainable = trainable

    def settle(self) -> None:
        """Eval mode and no parameter gradients, unless the network is trainable."""
        if not self.trainable:
            self.requires_grad_(requires_grad=False)
            self.eval()

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002  the signature of nn.Module
        """Eval mode whatever is asked for, unless the network is trainable."""
        return super().train(mode and self.trainable)
