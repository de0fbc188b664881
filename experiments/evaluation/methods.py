"""The methods: each makes the drawing video of a clip from its first frame and its sound, or from another's video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from experiments.evaluation import method_names as names
from experiments.evaluation.clips import Clip, file_mark
from experiments.evaluation.method_names import MethodName
from lightning_modules.errors import ConfigError, VideoError
from lightning_modules.pipeline.weight_plan import STARTER, STARTER_LOOK
from lightning_modules.weights.checkpoint_file import weights_mark
from lightning_modules.weights.registry import require_weight

if TYPE_CHECKING:
    from experiments.evaluation.clips import Pixels, Points
    from experiments.evaluation.scene import Scene
    from experiments.evaluation.settings import EvaluationSettings
    from lightning_modules.pipeline.renderer import Renderer


@dataclass(frozen=True, eq=False)
class Made:
    """A video as a method makes it.

    Attributes:
        frames: (S, S, C) each, 255 = paper, as many as the film has.
        asked: (T, 68, 2) landmarks that the frames were to show, pixels; None where the method was not told any.
        pictures: (T, S, S, 3) the frames before they were drawn, from which their motion is seen; None where ``asked``
            tells it.
    """

    frames: Iterator[Pixels]
    asked: Points | None = None
    pictures: Pixels | None = None


class Method(Protocol):
    """Makes videos.

    Attributes:
        name: in tables and of files.
        remark: one sentence for the reader of the tables; may be empty.
    """

    name: str
    remark: str

    def marks(self, clip: Clip) -> dict[str, str]:
        """What the video depends on besides clip and settings."""
        ...

    def make(self, scene: Scene) -> Made:
        """Make the video of a clip.

        Raises:
            InkspeakError: it cannot be made.
        """
        ...


class Driven:
    """Methods that move the first frame's landmarks with the sound and render: ``ours`` and ``upd_warp``.

    Args:
        name: of the method.
        renderer: draws the poses; None: the one that ``inkspeak animate`` takes with the same settings.
        remark: for the reader.
        drawn_by: sha256 of the generator that the package brings, if it draws: with another one figures are others.
    """

    def __init__(self, name: str, renderer: Renderer | None, remark: str, drawn_by: str = "") -> None:
        self.name, self.renderer, self.remark, self.drawn_by = name, renderer, remark, drawn_by

    def marks(self, clip: Clip) -> dict[str, str]:
        """Which generator draws, where no setting says so."""
        return {"drawn_by": self.drawn_by} if self.drawn_by else {}

    def make(self, scene: Scene) -> Made:
        """See :class:`Method`."""
        session = scene.session
        if self.renderer is not None:
            session = replace(session, renderer=self.renderer)
        count = len(scene.filmed)
        track = session.track
        session = replace(session, track=replace(track, landmarks=track.landmarks[:count]))
        frames = (frame for batch in session.frames() for frame in batch)
        return Made(frames, np.asarray(track.landmarks[:count, :, :2], np.float32))


class DrawnFrames:
    """The film itself, drawn frame by frame: what no method can be expected to surpass."""

    name = names.DRAWN_FRAMES
    remark = f"{names.DRAWN_FRAMES}: the film drawn frame by frame, the truth of every other method"

    def marks(self, clip: Clip) -> dict[str, str]:
        """Nothing more."""
        return {}

    def make(self, scene: Scene) -> Made:
        """See :class:`Method`."""
        return Made(scene.tools.frame_drawer.draw_clip(scene.filmed), pictures=scene.filmed.pictures)


class External:
    """The videos of another system: realigned to their own first frame's portrait crop, and drawn frame by frame.

    Args:
        name: of the system.
        folder: with one video a clip, called as the clip is.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.remark = f"{name}: videos of another system, realigned and drawn frame by frame"

    def video(self, clip: Clip) -> Path:
        """The video of a clip.

        Raises:
            VideoError: there is none, or more than one.
        """
        from experiments.commands.batch import CLIPS

        stems = {clip.name, clip.path.stem}
        fitting = sorted(
            one for one in self.folder.iterdir() if one.stem in stems and one.suffix.lower() in CLIPS.suffixes
        )
        if len(fitting) != 1:
            found = f"{len(fitting) or 'no'} videos of the clip '{clip.name}' are in it"
            raise VideoError(found, f"there must be one, called {clip.name}.mp4", self.folder)
        return fitting[0]

    def marks(self, clip: Clip) -> dict[str, str]:
        """The video's content."""
        return {"video": file_mark(self.video(clip))}

    def make(self, scene: Scene) -> Made:
        """See :class:`Method`."""
        path, count = self.video(scene.clip), len(scene.filmed)
        film = scene.tools.filmed(Clip(scene.clip.name, path), count)
        if len(film) < count:
            found = f"it has {len(film)} frames at {film.fps:g} fps, and {count} of the clip are compared"
            raise VideoError(found, f"give all of it, or compare fewer with --frames {len(film)}", path)
        return Made(scene.tools.frame_drawer.draw_clip(film), pictures=film.pictures)


