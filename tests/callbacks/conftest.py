from __future__ import annotations

import logging
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """Lightning remarks on small runs, and torch on Lightning; neither is what these tests are about."""
    for item in items:
        if HERE in item.path.parents:
            for remark in ("LeafSpec", "does not have many workers", "no `val_dataloader`", "log_every_n_steps"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore:.*{remark}"))


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
