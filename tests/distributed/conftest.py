from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "portrait_gan"))  # the tests of training share tiny_gan.py


def pytest_collection_modifyitems(items):
    """Lightning remarks on small runs, and torch on Lightning; neither is what these tests are about."""
    for item in items:
        if HERE in item.path.parents:
            for remark in (
                "ignore:.*LeafSpec",
                "ignore:.*does not have many workers",
                "ignore:.*no `val_dataloader`",
                "ignore:.*log_every_n_steps",
            ):
                item.add_marker(pytest.mark.filterwarnings(remark))


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
