"""Throughput by a clock that the test winds."""

from __future__ import annotations

import pytest
from measured_portraits import KnownDrawer, loader, make_batch, trainer

from callbacks.throughput import Throughput, percentile
from lightning_modules.errors import ConfigError


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_percentiles_by_nearest_rank():
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [percentile(values, percent) for percent in (1, 20, 21, 50, 90, 100)] == [1, 1, 2, 3, 5, 5]
    assert percentile([7.0], 50) == 7


class Timed(KnownDrawer):
    """A step takes 3 s (10 s in batch 5), the wait for data 1 s, validation 100 s."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock

    def training_step(self, batch, batch_idx):
        super().training_step(batch, batch_idx)
        self.clock.now += 10.0 if batch_idx == 5 else 3.0

    def validation_step(self, batch, batch_idx):
        self.clock.now += 100.0


class SlowBatches:
    def __init__(self, clock, count):
        self.clock, self.count = clock, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if index >= self.count:
            raise IndexError
        self.clock.now += 1.0
        return make_batch(2)


def test_rates_waits_and_percentiles(tmp_path):
    clock = Clock()
    callback = Throughput(warm_up=2, clock=clock)
    runner = trainer(tmp_path, callback, log_every_n_steps=10, val_check_interval=5, num_sanity_val_steps=1)

    from torch.utils.data import DataLoader

    training = DataLoader(SlowBatches(clock, 10), batch_size=None)
    runner.fit(Timed(clock), training, loader([make_batch(2)]))
    found = {name: float(value) for name, value in runner.callback_metrics.items()}
    # Counted are batches 2 to 8 (0 and 1 warm up, 9 is not over when the report is due): 4 s each, batch 5 takes 11 s.
    total = 6 * 4 + 11
    assert found["throughput/images_per_second"] == pytest.approx(7 * 2 / total)
    assert found["throughput/data_wait_percent"] == pytest.approx(100 * 7 / total)
    assert found["throughput/step_ms_median"] == pytest.approx(4000)
    assert found["throughput/step_ms_p99"] == pytest.approx(11000)
    assert "throughput/gpu_memory_gib" not in found


def test_a_negative_warm_up_is_refused():
    with pytest.raises(ConfigError, match="-1"):
        Throughput(warm_up=-1)
