from __future__ import annotations

import pytest
import torch
from lightning.pytorch import Callback
from tiny_gan import Batches, TinyData, fit, make_batch, tiny_gan, trainer

from callbacks.ema import ExponentialMovingAverage
from lightning_modules.errors import ConfigError


class Watched(torch.nn.Module):
    """One weight and one counter."""

    def __init__(self):
        super().__init__()
        self.generator = torch.nn.Linear(1, 1, bias=False)
        self.generator.register_buffer("count", torch.tensor(0))


def after(values, **options):
    module, average = Watched(), ExponentialMovingAverage(**options)
    module.generator.weight.data.fill_(values[0])
    average.on_fit_start(None, module)
    for value in values[1:]:
        module.generator.weight.data.fill_(value)
        module.generator.count.add_(1)
        average.on_train_batch_end(None, module, None, None, 0)
    return module, average


def test_numbers_by_hand():
    _, average = after([1.0, 2.0, 4.0], decay=0.5, warm_up=False)
    # 0.5 * 1 + 0.5 * 2 = 1.5;  0.5 * 1.5 + 0.5 * 4 = 2.75
    assert average.average["weight"].item() == 2.75
    assert average.average["count"].item() == 2  # copied, not averaged
    _, warm = after([1.0, 2.0, 4.0], decay=0.9)
    # decays 1/10 and 2/11: 0.1 * 1 + 0.9 * 2 = 1.9;  (2 * 1.9 + 9 * 4) / 11 = 3.618181...
    assert warm.average["weight"].item() == pytest.approx(39.8 / 11, abs=1e-6)


def test_half_precision_weights_are_averaged_in_single_precision():
    module, average = Watched(), ExponentialMovingAverage(0.999, warm_up=False)
    module.generator.weight.data = torch.ones(1, 1, dtype=torch.bfloat16)
    average.on_fit_start(None, module)
    module.generator.weight.data.fill_(2.0)
    average.on_train_batch_end(None, module, None, None, 0)
    assert average.average["weight"].dtype == torch.float32
    assert average.average["weight"].item() == pytest.approx(1.001, abs=1e-6)  # bfloat16 would stay at 1


def test_weights_are_swapped_and_given_back_whatever_happens():
    module, average = after([1.0, 3.0], decay=0.5, warm_up=False)
    with average.averaged(module):
        assert module.generator.weight.item() == 2.0
    assert module.generator.weight.item() == 3.0
    with pytest.raises(RuntimeError, match="in the middle"), average.averaged(module):
        raise RuntimeError("in the middle")
    assert module.generator.weight.item() == 3.0


def test_validation_sees_the_average_and_training_does_not(tmp_path):
    seen = {}

    class Watch(Callback):
        def on_validation_batch_start(self, trainer, pl_module, *_):
            seen["validation"] = pl_module.generator_state()

        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            seen["training"] = pl_module.generator_state()

    module, average = tiny_gan(rate=1e-2, dropout=0.0), ExponentialMovingAverage(0.9)
    fit(module, tmp_path, epochs=1, callbacks=[average, Watch()], limit_val_batches=1, data=TinyData())
    assert average.updates == 4
    for name, value in seen["validation"].items():
        assert torch.equal(value, average.average[name])
        assert not torch.equal(value, module.generator.state_dict()[name])
    plain = tiny_gan(rate=1e-2, dropout=0.0)
    fit(plain, tmp_path, epochs=1)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), module.parameters(), strict=True))


def test_prediction_uses_the_average(tmp_path):
    module, average = tiny_gan(rate=1e-2), ExponentialMovingAverage(0.9)
    fit(module, tmp_path, epochs=1, callbacks=[average])
    batch = make_batch(1)
    (frames,) = trainer(tmp_path, callbacks=[average]).predict(module, Batches(batch))
    module.eval()
    with torch.no_grad():
        own = module(batch)
        with average.averaged(module):
            averaged = module(batch)
    assert torch.equal(frames, averaged)
    assert not torch.equal(frames, own)


def test_the_state_travels():
    _, average = after([1.0, 2.0], decay=0.5)
    other = ExponentialMovingAverage(0.5)
    other.load_state_dict(average.state_dict())
    assert other.updates == 1
    assert torch.equal(other.average["weight"], average.average["weight"])


def test_a_decay_of_one_is_refused():
    with pytest.raises(ConfigError, match="from 0 to below 1"):
        ExponentialMovingAverage(1.0)
