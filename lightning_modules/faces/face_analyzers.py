"""The face analyzers by their names. ``make_face_analyzer`` is the door that everything else uses."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from lightning_modules.errors import ConfigError
from lightning_modules.faces.face import FaceAnalyzer

ANALYZERS = ("mediapipe", "starter", "mediapipe+starter", "face-alignment", "file")


def make_face_analyzer(name: str = "mediapipe", **options: Any) -> FaceAnalyzer:
    """Make an analyzer by name.

    Args:
        name: ``"mediapipe"`` (default; models inside its package), ``"starter"`` (the network of this package with
            OpenCV's cascades: also for drawings, and where mediapipe cannot be installed), ``"mediapipe+starter"``
            (the second where the first finds nothing), ``"face-alignment"`` (the detector of the paper; needs weight
            files) or ``"file"`` (landmarks given by the user, e.g. for a painting).
        options: arguments of the analyzer's class.

    Raises:
        ConfigError: no analyzer has this name, or it does not take these options.
        BackendError: its package or its weights are missing.
    """
    maker: Callable[..., Any]
    if name == "mediapipe":
        from lightning_modules.faces.mediapipe_analyzer import MediaPipeAnalyzer

        maker = MediaPipeAnalyzer
    elif name == "starter":
        from lightning_modules.faces.starter_analyzer import StarterAnalyzer

        maker = StarterAnalyzer
    elif name == "mediapipe+starter":
        from lightning_modules.faces.combined_analyzer import MediaPipeThenStarter

        maker = MediaPipeThenStarter
    elif name == "face-alignment":
        from lightning_modules.faces.face_alignment_analyzer import FaceAlignmentAnalyzer

        maker = FaceAlignmentAnalyzer
    elif name == "file":
        from lightning_modules.faces.file_analyzer import FileAnalyzer

        maker = FileAnalyzer
    else:
        raise ConfigError(f"there is no face analyzer named {name!r}", f"choose one of {', '.join(ANALYZERS)}")
    accepted = inspect.signature(maker).parameters
    required = {key for key, value in accepted.items() if value.default is value.empty}
    if set(options) - set(accepted) or required - set(options):
        raise ConfigError(
            f"the face analyzer {name!r} does not take the options {', '.join(sorted(options)) or '(none)'}",
            f"its options are: {', '.join(accepted) or 'none'}",
        )
    return maker(**options)
