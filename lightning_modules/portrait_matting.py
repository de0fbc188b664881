"""Training of the matting network: on mattes that are given, then on photos alone (auxiliary, section 2.5).

Stage ``supervised`` has three terms: where the person is, the outline, the matte. Stage ``consistency`` takes a network
so trained to photos of another kind, whose mattes it does not look at: a copy of the network that stands still since
the epoch began is the teacher, and batch norms keep their running numbers. Both measure against given mattes.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import ClassVar, Final, Literal, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_modules.errors import ConfigError
from lightning_modules.losses.matting import SupervisedMattingLoss
from lightning_modules.losses.matting_consistency import MattingConsistencyLoss
from lightning_modules.matting_batches import MattingBatch
from lightning_modules.metrics.matte_error import MatteError
from lightning_modules.networks.frozen.modnet import MODNet
from lightning_modules.optimization import AdamWSettings
from lightning_modules.supporting_network import SupportingNetwork
from lightning_modules.weights.from_file import start_from_file

Stage = Literal["supervised", "consistency"]

_FLAT: Final = (70, 190, 110)  # colour behind the person in the last picture of a preview


class PortraitMatting(SupportingNetwork):
    """MODNet, learning.

    Args:
        network: a trainable MODNet.
        stage: what is minimised, see the head of the module.
        initial_weights: a file to start from: one that inkspeak exported, or the published checkpoint. Stage
            ``consistency`` needs one: it can only refine.
        supervised: weights of the terms of stage ``supervised``.
        consistency: weights of the terms of stage ``consistency``.
        optimizer: settings of AdamW and its schedule. Published for ``supervised``: stochastic gradient descent at
            0.01 with momentum 0.9, a tenth of it after every 10 of 40 epochs; for ``consistency``: Adam at 1e-5 with
            decays 0.9 and 0.99.

    Raises:
        ConfigError: the network is not trainable, or stage ``consistency`` has nothing to start from.
        WeightsError: the file to start from cannot be used, or is of another width.
    """

    kind: ClassVar[str] = "modnet"
    preview_columns: ClassVar[tuple[str, ...]] = ("photo", "given matte", "made matte", "composite")
    teacher_epoch: Tensor

    def __init__(
        self,
        network: MODNet,
        stage: Stage = "supervised",
        initial_weights: str | None = None,
        supervised: SupervisedMattingLoss | None = None,
        consistency: MattingConsistencyLoss | None = None,
        optimizer: AdamWSettings | None = None,
    ) -> None:
        super().__init__(network, optimizer)
        if not network.trainable:
            raise ConfigError("the matting network is not trainable", "give it trainable: true")
        if stage == "consistency" and initial_weights is None:
            found = "stage 'consistency' refines a trained network, and none is given"
            raise ConfigError(found, "name it with initial_weights")
        self.stage: Stage = stage
        self.supervised = supervised or SupervisedMattingLoss()
        self.consistency = consistency or MattingConsistencyLoss()
        self.error = MatteError()
        if initial_weights is not None:
            start_from_file(network, "modnet", initial_weights)
        self.teacher = _standing_copy(network) if stage == "consistency" else None
        self.register_buffer("teacher_epoch", torch.tensor(-1))
        self.train()  # Lightning keeps the modes that it finds, so those of the norms are set here

    @property
    def modnet(self) -> MODNet:
        """The network, by its type."""
        return cast("MODNet", self.network)

    def losses(self, batch: MattingBatch) -> dict[str, Tensor]:
        """The terms of the stage."""
        maps = self.modnet.maps(batch.photo)
        if self.teacher is None:
            return self.supervised(maps, batch.matte, batch.trimap, batch.photo)  # type: ignore[no-any-return]
        with torch.no_grad():
            taught = self.teacher.maps(batch.photo)
        return self.consistency(maps, taught)  # type: ignore[no-any-return]

    def on_train_epoch_start(self) -> None:
        """Make the network as it is now the teacher of the epoch; a run resumed within one keeps the teacher it had."""
        if self.teacher is not None and int(self.teacher_epoch) != self.current_epoch:
            self.teacher.load_state_dict(self.modnet.state_dict())
            self.teacher_epoch.fill_(self.current_epoch)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002  the signature of nn.Module
        """As asked, but that in stage ``consistency`` batch norms keep to their running numbers."""
        super().train(mode)
        if self.teacher is not None:
            for module in self.modnet.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def validation_step(self, batch: MattingBatch, batch_index: int) -> None:
        """Measure the matte against the one that was given."""
        self.error.update(self.modnet(batch.photo), batch.matte)

    def on_validation_epoch_end(self) -> None:
        """Log the measures over all photos."""
        # Every rank computes, also one without photos: that sums over the ranks, and each waits for the others.
        self.log_dict({f"validation/{name}": value.float() for name, value in self.error.compute().items()})
        self.error.reset()

    def preview(self, batch: MattingBatch) -> Sequence[NDArray[np.uint8]]:
        """Photo, matte given, matte made, and the person so cut out on a flat colour, photo by photo."""
        made = self.modnet(batch.photo).float()
        photo = (batch.photo.float() + 1) / 2
        flat = photo.new_tensor(_FLAT)[:, None, None] / 255
        columns = (photo, batch.matte, made, photo * made + flat * (1 - made))
        pictures = [column.expand(-1, 3, -1, -1).mul(255).round().byte().movedim(1, -1).cpu() for column in columns]
        return [column[row].numpy() for row in range(len(photo)) for column in pictures]

    @staticmethod
    def samples_of(batch: MattingBatch) -> int:
        """Number of photos."""
        return len(batch.photo)


def _standing_copy(network: MODNet) -> MODNet:
    taught = copy.deepcopy(network)
    taught.trainable = False
    taught.settle()
    return taught
