from __future__ import annotations

import pytest
import torch

from lightning_modules.errors import ConfigError
from lightning_modules.losses.objective import NEED_A_NETWORK, Objective, TermOffWarning

TERMS = ("adversarial", "local", "content", "geometry", "lip_line", "identity", "coherence_warp", "coherence")


class Model:
    """One parameter a term; each term is its square, and counts how often and how it was asked."""

    def __init__(self):
        self.parameters = {term: torch.tensor(float(k + 2), requires_grad=True) for k, term in enumerate(TERMS)}
        self.asked = []

    def terms(self, *left_out):
        def ask(term):
            self.asked.append((term, torch.is_grad_enabled()))
            return self.parameters[term].square()

        return {term: lambda term=term: ask(term) for term in TERMS if term not in left_out}


def test_the_weights_are_those_of_the_published_run():
    assert Objective().weights == {
        "adversarial": 1, "local": 0.5, "content": 5, "geometry": 50, "lip_line": 50, "identity": 3,
        "coherence_warp": 10, "coherence": 0.5,
    }  # fmt: skip


def test_the_sum_and_the_report_by_hand():
    loss, report = Objective().total(Model().terms())
    squares = dict(zip(TERMS, (4, 9, 16, 25, 36, 49, 64, 81), strict=True))
    assert loss.item() == 4 + 4.5 + 80 + 1250 + 1800 + 147 + 640 + 40.5
    assert {key: value.item() for key, value in report.items()} == {
        **{f"raw/{term}": value for term, value in squares.items()},
        **{f"weighted/{term}": Objective().weights[term] * value for term, value in squares.items()},
    }
    assert not any(value.requires_grad for value in report.values())


def test_the_gradient_is_the_weighted_one():
    model = Model()
    loss, _ = Objective(geometry=7).total(model.terms())
    loss.backward()
    assert model.parameters["geometry"].grad.item() == 7 * 2 * 5
    assert model.parameters["adversarial"].grad.item() == 2 * 2


@pytest.mark.parametrize("term", TERMS)
def test_an_ablated_term_is_measured_and_teaches_nothing(term):
    model = Model()
    objective = Objective(**{term: 0})
    loss, report = objective.total(model.terms())
    loss.backward()
    value = model.parameters[term].item() ** 2
    assert objective.ablated == (term,)
    assert report[f"ablated/{term}"].item() == value
    assert f"raw/{term}" not in report
    assert f"weighted/{term}" not in report
    assert model.parameters[term].grad is None
    assert all(model.parameters[other].grad is not None for other in TERMS if other != term)
    assert sorted(model.asked) == sorted((other, other != term) for other in TERMS)
    full, _ = Objective().total(model.terms())
    assert loss.item() == full.item() - Objective().weights[term] * value


def test_a_broken_ablated_term_cannot_break_the_loss():
    terms = {**Model().terms(), "coherence": lambda: torch.tensor(float("nan"))}
    loss, report = Objective(coherence=0).total(terms)
    assert torch.isfinite(loss)
    assert report["ablated/coherence"].isnan()


def test_a_missing_network_is_announced_once_and_its_term_is_off():
    model, objective = Model(), Objective()
    with pytest.warns(TermOffWarning) as said:
        loss, report = objective.total(model.terms("geometry", "identity"))
    assert sorted(str(warning.message) for warning in said) == [
        "the geometry term is off: no landmark detector is given",
        "the identity term is off: no network for face features is given",
    ]
    assert loss.item() == 4 + 4.5 + 80 + 1800 + 640 + 40.5
    assert not any("geometry" in key or "identity" in key for key in report)
    assert set(objective.off) == set(NEED_A_NETWORK)
    again, _ = objective.total(model.terms("geometry", "identity"))  # a second warning would be an error here
    assert again.item() == loss.item()


def test_a_term_is_switched_off_with_a_reason():
    model, objective = Model(), Objective(identity=0)
    with pytest.warns(TermOffWarning, match="the identity term is off: its file is damaged"):
        note = objective.switch_off("identity", "its file is damaged")
    assert objective.switch_off("identity", "another reason") == note
    assert objective.ablated == ()
    _, report = objective.total(model.terms())
    assert "ablated/identity" not in report
    assert "identity" not in dict(model.asked)


def test_other_terms_are_never_left_out_silently():
    with pytest.raises(ConfigError, match="lacks the content term"):
        Objective().total(Model().terms("content"))
    _, report = Objective(coherence=0).total(Model().terms("coherence"))  # a style without films cannot measure it
    assert not any("coherence" in key.split("/")[1].split("_") and "warp" not in key for key in report)


def test_terms_that_do_not_exist_are_refused():
    with pytest.raises(ConfigError, match="no term style"):
        Objective().total({**Model().terms(), "style": lambda: torch.tensor(1.0)})
    with pytest.raises(ConfigError, match="no term style"):
        Objective().switch_off("style", "why not")


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf")])
def test_weights_out_of_range_are_refused(weight):
    with pytest.raises(ConfigError, match="content"):
        Objective(content=weight)


def test_an_objective_without_a_term_is_refused():
    with pytest.raises(ConfigError, match="all weights"):
        Objective(**dict.fromkeys(TERMS, 0))
    only = Objective(**{**dict.fromkeys(TERMS, 0), "geometry": 1})
    with pytest.warns(TermOffWarning), pytest.raises(ConfigError, match="no term of the objective is left"):
        only.total(Model().terms("geometry"))


def test_a_term_must_be_one_number():
    with pytest.raises(ValueError, match="content term must be one number"):
        Objective().total({**Model().terms(), "content": lambda: torch.zeros(2)})


def test_half_precision_terms_are_added_in_float32():
    terms = {term: lambda: torch.ones((), dtype=torch.bfloat16) for term in TERMS}
    loss, report = Objective(adversarial=1000).total(terms)
    assert loss.dtype == torch.float32
    assert loss.item() == 1000 + 119  # bfloat16 has steps of 8 there
    assert all(value.dtype == torch.float32 for value in report.values())
    assert Objective().total({**terms, "content": lambda: torch.ones(1)})[0].shape == ()
