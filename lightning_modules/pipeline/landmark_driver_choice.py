"""Who moves the landmarks: the trained model or the envelope, chosen and announced by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from lightning_modules.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lightning_modules.audio.loading import Speech
    from lightning_modules.audio.speaker_embedding import Manner
    from lightning_modules.audio.track import LandmarkTrack
    from lightning_modules.export.landmark_model_file import LandmarkModel
    from lightning_modules.pipeline.animation_job import DriverName, DriverPreset, MotionGains
    from lightning_modules.pipeline.published_speech import PublishedSpeech

STARTER: Final = Path(__file__).resolve().parents[1] / "weights" / "starter" / "speech_to_landmarks.safetensors"
"""The model that comes with the package."""


class Driver(Protocol):
    """Moves a face with a recording."""

    name: str

    def drive(self, speech: Speech, face: NDArray[np.floating], fps: float) -> LandmarkTrack:
        """``round(duration · fps)`` frames of the face (68, 3), in its unit."""
        ...


def chosen_driver(name: DriverName, weights: Path | None) -> tuple[DriverName, Path | None]:
    """Settle who drives, and by which file.

    Args:
        name: ``"auto"``: the trained model where one is named or comes with the package, else the envelope.
        weights: a model of the user's own.

    Returns:
        ``("trained", file)`` or ``("envelope", None)``.

    Raises:
        ConfigError: a model is asked for and there is none, or one is given and not asked for.
    """
    if name == "envelope":
        if weights is not None:
            found = "a speech-to-landmark model is given, and the envelope driver reads none"
            raise ConfigError(found, "leave the file out, or use --driver trained")
        return "envelope", None
    file = weights or (STARTER if STARTER.is_file() else None)
    if file is None and name == "trained":
        found = "no speech-to-landmark model comes with this installation"
        raise ConfigError(found, "name the file of one (inkspeak weights export makes it), or use --driver envelope")
    return ("envelope", None) if file is None else ("trained", file)


def make_driver(
    model: LandmarkModel | None,
    *,
    preset: DriverPreset = "default",
    seed: int = 0,
    gains: MotionGains | None = None,
    speech: PublishedSpeech | None = None,
) -> Driver:
    """Make a driver.

    Args:
        model: the trained model; None for the envelope driver.
        preset: ``"default"``, or ``"paper"`` for the published order of work, of the trained model only.
        seed: of sway, nods and blinks.
        gains: how strongly each part moves; ``jaw`` is the mouth's height, ``lips`` its width.
        speech: the published networks, instead of a model.

    Raises:
        ConfigError: the preset is one of the trained model, and there is none.
    """
    from dataclasses import asdict

    from lightning_modules.pipeline.animation_job import MotionGains

    chosen: dict[str, Any] = asdict(gains or MotionGains())
    model = model if speech is None else speech.model
    if model is None:
        if preset != "default":
            raise ConfigError(f"the envelope driver has no preset '{preset}'", "use --driver trained, or leave it out")
        from lightning_modules.audio.envelope_driver import EnvelopeDriver

        return EnvelopeDriver(seed, **chosen)
    from lightning_modules.pipeline.landmark_driver import DriverGains, LandmarkDriver
    from lightning_modules.pipeline.landmark_driver_published import PublishedLandmarkDriver

    strengths = DriverGains(mouth_y=chosen.pop("jaw"), mouth_x=chosen.pop("lips"), **chosen)
    content = None if speech is None else speech.content
    if preset == "paper":
        embedding: Manner = "published" if speech is None else speech.embedding
        return PublishedLandmarkDriver(model, seed, strengths, content, embedding)
    return LandmarkDriver(model, seed, strengths, content)


def driver_note(file: Path | None, preset: DriverPreset) -> str:
    """Say who drives, in one clause for the user.

    Args:
        file: of the trained model; None for the envelope.
        preset: of the trained model.
    """
    if file is None:
        return "driver: envelope (the loudness of the voice; no trained model is used)"
    return f"driver: trained ({'starter model' if file == STARTER else file.name}, preset {preset})"


def driver_notes(driver: Driver) -> tuple[str, ...]:
    """What a driver has to say about the last recording."""
    notes: tuple[str, ...] = getattr(driver, "notes", ())
    return notes
