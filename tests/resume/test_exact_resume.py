from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from tiny_gan import KillAt, KilledError, TinyData, checkpointing, fit, tiny_gan, weights

from callbacks.ema import ExponentialMovingAverage
from callbacks.periodic_checkpoint import LAST

EPOCHS = 3
BATCHES = 4  # of two photos


def run(folder: Path, *extra, seed: int = 0, every: int = 2, checkpoint: Path | None = None, epochs: int = EPOCHS):
    module = tiny_gan(seed=seed, pool_size=6)
    average = ExponentialMovingAverage(0.9)
    callbacks = [*checkpointing(folder, every), average, *extra]
    fit(module, folder, callbacks=callbacks, checkpoint=checkpoint, epochs=epochs, data=TinyData(BATCHES))
    return module, average


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    module, average = run(tmp_path_factory.mktemp("whole"))
    return weights(module), average.average, module


def killed_and_resumed(folder: Path, every: int, **moment: int):
    with pytest.raises(KilledError):
        run(folder, KillAt(**moment), every=every)
    torch.manual_seed(1234)  # a new process has other random states
    module, average = run(folder, seed=99, every=every, checkpoint=folder / LAST)
    return module, average


MOMENTS = [{"batch": random.Random(epoch).randrange(4 * epoch + 2, 4 * epoch + 5)} for epoch in range(3)]
MOMENTS += [{"batch": 4}, {"epoch": 1}, {"epoch": 2}]  # the last batch of an epoch, and between epochs


@pytest.mark.parametrize(
    ("every", "moment"), [*[(2, moment) for moment in MOMENTS], (6, {"batch": 6}), (6, {"batch": 12})], ids=str
)
def test_a_killed_run_goes_on_exactly(tmp_path, uninterrupted, every, moment):
    expected, expected_average, whole = uninterrupted
    module, average = killed_and_resumed(tmp_path, every, **moment)
    assert torch.equal(weights(module), expected)
    assert all(torch.equal(average.average[name], value) for name, value in expected_average.items())
    assert module.photos_seen == whole.photos_seen == EPOCHS * BATCHES * 2
    assert module.updates == whole.updates == dict.fromkeys(("generator", "drawing", "coherence"), EPOCHS * BATCHES)


def test_one_batch_more_or_other_random_numbers_are_noticed(tmp_path, uninterrupted):
    """The comparison above is exact because the runs are, not because nothing moves."""
    expected, _, _ = uninterrupted
    shorter, _ = run(tmp_path / "shorter", epochs=2)
    assert (weights(shorter) - expected).abs().max() > 1e-4
    with pytest.raises(KilledError):
        run(tmp_path, KillAt(batch=6))
    checkpoint = torch.load(tmp_path / LAST, weights_only=True)
    checkpoint["random_states"]["torch"][0] = torch.Generator().manual_seed(123).get_state()
    torch.save(checkpoint, tmp_path / "other.ckpt")
    module, _ = run(tmp_path / "other", checkpoint=tmp_path / "other.ckpt")
    assert (weights(module) - expected).abs().max() > 1e-6


def test_a_checkpoint_is_plain_data_and_holds_everything(tmp_path):
    run(tmp_path, epochs=1)
    checkpoint = torch.load(tmp_path / LAST, weights_only=True)
    assert checkpoint["portrait_gan"]["photos_seen"] == 8
    assert checkpoint["portrait_gan"]["pool"]["entries"].shape == (1, 6, 2, 1, 32, 32)
    assert checkpoint["random_states"]["torch"].dtype == torch.uint8
    assert len(checkpoint["optimizer_states"]) == len(checkpoint["lr_schedulers"]) == 3
    assert not [name for name in checkpoint["state_dict"] if "detector" in name or "features" in name]
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".ckpt") == [
        "last.ckpt",
        *[f"photos_{photos:09d}.ckpt" for photos in (2, 4, 6, 8)],
    ]


def test_another_number_of_processes_is_announced(tmp_path):
    run(tmp_path, epochs=1)
    checkpoint = torch.load(tmp_path / LAST, weights_only=True)
    states = checkpoint["random_states"]
    checkpoint["random_states"] = {name: torch.cat((value, value)) for name, value in states.items()}
    torch.save(checkpoint, tmp_path / "two.ckpt")
    with pytest.warns(UserWarning, match="random states of 2 processes and the run has 1"):
        run(tmp_path, checkpoint=tmp_path / "two.ckpt", epochs=2)
