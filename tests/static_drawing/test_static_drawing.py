"""The static drawer's training: phases, styles, cycles, pools, stand-ins, resume, previews and export."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tiny_drawer import SIZE, checkpointing, faces, fit, tiny_drawer, weights
from torch import Tensor, nn

from callbacks.periodic_checkpoint import LAST
from callbacks.sheet_preview import SheetPreview
from lightning_modules.errors import ConfigError
from lightning_modules.export.network_file import load_network
from lightning_modules.export.supporting_checkpoint import export_supporting_network
from lightning_modules.image_pool import ImagePool
from lightning_modules.losses.static_drawing_objective import StaticDrawingObjective
from lightning_modules.networks.style_classifier import StyleClassifier
from lightning_modules.networks.style_discriminator import StyleJudgement
from lightning_modules.static_drawing import StaticDrawing
from lightning_modules.static_drawing_terms import (
    Judges,
    Made,
    ShownDrawings,
    discriminator_losses,
    generator_terms,
    shown_drawings,
)
from lightning_modules.unpaired_batches import UnpairedBatch

pytestmark = pytest.mark.filterwarnings("ignore")

OWN = {
    "generator_phase": ("generator.", "inverse_generator."),
    "discriminator_phase": ("style_discriminator.", "photo_discriminator.", "local_discriminators."),
    "classifier_phase": ("style_classifier.",),
}


@pytest.fixture(scope="module")
def batch() -> UnpairedBatch:
    return next(iter(faces().train_dataloader()))


@pytest.fixture(scope="module")
def attached(tmp_path_factory: pytest.TempPathFactory) -> StaticDrawing:
    """A module with optimisers and a trainer that is done, to call its phases one by one."""
    module = tiny_drawer(objective=StaticDrawingObjective(budget_epochs=2))
    fit(module, tmp_path_factory.mktemp("attached"), max_epochs=1, limit_train_batches=1)
    module.log_dict = lambda *_, **__: None  # type: ignore[assignment, method-assign]
    return module


@pytest.mark.parametrize("name", OWN)
def test_a_phase_moves_and_differentiates_its_own_networks_only(
    attached: StaticDrawing, batch: UnpairedBatch, name: str
) -> None:
    style = attached.style_of(batch.drawing, batch.label)
    made = attached.make(batch, style).detach()
    attached.zero_grad(set_to_none=True)
    before = copy.deepcopy(attached.state_dict())
    if name == "generator_phase":
        attached.generator_phase(batch, style)
    elif name == "discriminator_phase":
        attached.discriminator_phase(batch, style, made)
    else:
        attached.classifier_phase(batch)
    for key, parameter in attached.named_parameters():
        own = key.startswith(OWN[name])
        assert (parameter.grad is not None) == own, key
        assert parameter.requires_grad
        assert own or torch.equal(parameter, before[key]), key
    for part in OWN[name]:
        moved = [key for key, value in attached.state_dict().items() if not torch.equal(value, before[key])]
        assert any(key.startswith(part) for key in moved), part


def test_each_phase_lowers_its_own_loss(tmp_path: Path, batch: UnpairedBatch) -> None:
    module = tiny_drawer(rate=3e-3, pool_size=0)
    fit(module, tmp_path, max_epochs=1, limit_train_batches=1)
    style = module.one_hot(batch.label)
    made = module.make(batch, style).detach()
    falls = {
        "loss/d_drawing": lambda: module.discriminator_phase(batch, style, made),
        "loss/generators": lambda: module.generator_phase(batch, style),
        "loss/classifier": lambda: module.classifier_phase(batch),
    }
    for name, step in falls.items():
        found = []
        for _ in range(6):
            step()
            found.append(float(module.report[name]))
        assert found[-1] < found[0] - 5e-3, (name, found)


@pytest.mark.parametrize("gradient", ["stopped", "straight_through"])
def test_the_truncation_cycle_teaches_the_inverse_generator_and_by_choice_the_generator(
    batch: UnpairedBatch, gradient: str
) -> None:
    module = tiny_drawer(truncation_gradient=gradient)
    style = module.one_hot(batch.label)
    made = module.make(batch, style)
    terms = generator_terms(made, batch, style, module.judges, module.edges, module.distance)
    assert 0 < float(terms["truncation_cycle"]()) < 1
    terms["truncation_cycle"]().backward()
    reached = any(one.grad is not None and bool(one.grad.any()) for one in module.generator.parameters())
    assert reached == (gradient == "straight_through")
    assert all(bool(one.grad.any()) for one in module.inverse_generator.parameters() if one.ndim > 1)


def test_the_truncation_cycle_is_not_computed_before_its_time(batch: UnpairedBatch, attached: StaticDrawing) -> None:
    made = attached.make(batch, attached.one_hot(batch.label), truncate=False)
    assert made.recovered_photo_truncated is None
    terms = generator_terms(
        made, batch, attached.one_hot(batch.label), attached.judges, attached.edges, attached.distance
    )
    with pytest.raises(ValueError, match="nothing was recovered"):
        terms["truncation_cycle"]()


def test_the_style_is_the_classifiers_or_without_one_the_label(batch: UnpairedBatch) -> None:
    module = tiny_drawer()
    style = module.style_of(batch.drawing, batch.label)
    assert torch.allclose(style, module.style_classifier(batch.drawing).softmax(1))
    assert not style.requires_grad
    plain = tiny_drawer(style_classifier=None)
    assert plain.style_of(batch.drawing, torch.tensor([1, 0])).tolist() == [[0.0, 1.0], [1.0, 0.0]]


def patches(*values: float) -> Tensor:
    """A logit a picture."""
    return torch.tensor(values)[:, None, None, None]


def test_terms_and_losses_by_hand() -> None:
    """One photo, one drawing; discriminators that answer constants tell what they were asked."""
    asked: dict[str, list[Tensor]] = {"drawings": [], "photos": [], "parts": []}
    half = torch.tensor([[0.0, 0.0]])

    def drawings(pictures: Tensor) -> StyleJudgement:
        asked["drawings"].append(pictures)
        return StyleJudgement(patches(*(0.8, 0.3)[: len(pictures)]), half.expand(len(pictures), -1))

    def photos(pictures: Tensor) -> Tensor:
        asked["photos"].append(pictures)
        return patches(*(0.5, 0.1)[: len(pictures)])

    def parts(pictures: Tensor, masks: Tensor) -> tuple[Tensor, ...]:
        asked["parts"] += [pictures, masks]
        return tuple(patches(*pair[: len(pictures)]) for pair in ((1.0, 0.0), (0.0, 0.0), (1.0, 1.0)))

    judges = Judges(drawings, photos, parts)
    flat = {"photo": 0.1, "photo_masks": 0.2, "drawing": 0.3, "drawing_masks": 0.4}
    shapes = {"photo": 3, "photo_masks": 3, "drawing": 1, "drawing_masks": 3}
    batch = UnpairedBatch(
        **{name: torch.full((1, shapes[name], 2, 2), value) for name, value in flat.items()}, label=torch.tensor([1])
    )
    made = Made(*(torch.full((1, count, 2, 2), 0.6) for count in (1, 3, 3, 3, 1)))
    style = torch.tensor([[0.25, 0.75]])
    terms = generator_terms(made, batch, style, judges, lambda x: x[:, :1], lambda a, b: (a - b).abs().mean((1, 2, 3)))
    values = {name: float(term()) for name, term in terms.items()}
    assert values == pytest.approx(
        {
            "adversarial": 0.2**2,
            "local": 0 + 1 + 0,
            "photo": 0.5**2,
            "style": math.log(2),
            "relaxed_cycle": 0.5,  # (0.6 - 0.1), edges to [0, 1] and back
            "truncation_cycle": 0.5,
            "strict_cycle": 0.3,
        }
    )
    assert len(asked["drawings"]) == 1, "one pass serves both terms"
    assert float(asked["parts"][1].mean()) == pytest.approx(0.2), "a made drawing has the masks of its photo"
    shown = ShownDrawings(torch.full((1, 1, 2, 2), 0.9), torch.full((1, 3, 2, 2), 0.7), torch.tensor([[1.0, 0.0]]))
    losses, logits = discriminator_losses(batch, style, shown, torch.full((1, 3, 2, 2), -0.5), judges)
    assert {name: float(value) for name, value in losses.items()} == pytest.approx(
        {
            "drawing": (0.2**2 + 0.3**2) / 2,
            "style": math.log(2),
            "photo": (0.5**2 + 0.1**2) / 2,
            "local": (0 + 0) / 2 + (1 + 0) / 2 + (0 + 1) / 2,
        }
    )
    assert asked["drawings"][-1].mean((1, 2, 3)).tolist() == pytest.approx([0.3, 0.9])
    assert asked["photos"][-1].mean((1, 2, 3)).tolist() == pytest.approx([0.1, -0.5])
    assert asked["parts"][-1].mean((1, 2, 3)).tolist() == pytest.approx([0.4, 0.7])
    assert float(logits["logits/photo_made"]) == pytest.approx(0.1)


def test_masks_and_style_stay_with_their_drawing_in_the_pool() -> None:
    pool, old = ImagePool(5), 0
    for step in range(60):
        value = float(step)
        given = (torch.full((2, 1, 4, 4), value), torch.full((2, 3, 4, 4), value), torch.full((2, 2), value))
        shown = shown_drawings(pool, *given)
        assert [tuple(part.shape) for part in (shown.drawing, shown.masks, shown.style)] == [
            (2, 1, 4, 4), (2, 3, 4, 4), (2, 2),
        ]  # fmt: skip
        for index in range(2):
            number = float(shown.drawing[index, 0, 0, 0])
            assert bool((shown.masks[index] == number).all())
            assert bool((shown.style[index] == number).all())
            old += number != value
    assert 20 < old < 90


def test_stand_ins_are_announced_and_given_networks_asked(tmp_path: Path, batch: UnpairedBatch) -> None:
    class Halves(nn.Module):
        def forward(self, picture: Tensor) -> Tensor:
            return 0.5 * picture[:, :1]

    module = tiny_drawer()
    assert [said.split(" is given")[0] for said in module.stand_ins] == ["no edge_detector", "no distance"]
    assert not tiny_drawer(edge_detector=Halves(), distance=Halves()).stand_ins
    module.trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("meta")))
    with pytest.warns(UserWarning, match="edge response instead of HED") as told:
        module.setup("fit")
    assert any("structural distance instead of LPIPS" in str(one.message) for one in told)
    asked = tiny_drawer(edge_detector=Halves())
    assert torch.equal(asked.edges(batch.photo), 0.5 * batch.photo[:, :1])
    assert not any("edges" in key for key in asked.state_dict())


def test_networks_of_other_styles_are_refused() -> None:
    with pytest.raises(ConfigError, match="generator 2, style_names 2, style_discriminator 2, style_classifier 3"):
        tiny_drawer(style_classifier=StyleClassifier(1, 2, 3))
    with pytest.raises(ConfigError, match="style_names 1"):
        tiny_drawer(style_names=["only"])


def test_a_resumed_run_goes_on_exactly(tmp_path: Path) -> None:
    whole = tiny_drawer()
    fit(whole, tmp_path, checkpointing(tmp_path / "whole"))
    assert whole.samples_seen == whole.photos_seen == 12
    assert whole.updates == 6
    for photos in (4, 6, 8):  # within an epoch, between two, within the next
        torch.manual_seed(99)
        resumed = tiny_drawer(seed=5)
        callbacks = checkpointing(tmp_path / f"resumed-{photos}")
        fit(resumed, tmp_path, callbacks, tmp_path / "whole" / f"photos_{photos:09d}.ckpt")
        assert torch.equal(weights(resumed), weights(whole)), photos
        assert resumed.samples_seen == 12
        assert torch.equal(resumed.drawing_pool.entries, whole.drawing_pool.entries)
    shorter = tiny_drawer()
    fit(shorter, tmp_path, max_epochs=1)
    assert (weights(shorter) - weights(whole)).abs().max() > 1e-3, "it is not that nothing moves"
    state = torch.load(tmp_path / "whole" / LAST, weights_only=True)
    assert len(state["optimizer_states"]) == 3
    exported = export_supporting_network(tmp_path / "whole" / LAST, tmp_path / "drawer.safetensors", half=False)
    read = load_network(tmp_path / "drawer.safetensors")
    assert read.kind == exported.kind == "static_drawing_generator"
    assert read.facts == {
        "samples_seen": 12, "averaged": True, "styles": ["style 1", "style 2"], "image_size": SIZE,
    }  # fmt: skip
    average = next(one for key, one in state["callbacks"].items() if key.startswith("Exponential"))["average"]
    assert all(torch.equal(value, average[name]) for name, value in read.network.state_dict().items())


def test_validation_measures_styles_and_cycles_and_a_sheet_is_written(tmp_path: Path) -> None:
    module = tiny_drawer(style_names=["fine", "bold"])
    trainer = fit(module, tmp_path, [SheetPreview()], max_epochs=1, limit_train_batches=1, limit_val_batches=1)
    found = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("validation/")}
    assert found.keys() == {
        f"validation/{name}"
        for name in (
            "relaxed_cycle", "truncation_cycle", "strict_cycle", "ink", "classifier_accuracy", "drawn_style_accuracy",
        )
    }  # fmt: skip
    assert all(0 <= value <= 1.5 for value in found.values())
    assert module.preview_columns == ("photo", "fine", "bold", "photo made back", "real drawing", "its photo")
    assert (tmp_path / "previews" / "samples_000000002.png").is_file()


def test_the_budget_follows_the_epochs(tmp_path: Path) -> None:
    module = tiny_drawer(objective=StaticDrawingObjective(budget_epochs=4))
    trainer = fit(module, tmp_path, max_epochs=2, limit_train_batches=1)
    assert float(trainer.callback_metrics["progress"]) == 0.25
    assert "term/truncation_cycle" in trainer.callback_metrics
    assert float(trainer.callback_metrics["term/truncation_cycle"]) > 0
