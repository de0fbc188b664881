"""Whether lips and sound are in time: LSE-D and LSE-C (Prajwal et al. 2020; auxiliary 10.4), by SyncNet.

Every window of five frames is compared with the sound that goes with it and with that of up to 15 frames earlier and
later. The distances are averaged over the windows; LSE-D is the smallest of the 31 means, LSE-C their median minus the
smallest. SyncNet was trained on photographed faces: on drawings read both beside those of the clip that is drawn frame
by frame, never alone. The weights are the user's own copy of ``syncnet_v2.model``; without them there is no figure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_modules.audio.cepstral import cepstral_coefficients
from lightning_modules.errors import MetricError, WeightsError
from lightning_modules.faces.face import face_box
from lightning_modules.metrics.summed_metric import SummedMetric
from lightning_modules.networks.frozen.syncnet import FACE_SIZE, FRAMES, SOUND_STEPS, SyncNet

ABSENT: Final = "LSE-D and LSE-C are left out: no SyncNet; give the path of syncnet_v2.model"
"""What to say where there are no weights."""

FPS: Final = 25.0
"""Frames per second that SyncNet knows."""
REACH: Final = 15
"""Largest offset, frames."""

_STEPS_A_FRAME: Final = 4
_SAMPLES_A_FRAME: Final = 640
_AROUND: Final = 0.4  # of the box's larger side: how much of the surroundings the published crop shows
_WINDOWS: Final = 10  # embedded at a time
_EPSILON: Final = 1e-6  # added to each difference, as torch's pairwise_distance does
_REMEDY: Final = "give the published syncnet_v2.model, unchanged"


class LipSync(NamedTuple):
    """What :func:`lip_sync` gives."""

    distance: float
    """LSE-D, 0 or more, lower is better."""
    confidence: float
    """LSE-C, 0 or more, higher is better."""
    offset: int
    """By how many frames of 25 a second the sound comes late where the distance is smallest: -15 to 15."""


def load_syncnet(path: str | Path) -> SyncNet:
    """SyncNet with the published weights, from the user's own copy; nothing is downloaded, and no code is run.

    Args:
        path: ``syncnet_v2.model``.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    from lightning_modules.weights.checkpoint_file import read_weight_file

    held, _ = read_weight_file(path)
    network = SyncNet()
    # How many batches were seen in training means nothing in eval mode, and older files lack it.
    wanted = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    odd = [name for name in wanted if getattr(held.get(name), "shape", None) != wanted[name].shape]
    if odd:
        raise WeightsError(f"this is not SyncNet: no fitting '{odd[0]}' ({len(odd)} such)", _REMEDY, path)
    network.load_state_dict({name: held[name] for name in wanted}, strict=False)
    if not all(bool(torch.isfinite(value).all()) for value in network.state_dict().values()):
        raise WeightsError("SyncNet's weights are not finite", _REMEDY, path)
    return network


def face_crops(frames: Tensor, landmarks: Tensor) -> Tensor:
    """Faces as SyncNet wants them: squares 1.4 times as large as the face, with more room below than above.

    Args:
        frames: (T, 3, H, W) uint8 RGB.
        landmarks: (T, 68, 2 | 3), pixels; where one is not finite, the box of the nearest frame before (or after, at
            the beginning) is taken. The box is that of landmarks and forehead, its size and place the median of 13
            frames.

    Returns:
        (T, 3, 224, 224) uint8 RGB; what lies beyond the frame is grey 110.

    Raises:
        MetricError: no frame has a face.
    """
    from scipy.ndimage import median_filter

    boxes = _boxes(landmarks)
    steady = median_filter(boxes, size=(13, 1), mode="nearest")
    found = []
    for frame, (x, y, half) in zip(frames.cpu(), steady, strict=True):
        scale = FACE_SIZE / (2 * half * (1 + _AROUND))
        left, top = x - half * (1 + _AROUND), y - half
        # Pixel centres at integers; the crop's first pixel covers the corner (left, top).
        matrix = np.array([[scale, 0, (0.5 - left) * scale - 0.5], [0, scale, (0.5 - top) * scale - 0.5]])
        pixels = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
        face = cv2.warpAffine(pixels, matrix, (FACE_SIZE, FACE_SIZE), borderValue=(110, 110, 110))
        found.append(torch.from_numpy(face).permute(2, 0, 1))
    return torch.stack(found)


