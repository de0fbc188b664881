from __future__ import annotations

import pytest
import torch
from lightning.pytorch import LightningModule
from tiny_gan import TinyData, fit, tiny_gan

from callbacks import periodic_checkpoint
from callbacks.periodic_checkpoint import LAST, PeriodicCheckpoint
from lightning_modules.errors import ConfigError


def saved(folder):
    return sorted(int(path.stem.removeprefix("photos_")) for path in folder.glob("photos_*.ckpt"))


def run(folder, *, epochs=2, batches=5, **options):
    callback = PeriodicCheckpoint(dirpath=str(folder), **options)
    fit(tiny_gan(), folder, epochs=epochs, callbacks=[callback], data=TinyData(batches))
    return saved(folder)


def test_by_photos_passed_not_by_steps(tmp_path):
    # Batches of 2: after 2, 4, ..., 20 photos; multiples of 5 are passed at 6, 10, 16, 20.
    assert run(tmp_path / "a", every_photos=5, every_epoch=False, keep=None) == [6, 10, 16, 20]
    assert run(tmp_path / "b", every_photos=None, keep=None) == [10, 20]


def test_the_newest_are_kept_and_last_names_the_newest(tmp_path):
    assert run(tmp_path, every_photos=4, keep=2) == [16, 20]
    assert (tmp_path / LAST).resolve().name == "photos_000000020.ckpt"
    assert torch.load(tmp_path / LAST, weights_only=True)["portrait_gan"]["photos_seen"] == 20
    assert not list(tmp_path.glob(".*"))


def test_by_time(tmp_path, monkeypatch):
    now = [0.0]

    def tick():
        now[0] += 20.0  # seconds between two looks
        return now[0]

    monkeypatch.setattr(periodic_checkpoint.time, "monotonic", tick)
    found = run(tmp_path, epochs=1, batches=9, every_minutes=1.0, look_every=1, every_epoch=False, keep=None)
    assert found == [6, 12, 18]


def test_the_due_date_travels():
    callback, other = PeriodicCheckpoint(100), PeriodicCheckpoint(100)
    callback.saved_at = 250
    other.load_state_dict(callback.state_dict())
    assert not other._by_photos(299)
    assert other._by_photos(300)


def test_nonsense_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="every_photos"):
        PeriodicCheckpoint(0)
    with pytest.raises(ConfigError, match="does not count the photos"):
        PeriodicCheckpoint(1, dirpath=str(tmp_path)).setup(None, LightningModule(), "fit")
