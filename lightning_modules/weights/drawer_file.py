"""A static drawer from a file of weights that the user has."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lightning_modules.drawing.network_drawer import DRAWING_NETWORKS, NetworkDrawer, network_drawer
from lightning_modules.errors import WeightsError
from lightning_modules.export.network_file import stored_network
from lightning_modules.weights.checkpoint_file import read_weight_file
from lightning_modules.weights.published import from_published

_REMEDY = f"give the weights of one of {', '.join(DRAWING_NETWORKS)}"


def load_drawer(path: str | Path) -> NetworkDrawer:
    """Read a network that draws photos, and make a drawer of it.

    Args:
        path: a file that inkspeak exported, or a published checkpoint, of a kind in
            :data:`~lightning_modules.drawing.network_drawer.DRAWING_NETWORKS`; its kind is told
            from what it holds. Code in it is never run.

    Returns:
        The drawer, its network on the CPU.

    Raises:
        WeightsError: there is no such file, it is damaged, or it holds something else.
    """
    state, header = read_weight_file(path)
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    if header is not None:
        stored = stored_network(state, header, path)
        if stored.kind not in DRAWING_NETWORKS:
            raise WeightsError(f"it holds a {stored.kind}, which draws nothing", _REMEDY, path)
        return network_drawer(stored.kind, stored.network, digest)
    reasons = []
    for kind in DRAWING_NETWORKS:
        try:
            return network_drawer(kind, from_published(kind, state), digest)
        except WeightsError as error:
            reasons.append(error.found)
    raise WeightsError(f"it holds no network that draws ({'; '.join(reasons)})", _REMEDY, path)
