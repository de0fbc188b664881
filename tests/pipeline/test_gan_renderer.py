"""Frames of the generator: inputs as in training, the photo's share computed once, the background still."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from experiments.__main__ import main
from experiments.demo import DEMO_PHOTO, DEMO_SPEECH
from lightning_modules.batches import PortraitBatch
from lightning_modules.errors import ConfigError
from lightning_modules.export.generator_file import GeneratorTraining, save_generator
from lightning_modules.export.network_file import save_network
from lightning_modules.networks.landmark_flow import LandmarkFlow
from lightning_modules.networks.portrait_generator import PortraitGenerator
from lightning_modules.pipeline.animation_job import AnimationJob
from lightning_modules.pipeline.gan_renderer import GanRenderer
from lightning_modules.pipeline.portrait import Portrait
from lightning_modules.portrait_gan_inputs import PortraitInputs, blend

TINY: dict[str, Any] = {"width": 4, "landmark_width": 2, "blocks": 2, "landmark_blocks": (0,)}


def tiny(**change: Any) -> PortraitGenerator:
    torch.manual_seed(6)
    return PortraitGenerator(**(TINY | change))


@pytest.fixture
def poses(portrait: Portrait) -> torch.Tensor:
    noise = torch.randn(3, 68, 3, generator=torch.Generator().manual_seed(3))
    return portrait.landmarks[None] + noise


@pytest.mark.parametrize("change", [{}, {"warp_a": False}, {"warp_b": False}, {"output_channels": 3}])
def test_frames_have_the_shape_and_range_of_a_drawing(portrait: Portrait, poses: Any, change: dict[str, Any]) -> None:
    frames = GanRenderer(tiny(**change)).render(portrait, poses)
    assert frames.shape == (3, change.get("output_channels", 1), 128, 128)
    assert frames.dtype == torch.float32
    assert 0.0 <= float(frames.min()) < float(frames.max()) <= 1.0
    assert not torch.equal(frames[0], frames[1])


def test_frames_are_those_that_the_training_would_draw(portrait: Portrait, poses: torch.Tensor) -> None:
    """The training's own way from a batch to Eq. 1, written by others, is the reference."""
    matte = functional.avg_pool2d(portrait.matte, portrait.detail)
    drawing, masks = portrait.background * 2 - 1, torch.zeros(1, 3, 128, 128)
    batch = PortraitBatch(
        photo=portrait.photo * 2 - 1,
        static_drawing=drawing,
        matte=matte,
        landmarks=portrait.landmarks[None, :, :2],
        target_landmarks=poses[None, :2, :, :2],
        target_masks=masks,
        drawing=drawing,
        drawing_masks=masks,
        adjacent=torch.zeros(1, 0, 1, 128, 128),
        non_adjacent=torch.zeros(1, 0, 1, 128, 128),
    )
    derived = PortraitInputs().derive(batch)
    assert derived.blending is not None
    blending = derived.blending._replace(background=drawing.repeat(2, 1, 1, 1))
    generator = tiny()
    with torch.no_grad():
        expected = (blend(generator(*derived.inputs.arguments), blending) + 1) / 2
    assert (GanRenderer(generator).render(portrait, poses[:2]) - expected).abs().max() < 1e-5
    assert (GanRenderer(generator).render(portrait, poses[1:]) - expected).abs().max() > 1e-2


def test_what_is_kept_changes_nothing_and_is_computed_once(portrait: Portrait, poses: torch.Tensor) -> None:
    generator = tiny()
    calls: list[int] = []
    generator.image_encoder.branches[0].layers[0].register_forward_hook(lambda *_: calls.append(1))
    renderer = GanRenderer(generator)
    first, second = renderer.render(portrait, poses), renderer.render(portrait, poses)
    assert len(calls) == 1
    assert torch.equal(first, second)
    assert torch.equal(first, GanRenderer(generator).render(portrait, poses))