def _boxes(landmarks: Tensor) -> NDArray[np.float64]:
    """Centre and half the larger side of every frame's face box: (T, 3) pixels."""
    boxes = np.full((len(landmarks), 3), np.nan)
    for row, points in zip(boxes, landmarks.detach().double().cpu().numpy(), strict=True):
        if np.isfinite(points).all():
            box = face_box(points)
            row[:] = (*box.center, max(box.width, box.height) / 2)
    seen = np.flatnonzero(np.isfinite(boxes[:, 0]) & (boxes[:, 2] > 0))
    if not len(seen):
        raise MetricError(f"none of {len(boxes)} frames shows a face", "look whether the clip shows a drawn face")
    nearest = np.maximum(np.searchsorted(seen, np.arange(len(boxes)), side="right") - 1, 0)
    filled: NDArray[np.float64] = boxes[seen[nearest]]
    return filled


def offset_distances(lips: Tensor, sound: Tensor, reach: int = REACH) -> Tensor:
    """Mean distance of the lips from the sound, offset by offset.

    Args:
        lips: (N, D) embeddings of the windows.
        sound: (N, D) of their sound; beyond both ends there are noughts.
        reach: largest offset.

    Returns:
        (2 · reach + 1,): entry k is the mean over windows i of ``|lips[i] - sound[i + k - reach]|``.
    """
    padded = torch.nn.functional.pad(sound, (0, 0, reach, reach))
    means = [(lips - padded[k : k + len(lips)] + _EPSILON).norm(dim=1).mean() for k in range(2 * reach + 1)]
    return torch.stack(means)


def lip_sync(network: SyncNet, faces: Tensor, samples: NDArray[np.floating]) -> LipSync:
    """Search for the offset at which lips and sound go together best.

    Args:
        network: SyncNet, see :func:`load_syncnet`.
        faces: (T, 3, 224, 224) uint8 RGB at 25 frames a second, see :func:`face_crops`.
        samples: (N,) mono 16 kHz in [-1, 1], from the first frame on.

    Returns:
        See :class:`LipSync`. The number of windows is that of whole frames with sound, minus 5.

    Raises:
        MetricError: video or sound is shorter than six frames, or a sample is not finite.
        ValueError: another shape or type.
    """
    if faces.shape[1:] != (3, FACE_SIZE, FACE_SIZE) or faces.dtype != torch.uint8:
        raise ValueError(f"faces are uint8 (T, 3, 224, 224), got {faces.dtype} {tuple(faces.shape)}")
    count = min(len(faces), len(samples) // _SAMPLES_A_FRAME) - FRAMES
    if count < 1:
        found = f"{len(faces)} frames with {len(samples) / 16000:.2f} s of sound are too short for SyncNet"
        raise MetricError(found, "give six frames and 0.24 s or more")
    if not np.isfinite(samples).all():
        raise MetricError("the sound is not finite", "give the recording that the clip speaks")
    device = next(network.parameters()).device
    heard = torch.from_numpy(cepstral_coefficients(samples).T.astype(np.float32)).to(device)[None]
    seen = faces.flip(1).to(device).transpose(0, 1)  # blue first, as the published reader gave it
    lips, sound = [], []
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        for first in range(0, count, _WINDOWS):
            windows = range(first, min(first + _WINDOWS, count))
            lips.append(network.lips(torch.stack([seen[:, t : t + FRAMES] for t in windows]).float()))
            starts = [t * _STEPS_A_FRAME for t in windows]
            sound.append(network.sound(torch.stack([heard[:, :, s : s + SOUND_STEPS] for s in starts])))
    means = offset_distances(torch.cat(lips), torch.cat(sound))
    best = int(means.argmin())
    return LipSync(float(means[best]), float(means.median() - means[best]), REACH - best)


class LipSyncError(SummedMetric):
    """LSE-D and LSE-C over clips.

    Args:
        kwargs: see :class:`torchmetrics.Metric`.
    """

    higher_is_better = None
    distance: Tensor
    confidence: Tensor
    clips: Tensor

    def __init__(self, **kwargs: bool) -> None:
        super().__init__(**kwargs)
        self.add_sum("distance")
        self.add_sum("confidence")
        self.add_count("clips")

    def update(self, found: LipSync) -> None:
        """Add a clip: what :func:`lip_sync` gives."""
        self.distance += found.distance
        self.confidence += found.confidence
        self.clips += 1

    def compute(self) -> dict[str, Tensor]:
        """Means over the clips of all ranks, float64 scalars.

        Returns:
            ``"distance"`` (LSE-D, lower is better) and ``"confidence"`` (LSE-C, higher is better).

        Raises:
            MetricError: no clip.
        """
        self.require(self.clips, 1, "clips")
        return {"distance": self.distance / self.clips, "confidence": self.confidence / self.clips}
