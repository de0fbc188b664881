"""What an evaluation is made with: every choice that changes a figure, checked before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from lightning_modules.errors import ConfigError
from lightning_modules.pipeline.animation_job import (
    AnimationJob,
    DeviceChoice,
    DriverName,
    LandmarkSource,
    Look,
    MatteSource,
)

EDITION: Final = 1
"""Raised whenever the same clip and method would give another figure, so that older results are not mixed in."""

SYNC_RATE: Final = 25.0
"""Frames per second that SyncNet knows."""

DrawnLandmarks = Literal["mediapipe", "starter", "mediapipe+starter"]
"""Who finds the landmarks on drawings."""

FaceScaling = Literal["symmetric", "bytes"]
"""What the pixels that a face recognition network reads are."""


FaceWeights = Path | Literal["dlib"]


def face_weights_named(word: str | None) -> FaceWeights | None:
    """What the user names as the network of CSIM: ``"dlib"``, or the path of a file."""
    if word == "dlib":
        return "dlib"
    return None if word is None else Path(word).expanduser()


@dataclass(frozen=True)
class EvaluationSettings:
    """All methods are shown the same frames, at the same rate and size.

    Attributes:
        fps: frames per second of every video.
        size: side of the square drawings, pixels.
        frames: at most so many frames of each clip, from its beginning; None for all.
        look: the drawer's look.
        drawer_weights: a network that draws instead of the look.
        weights: the generator of ``ours``, or a set of imported weights; None: what renders is the default renderer.
        flow_weights: the flow regression that the generator was trained with.
        translation_weights: the image translation network of ``makeittalk_upd``.
        driver: who moves the landmarks in all methods that are driven by the sound.
        driver_weights: a speech-to-landmark model of one's own.
        landmarks: who finds the face in the clips.
        drawn_landmarks: who finds it in the drawings.
        matte: who separates the person from the background; None: the network of the set, or else the default.
        seed: of blinks, sway and the draws of the intervals.
        inception: weights of the FID; None takes a stand-in whose distances bear another name.
        drawings: folder of real drawings with which the distances compare; None: the clips drawn frame by frame.
        distance_frames: frames of each clip whose features the distances are made of, evenly spaced.
        face_weights: the network of CSIM, a file or ``"dlib"``; None leaves it out.
        face_scaling: of its input: ``"symmetric"`` (ArcFace) or ``"bytes"`` (SFace).
        sync_weights: the network of LSE-C and LSE-D; None leaves them out.
        device: where to compute.
        batch: frames rendered together; None takes what suits the device.

    Raises:
        ConfigError: a value is out of its range.
    """

    fps: float = 25.0
    size: int = 256
    frames: int | None = None
    look: Look = AnimationJob.look
    drawer_weights: Path | None = None
    weights: Path | None = None
    flow_weights: Path | None = None
    translation_weights: Path | None = None
    driver: DriverName = "auto"
    driver_weights: Path | None = None
    landmarks: LandmarkSource = "mediapipe"
    drawn_landmarks: DrawnLandmarks = "mediapipe+starter"
    matte: MatteSource | None = None
    seed: int = 0
    inception: Path | None = None
    drawings: Path | None = None
    distance_frames: int = 16
    face_weights: FaceWeights | None = None
    face_scaling: FaceScaling = "symmetric"
    sync_weights: Path | None = None
    device: DeviceChoice = "auto"
    batch: int | None = None

    def __post_init__(self) -> None:
        if self.frames is not None and self.frames < 2:
            raise ConfigError(f"{self.frames} frames of each clip", "give 2 or more: neighbours are compared")
        if self.distance_frames < 1:
            raise ConfigError(f"{self.distance_frames} frames of each clip for the distances", "give 1 or more")
        if self.landmarks == "file":
            raise ConfigError("landmarks from a file belong to one picture, not to clips", "choose mediapipe")
        if self.sync_weights is not None and self.fps != SYNC_RATE:
            found = f"SyncNet sees {SYNC_RATE:g} frames a second, and {self.fps:g} are asked for"
            raise ConfigError(found, "leave out --fps, or --sync-weights")
        if self.flow_weights is not None and self.weights is None:
            raise ConfigError("a flow regression is given without a generator", "add --weights FILE, or leave it out")
        self.job(Path("clip.mp4"))  # checks the ranges that it shares with an animation

    def job(self, clip: Path) -> AnimationJob:
        """The animation of a clip's first frame with its sound; its output is never written by the job itself."""
        return AnimationJob(
            photo=clip,
            speech=clip,
            output=clip.with_suffix(".mp4"),
            photo_is_clip=True,
            size=self.size,
            fps=self.fps,
            look=self.look,
            drawer_weights=self.drawer_weights,
            weights=self.weights,
            flow_weights=self.flow_weights,
            landmarks=self.landmarks,
            matte=self.matte,
            seed=self.seed,
            driver=self.driver,
            driver_weights=self.driver_weights,
            device=self.device,
            batch=self.batch,
        )

    def without_generator(self) -> EvaluationSettings:
        """The same, drawn by the default renderer."""
        return replace(self, weights=None, flow_weights=None)

    def marks(self) -> dict[str, Any]:
        """All of it as plain values, files by the sha256 of their content: equal marks, equal figures.

        Raises:
            WeightsError: a file is missing.
        """
        from lightning_modules.weights.checkpoint_file import weights_mark
        from lightning_modules.weights.weight_sets import is_set_folder

        marks: dict[str, Any] = {"edition": EDITION}
        for name, value in vars(self).items():
            if name in {"device", "batch"} or (name == "face_scaling" and self.face_weights is None):
                continue
            if not isinstance(value, Path):
                marks[name] = value
            elif value.is_dir() and is_set_folder(value):
                marks[name] = {file.name: weights_mark(file) for file in sorted(value.iterdir()) if file.is_file()}
            elif name == "drawings":
                marks[name] = str(value)
            else:
                marks[name] = weights_mark(value)
        return marks
