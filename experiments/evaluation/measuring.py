"""All figures of one video, from its frames: landmarks are found once in each, and the flow between them once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.evaluation.face_figures import face_figures
from experiments.evaluation.motion_figures import as_tensor, flow_from_landmarks, flow_from_pictures, motion_figures
from experiments.evaluation.optional_figures import in_time, likeness
from lightning_modules.metrics.drawing_pixels import as_rgb_bytes
from lightning_modules.metrics.feature_networks import FeatureNetwork, make_feature_network
from lightning_modules.pipeline.contact_sheet import evenly_spaced

if TYPE_CHECKING:
    from experiments.evaluation.clips import Pixels, Points
    from experiments.evaluation.drawn_landmarks import DrawnFaceFinder
    from experiments.evaluation.settings import EvaluationSettings
    from lightning_modules.metrics.face_similarity import FaceEmbedder
    from lightning_modules.networks.frozen.syncnet import SyncNet

_BATCH = 16


@dataclass(frozen=True, eq=False)
class Measured:
    """What is kept of a video.

    Attributes:
        figures: metric -> value; None where there is nothing to measure.
        features: (K, D) of evenly spaced frames.
        landmarks: (T, 68, 2) found on the frames, pixels; NaN where no face was found.
        seconds: wall time of each part.
    """

    figures: dict[str, float | None]
    features: NDArray[np.float32]
    landmarks: Points
    seconds: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Truth:
    """What a clip's videos are measured against.

    Attributes:
        landmarks: (T, 68, 2) of the film, pixels of the square.
        silent: (T,) bool: frames in which nobody speaks.
        samples: the sound, mono 16 kHz; for LSE.
        static: (S, S, C), the film's first frame, drawn, and the landmarks found on it; for CSIM. None: those of the
            video that is measured, which is the film drawn frame by frame itself.
    """

    landmarks: Points
    silent: torch.Tensor
    samples: NDArray[np.float32] | None = None
    static: tuple[Pixels, Points] | None = None


class Measurer:
    """Measures videos; its networks are loaded when they are first asked for.

    Args:
        settings: of the evaluation.
        finder: finds the face in drawings.
    """

    def __init__(self, settings: EvaluationSettings, finder: DrawnFaceFinder) -> None:
        self.settings, self.finder = settings, finder

    @cached_property
    def network(self) -> FeatureNetwork:
        """Whose features the distances are made of.

        Raises:
            WeightsError: the file of Inception cannot be used.
        """
        return make_feature_network(self.settings.inception)

    @cached_property
    def identity(self) -> FaceEmbedder:
        """Who knows faces, for CSIM.

        Raises:
            BackendError: it is dlib's and not installed.
            WeightsError: its file cannot be used.
        """
        from lightning_modules.metrics.face_similarity import make_face_embedder

        return make_face_embedder(self.settings.face_weights or "", self.settings.face_scaling)

    @cached_property
    def syncnet(self) -> SyncNet:
        """Who hears and sees, for LSE.

        Raises:
            WeightsError: its file cannot be used.
        """
        from lightning_modules.metrics.lip_sync import load_syncnet

        return load_syncnet(self.settings.sync_weights or "").eval()

    def load(self) -> None:
        """Read all files of weights now, so that a wrong one is refused before any work.

        Raises:
            WeightsError: a file cannot be used.
        """
        _ = self.network
        if self.settings.face_weights is not None:
            _ = self.identity
        if self.settings.sync_weights is not None:
            _ = self.syncnet

    @torch.inference_mode()
    def features(self, frames: Pixels) -> NDArray[np.float32]:
        """Features (K, D) of evenly spaced frames of (T, H, W, C)."""
        chosen = evenly_spaced(len(frames), self.settings.distance_frames)
        pictures = as_rgb_bytes(as_tensor(frames[list(chosen)]))
        found = [self.network(batch.contiguous()) for batch in torch.split(pictures, _BATCH)]
        return np.asarray(torch.cat(found).float().cpu().numpy(), np.float32)

    def measure(
        self, frames: Pixels, truth: Truth, *, asked: Points | None = None, pictures: Pixels | None = None
    ) -> Measured:
        """All figures of a video.

        Args:
            frames: (T, S, S, C), T at least 2.
            truth: of the clip.
            asked: see :class:`~experiments.evaluation.methods.Made`.
            pictures: likewise; one of both is given.

        Raises:
            ValueError: neither is given.
        """
        if asked is not None:
            flow = flow_from_landmarks(asked, frames.shape[1])
        elif pictures is not None:
            flow = flow_from_pictures(pictures)
        else:
            raise ValueError("motion is known from landmarks or from pictures, and neither is given")
        seconds: dict[str, float] = {}
        with _timed(seconds, "landmarks"):
            found = self.finder.track(frames)
        with _timed(seconds, "motion"):
            figures = motion_figures(frames, flow)
        with _timed(seconds, "faces"):
            figures |= face_figures(found, truth.landmarks, asked, truth.silent)
        with _timed(seconds, "optional"):
            figures |= self._optional(frames, found, truth)
        with _timed(seconds, "features"):
            features = self.features(frames)
        plain = {name: None if np.isnan(value) else value for name, value in figures.items()}
        return Measured(plain, features, found, seconds)

    def _optional(self, frames: Pixels, found: Points, truth: Truth) -> dict[str, float]:
        figures: dict[str, float] = {}
        if self.settings.face_weights is not None:
            figures["csim"] = likeness(self.identity, frames, found, *(truth.static or (frames[0], found[0])))
        if self.settings.sync_weights is not None and truth.samples is not None:
            figures |= in_time(self.syncnet, frames, found, truth.samples)
        return figures


@contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[part] = time.perf_counter() - start
