"""Matter, drawer and driver from an imported set of weights, around which either order of work goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from lightning_modules.drawing.drawer import StaticDrawer
from lightning_modules.drawing.network_drawer import Manner, network_drawer
from lightning_modules.faces.network_matter import NetworkMatter
from lightning_modules.networks.frozen.modnet import MODNet
from lightning_modules.pipeline.landmark_driver_choice import Driver, make_driver
from lightning_modules.pipeline.landmark_driver_published import PublishedLandmarkDriver
from lightning_modules.pipeline.published_order import PUBLISHED_FRAME_RATE, PublishedCropDriver
from lightning_modules.pipeline.published_speech import PublishedSpeech, published_speech
from lightning_modules.weights import published_roles as roles
from lightning_modules.weights.set_networks import set_network

if TYPE_CHECKING:
    from lightning_modules.pipeline.animation_job import AnimationJob, DriverPreset
    from lightning_modules.pipeline.weight_plan import WeightPlan
    from lightning_modules.weights.weight_sets import WeightSet


def set_matter(plan: WeightPlan, compat: str | None) -> NetworkMatter:
    """The matting network of a set.

    Raises:
        WeightsError: its file cannot be used.
    """
    network = cast("MODNet", set_network(_set(plan), roles.MATTE))
    return NetworkMatter(network, exact=compat == "official")


def set_drawer(plan: WeightPlan, compat: str | None) -> StaticDrawer:
    """The network of a set that makes its static drawings, or its static cartoons.

    Raises:
        WeightsError: its file cannot be used.
    """
    weights = _set(plan)
    member = next(one for one in weights.members if weights.folder / one.file == plan.static)
    manner: Manner = "published" if compat == "official" else "default"
    return network_drawer(member.kind, set_network(weights, member.role), member.sha256, manner)


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
    preset: DriverPreset = "paper" if as_published else "default"
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
