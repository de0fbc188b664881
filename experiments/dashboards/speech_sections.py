"""What stands on the dashboard of stage 1, speech to landmarks; see :mod:`experiments.dashboards.sections`."""

from __future__ import annotations

from typing import Final

from experiments.dashboards.sections import DashboardPanel, DashboardSection, each
from lightning_modules.losses.landmark_objective import LandmarkObjective

TERMS: Final = tuple(LandmarkObjective().weights)
"""Terms of the objective in its order; the last one needs D_T."""
COMPARED: Final = TERMS[:-1]
"""Terms that compare with the truth: measured in validation whatever their weights are."""
_BY_DEFAULT: Final = tuple(name for name in COMPARED if LandmarkObjective().weights[name])
_OWN_WEIGHT: Final = "a weight of the term"
_JUDGE: Final = "a motion discriminator (speaker.yaml)"

SPEECH_SECTIONS: Final = (
    DashboardSection(
        "Overview",
        "Are the lips of unheard speech closer to the truth than a face that keeps still?",
        "The ratio has not fallen for a fifth of the planned epochs, or is still above 1 after half of them.",
        (
            DashboardPanel(
                "Lip error, and that of a still face (percent of the eye distance)",
                ("validation/lip_error", "validation/lip_error_still"),
                better="lower",
            ),
            DashboardPanel("Lip error over a still face's", ("validation/lip_error_ratio",), better="lower"),
            DashboardPanel(
                "Landmark error (percent of the eye distance)", ("validation/landmark_error",), better="lower"
            ),
            DashboardPanel(
                "Best so far",
                ("best/validation/lip_error", "best/validation/landmark_error"),
                kind="summary",
            ),
        ),
    ),
    DashboardSection(
        "Objective",
        "Does every term fall on held-out speech as it does in training?",
        "A held-out term rises for three validations while the same one in training falls: it learns by heart.",
        (
            DashboardPanel("Loss", ("loss/branch",), better="lower", logarithmic=True),
            DashboardPanel("Terms in training, raw", each("term/{}", _BY_DEFAULT), better="lower", logarithmic=True),
            DashboardPanel(
                "Terms that are off by default, raw",
                each("term/{}", tuple(name for name in COMPARED if name not in _BY_DEFAULT)),
                better="lower",
                needs=_OWN_WEIGHT,
                logarithmic=True,
            ),
            DashboardPanel("Held-out terms", each("validation/{}", COMPARED), better="lower", logarithmic=True),
            DashboardPanel("Gradient norm", ("gradient_norm/branch",), logarithmic=True),
        ),
    ),
    DashboardSection(
        "Motion discriminator",
        "Does D_T still tell true motion from made motion without having won?",
        "Its loss stays near 0 for three epochs: the branch learns nothing from it any more.",
        (
            DashboardPanel("Loss of D_T", ("loss/discriminator",), needs=_JUDGE),
            DashboardPanel("Logits of true and made motion", ("logits/real", "logits/made"), needs=_JUDGE),
            DashboardPanel("The branch against it", ("term/adversarial",), better="lower", needs=_JUDGE),
            DashboardPanel("Its gradient norm", ("gradient_norm/discriminator",), needs=_JUDGE, logarithmic=True),
        ),
    ),
)
"""The dashboard of ``lightning_modules.audio_to_landmark``, top to bottom."""
