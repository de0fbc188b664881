"""What every renderer of moving drawings has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from lightning_modules.pipeline.portrait import Portrait


class Renderer(Protocol):
    """Draws one portrait in the poses that the landmarks describe.

    A renderer may keep what depends only on the portrait between calls; frames never depend on each other, so any
    batching gives the same pictures.

    Attributes:
        name: how the user chooses it, e.g. ``"warp"``.
    """

    name: str

    def render(self, portrait: Portrait, landmarks: Tensor) -> Tensor:
        """Draw the portrait in every given pose, background included.

        Args:
            portrait: the constants of one photo, of side S.
            landmarks: (B, 68, 3) or (B, 68, 2), crop pixels, on the portrait's device.

        Returns:
            (B, C, S, S) in [0, 1], 1 = white paper.
        """
        ...
