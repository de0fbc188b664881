"""The columns of the tables: what is measured, in which unit, which way is better, and what the paper prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from experiments.evaluation import method_names as names

if TYPE_CHECKING:
    from lightning_modules.metrics.feature_networks import FeatureNetwork

Better = Literal["lower", "higher", "none"]


@dataclass(frozen=True)
class MetricColumn:
    """One metric.

    Attributes:
        name: key of its figures.
        title: in tables.
        unit: of its figures; may be empty.
        better: which way is better; ``"none"`` where the figure only has to be read beside another.
        digits: after the point.
        paper: what the paper's Table 1 prints for a method.
    """

    name: str
    title: str
    unit: str = ""
    better: Better = "none"
    digits: int = 2
    paper: dict[str, float] = field(default_factory=dict)

    def as_plain(self) -> dict[str, Any]:
        """For ``summary.json``."""
        return {key: value for key, value in asdict(self).items() if key != "digits"}


PAPER_SSIM: Final = {names.OURS: 0.974}
"""Inter-frame SSIM in the paper's Table 1, as far as it is known to us."""

PAPER_LMD: Final = {names.OURS: 2.64, names.UPD_WARP: 2.64, names.MAKEITTALK_UPD: 2.64}
"""LMD there: the same for the three methods that share landmarks."""

MOTION: Final = (
    MetricColumn("ssim", "inter-frame SSIM", "", "higher", 4, PAPER_SSIM),
    MetricColumn("ssim_compensated", "motion-compensated SSIM", "", "higher", 4),
    MetricColumn("motion", "motion", "px/frame", "none", 3),
    MetricColumn("warping_error", "warping error", "×1000", "lower", 2),
    MetricColumn("line_flicker", "line flicker", "%", "lower", 2),
)
FACE: Final = (
    MetricColumn("lmd", "LMD", "px", "lower", 2, PAPER_LMD),
    MetricColumn("lmd_eye", "LMD", "% of eye distance", "lower", 2),
    MetricColumn("nme", "landmark NME", "% of eye distance", "lower", 2),
    MetricColumn("landmark_motion", "motion of found landmarks", "px/frame", "none", 3),
    MetricColumn("faces_found", "frames with a face found", "%", "higher", 1),
    MetricColumn("silent_mouth", "closed mouth in silence", "%", "higher", 1),
)
CSIM: Final = MetricColumn("csim", "CSIM", "", "higher", 3)
SYNC: Final = (
    MetricColumn("lse_c", "LSE-C", "", "higher", 2),
    MetricColumn("lse_d", "LSE-D", "", "lower", 2),
)


def distance_columns(network: FeatureNetwork) -> tuple[MetricColumn, MetricColumn]:
    """FID and KID; by other names where the features are not Inception's."""
    if network.frechet_name.endswith("/fid"):
        return MetricColumn("fid", "FID", "", "lower", 1), MetricColumn("kid", "KID", "×1000", "lower", 2)
    return (
        MetricColumn("stand_in_frechet", "Fréchet distance of stand-in features (no FID)", "", "lower", 3),
        MetricColumn("stand_in_kernel", "kernel distance of stand-in features (no KID)", "×1000", "lower", 2),
    )


def metric_columns(network: FeatureNetwork, *, csim: bool, sync: bool) -> list[MetricColumn]:
    """All columns of an evaluation, the paper's three first.

    Args:
        network: whose features the distances are made of.
        csim: whether faces are compared.
        sync: whether sound and lips are.
    """
    frechet, kernel = distance_columns(network)
    ssim, *motion = MOTION
    lmd, *face = FACE
    return [frechet, ssim, lmd, kernel, *motion, *face, *([CSIM] if csim else []), *(SYNC if sync else ())]


def paper_columns(columns: Sequence[MetricColumn]) -> list[MetricColumn]:
    """The three of the paper's Table 1: distance to drawings, inter-frame SSIM, LMD."""
    return list(columns[:3])
