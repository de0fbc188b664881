"""What stands on the dashboard of the portrait GAN, in which order, and what to look for; plain data, no W&B.

W&B's workspace, its report, the notebook about the dashboard and the list on the terminal are all made from this. Names
are those that runs really log (a test compares); the axis of everything is ``seen/samples``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from callbacks.preview_utterances import UTTERANCES
from lightning_modules.losses.objective import Objective

AXIS: Final = "seen/samples"
TERMS: Final = tuple(Objective().weights)
"""Terms of the objective in its order: D_g and the local D's, then the paper's six."""
DISCRIMINATORS: Final = ("d_g", "d_ln", "d_le", "d_ll", "d_coh")


@dataclass(frozen=True)
class DashboardPanel:
    """One panel.

    Attributes:
        title: above it.
        names: what it shows, as logged.
        kind: lines over the axis, pictures and films, a table, or figures of the run's summary.
        better: which end is good, where one is.
        needs: what must be given for these names to be logged; empty where every run with the overlay has them.
        logarithmic: a logarithmic scale.
    """

    title: str
    names: tuple[str, ...]
    kind: Literal["lines", "media", "table", "summary"] = "lines"
    better: Literal["lower", "higher", "neither"] = "neither"
    needs: str = ""
    logarithmic: bool = False


@dataclass(frozen=True)
class DashboardSection:
    """Panels under one heading, and what to ask them in a review."""

    title: str
    question: str
    stop: str
    """When to stop or change the run."""
    panels: tuple[DashboardPanel, ...]


def each(form: str, names: tuple[str, ...] = TERMS) -> tuple[str, ...]:
    """Names of panels: the form with each of the names in place of its braces."""
    return tuple(form.format(name) for name in names)


SECTIONS: Final = (
    DashboardSection(
        "Overview",
        "Is it getting better, by figures that the objective does not contain?",
        "No figure has improved over a fifth of the planned samples.",
        (
            DashboardPanel("FID", ("drawings/fid",), better="lower", needs="Inception's weights"),
            DashboardPanel("KID", ("drawings/kid/value",), better="lower", needs="Inception's weights"),
            DashboardPanel(
                "Distance in the stand-in's features", ("drawing_feature_distance/frechet",), better="lower"
            ),
            DashboardPanel(
                "Inter-frame SSIM",
                (
                    "inter_frame_ssim/similarity",
                    "inter_frame_ssim/compensated_similarity",
                    "inter_frame_ssim/film/similarity",
                ),
                better="higher",
            ),
            DashboardPanel("Motion beside it", ("inter_frame_ssim/motion", "inter_frame_ssim/film/motion")),
            DashboardPanel("Motion asked for (pixels)", ("inter_frame_ssim/landmark_motion",)),
            DashboardPanel(
                "LMD (pixels)", ("lip_landmark_distance/pixels",), better="lower", needs="a landmark reader"
            ),
            DashboardPanel(
                "Landmark error (percent of the eye distance)",
                each("landmark_error/{}", ("all", "jaw", "brows", "nose", "eyes", "lips")),
                better="lower",
                needs="a landmark reader",
            ),
            DashboardPanel(
                "Held-out terms",
                each("validation/{}", ("content", "lip_line", "coherence_warp")),
                better="lower",
            ),
            DashboardPanel(
                "Best so far",
                ("best/drawing_feature_distance/frechet", "best/inter_frame_ssim/compensated_similarity"),
                kind="summary",
            ),
        ),
    ),
    DashboardSection(
        "Objective",
        "Does every term fall, and does one of them drown the others?",
        "A weighted term is above nine tenths of the sum, or its gradient share stays above 0.9.",
        (
            DashboardPanel("Losses", ("loss/generator", "loss/drawing", "loss/coherence")),
            DashboardPanel("Terms, raw", each("raw/{}"), better="lower", logarithmic=True),
            DashboardPanel("Terms, weighted", each("weighted/{}"), better="lower", logarithmic=True),
            DashboardPanel(
                "Ablated terms: measured, not learned from",
                each("ablated/{}"),
                needs="a term of weight 0",
                logarithmic=True,
            ),
            DashboardPanel("Share of each term in the drawing's gradient", each("gradient_share/{}")),
        ),
    ),
    DashboardSection(
        "Discriminator health",
        "Do the discriminators still see a difference without having won?",
        "Accuracy stays at 1, or the loss ratio near 0, for a tenth of the planned samples.",
        (
            DashboardPanel("Accuracy on held-out drawings", each("health/{}/accuracy", DISCRIMINATORS)),
            DashboardPanel("Share judged real, of real ones", each("health/{}/real_sign", DISCRIMINATORS)),
            DashboardPanel("Share judged real, of drawn ones", each("health/{}/fake_sign", DISCRIMINATORS)),
            DashboardPanel("Margin in training", each("health/{}/margin", DISCRIMINATORS)),
            DashboardPanel("Loss of D over loss of G", ("health/d_to_g_loss",)),
            DashboardPanel(
                "Gradient norms",
                each("gradient_norm/{}", ("generator", "drawing", "coherence")),
                logarithmic=True,
            ),
            DashboardPanel("Gradient norm over G's", each("health/gradient_ratio/{}", ("drawing", "coherence"))),
            DashboardPanel(
                "Logits of real and drawn",
                (*each("logits/{}_real", DISCRIMINATORS[:4]), *each("logits/{}_made", DISCRIMINATORS)),
            ),
            DashboardPanel("Logits of film", ("logits/d_coh_neighbours", "logits/d_coh_strangers")),
        ),
    ),
    DashboardSection(
        "Pictures",
        "Would you show them? The same portraits every time, in the same order in every run.",
        "The drawings are blank, black or all alike for three validations.",
        (
            DashboardPanel("Fixed portraits", ("preview/portraits",), kind="media"),
            DashboardPanel(
                "Talking: the same three utterances",
                each("preview/talking_{}", tuple(UTTERANCES)),
                kind="media",
            ),
            DashboardPanel(
                "Talking: a recording",
                ("preview/talking_recording",),
                kind="media",
                needs="PortraitPreview with speech",
            ),
            DashboardPanel("Flow maps, masks, change between frames", ("inner/pictures",), kind="media"),
        ),
    ),
    DashboardSection(
        "Tables",
        "Which portraits are worst, and what have they in common?",
        "More than a quarter of the rows carry a remark.",
        (
            DashboardPanel("Held-out portraits", ("table/portraits",), kind="table"),
            DashboardPanel(
                "Evaluated clips", ("evaluation/clips",), kind="table", needs="inkspeak dashboard evaluation"
            ),
        ),
    ),
    DashboardSection(
        "Throughput",
        "Does the machine do what it could?",
        "Waiting for data stays above 20 percent: give more workers before anything else.",
        (
            DashboardPanel("Photos per second", ("throughput/images_per_second",), better="higher"),
            DashboardPanel("Waiting for data (percent)", ("throughput/data_wait_percent",), better="lower"),
            DashboardPanel(
                "Milliseconds of a step",
                each("throughput/step_ms_{}", ("median", "p90", "p99")),
                better="lower",
            ),
            DashboardPanel("GPU memory (GiB)", ("throughput/gpu_memory_gib",), better="lower", needs="a GPU"),
            DashboardPanel("Updates", each("updates/{}", ("generator", "drawing", "coherence"))),
        ),
    ),
)
"""The dashboard, top to bottom: also the order in which a review looks at it."""


def all_names(sections: tuple[DashboardSection, ...] = SECTIONS, *, always: bool = False) -> dict[str, DashboardPanel]:
    """Every name on a dashboard and its panel.

    Args:
        sections: of the dashboard.
        always: only those that every run with the overlay logs.
    """
    panels = [panel for section in sections for panel in section.panels if not (always and panel.needs)]
    return {name: panel for panel in panels for name in panel.names}


def as_markdown(sections: tuple[DashboardSection, ...] = SECTIONS) -> str:
    """A dashboard as a checklist for a review: sections, questions, panels and when to stop."""
    lines = []
    for section in sections:
        lines += [f"## {section.title}", "", f"{section.question}", ""]
        for panel in section.panels:
            good = "" if panel.better == "neither" else f" ({panel.better} is better)"
            needed = f"; needs {panel.needs}" if panel.needs else ""
            lines.append(f"- {panel.title}{good}: {', '.join(f'`{name}`' for name in panel.names)}{needed}")
        lines += ["", f"Stop: {section.stop}", ""]
    return "\n".join(lines).strip() + "\n"
