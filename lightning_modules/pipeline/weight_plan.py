"""What an animation takes from the weights that it was given: a generator alone, or what it can use of a set.

Nothing is loaded here: the plan says which files will be, and tells the user what a set lacks and what takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lightning_modules.errors import ConfigError
from lightning_modules.faces.matte_choice import DEFAULT_MATTE
from lightning_modules.weights import published_roles as roles
from lightning_modules.weights.registry import require_weight
from lightning_modules.weights.weight_sets import WeightSet, set_around

if TYPE_CHECKING:
    from lightning_modules.pipeline.animation_job import AnimationJob

STARTER: Final = "starter-portrait-generator"
"""Name of the package's own generator in the manifest of weights."""
_STARTER_FLOW: Final = "starter-flow-regression"
STARTER_LOOK: Final = "ink"
"""The look whose static drawings it was trained on."""

_SPEECH: Final = (roles.CONTENT, roles.VOICE, roles.STATISTICS, roles.TARGET_SPEAKER)


@dataclass(frozen=True)
class WeightPlan:
    """What an animation will load.

    Attributes:
        weights: the set, if one is used.
        generator: file of the generator; None where none draws.
        flow: file of the flow regression, flow map A; None where none is used.
        static: file of the network that makes the static drawing; None for the drawer of the look.
        matte: file of the matting network; None for the job's matter.
        speech: whether the networks of the set move the face.
        notes: what the user should know, a sentence each.
    """

    weights: WeightSet | None = None
    generator: Path | None = None
    flow: Path | None = None
    static: Path | None = None
    matte: Path | None = None
    speech: bool = False
    notes: tuple[str, ...] = ()

    def sha256(self, role_file: Path | None) -> str:
        """The sha256 at import of one of the set's files; empty for another file."""
        members = () if self.weights is None else self.weights.members
        return next((one.sha256 for one in members if role_file is not None and one.file == role_file.name), "")


def weight_plan(job: AnimationJob) -> WeightPlan:
    """Settle what a job loads.

    Args:
        job: its weights are None, a file, the folder of a set, or a generator's file in it.

    Raises:
        ConfigError: the published order is asked for without a set, or the set has no generator or no flow map A.
        WeightsError: the list of the set is damaged.
    """
    weights = set_around(job.weights)
    if weights is None and job.weights is None and job.compat is None:
        return _starter_plan(job)
    if weights is None:
        if job.compat is not None:
            found = "the published order of computation is asked for, and the weights given are no set"
            raise ConfigError(found, "import the published checkpoints and add --weights official", job.weights)
        return WeightPlan(generator=job.weights, flow=job.flow_weights)
    notes: list[str] = []
    generator, cartoon = _generator(job, weights, notes)
    flow = job.flow_weights or weights.path(roles.FLOW_A)
    if generator is not None and flow is None:
        found = f"the set '{weights.name}' has no flow regression (flow map A), and its generators were trained with it"
        raise ConfigError(found, "import best_net_netF.pth too, or name that network with --flow-weights FILE")
    static = weights.path(roles.STATIC_CARTOON if cartoon else roles.STATIC_DRAWING)
    if static is None:
        what = "static cartoon" if cartoon else "static drawing"
        notes.append(f"the set '{weights.name}' has no {what} network: the look '{job.look}' draws in its place")
    matte = weights.path(roles.MATTE) if job.matte is None else None
    if matte is None and job.matte is None:
        notes.append(f"the set '{weights.name}' has no matting network: the matte '{DEFAULT_MATTE}' takes its place")
    return WeightPlan(
        weights=weights,
        generator=generator,
        flow=flow if generator is not None else None,
        static=static,
        matte=matte,
        speech=_speech(job, weights, notes),
        notes=tuple(notes),
    )


def _starter_plan(job: AnimationJob) -> WeightPlan:
    """The generator that comes with the package, where it suits the job; otherwise the warp, and why."""
    if job.renderer == "warp":
        return WeightPlan()
    unsuited = ""
    if job.drawer_weights is not None:
        unsuited = "a network of your own makes the static drawing"
    elif job.look != STARTER_LOOK:
        unsuited = f"it was trained on the look '{STARTER_LOOK}', and '{job.look}' is asked for"
    if unsuited:
        if job.renderer == "gan":
            found = f"the starter generator cannot be used: {unsuited}"
            raise ConfigError(found, f"use --look {STARTER_LOOK}, name a generator with --weights, or --renderer warp")
        return WeightPlan(notes=(f"renderer: landmark warp of the static drawing; no starter generator: {unsuited}",))
    note = "renderer: generator (starter model)"
    return WeightPlan(generator=require_weight(STARTER), flow=require_weight(_STARTER_FLOW), notes=(note,))


def _generator(job: AnimationJob, weights: WeightSet, notes: list[str]) -> tuple[Path | None, bool]:
    """The generator's file, and whether it draws cartoons."""
    named = next((one for one in weights.members if job.weights == weights.folder / one.file), None)
    if named is not None and named.kind != "portrait_generator":
        found = f"'{named.role}' of the set '{weights.name}' draws no portraits"
        raise ConfigError(found, f"give --weights {weights.name}, or {weights.name}:{roles.CARTOON_GENERATOR}")
    if job.renderer == "warp":
        return None, False
    if named is not None:
        return job.weights, named.role == roles.CARTOON_GENERATOR
    for role in (roles.DRAWING_GENERATOR, roles.CARTOON_GENERATOR):
        path = weights.path(role)
        if path is not None:
            if role == roles.CARTOON_GENERATOR:
                notes.append(f"the set '{weights.name}' has no generator of drawings: its cartoon generator draws")
            return path, role == roles.CARTOON_GENERATOR
    found = f"the set '{weights.name}' has no portrait generator"
    raise ConfigError(found, "import 70_net_G_A.pth too, or add --renderer warp")


def _speech(job: AnimationJob, weights: WeightSet, notes: list[str]) -> bool:
    """Whether the set's networks move the face: all that the content branch needs must be there."""
    if job.driver == "envelope" or job.driver_weights is not None:
        return False
    missing = [role for role in _SPEECH if weights.member(role) is None]
    if missing:
        lacks = ", ".join(missing)
        notes.append(f"the set '{weights.name}' lacks {lacks}: the face is moved as without the set")
    elif weights.member(roles.SPEAKER) is None:
        still = "is still" if job.compat else "follows a rule"
        notes.append(f"the set '{weights.name}' has no {roles.SPEAKER}: the head {still}")
    return not missing
