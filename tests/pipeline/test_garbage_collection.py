"""The collector rests while torch is imported, collects all that it would have later, and is left as it was."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator

import pytest

from lightning_modules.pipeline.garbage_collection import collector_at_rest


class Knot:
    """Holds itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def without_torch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delitem(sys.modules, "torch")
    yield
    gc.unfreeze()
    gc.enable()


def test_nothing_is_collected_inside_and_all_of_it_later() -> None:
    with collector_at_rest():
        assert not gc.isenabled()
        knot = weakref.ref(Knot())
        [[] for _ in range(100_000)]
        assert knot() is not None
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    gc.collect(1)
    assert knot() is not None, "it counts as old"
    gc.collect()
    assert knot() is None


def test_it_is_left_as_it_was_after_an_error_too() -> None:
    gc.disable()
    with pytest.raises(KeyError), collector_at_rest():
        raise KeyError
    assert not gc.isenabled()
    gc.enable()
    with pytest.raises(KeyError), collector_at_rest():
        raise KeyError
    assert gc.isenabled()


def test_what_the_caller_froze_stays_frozen() -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    with collector_at_rest():
        pass
    assert gc.get_freeze_count() == frozen


def test_where_torch_is_there_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", object())
    with collector_at_rest():
        assert gc.isenabled()
