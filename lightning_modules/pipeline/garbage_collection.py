"""Python's garbage collector at rest while torch is imported, none of whose objects is garbage."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Collect nothing inside, and look at what is there then as rarely as at old objects; for work that imports torch.

    The import makes half a million objects that stay. Looking through them again and again, while they become more and
    once they are all there, takes a quarter of a second. No object is kept from being collected later, and a collector
    that was off stays off. Where torch is there already, nothing changes.
    """
    if "torch" in sys.modules:
        yield
        return
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # else those that the caller froze would thaw
            gc.freeze()
            gc.unfreeze()  # into the oldest generation
        if collecting:
            gc.enable()
