"""The module with the networks of the paper, narrow ones; elsewhere stand-ins keep the tests short."""

from __future__ import annotations

import pytest
import torch
from tiny_gan import fit, tiny_gan, weights

portrait_generator = pytest.importorskip("lightning_modules.networks.portrait_generator")
drawing_discriminators = pytest.importorskip("lightning_modules.networks.drawing_discriminators")
coherence_discriminator = pytest.importorskip("lightning_modules.networks.coherence_discriminator")


def narrow_gan(**options):
    torch.manual_seed(0)
    return tiny_gan(
        generator=portrait_generator.PortraitGenerator(width=8),
        drawing_discriminators=drawing_discriminators.DrawingDiscriminators(width=8, halvings=2),
        coherence_discriminator=coherence_discriminator.CoherenceDiscriminator(width=8, halvings=2),
        **options,
    )


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_all_three_networks_train(tmp_path, precision):
    module = narrow_gan()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    runner = fit(module, tmp_path, epochs=1, precision=precision)
    assert all(value.isfinite() for value in runner.callback_metrics.values())
    moved = {name.split(".")[0] for name, value in module.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"generator", "drawing_discriminators", "coherence_discriminator"}
    assert weights(module).isfinite().all()