class WarpThenDraw:
    """The photo warped by the landmarks, and every frame drawn by itself: a stand-in for photo-domain talking heads."""

    name = names.WARP_THEN_DRAW
    remark = (
        f"{names.WARP_THEN_DRAW}: a stand-in without weights for makeittalk_upd: the photo is warped by the landmarks "
        "of stage 1 and each frame is drawn by itself; it cannot open a mouth that is closed in the photo"
    )

    def marks(self, clip: Clip) -> dict[str, str]:
        """Nothing more."""
        return {}

    def make(self, scene: Scene) -> Made:
        """See :class:`Method`."""
        asked = np.asarray(scene.session.track.landmarks[: len(scene.filmed), :, :2], np.float32)
        return Made(self._frames(scene, asked), asked)

    def _frames(self, scene: Scene, asked: Points) -> Iterator[Pixels]:
        from lightning_modules.geometry.articulated_map import articulated_map
        from lightning_modules.geometry.sampling import sample
        from lightning_modules.pipeline.portrait import image_array, image_tensor

        drawer = scene.tools.frame_drawer
        picture, inside = next(scene.filmed.first(1).fine_frames(drawer.side))
        rest = _fine(scene.session.portrait.landmarks[None, :, :2].cpu(), drawer.detail)
        photo = torch.cat((image_tensor(picture), image_tensor(inside)), 1)
        for landmarks in asked:
            target = _fine(torch.from_numpy(landmarks)[None], drawer.detail)
            with torch.inference_mode():
                positions = articulated_map(rest, target, drawer.side, stride=4 * drawer.detail)
                moved = image_array(sample(photo, positions, padding="border"))[0]
            colour, there = np.ascontiguousarray(moved[..., :3]), np.ascontiguousarray(moved[..., 3])
            yield drawer.draw(colour, there, landmarks)


def _fine(landmarks: torch.Tensor, detail: int) -> torch.Tensor:
    """Pixels of the square to pixels of the picture that is ``detail`` times finer."""
    return (landmarks + 0.5) * detail - 0.5


def make_method(asked: MethodName, settings: EvaluationSettings) -> Method:
    """A method by its name.

    Args:
        asked: what the user named.
        settings: of the evaluation.

    Raises:
        ConfigError: it lacks a file that nothing can replace.
        WeightsError: the file cannot be used.
    """
    if asked.folder is not None:
        return External(asked.name, asked.folder)
    if asked.name == names.OURS:
        starter = _starter_draws(settings)
        return Driven(
            names.OURS, None, _who_renders(settings), weights_mark(require_weight(STARTER)) if starter else ""
        )
    if asked.name == names.UPD_WARP:
        from lightning_modules.pipeline.warp_renderer import WarpRenderer

        remark = (
            "upd_warp: the static drawing warped by the landmarks of stage 1; the lips of the drawing are stretched"
        )
        return Driven(names.UPD_WARP, WarpRenderer(drawn_features=False), remark)
    if asked.name == names.WARP_THEN_DRAW:
        return WarpThenDraw()
    if asked.name == names.DRAWN_FRAMES:
        return DrawnFrames()
    if asked.name == names.MAKEITTALK_UPD:
        from experiments.evaluation.image_translation import TranslateThenDraw, load_translation

        if settings.translation_weights is None:
            found = "makeittalk_upd needs MakeItTalk's image translation network, and none ships with inkspeak"
            raise ConfigError(found, "name ckpt_116_i2i_comb.pth with --translation-weights, or use warp_then_draw")
        return TranslateThenDraw(load_translation(settings.translation_weights))
    raise ValueError(f"there is no method {asked.name!r}")


def _starter_draws(settings: EvaluationSettings) -> bool:
    return settings.weights is None and settings.look == STARTER_LOOK and settings.drawer_weights is None


def _who_renders(settings: EvaluationSettings) -> str:
    if settings.weights is not None:
        return f"ours: drawn by the generator of {settings.weights.name}"
    if _starter_draws(settings):
        return "ours: drawn by the starter generator, which inkspeak animate draws with"
    return (
        "ours: no generator was given (--weights), and the starter suits the look 'ink' only, so it is not the paper's "
        "GAN that draws here: what renders is the landmark warp of the static drawing with a drawn mouth"
    )
