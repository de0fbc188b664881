"""Matter, drawer and driver from an imported set of weights, around which either order of work goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from lightning_modules.drawing.drawer import StaticDrawer
from lightning_modules.drawing.network_drawer import NetworkDrawer
from lightning_modules.errors import WeightsError
from lightning_modules.networks.frozen.modnet import MODNet
from lightning_modules.networks.static_drawing_generator import StaticDrawingGenerator
from lightning_modules.pipeline.landmark_driver_choice import Driver, make_driver
from lightning_modules.pipeline.landmark_driver_published import PublishedLandmarkDriver
from lightning_modules.pipeline.network_matter import NetworkMatter
from lightning_modules.pipeline.published_order import PUBLISHED_FRAME_RATE, PublishedCropDriver
from lightning_modules.pipeline.published_speech import PublishedSpeech, published_speech
from lightning_modules.weights import published_roles as roles
from lightning_modules.weights.set_networks import set_network

if TYPE_CHECKING:
    from lightning_modules.pipeline.animation_job import AnimationJob
    from lightning_modules.pipeline.weight_plan import WeightPlan
    from lightning_modules.weights.weight_sets import WeightSet


def set_matter(plan: WeightPlan, compat: str | None) -> NetworkMatter:
    """The matting network of a set.

    Raises:
        WeightsError: its file cannot be used.
    """
    network = cast("MODNet", set_network(_set(plan), roles.MATTE))
    return NetworkMatter(network, "native" if compat == "official" else "reference")


def set_drawer(plan: WeightPlan, compat: str | None) -> StaticDrawer:
    """The static drawing network of a set.

    Raises:
        WeightsError: its file cannot be used, or holds a network that draws in no way known here.
    """
    weights = _set(plan)
    role = next(member.role for member in weights.members if weights.folder / member.file == plan.static)
    network = set_network(weights, role)
    if not isinstance(network, StaticDrawingGenerator):
        found = f"the {role} of the set is a {type(network).__name__}, which this version cannot draw with"
        raise WeightsError(found, "update inkspeak, or animate with the drawing generator", plan.static)
    manner = "published" if compat == "official" else "default"
    return NetworkDrawer(network, plan.sha256(plan.static), manner=manner)


def set_driver(plan: WeightPlan, job: AnimationJob, once: Callable[..., Any]) -> tuple[Driver, tuple[str, ...]]:
    """The speech networks of a set as a driver, and how it is announced.

    Args:
        plan: with speech.
        job: seed, gains, preset and order of work.
        once: keeps what it makes, so that the networks are read once.

    Raises:
        BackendError: a package that measures the speech is missing.
        WeightsError: a file of the set cannot be used.
    """
    weights = _set(plan)
    as_published = job.compat == "official" or job.driver_preset == "paper"
    key = ("speech", weights.folder, as_published)
    speech: PublishedSpeech = once(key, published_speech, weights, published_order=as_published)
    preset = "paper" if as_published else "default"
    driver = make_driver(None, preset=preset, seed=job.seed, gains=job.gains, speech=speech)
    notes = [f"driver: trained (the networks of the set '{weights.name}', preset {preset})", *speech.notes]
    if job.compat is not None and isinstance(driver, PublishedLandmarkDriver):
        driver = PublishedCropDriver(driver)
        if job.fps != PUBLISHED_FRAME_RATE:
            notes.append(f"the published frame rate is {PUBLISHED_FRAME_RATE}: --fps {PUBLISHED_FRAME_RATE} shows it")
    return driver, tuple(notes)


def _set(plan: WeightPlan) -> WeightSet:
    if plan.weights is None:
        raise ValueError("the plan uses no set")
    return plan.weights
