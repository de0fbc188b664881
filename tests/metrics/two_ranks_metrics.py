"""Feeds all metrics as one of two gloo ranks and writes what they compute; run by test_metrics_on_two_ranks.py.

Arguments: rank, number of ranks, file for the rendezvous, file for the result, data file. Ranks get uneven shares: rank
0 one third, rank 1 the rest; the last two metrics are fed on rank 1 only.
"""

from __future__ import annotations

import json
import sys

import torch

from lightning_modules.metrics.bootstrap import ClipMean
from lightning_modules.metrics.detector_noise import DetectorNoise
from lightning_modules.metrics.discriminator_judgement import DiscriminatorJudgement
from lightning_modules.metrics.face_similarity import FaceSimilarity
from lightning_modules.metrics.frame_flow import landmark_flow
from lightning_modules.metrics.frechet_distance import FrechetDistance
from lightning_modules.metrics.inter_frame_ssim import InterFrameSSIM
from lightning_modules.metrics.kernel_distance import KernelDistance
from lightning_modules.metrics.landmark_error import LandmarkError
from lightning_modules.metrics.line_flicker import LineFlickerPercent
from lightning_modules.metrics.lip_landmark_distance import LipLandmarkDistance
from lightning_modules.metrics.lip_sync import LipSync, LipSyncError
from lightning_modules.metrics.motion_compensated_ssim import MotionCompensatedSSIM
from lightning_modules.metrics.silent_mouth import SilentMouth
from lightning_modules.metrics.warping_error import WarpingError


def share(values: torch.Tensor, rank: int, ranks: int) -> torch.Tensor:
    if ranks == 1:
        return values
    cut = len(values) // 3
    return values[:cut] if rank == 0 else values[cut:]


def measured(data: dict[str, torch.Tensor], rank: int, ranks: int) -> dict[str, object]:
    metrics = {
        "frechet": FrechetDistance(4),
        "kernel": KernelDistance(4),
        "similarity": InterFrameSSIM((0.0, 1.0)),
        "judgement": DiscriminatorJudgement(),
        "lips": LipLandmarkDistance(),
        "landmarks": LandmarkError(),
        "one_sided_kernel": KernelDistance(4),
    }
    mine = {name: share(value, rank, ranks) for name, value in data.items()}
    for real in (True, False):
        for name in ("frechet", "kernel"):
            metrics[name].update(mine["real" if real else "made"], real=real)
        metrics["judgement"].update(mine["real" if real else "made"], real=real)
    metrics["similarity"].update(mine["clips"], mine["tracks"])
    if rank == ranks - 1:  # a rank may get nothing at all
        metrics["lips"].update(data["tracks"], data["tracks_found"])
        metrics["landmarks"].update(data["tracks"], data["tracks_found"])
        metrics["one_sided_kernel"].update(data["real"], real=True)
        metrics["one_sided_kernel"].update(data["made"], real=False)
    found = {}
    for name, metric in metrics.items():
        value = metric.compute()
        values = value if isinstance(value, dict) else {"value": value}
        found[name] = {key: float(number) for key, number in values.items()}
    return found | measured_on_clips(data, rank, ranks)


def measured_on_clips(data: dict[str, torch.Tensor], rank: int, ranks: int) -> dict[str, object]:
    """Metrics that are fed clip by clip; the last rank measures one clip more, and clip 0 is measured by all."""
    numbers = range(len(data["clips"]))
    mine = list(numbers) if ranks == 1 else [0, *share(torch.arange(1, len(numbers)), rank, ranks).tolist()]
    clip_mean = ClipMean(len(numbers), draws=200)
    metrics = {
        "compensated": MotionCompensatedSSIM(),
        "warping": WarpingError(),
        "flicker": LineFlickerPercent(),
        "silent": SilentMouth(),
        "noise": DetectorNoise(),
        "likeness": FaceSimilarity(),
        "sync": LipSyncError(),
    }
    for number in mine:
        frames, track, found = (data[name][number] for name in ("clips", "tracks", "tracks_found"))
        clip_mean.update(number, frames.mean())
        if number == 0 and rank < ranks - 1:
            continue  # sums know nothing of clips that come twice
        flow = landmark_flow(track[:1] + (found - track) * 0.05, frames.shape[-1])
        for name in ("compensated", "warping"):
            metrics[name].update(frames, flow)
        metrics["flicker"].update(data["dots"][number], flow)
        metrics["silent"].update(data["mouths"][number], torch.ones(len(track), dtype=torch.bool))
        metrics["noise"].update(track, found[None])
        metrics["likeness"].update(frames.flatten(1).mean(1))
        metrics["sync"].update(LipSync(float(frames.mean()), float(frames.std()), 0))
    found = {"mean": {key: float(number) for key, number in clip_mean.compute().items()}}
    for name, metric in metrics.items():
        value = metric.compute()
        values = value if isinstance(value, dict) else {"value": value}
        found[name] = {key: float(number) for key, number in values.items()}
    return found


def main() -> None:
    torch.set_num_threads(1)
    rank, ranks = int(sys.argv[1]), int(sys.argv[2])
    if ranks > 1:
        torch.distributed.init_process_group("gloo", init_method=f"file://{sys.argv[3]}", rank=rank, world_size=ranks)
    data = torch.load(sys.argv[5], weights_only=True)
    found = measured(data, rank, ranks)
    with open(f"{sys.argv[4]}.{rank}", "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(found, file)
    if ranks > 1:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
