"""A pool of drawings made earlier, shown to the coherence discriminator now and then instead of the newest ones.

It damps the seesaw of generator and discriminator (Shrivastava et al. 2017). The published training queries both frames
of a pair on their own, so that three of four "pairs" are of unrelated drawings (reference stage2 §3); here pairs stay
together unless the frames are asked for one by one.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.distributed as dist
from torch import Tensor

from lightning_modules.errors import ConfigError

_SWAP_CHANCE: Final = 0.5


class ImagePool:
    """Remembers up to ``size`` entries; each query returns an older entry for about half of what it is given.

    Random choices are drawn on the CPU from torch's default generator, so the run's RNG state covers them and no
    device is waited for.

    Args:
        size: number of entries; 0 returns everything as given.
        pairs: keep the frames of a pair together; False (published) treats every frame as an entry.
    """

    def __init__(self, size: int = 0, *, pairs: bool = True) -> None:
        if size < 0:
            raise ConfigError(f"an image pool cannot hold {size} entries", "give 0 for no pool, or more")
        self.size = size
        self.pairs = pairs
        self.entries: Tensor | None = None
        self.filled = 0

    def query(self, frames: Tensor) -> Tensor:
        """Exchange new frames against old ones.

        Args:
            frames: (B, K, C, S, S), K frames of B samples; no gradient flows through the pool.

        Returns:
            The same shape. Frames that are not finite are returned but never remembered.
        """
        frames = frames.detach()
        if not self.size:
            return frames
        entries = frames if self.pairs else frames.flatten(0, 1)[:, None]
        shown = [self._exchange(entry) for entry in entries]
        return torch.stack(shown).reshape(frames.shape)

    def _exchange(self, entry: Tensor) -> Tensor:
        if self.entries is None:
            self.entries = entry.new_zeros((self.size, *entry.shape))
        elif self.entries.device != entry.device:
            self.entries = self.entries.to(entry.device)
        if self.filled < self.size:
            self.entries[self.filled] = torch.where(torch.isfinite(entry).all(), entry, torch.ones_like(entry))
            self.filled += 1
            return entry
        if float(torch.rand(())) >= _SWAP_CHANCE:
            return entry
        place = int(torch.randint(self.size, ()))
        old = self.entries[place].clone()
        self.entries[place] = torch.where(torch.isfinite(entry).all(), entry, old)
        return old

    def gathered(self, device: torch.device) -> dict[str, Tensor]:
        """The pools of all processes; to be called by all of them.

        Args:
            device: where the processes exchange tensors.

        Returns:
            On the CPU, the same everywhere: ``entries`` (processes, size, K, C, S, S) and ``filled`` (processes,);
            empty for a pool that nothing was asked of yet.
        """
        if self.entries is None:
            return {}
        filled = torch.tensor(self.filled, device=device)
        return {"entries": _from_all(self.entries.to(device)).cpu(), "filled": _from_all(filled).cpu()}

    def load_own_part(self, state: dict[str, Tensor]) -> None:
        """Take up what :meth:`gathered` gave: this process's part; nothing for processes that were not there before.

        Raises:
            ConfigError: if the pool was of another size.
        """
        self.entries, self.filled = None, 0
        rank = dist.get_rank() if _distributed() else 0
        if not state or rank >= len(state["entries"]):
            return
        if state["entries"].shape[1] != self.size:
            found = f"the checkpoint's image pool has {state['entries'].shape[1]} entries, this run's {self.size}"
            raise ConfigError(found, "resume with the pool size that the run was started with")
        self.entries, self.filled = state["entries"][rank].clone(), int(state["filled"][rank])


def _distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


def _from_all(values: Tensor) -> Tensor:
    if not _distributed():
        return values[None]
    parts = [torch.empty_like(values) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, values.contiguous())
    return torch.stack(parts)
