"""The benchmark of the starter's face analysis, with a network that answers at once."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.benchmarks import starter_faces
from lightning_modules.faces import starter_network


def test_all_figures_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []

    def network(crops: np.ndarray) -> np.ndarray:
        shown.append(len(crops))
        return np.full((len(crops), 68, 2), 0.5, np.float32)

    monkeypatch.setattr(starter_network, "load_landmark_network", lambda: network)
    found = starter_faces.run(quick=True)
    assert set(found["milliseconds_per_crop"]) == {
        f"{threads} threads, batch {batch}" for threads in (1, 2) for batch in (1, 16)
    }
    for figures in found["milliseconds_per_crop"].values():
        assert 0 <= figures["low"] <= figures["median"] <= figures["high"] < 100
    assert found["faces_found"] == {"photo": 0, "drawing of it": 0, "noise": 0}
    assert set(found["seconds_per_picture"]) == set(found["faces_found"])
    assert shown[:8] == [1] * 8  # three to warm up, five counted
