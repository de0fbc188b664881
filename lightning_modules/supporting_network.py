"""What the trainers of the supporting networks share: one network, a weighted sum of terms, one optimiser, a record.

A supporting network is one that the portrait GAN asks and does not train: flow map A, the landmark detector, the
identity features, the matting network. Each has a LightningModule of its own that derives from the class here and says
what its terms and its figures are. Optimisation is automatic: there is one optimiser.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from lightning.pytorch import LightningModule
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_modules.export.network_file import plain_arguments
from lightning_modules.export.supporting_checkpoint import STATE
from lightning_modules.optimization import AdamWSettings, annealed_adamw


class SupportingNetwork(LightningModule, abc.ABC):
    """Training of one network.

    Args:
        network: what is trained; averaged by ``ExponentialMovingAverage(network="network")`` where that is there.
        optimizer: settings of AdamW and its schedule.
    """

    kind: ClassVar[str]
    """Of the network, as :data:`lightning_modules.export.network_file.NETWORKS` names it."""
    facts: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """What whoever uses the network must know besides its weights; plain values, kept in its file."""
    preview_columns: ClassVar[tuple[str, ...]]
    """What the pictures of a row of :meth:`preview` show."""

    def __init__(self, network: nn.Module, optimizer: AdamWSettings | None = None) -> None:
        super().__init__()
        self.network = network
        self.optimizer_settings = optimizer or AdamWSettings()
        self.samples_seen = 0

    # To be said by every trainer -----------------------------------------------------------------------------------

    @abc.abstractmethod
    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Terms of the objective for a batch, weighted: their sum is minimised. Scalars, by name."""

    @abc.abstractmethod
    def validation_step(self, batch: Any, batch_index: int) -> None:
        """Measure a batch that is not trained on."""

    @abc.abstractmethod
    def preview(self, batch: Any) -> Sequence[NDArray[np.uint8]]:
        """Pictures (H, W, 3) of a batch to be looked at, row by row in the order of :attr:`preview_columns`."""

    @staticmethod
    @abc.abstractmethod
    def samples_of(batch: Any) -> int:
        """Number of samples of a batch."""

    # What is the same for all --------------------------------------------------------------------------------------

    def forward(self, *inputs: Tensor) -> Any:
        """What the network answers."""
        return self.network(*inputs)

    def training_step(self, batch: Any, batch_index: int) -> Tensor:
        """Sum of the terms, which Lightning minimises."""
        terms = self.losses(batch)
        total = sum(terms.values(), start=next(iter(terms.values())).new_zeros(()))
        count = self.samples_of(batch)
        self.samples_seen += count * self.trainer.world_size
        report = {f"loss/{name}": term.detach() for name, term in terms.items()}
        report |= {"loss/total": total.detach(), "seen/samples": total.new_tensor(float(self.samples_seen))}
        self.log_dict(report, batch_size=count)
        return total

    def configure_optimizers(self) -> dict[str, Any]:  # type: ignore[override]  # Lightning's union is wider
        """AdamW over what may be trained, with its schedule by steps; one without an end takes the run's length."""
        steps = self.optimizer_settings.steps or int(self.trainer.estimated_stepping_batches)
        return annealed_adamw(self.network.named_parameters(), self.optimizer_settings, steps)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what builds the network and how much it has seen: plain values, for the export."""
        checkpoint[STATE] = {
            "kind": self.kind,
            "arguments": plain_arguments(self.network),
            "samples_seen": self.samples_seen,
            "facts": dict(self.facts),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the counter up again."""
        self.samples_seen = int(checkpoint[STATE]["samples_seen"])
