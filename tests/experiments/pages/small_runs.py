"""Small runs as Lightning's CSV logger and the callbacks leave them, with figures by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from small_evaluation import write_film

NASTY_RUN = "<img src=x onerror=alert(1)>"

METRICS = """\
epoch,raw/content,ablated/identity,loss/generator,seen/photos,step,throughput/images_per_second,validation/error
0,4.0,2.0,8.0,16.0,0,,
0,2.0,1.0,4.0,32.0,1,20.0,
0,,,,,1,,0.5
1,1.0,0.5,2.0,48.0,2,22.0,
1,0.5,0.25,nan,64.0,3,24.0,
1,,,,,4,,0.25
"""
CONFIG = """seed_everything: 0
trainer:
  max_epochs: 2
  callbacks:
  - class_path: callbacks.ema.ExponentialMovingAverage
    init_args: {decay: 0.999}
  - class_path: callbacks.rng_state.RandomState
model:
  class_path: lightning_modules.portrait_gan.PortraitGAN
  init_args:
    objective: {identity: %s, content: 10.0}
    widths: [16, 32]
"""


def write_run(folder: Path, *, scale: float = 1.0, identity: float = 0.0, media: bool = True) -> Path:
    """A run of five steps and two validations; all figures of the first column times ``scale``."""
    (folder / "previews").mkdir(parents=True)
    lines = METRICS.splitlines()
    for place, line in enumerate(lines[1:], 1):
        cells = line.split(",")
        cells[-1] = str(float(cells[-1]) * scale) if cells[-1] else ""
        lines[place] = ",".join(cells)
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    (folder / "config.yaml").write_text(CONFIG % identity)
    if media:
        for seen in (16, 32, 64):
            picture = np.full((24, 48), 255 - seen, np.uint8)
            Image.fromarray(picture).save(folder / f"previews/photos_{seen:09d}.png")
        write_film(folder / "previews/photos_000000064.mp4", 10)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints/sketch.png").write_bytes(b"not a preview")
    return folder
