"""Windows per second of stage 1's training step, against the published loop, which repairs lips frame by frame.

One run, the two sides taking turns, A B A B: ours (A) trains under Lightning's Trainer on batches of many clips; the
published loop (B, :class:`PublishedLoop`, written anew from reference stage1 §5, §10.1, §11.3 and §16) takes one
segment of 512 windows after the other through the published content branch, and after each step walks over its frames.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from experiments.benchmarks.timing import quartiles
from experiments.benchmarks.training_setup import quiet_trainer

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lightning_modules.speech_batches import SpeechBatch

SEGMENT: Final = 512
"""Windows of a step of the published loop."""
_INNER_LIP: Final = tuple(range(60, 68))
_MEETING: Final = ((63, 65), (62, 66), (61, 67))
_OPENING: Final = 0.08  # of the inner lips, face units: no frame needs repair, the cheapest case for the published loop

NOTES: Final = {
    "default": "the network, batch and losses of experiments/configs/audio_to_landmark/default.yaml against the "
    "published loop with the published network: the arithmetic of the two differs",
    "published_network": "the published network on both sides: what the order of work alone gives. On a CPU the LSTM "
    "takes nearly all of the time on both sides",
    "published_loop": "without its checkpoint after every clip and its search for the most closed mouth",
    "data": "made-up features and mouths that are open, in memory: reading files is in neither",
}
"""What to know before quoting the figures; part of the result."""


def run(*, quick: bool) -> dict[str, Any]:
    """Measure the default network and, against the same loop, the published one.

    Args:
        quick: two counted turns on smaller batches instead of five.

    Returns:
        ``default`` and ``published_network``, see :func:`compare`, and ``notes``.
    """
    from lightning_modules.networks.content_branch import ContentBranch
    from lightning_modules.networks.convolutional_branch import ConvolutionalBranch

    turns, samples = (2, 4) if quick else (5, 16)
    return {
        "default": compare(ConvolutionalBranch(), samples=samples, windows=128, turns=turns),
        "published_network": compare(ContentBranch(), samples=8, turns=turns),
        "notes": NOTES,
    }


def compare(branch: nn.Module, *, samples: int = 32, windows: int = 64, turns: int = 5) -> dict[str, Any]:
    """Our step and the published loop's in turns, the first turn not counted.

    Args:
        branch: content branch of our side.
        samples: clips of our batch.
        windows: consecutive windows of each.
        turns: counted turns.

    Returns:
        ``windows_per_second`` of both by the median turn and their ``ratio``; quartiles of the seconds of a turn, the
        ratios turn by turn, and what walking over the frames takes for each window.
    """
    import torch

    from experiments.benchmarks.training_setup import fit_quietly
    from lightning_modules.audio_to_landmark import AudioToLandmark
    from lightning_modules.losses.landmark_objective import LandmarkObjective
    from lightning_modules.networks.content_branch import ContentBranch

    torch.manual_seed(0)
    module = AudioToLandmark(branch, objective=LandmarkObjective(motion=0.5, lip_opening=1.0), gradient_clip=1.0)
    batch = made_up_batch(samples, windows, int(branch.window))  # type: ignore[arg-type]  # a number
    turning = _in_turns(PublishedLoop(ContentBranch()))
    fit_quietly(quiet_trainer([turning]), module, [batch] * (turns + 1))  # type: ignore[arg-type]  # trains any module
    ours, theirs = turning.ours[1:], turning.published[1:]
    rates = [samples * windows / seconds for seconds in ours], [SEGMENT / seconds for seconds in theirs]
    middle = {"ours": quartiles(rates[0])[1], "published_loop": quartiles(rates[1])[1]}
    return {
        "device": turning.device,
        "parameters": sum(parameter.numel() for parameter in branch.parameters()),
        "windows_of_a_step": {"ours": samples * windows, "published_loop": SEGMENT},
        "windows_per_second": middle,
        "ratio": middle["ours"] / middle["published_loop"],
        "ratio_in_each_turn": [a / b for a, b in zip(*rates, strict=True)],
        "seconds_of_a_turn": {"ours": list(quartiles(ours)), "published_loop": list(quartiles(theirs))},
        "milliseconds_of_lip_repair_per_window": 1e3 * turning.loop.repair_seconds / turning.loop.windows_seen,
    }


def talking_face(frames: int) -> npt.NDArray[np.float32]:
    """Landmarks of a face whose mouth is open and moves: (frames, 204), face units."""
    face = np.random.default_rng(1).normal(scale=0.3, size=(68, 3))
    angles = np.linspace(np.pi, 3 * np.pi, 8, endpoint=False)  # clockwise on screen from the corner on the left
    face[60:68, 0], face[60:68, 1] = 0.3 * np.cos(angles), 0.8 + _OPENING / 2 * np.sin(angles)
    motion = 0.1 * np.sin(np.arange(frames) / 5.0)
    talking = np.repeat(face[None], frames, axis=0)
    talking[:, 64:68, 1] += 0.2 * np.abs(motion)[:, None]
    return talking.reshape(frames, 204).astype(np.float32)


def made_up_batch(samples: int, windows: int, length: int = 18) -> SpeechBatch:
    """A batch as the data module hands it over: consecutive windows of each of its clips.

    Args:
        samples: clips.
        windows: of each.
        length: frames of a window.
    """
    import torch

    from lightning_modules.networks.speech_windows import window_view
    from lightning_modules.speech_batches import SpeechBatch

    features = torch.randn(samples, windows + length - 1, 80, generator=torch.Generator().manual_seed(0))
    landmarks = torch.from_numpy(talking_face(windows))
    return SpeechBatch(
        windows=window_view(features, length),
        static=landmarks[:1].expand(samples, -1).contiguous(),
        target=landmarks.expand(samples, -1, -1).contiguous(),
        embedding=torch.zeros(samples, 256),
    )


class PublishedLoop:
    """One segment a step, windows cut one by one, and every frame's lips looked at.

    ``repair_seconds`` adds up what that look takes.

    Args:
        branch: the content branch; trained.
    """

    def __init__(self, branch: nn.Module) -> None:
        import torch

        self.branch = branch.train()
        self.optimizer = torch.optim.Adam(branch.parameters(), lr=1e-4)
        self.features = np.random.default_rng(0).normal(size=(SEGMENT + 17, 80)).astype(np.float32)
        self.landmarks = talking_face(SEGMENT + 17)
        self.repair_seconds = 0.0
        self.windows_seen = 0

    def step(self) -> float:
        """Train on the segment and repair what was predicted; gives the loss."""
        import torch

        device = next(self.branch.parameters()).device
        heard = np.stack([self.features[start : start + 18] for start in range(SEGMENT)])
        seen = np.stack([self.landmarks[start : start + 18] for start in range(SEGMENT)])
        static = torch.from_numpy(self.landmarks[:1]).to(device)
        target = torch.from_numpy(seen).to(device)[:, 0]
        self.optimizer.zero_grad()
        made = self.branch(torch.from_numpy(heard).to(device), static) + static
        loss = self._loss(made, target)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        predicted = made.detach().cpu().numpy().reshape(-1, 68, 3).copy()
        start = time.perf_counter()
        repair_lips(predicted)
        self.repair_seconds += time.perf_counter() - start
        self.windows_seen += SEGMENT
        return float(loss.detach())

    @staticmethod
    def _loss(made: Tensor, target: Tensor) -> Tensor:
        from lightning_modules.losses.graph_laplacian import graph_laplacian_loss
        from lightning_modules.losses.landmark_displacement import landmark_displacement_loss

        return landmark_displacement_loss(made, target) + graph_laplacian_loss(made, target)


def repair_lips(landmarks: npt.NDArray[np.floating[Any]]) -> int:
    """Close mouths that are turned inside out, frame by frame, in place (reference stage1 §11.3).

    Args:
        landmarks: (N, 68, 3), y down.

    Returns:
        How many frames were repaired.
    """
    repaired = 0
    for index, face in enumerate(landmarks):
        if _fan_area(face) >= 0:
            continue
        repaired += 1
        before = landmarks[max(index - 1, 0)]
        for upper, lower in _MEETING:
            face[[upper, lower]] = (face[upper] + face[lower]) / 2
        face[55:59, 1] = face[64:68, 1] + before[55:59, 1] - before[64:68, 1]
        face[59, 1] = face[60, 1] + before[59, 1] - before[60, 1]
        face[49:54, 1] = face[60:65, 1] + before[49:54, 1] - before[60:65, 1]
    return repaired


def _fan_area(face: npt.NDArray[np.floating[Any]]) -> float:
    """Twice the signed area of the inner lip, one triangle after the other; positive where the mouth is open."""
    area = 0.0
    first = face[_INNER_LIP[0], :2]
    for one, next_ in itertools.pairwise(_INNER_LIP[1:]):
        sides = np.zeros((2, 3))
        sides[0, :2], sides[1, :2] = face[one, :2] - first, face[next_, :2] - first
        area += float(np.cross(sides[0], sides[1])[2])
    return area


def _in_turns(loop: PublishedLoop) -> Any:
    """A callback that times our step, and after each of our steps one of the published loop."""
    import torch
    from lightning.pytorch import Callback

    class InTurns(Callback):
        def __init__(self) -> None:
            self.loop = loop
            self.ours: list[float] = []
            self.published: list[float] = []
            self.device = "cpu"
            self._start = 0.0

        def _now(self) -> float:
            if self.device != "cpu":
                torch.cuda.synchronize()
            return time.perf_counter()

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            if pl_module.device.type != "cpu":
                self.device = torch.cuda.get_device_name(pl_module.device)
            loop.branch.to(pl_module.device)

        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            self._start = self._now()

        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            middle = self._now()
            loop.step()
            self.ours.append(middle - self._start)
            self.published.append(self._now() - middle)

    return InTurns()
