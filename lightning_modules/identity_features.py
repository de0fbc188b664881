"""Training of the identity features (SphereFace) for the identity loss (paper Eq. 6): the free stand-in, or by labels.

Never measure by this network what it was the loss of: likeness of faces in results (CSIM) has a network of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.errors import ConfigError
from lightning_modules.face_batches import FaceBatch
from lightning_modules.losses.angular_softmax import AngularSoftmaxLoss
from lightning_modules.losses.view_contrast import ViewContrastLoss
from lightning_modules.metrics.same_person_ranking import SamePersonRanking
from lightning_modules.networks.frozen.sphereface import SphereFace
from lightning_modules.optimization import AdamWSettings, annealed_adamw
from lightning_modules.supporting_network import SupportingNetwork

VIEWS: Final = ("photo", "ink", "ink_moved", "pencil_moved", "cartoon_moved")
"""What the views of a validation sample show, in their order; moved: pose, expression and window are changed."""

PAIRS: Final = (
    ("photo", "ink"),
    ("photo", "ink_moved"),
    ("ink", "pencil_moved"),
    ("ink", "cartoon_moved"),
    ("photo", "pencil_moved"),
)
"""Which of them are compared."""


class IdentityFeatures(SupportingNetwork):
    """Trains the network to tell people apart whatever the look of the picture.

    Two objectives, alone or together. Contrast: the views of a face against those of all others in the batch of this
    process; it needs no names of people (self-supervised). A-Softmax: the published loss; for faces with names, many
    photos each; without names every photo is somebody of its own.

    Args:
        network: to train, made with ``trainable: true``.
        optimizer: AdamW and its schedule.
        contrast: weight of the contrast of views; 0 leaves it out.
        temperature: of the contrast.
        angular: weight of A-Softmax; 0 leaves it out.
        margin: of A-Softmax, 1 to 5; published 4.
        people: number of people for A-Softmax; None takes it from the data.

    Raises:
        ConfigError: the network does not train, a weight is negative or both are 0, or temperature or margin are out
            of their range.
    """

    kind = "sphereface"
    preview_columns = ("photo", "same face", "likest stranger")

    def __init__(
        self,
        network: SphereFace,
        optimizer: AdamWSettings | None = None,
        *,
        contrast: float = 1.0,
        temperature: float = 0.1,
        angular: float = 0.0,
        margin: int = 4,
        people: int | None = None,
    ) -> None:
        super().__init__(network, optimizer)
        if not network.trainable:
            raise ConfigError("the network to train was made frozen", "give it trainable: true")
        if min(contrast, angular) < 0 or not contrast + angular > 0:
            raise ConfigError(f"contrast {contrast}, angular {angular}", "give weights from 0 on, one of them above 0")
        if temperature <= 0 or not 1 <= margin <= 5:
            found = f"temperature {temperature}, margin {margin}"
            raise ConfigError(found, "give a temperature above 0 and a margin from 1 to 5")
        self.contrast, self.angular = contrast, angular
        self._contrast = ViewContrastLoss(temperature)
        self._margin, self._people = margin, people
        self.angular_loss: AngularSoftmaxLoss | None = None
        self.ranking = SamePersonRanking(VIEWS, PAIRS, ("photo", "ink"))
        _start_well(network)

    def configure_model(self) -> None:
        """Make the directions of A-Softmax, one a person; Lightning asks before optimisers and checkpoints.

        Raises:
            ConfigError: neither the argument nor the data say how many people there are.
        """
        if not self.angular or self.angular_loss is not None:
            return
        people = self._people
        if people is None:
            data: Any = getattr(self.trainer, "datamodule", None)
            if data is None:
                raise ConfigError("A-Softmax does not know how many people there are", "give people")
            people = len(data.people[0])
        features = int(self.network.arguments["embedding"])  # type: ignore[index]
        self.angular_loss = AngularSoftmaxLoss(features, people, self._margin).to(self.device)

    def losses(self, batch: FaceBatch) -> dict[str, Tensor]:
        """Contrast of views and A-Softmax of every view, each with its weight."""
        embedding = self.embedded(batch.views)
        terms = {}
        if self.contrast:
            terms["contrast"] = self.contrast * self._contrast(embedding, batch.person)
        if self.angular_loss is not None:
            labels = batch.person.repeat_interleave(embedding.shape[1])
            angular = self.angular_loss(embedding.flatten(0, 1), labels, self.global_step)
            terms["angular"] = self.angular * angular
        return terms

    def embedded(self, views: Tensor) -> Tensor:
        """Embeddings (B, V, D) of views (B, V, 3, 112, 96)."""
        embedding: Tensor = self.network(views.flatten(0, 1)).embedding
        return embedding.view(*views.shape[:2], -1)

    def validation_step(self, batch: FaceBatch, batch_index: int) -> None:
        """Take embeddings of held-out people in."""
        self.ranking.update(self.embedded(batch.views), batch.person, batch.photo)

    def on_validation_epoch_end(self) -> None:
        """Log the AUC of each kind of pairs, ``validation/auc/photo-ink`` and so on."""
        figures = self.ranking.compute()
        self.ranking.reset()
        self.log_dict({f"validation/auc/{name}": value.float() for name, value in figures.items()})

    def configure_optimizers(self) -> dict[str, Any]:  # type: ignore[override]  # Lightning's union is wider
        """The optimiser of all supporting networks, which here also moves the directions of A-Softmax."""
        if self.angular_loss is None:
            return super().configure_optimizers()
        steps = self.optimizer_settings.steps or int(self.trainer.estimated_stepping_batches)
        trained = chain(self.network.named_parameters(), self.angular_loss.named_parameters())
        return annealed_adamw(trained, self.optimizer_settings, steps)

    def preview(self, batch: FaceBatch) -> Sequence[NDArray[np.uint8]]:
        """Rows: a photo, a drawing of the same face moved, the drawing of another person most like the photo.

        Under each drawing its cosine with the photo, as a bar: full width is 1.
        """
        unit = functional.normalize(self.embedded(batch.views), dim=-1)
        photo, drawing = VIEWS.index("photo"), VIEWS.index("ink_moved")
        cosine = unit[:, photo] @ unit[:, drawing].T
        strange = cosine.masked_fill(batch.person[:, None] == batch.person, -torch.inf)
        cells = []
        for row, other in enumerate(strange.argmax(1).tolist()):
            cells.append(_picture(batch.views[row, photo], 1.0))
            cells.append(_picture(batch.views[row, drawing], float(cosine[row, row])))
            cells.append(_picture(batch.views[other, drawing], float(cosine[row, other])))
        return cells

    @staticmethod
    def samples_of(batch: FaceBatch) -> int:
        """Faces of a batch, each seen in several views."""
        return len(batch.person)


def _start_well(network: Any) -> None:
    """First weights: as deep a network without norms needs them, its residual branches small."""
    for stage in network.stages:
        for index, convolution in enumerate(stage.convolutions):
            nn.init.kaiming_normal_(convolution.weight, a=0.25)
            nn.init.zeros_(convolution.bias)
            if index and index % 2 == 0:  # the last of a residual branch
                with torch.no_grad():
                    convolution.weight.mul_(0.3)


def _picture(view: Tensor, cosine: float) -> NDArray[np.uint8]:
    """A view (3, H, W) in [-1, 1] as a picture (H + 6, W, 3) with a bar for the cosine below."""
    pixels = ((view.detach().cpu().float() + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    bar = np.full((6, pixels.shape[1], 3), 255, np.uint8)
    bar[1:, : round(max(cosine, 0.0) * pixels.shape[1])] = (40, 110, 60)
    return np.concatenate((pixels, bar))
