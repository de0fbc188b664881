"""Two things that Lightning says in every run and that tell the user nothing about it."""

from __future__ import annotations

import logging
import warnings


def drop_lightning_remarks() -> None:
    """Drop Lightning's advertisements, and torch's warning about a name that Lightning itself still uses.

    Everything else that either of them says comes through.
    """
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(is_no_advertisement)
    warnings.filterwarnings(
        "ignore",
        message=r"`isinstance\(treespec, LeafSpec\)` is deprecated",
        category=FutureWarning,
        module=r"lightning\.pytorch\.utilities\._pytree$",
    )


def is_no_advertisement(record: logging.LogRecord) -> bool:
    """Whether a record is anything but a tip to install a product of Lightning's makers."""
    return not record.getMessage().startswith("💡 Tip: For seamless")
