"""What animations work with: face analyzer, matter, drawer and renderer, each made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from lightning_modules.faces.matte_choice import DEFAULT_MATTE

if TYPE_CHECKING:
    from lightning_modules.drawing.drawer import StaticDrawer
    from lightning_modules.faces.face import FaceAnalyzer
    from lightning_modules.faces.matter import Matter
    from lightning_modules.pipeline.animation_job import AnimationJob
    from lightning_modules.pipeline.landmark_driver_choice import Driver
    from lightning_modules.pipeline.portrait import Portrait
    from lightning_modules.pipeline.renderer import Renderer
    from lightning_modules.pipeline.weight_plan import WeightPlan

Made = TypeVar("Made")


class Backends:
    """Makes what a job names and keeps it, so that the jobs of a batch share it.

    For one job at a time. Files of weights and of landmarks are read once: what is changed meanwhile is not seen.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, Any] = {}

    def plan(self, job: AnimationJob) -> WeightPlan:
        """What is loaded of the weights that the job names.

        Raises:
            ConfigError: a set lacks what nothing can replace.
            WeightsError: the list of a set is damaged.
        """
        from lightning_modules.pipeline.weight_plan import weight_plan

        choices = (job.renderer, job.weights, job.flow_weights, job.compat, job.matte, job.look, job.drawer_weights)
        return self._once(("plan", *choices, job.driver, job.driver_weights), weight_plan, job)

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
        plan = self.plan(job)
        if plan.matte is None:
            from lightning_modules.faces.matter import make_matter

            name = job.matte or DEFAULT_MATTE
            return self._once(("matter", name, job.matte_weights), make_matter, name, weights=job.matte_weights)
        from lightning_modules.pipeline.set_backends import set_matter

        return self._once(("matter", plan.matte, job.compat), set_matter, plan, job.compat)

    def matte_settings(self, job: AnimationJob) -> str:
        """What the matte depends on besides the photo; part of the key under which portraits are kept."""
        plan = self.plan(job)
        if plan.matte is None:
            return job.matte or DEFAULT_MATTE
        return f"modnet {plan.sha256(plan.matte)} {job.compat or 'default'}"

    def drawer(self, job: AnimationJob) -> StaticDrawer:
        """Who draws d_s: the network given, that of the set, or the look.

        Raises:
            WeightsError: a file of weights cannot be used.
        """
        if job.drawer_weights is not None:
            from lightning_modules.weights.drawer_file import load_drawer

            return self._once(("drawer", job.drawer_weights), load_drawer, job.drawer_weights)
        plan = self.plan(job)
        if plan.static is None:
            from lightning_modules.drawing.drawer import make_drawer

            return self._once(("drawer", job.look), make_drawer, job.look)
        from lightning_modules.pipeline.set_backends import set_drawer

        return self._once(("drawer", plan.static, job.compat), set_drawer, plan, job.compat)

    def renderer(self, job: AnimationJob) -> tuple[Renderer, int | None]:
        """Who draws the frames, and the side in pixels that it was trained at, where it was trained.

        Raises:
            ConfigError: the generator's flow regression is not given.
            WeightsError: a file of weights cannot be used.
        """
        plan = self.plan(job)
        return self._once(("renderer", plan.generator, plan.flow, job.compat), _make_renderer, plan, job.compat)

    def driver(self, job: AnimationJob) -> tuple[Driver, tuple[str, ...]]:
        """Who moves the landmarks, and how that is announced. A model is read once; drivers are as the job wants them.

        Raises:
            ConfigError: a model is asked for and there is none, or one is given and not asked for.
            WeightsError: the model cannot be used.
        """
        from lightning_modules.pipeline.landmark_driver_choice import chosen_driver, driver_note, make_driver

        plan = self.plan(job)
        if plan.speech:
            from lightning_modules.pipeline.set_backends import set_driver

            return set_driver(plan, job, self._once)
        _, file = chosen_driver(job.driver, job.driver_weights)
        model = None
        if file is not None:
            from lightning_modules.export.landmark_model_file import load_landmark_model

            model = self._once(("landmark model", file), load_landmark_model, file)
        made = make_driver(model, preset=job.driver_preset, seed=job.seed, gains=job.gains)
        return made, (driver_note(file, job.driver_preset),)

    def source_portrait(self, job: AnimationJob, portrait: Portrait) -> Portrait:
        """The portrait as the renderer is shown it: under the published order its landmarks are edited."""
        if job.compat is None or not self.plan(job).speech:
            return portrait
        from lightning_modules.pipeline.published_order import with_edited_landmarks

        return with_edited_landmarks(portrait)

    def _once(self, key: Hashable, make: Callable[..., Made], *arguments: Any, **options: Any) -> Made:
        if key not in self._kept:
            self._kept[key] = make(*arguments, **options)
        return cast("Made", self._kept[key])


def _make_renderer(plan: WeightPlan, compat: str | None) -> tuple[Renderer, int | None]:
    """Who draws, and the side in pixels that it was trained at, where it was trained."""
    if plan.generator is None:
        from lightning_modules.pipeline.warp_renderer import WarpRenderer

        return WarpRenderer(), None
    from lightning_modules.export.generator_file import load_generator, require_flow_weights
    from lightning_modules.pipeline.gan_renderer import GanRenderer

    generator, training = load_generator(plan.generator)
    require_flow_weights(training, plan.generator, plan.flow)
    flow: Any = None
    if plan.flow is not None:
        from lightning_modules.unregistered_network import unregistered
        from lightning_modules.weights.from_file import network_from_file

        flow = unregistered(network_from_file("flow_regression", plan.flow))
    if generator.guided:
        from lightning_modules.pipeline.guided_renderer import GuidedRenderer

        return GuidedRenderer(
            generator,
            flow,
            training.recipe,
            separate_foreground=training.separate_foreground,
            image_size=training.image_size,
        ), None
    renderer = GanRenderer(
        generator,
        flow,
        training.recipe,
        separate_foreground=training.separate_foreground,
        as_published=compat == "official",
    )
    return renderer, training.image_size
