"""What animations work with: face analyzer, matter, drawer and renderer, each made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from lightning_modules.drawing.drawer import StaticDrawer
    from lightning_modules.faces.face import FaceAnalyzer
    from lightning_modules.faces.matter import Matter
    from lightning_modules.pipeline.animation_job import AnimationJob
    from lightning_modules.pipeline.landmark_driver_choice import Driver
    from lightning_modules.pipeline.renderer import Renderer

Made = TypeVar("Made")


class Backends:
    """Makes what a job names and keeps it, so that the jobs of a batch share it.

    For one job at a time. Files of weights and of landmarks are read once: what is changed meanwhile is not seen.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, Any] = {}

    def analyzer(self, job: AnimationJob) -> FaceAnalyzer:
        """Who finds the face.

        Raises:
            BackendError: its package or its weights are missing.
            PhotoError: the file of landmarks cannot be used.
        """
        from lightning_modules.faces.face_analyzers import make_face_analyzer

        options = {"path": job.landmarks_file} if job.landmarks == "file" else {}
        return self._once(("analyzer", job.landmarks, job.landmarks_file), make_face_analyzer, job.landmarks, **options)

    def matter(self, job: AnimationJob) -> Matter:
        """Who separates the person from the background.

        Raises:
            BackendError: its package is missing.
            WeightsError: the file of the matting network cannot be used.
        """
        from lightning_modules.faces.matter import make_matter

        key = ("matter", job.matte, job.matte_weights)
        return self._once(key, make_matter, job.matte, weights=job.matte_weights)

    def drawer(self, job: AnimationJob) -> StaticDrawer:
        """Who draws d_s.

        Raises:
            WeightsError: a file of weights cannot be used.
        """
        if job.drawer_weights is not None:
            from lightning_modules.weights.drawer_file import load_drawer

            return self._once(("drawer", job.drawer_weights), load_drawer, job.drawer_weights)
        from lightning_modules.drawing.drawer import make_drawer

        return self._once(("drawer", job.look), make_drawer, job.look)

    def renderer(self, job: AnimationJob) -> tuple[Renderer, int | None]:
        """Who draws the frames, and the side in pixels that it was trained at, where it was trained.

        Raises:
            WeightsError: a file of weights cannot be used.
        """
        return self._once(("renderer", job.weights, job.flow_weights), _make_renderer, job)

    def driver(self, job: AnimationJob) -> tuple[Driver, str]:
        """Who moves the landmarks, and how that is announced. A model is read once; drivers are as the job wants them.

        Raises:
            ConfigError: a model is asked for and there is none, or one is given and not asked for.
            WeightsError: the model cannot be used.
        """
        from lightning_modules.pipeline.landmark_driver_choice import chosen_driver, driver_note, make_driver

        _, file = chosen_driver(job.driver, job.driver_weights)
        model = None
        if file is not None:
            from lightning_modules.export.landmark_model_file import load_landmark_model

            model = self._once(("landmark model", file), load_landmark_model, file)
        made = make_driver(model, preset=job.driver_preset, seed=job.seed, gains=job.gains)
        return made, driver_note(file, job.driver_preset)

    def _once(self, key: Hashable, make: Callable[..., Made], *arguments: Any, **options: Any) -> Made:
        if key not in self._kept:
            self._kept[key] = make(*arguments, **options)
        return cast("Made", self._kept[key])


def _make_renderer(job: AnimationJob) -> tuple[Renderer, int | None]:
    """Who draws, and the side in pixels that it was trained at, where it was trained."""
    if job.weights is None:
        from lightning_modules.pipeline.warp_renderer import WarpRenderer

        return WarpRenderer(), None
    from lightning_modules.export.generator_file import load_generator, require_flow_weights
    from lightning_modules.pipeline.gan_renderer import GanRenderer

    generator, training = load_generator(job.weights)
    require_flow_weights(training, job.weights, job.flow_weights)
    flow: Any = None
    if job.flow_weights is not None:
        from lightning_modules.unregistered_network import unregistered
        from lightning_modules.weights.from_file import network_from_file

        flow = unregistered(network_from_file("flow_regression", job.flow_weights))
    renderer = GanRenderer(generator, flow, training.recipe, separate_foreground=training.separate_foreground)
    return renderer, training.image_size
