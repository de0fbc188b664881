"""The dashboards as code: what stands on them, how W&B and the terminal show them, and how evaluations get there."""

from typing import Literal

Module = Literal["portrait_gan", "audio_to_landmark"]
"""The modules whose runs have a dashboard, called as their folders in experiments/configs."""
