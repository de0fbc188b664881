"""The paper's generator, frame by frame as the published animation works, against the same networks in our order.

Both sides have the networks of the published shapes with random weights (what they draw does not matter for time), the
same photo and the same poses at 256 pixels. The published order (reference stage2 §8, §11.1) does for **every** frame:
matting, the static drawing at 512 pixels, heat maps landmark by landmark, ``griddata``, flow map A, and the whole
generator at batch 1. Not counted on its side: reading and writing nine PNG files a frame, and the start of a second
Python. Ours keeps what depends on the photo, and works in batches.
"""

from __future__ import annotations

from typing import Any

from experiments.benchmarks.timing import time_repeatedly

_SIZE = 256
_STATIC_SIZE = 512


def run(*, quick: bool) -> dict[str, Any]:
    """Seconds a frame of both orders, in turns in one run.

    Args:
        quick: one frame and one repeat.

    Returns:
        ``seconds_per_frame`` of ``published`` and ``ours`` with quartiles, ``ratio`` of the medians.
    """
    import torch

    frames, repeats = (1, 1) if quick else (4, 3)
    published, ours = _both(frames)
    with torch.inference_mode():
        slow = time_repeatedly(published, repeats=repeats)
        fast = time_repeatedly(ours, repeats=repeats)
    seconds = {
        name: {key: value if key == "repeats" else value / frames for key, value in figures.items()}
        for name, figures in (("published", slow), ("ours", fast))
    }
    ratio = seconds["published"]["median"] / seconds["ours"]["median"]
    return {"frames": frames, "seconds_per_frame": seconds, "ratio": ratio}


def _both(frames: int) -> tuple[Any, Any]:
    """Two functions without arguments that render so many frames."""
    import tempfile
    from pathlib import Path

    import numpy as np
    import torch
    from torch.nn import functional

    from experiments.benchmarks.published_order import disc_image, griddata_map, heat_maps
    from experiments.demo import DEMO_PHOTO, DEMO_SPEECH
    from lightning_modules.geometry.sampling import sample
    from lightning_modules.networks.flow_unet import FlowUNet
    from lightning_modules.networks.frozen.modnet import MODNet
    from lightning_modules.networks.landmark_flow import LandmarkFlow
    from lightning_modules.networks.portrait_generator import paper_generator
    from lightning_modules.networks.static_drawing_generator import StaticDrawingGenerator
    from lightning_modules.pipeline.animate import Session
    from lightning_modules.pipeline.animation_job import AnimationJob, SilentProgress
    from lightning_modules.pipeline.gan_renderer import GanRenderer
    from lightning_modules.portrait_gan_inputs import Blending, blend, painted_white

    with tempfile.TemporaryDirectory() as folder:
        job = AnimationJob(DEMO_PHOTO, DEMO_SPEECH, Path(folder) / "demo.mp4", size=_SIZE, renderer="warp")
        session = Session.open(job, SilentProgress())
    portrait = session.portrait
    poses = torch.from_numpy(np.ascontiguousarray(session.track.landmarks[:frames]))
    generator, flow_network = paper_generator().eval(), FlowUNet().eval()
    flow = LandmarkFlow().eval()
    matting, drawer = MODNet(), StaticDrawingGenerator().eval()
    style = torch.tensor([[0.0, 1.0, 0.0]])
    photo = portrait.photo * 2.0 - 1.0
    rest = portrait.landmarks[:, :2].numpy()

    def published() -> None:
        for pose in poses[..., :2].numpy():
            matte = (matting(photo) > 0.5).float()
            large = functional.interpolate(photo, size=_STATIC_SIZE, mode="bilinear", align_corners=False)
            static = functional.interpolate(drawer(large, style), size=_SIZE, mode="bilinear", align_corners=False)
            maps = np.concatenate([heat_maps(rest, _SIZE), heat_maps(pose, _SIZE)])
            flow_network(torch.from_numpy(maps)[None])
            grid = torch.from_numpy(griddata_map(rest, pose, _SIZE))[None]
            moved, validity = torch.zeros(1, 2, _SIZE, _SIZE), torch.ones(1, 1, _SIZE, _SIZE)
            drawn = generator(
                painted_white(photo, matte), disc_image(rest, _SIZE), disc_image(pose, _SIZE), grid, moved, validity
            )
            blend(drawn, Blending(sample(matte, (grid + 1.0) * ((_SIZE - 1) / 2)), static))

    renderer = GanRenderer(generator, flow)

    def ours() -> None:
        renderer.render(portrait, poses)

    return published, ours
