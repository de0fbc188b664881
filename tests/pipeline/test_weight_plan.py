"""What an animation takes of a set of weights, and what is told when the set lacks something."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lightning_modules.errors import ConfigError
from lightning_modules.pipeline.animation_job import AnimationJob
from lightning_modules.pipeline.backends import Backends
from lightning_modules.pipeline.weight_plan import WeightPlan, weight_plan
from lightning_modules.weights.published_roles import ROLES
from lightning_modules.weights.registry import require_weight
from lightning_modules.weights.weight_sets import SetMember, WeightSet, set_folder, write_set

JOB = AnimationJob(Path("me.jpg"), Path("hello.wav"), Path("out.mp4"))


def made(*, without: tuple[str, ...] = ()) -> WeightSet:
    """A set whose files are empty: nothing is loaded here."""
    folder = set_folder("official")
    folder.mkdir(parents=True)
    kept = [role for role in ROLES if role.name not in without]
    for role in kept:
        (folder / f"{role.name}.safetensors").touch()
    return write_set(
        folder,
        [SetMember(r.name, r.kind, f"{r.name}.safetensors", 0, f"{i:064}", "", "", "", "") for i, r in enumerate(kept)],
    )


def job(official: WeightSet, /, **change) -> AnimationJob:
    return replace(JOB, **({"weights": official.folder, "renderer": "gan", "compat": "official"} | change))


def test_all_that_a_set_has_is_used():
    weights = made()
    plan = weight_plan(job(weights))
    roles = ("drawing_generator", "flow_regression", "static_drawing", "matte")
    assert (plan.generator, plan.flow, plan.static, plan.matte) == tuple(map(weights.path, roles))
    assert plan.speech
    assert plan.notes == ()
    assert plan.sha256(plan.matte) == weights.member("matte").sha256


def test_the_cartoon_generator_is_used_when_it_is_named():
    weights = made()
    plan = weight_plan(job(weights, weights=weights.path("cartoon_generator")))
    assert plan.generator == weights.path("cartoon_generator")
    assert plan.static == weights.path("static_cartoon")
    with pytest.raises(ConfigError, match="'matte' of the set 'official' draws no portraits"):
        weight_plan(job(weights, weights=weights.path("matte")))


def test_the_users_own_choices_come_first():
    weights = made()
    plan = weight_plan(job(weights, matte="none", flow_weights=Path("f.pth"), driver="envelope"))
    assert (plan.matte, plan.flow, plan.speech, plan.notes) == (None, Path("f.pth"), False, ())
    assert not weight_plan(job(weights, driver_weights=Path("m.safetensors"))).speech


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("static_drawing", "no static drawing network: the look 'ink' draws in its place"),
        ("matte", "no matting network: the matte 'selfie' takes its place"),
        ("voice_conversion", "lacks voice_conversion: the face is moved as without the set"),
        ("feature_statistics", "lacks feature_statistics: the face is moved as without the set"),
        ("speaker_branch", "no speaker_branch: the head is still"),
        ("drawing_generator", "no generator of drawings: its cartoon generator draws"),
    ],
)
def test_what_takes_the_place_of_a_missing_network_is_told(missing, told):
    (note,) = weight_plan(job(made(without=(missing,)))).notes
    assert note == f"the set 'official' {'' if told.startswith('lacks') else 'has '}{told}"


def test_what_nothing_can_replace_is_refused():
    with pytest.raises(ConfigError, match="has no flow regression"):
        weight_plan(job(made(without=("flow_regression",))))


def test_a_set_without_generators_can_still_be_warped():
    weights = made(without=("drawing_generator", "cartoon_generator", "flow_regression"))
    with pytest.raises(ConfigError, match=r"has no portrait generator; .*--renderer warp"):
        weight_plan(job(weights))
    plan = weight_plan(job(weights, renderer="warp", compat=None))
    assert (plan.generator, plan.flow, plan.static) == (None, None, weights.path("static_drawing"))


def test_weights_that_are_no_set():
    plan = weight_plan(replace(JOB, renderer="gan", weights=Path("g.safetensors"), flow_weights=Path("f.pth")))
    assert (plan.weights, plan.generator, plan.flow) == (None, Path("g.safetensors"), Path("f.pth"))
    with pytest.raises(ConfigError, match="no set; import the published checkpoints"):
        weight_plan(replace(JOB, renderer="gan", weights=Path("g.safetensors"), compat="official"))


def test_the_starter_draws_where_nothing_else_is_named():
    for renderer in ("auto", "gan"):
        plan = weight_plan(replace(JOB, renderer=renderer))
        assert plan.generator == require_weight("starter-portrait-generator")
        assert plan.flow == require_weight("starter-flow-regression")
        assert plan.notes == ("renderer: generator (starter model)",)
    assert weight_plan(replace(JOB, renderer="warp")) == WeightPlan()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"look": "pencil"}, "it was trained on the look 'ink', and 'pencil' is asked for"),
        ({"drawer_weights": Path("d.pt")}, "a network of your own makes the static drawing"),
    ],
)
def test_where_the_starter_does_not_suit_the_warp_is_announced_by_its_name(change, why):
    plan = weight_plan(replace(JOB, **change))
    assert plan.generator is None
    assert plan.notes == (f"renderer: landmark warp of the static drawing; no starter generator: {why}",)
    with pytest.raises(ConfigError, match=f"the starter generator cannot be used: {why}"):
        weight_plan(replace(JOB, renderer="gan", **change))


@pytest.mark.parametrize("change", [{"size": 512}, {"renderer": "warp"}, {"paste_back": True}])
def test_the_published_order_does_what_the_published_system_can(change):
    weights = made()
    with pytest.raises(ConfigError, match="the published order of work draws squares of 256 pixels"):
        job(weights, **change)


def test_portraits_of_another_matte_are_kept_apart():
    weights = made()
    keys = [
        Backends().matte_settings(one)
        for one in (
            JOB,
            replace(JOB, matte="none"),
            job(weights),
            job(weights, compat=None),
            job(weights, matte="none"),
        )
    ]
    assert keys[:2] == ["selfie", "none"]
    assert keys[4] == "none"
    assert len(set(keys)) == 4
    assert weights.member("matte").sha256 in keys[2]
