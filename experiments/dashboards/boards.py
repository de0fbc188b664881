"""The dashboards by the modules whose runs they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from experiments.dashboards import Module
from experiments.dashboards.sections import SECTIONS, DashboardSection
from experiments.dashboards.speech_sections import SPEECH_SECTIONS


@dataclass(frozen=True)
class Dashboard:
    """A dashboard.

    Attributes:
        title: of workspace and report.
        sections: top to bottom, also the order of a review.
        counted: what the axis counts.
    """

    title: str
    sections: tuple[DashboardSection, ...]
    counted: str


DASHBOARDS: Final[dict[Module, Dashboard]] = {
    "portrait_gan": Dashboard("inkspeak: portrait GAN", SECTIONS, "photos"),
    "audio_to_landmark": Dashboard("inkspeak: speech to landmarks", SPEECH_SECTIONS, "windows of speech"),
}
"""All of them."""
