"""What one animation is made from, what it reports back, and how it tells its progress. Plain values, no heavy import.

The command line, the web page and notebooks all build an :class:`AnimationJob` and hand it to
``lightning_modules.pipeline.animate.animate_photo``. The job checks its own ranges, so a wrong value is refused before
anything is loaded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from lightning_modules.errors import ConfigError
from lightning_modules.faces.matte_choice import DEFAULT_MATTE, check_matte_weights
from lightning_modules.weights.weight_sets import is_set_folder

Look = Literal["pencil", "ink", "cartoon"]
RendererName = Literal["auto", "warp", "gan"]
MatteSource = Literal["selfie", "none", "modnet", "modnet-256"]
LandmarkSource = Literal["mediapipe", "starter", "mediapipe+starter", "face-alignment", "file"]
DeviceChoice = Literal["auto", "cpu", "cuda"]
DriverName = Literal["auto", "trained", "envelope"]
DriverPreset = Literal["default", "paper"]
OrderOfWork = Literal["official"]


def _require(holds: object, found: str, remedy: str) -> None:
    if not holds:
        raise ConfigError(found, remedy)


def _lies_in_a_set(weights: Path) -> bool:
    return any(map(is_set_folder, (weights, weights.parent)))


def _is_face_choice(value: object) -> bool:
    """Callers that read YAML may bring anything."""
    return value == "largest" or (isinstance(value, int) and value >= 1)


@dataclass(frozen=True)
class MotionGains:
    """How strongly each part of the face moves; 1 is natural, 0 holds it still.

    Attributes:
        jaw: how far the mouth opens with the voice, in [0, 3].
        lips: how far the lips spread and round, in [0, 3].
        head: how far the head sways and nods, in [0, 3].
        brows: how far the brows move, in [0, 3].
        blink_rate: blinks per minute, in [0, 60]; 0 keeps the eyes open.

    Raises:
        ConfigError: a value is out of its range or not a number.
    """

    jaw: float = 1.0
    lips: float = 1.0
    head: float = 1.0
    brows: float = 1.0
    blink_rate: float = 15.0

    def __post_init__(self) -> None:
        for name in ("jaw", "lips", "head", "brows"):
            value = getattr(self, name)
            _require(0.0 <= value <= 3.0, f"the motion gain '{name}' is {value}", "choose a value from 0 to 3")
        _require(
            0.0 <= self.blink_rate <= 60.0,
            f"the blink rate is {self.blink_rate} per minute",
            "choose a value from 0 to 60",
        )


@dataclass(frozen=True)
class AnimationJob:
    """One talking drawing to make: the inputs, the output and every choice that changes the result.

    Attributes:
        photo: photo of a face; with ``photo_is_clip`` a video clip whose first frame is the photo.
        speech: any file with a sound track (a sound file or a video clip; may be the clip given as ``photo``).
        output: the MP4 to write; its folder exists and is writable.
        photo_is_clip: read the first frame of ``photo`` as the photo.
        size: side of the square drawing in pixels, a multiple of 8 from 128 to 2048.
        fps: frames per second of the output, from 1 to 120.
        look: the drawing's look, a name of ``drawing.drawer.make_drawer``.
        drawer_weights: a network that draws the photo instead of the look; not with ``paste_back``.
        renderer: who draws the moving frames: ``"gan"``, a trained generator; ``"warp"``, the landmark warp of the
            static drawing; ``"auto"``: a generator, if one is given or the starter suits the look, else the warp.
        weights: a generator of one's own in place of the starter, not with ``renderer="warp"``; or the folder of an
            imported set of weights, or a generator in it: then the set's networks make the static drawing, the matte
            and the motion too, as far as it has them.
        compat: ``"official"``: the published order of work around the networks of a set, flaws included; 256 pixels.
        flow_weights: the flow regression that the generator was trained with, if it was; with ``weights`` only.
        landmarks: who finds the face and its 68 landmarks.
        landmarks_file: the landmarks themselves, with ``landmarks="file"`` and only then.
        matte_weights: file of the matting network, with ``matte="modnet"`` or ``"modnet-256"`` and only then.
        matte: who separates the person from the background; None: the network of the set, or else ``"selfie"``.
        face: which face, ``"largest"`` or its number counted from the left, starting at 1.
        paste_back: put the moving square back into the whole photo instead of showing the square alone.
        frames: also write every frame as a PNG into this folder.
        side_by_side: show photo and drawing next to each other.
        contact_sheet: also write a sheet of evenly spaced frames as an image here.
        seed: seed of blinks and sway; same inputs and seed give the same frames.
        gains: how strongly each part of the face moves.
        driver: who moves the landmarks with the speech; ``"auto"`` takes the trained model where there is one.
        driver_weights: a trained model of one's own, else the one that comes with the package.
        driver_preset: of the trained model: ``"default"``, or ``"paper"`` for the published order of work.
        cache: folder for prepared portraits; ``None`` prepares anew and keeps nothing.
        device: ``"auto"`` takes a GPU when torch sees one.
        batch: frames rendered together, from 1 to 256; ``None`` takes what suits the device (few on a CPU, whose caches
            are small).

    Raises:
        ConfigError: a value is out of range, or ``landmarks`` and ``landmarks_file``, ``matte`` and ``matte_weights``,
            ``renderer`` and ``weights``, or ``drawer_weights`` and ``paste_back`` contradict each other, or ``compat``
            is given with what the published system cannot do.
    """

    photo: Path
    speech: Path
    output: Path
    photo_is_clip: bool = False
    size: int = 256
    fps: float = 25.0
    look: Look = "ink"
    drawer_weights: Path | None = None
    renderer: RendererName = "auto"
    weights: Path | None = None
    compat: OrderOfWork | None = None
    flow_weights: Path | None = None
    landmarks: LandmarkSource = "mediapipe"
    landmarks_file: Path | None = None
    matte: MatteSource | None = None
    matte_weights: Path | None = None
    face: Literal["largest"] | int = "largest"
    paste_back: bool = False
    frames: Path | None = None
    side_by_side: bool = False
    contact_sheet: Path | None = None
    seed: int = 0
    gains: MotionGains = field(default_factory=MotionGains)
    driver: DriverName = "auto"
    driver_weights: Path | None = None
    driver_preset: DriverPreset = "default"
    cache: Path | None = None
    device: DeviceChoice = "auto"
    batch: int | None = None

    def __post_init__(self) -> None:
        _require(
            128 <= self.size <= 2048 and self.size % 8 == 0,
            f"the size is {self.size} pixels",
            "choose a multiple of 8 from 128 to 2048, for example 256 or 512",
        )
        _require(
            math.isfinite(self.fps) and 1.0 <= self.fps <= 120.0,
            f"the frame rate is {self.fps} frames per second",
            "choose a value from 1 to 120, for example 25",
        )
        _require(
            _is_face_choice(self.face),
            f"the face is '{self.face}'",
            "choose 'largest' or a number from 1, counted from the left",
        )
        _require(
            self.batch is None or 1 <= self.batch <= 256,
            f"the batch is {self.batch} frames",
            "choose a value from 1 to 256",
        )
        _require(self.seed >= 0, f"the seed is {self.seed}", "choose 0 or a positive whole number")
        if self.renderer == "warp":
            _require(
                (self.weights is None or _lies_in_a_set(self.weights)) and self.flow_weights is None,
                "weights are given, but the renderer 'warp' reads none",
                "leave --renderer warp out, or the weights",
            )
        _require(
            self.flow_weights is None or self.weights is not None,
            "a flow regression is given without the generator that was trained with it",
            "name the generator with --weights FILE, or leave --flow-weights out",
        )
        _require(
            self.drawer_weights is None or not self.paste_back,
            "a network draws the face's square, and the whole photo is asked for",
            "leave out --paste-back, or --drawer-weights",
        )
        check_matte_weights(self.matte or DEFAULT_MATTE, self.matte_weights)
        if self.compat is not None:
            _require(
                self.renderer != "warp" and self.size == 256 and not self.paste_back,
                "the published order of work draws squares of 256 pixels with a generator, and nothing else",
                "leave out --size, --renderer and --paste-back, or --compat",
            )
        if self.landmarks == "file":
            _require(
                self.landmarks_file is not None,
                "landmarks are to come from a file, but no file is given",
                "name it with --landmarks-file",
            )
        else:
            _require(
                self.landmarks_file is None,
                f"a landmarks file is given, but landmarks come from '{self.landmarks}'",
                "add --landmarks file, or leave the file out",
            )


@dataclass(frozen=True)
class AnimationReport:
    """What was made.

    Attributes:
        output: the MP4 that was written.
        frames: number of frames in it.
        fps: frames per second.
        duration: length of the sound in seconds.
        seconds: wall time in seconds per stage, in order, e.g. ``{"face": 0.4, "drawing": 1.2, "frames": 3.1}``.
        written: every file or folder written, the MP4 first.
        notes: what the user should know (what was reduced, which of several faces was taken, ...), a sentence each.
    """

    output: Path
    frames: int
    fps: float
    duration: float
    seconds: dict[str, float] = field(default_factory=dict)
    written: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


class Progress(Protocol):
    """Listener to a long piece of work; one stage runs at a time."""

    def start(self, stage: str, total: int | None = None) -> None:
        """Begin a stage of ``total`` steps (``None`` when unknown); the stage before it counts as done."""

    def advance(self, steps: int = 1) -> None:
        """Count ``steps`` more steps of the current stage."""

    def note(self, message: str) -> None:
        """Tell the user one sentence without disturbing the bar."""

    def close(self) -> None:
        """End the current stage, finished or not."""


class SilentProgress:
    """A :class:`Progress` that says nothing: for tests, notebooks and ``--quiet``."""

    def start(self, stage: str, total: int | None = None) -> None:
        """Ignore the stage."""

    def advance(self, steps: int = 1) -> None:
        """Ignore the steps."""

    def note(self, message: str) -> None:
        """Ignore the sentence."""

    def close(self) -> None:
        """Nothing is open."""