def test_another_portrait_is_not_taken_for_the_one_before(portrait: Portrait, poses: torch.Tensor) -> None:
    other = replace(portrait, photo=1 - portrait.photo)
    renderer = GanRenderer(tiny())
    first, second = renderer.render(portrait, poses), renderer.render(other, poses)
    assert not torch.equal(first, second)
    assert torch.equal(renderer.render(portrait, poses), first)


def test_a_batch_is_a_stack_of_singles(portrait: Portrait, poses: torch.Tensor) -> None:
    renderer = GanRenderer(tiny())
    together = renderer.render(portrait, poses)
    alone = torch.cat([renderer.render(portrait, pose[None]) for pose in poses])
    assert (together - alone).abs().max() < 1e-5


def test_the_background_is_still_to_the_bit(portrait: Portrait, poses: torch.Tensor) -> None:
    frames = GanRenderer(tiny()).render(portrait, poses)[:, 0]
    far = functional.max_pool2d(functional.avg_pool2d(portrait.mask, 2), 33, 1, 16)[0, 0] == 0
    assert far.sum() > 1000
    assert all(torch.equal(frame[far], portrait.background[0, 0][far]) for frame in frames)
    assert not all(torch.equal(frame[~far], portrait.background[0, 0][~far]) for frame in frames)


def test_any_side_can_be_drawn(portrait: Portrait, poses: torch.Tensor) -> None:
    smaller = replace(
        portrait,
        size=126,
        photo=portrait.photo[..., :126, :126],
        drawing=portrait.drawing[..., :252, :252],
        background=portrait.background[..., :126, :126],
        mask=portrait.mask[..., :252, :252],
        matte=portrait.matte[..., :252, :252],
    )
    assert GanRenderer(tiny()).render(smaller, poses).shape == (3, 1, 126, 126)


def test_the_starter_draws_ink_only_and_one_line_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["animate", str(DEMO_PHOTO), str(DEMO_SPEECH), "-o", str(tmp_path / "x.mp4"), "--renderer", "gan"]
    assert main([*words, "--look", "pencil", "--quiet"]) == 2
    shown = capsys.readouterr()
    (line,) = (shown.out + shown.err).splitlines()
    assert "trained on the look 'ink', and 'pencil' is asked for" in line
    assert "--renderer warp" in line
    assert not list(tmp_path.iterdir())


def test_weights_for_a_renderer_that_reads_none_are_refused() -> None:
    with pytest.raises(ConfigError, match="reads none"):
        AnimationJob(Path("a"), Path("b"), Path("c"), renderer="warp", weights=Path("w"))
    with pytest.raises(ConfigError, match="without the generator"):
        AnimationJob(Path("a"), Path("b"), Path("c"), flow_weights=Path("w"))


def test_a_bad_weight_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"no weights")
    words = ["animate", str(DEMO_PHOTO), str(DEMO_SPEECH), "-o", str(tmp_path / "x.mp4"), "--renderer", "gan"]
    assert main([*words, "--weights", str(bad), "--quiet", "--no-cache"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.count("bad.safetensors") == 1
    assert "damaged" in line
    assert list(tmp_path.iterdir()) == [bad]


def test_an_exported_generator_makes_a_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the flow regression that it was trained with, and not without."""
    training = GeneratorTraining(flow_a="regressed", image_size=64)
    weights = save_generator(tiny(), tmp_path / "g.safetensors", training)
    flow = save_network(
        "flow_regression", LandmarkFlow("residual_unet", width=2, levels=2, widest=4), tmp_path / "f.safetensors"
    )
    words = ["animate", str(DEMO_PHOTO), str(DEMO_SPEECH), "-o", str(tmp_path / "x.mp4"), "--renderer", "gan"]
    words += ["--weights", str(weights), "--size", "128", "--fps", "2", "--no-cache"]
    assert main([*words, "--quiet"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "trained with a flow regression" in line
    assert main([*words, "--flow-weights", str(flow)]) == 0
    assert "trained at 64 pixels and draws 128 here" in capsys.readouterr().err
    assert (tmp_path / "x.mp4").stat().st_size > 1000
