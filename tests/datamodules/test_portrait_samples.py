from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from datamodules.datasets.portrait_samples import PortraitSamples
from datamodules.samplers import SampleAddress
from datamodules.synthetic.faces import random_face, talking_face
from datamodules.synthetic.portraits import SyntheticPortraitsDataModule
from datamodules.targets import TargetSettings
from lightning_modules.batches import TENSOR_FIELDS, stack_samples
from lightning_modules.errors import ConfigError
from lightning_modules.geometry.part_masks import part_masks

SIZE = 96
PLAIN = TargetSettings(own_share=0.0, aligned=False, most_change=0.0)


@pytest.fixture(scope="module")
def sets():
    return SyntheticPortraitsDataModule(photos=5, drawings=4, clips=3, clip_frames=3, image_size=SIZE).open_sets()


def samples(sets, **options):
    return PortraitSamples(*sets, image_size=SIZE, **options)


def same(one, other):
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in TENSOR_FIELDS)


def test_shapes_and_ranges(sets):
    batch = stack_samples([samples(sets)[SampleAddress(0, i)] for i in range(5)])
    shapes = {name: tuple(getattr(batch, name).shape[1:]) for name in TENSOR_FIELDS}
    assert shapes == {
        "photo": (3, SIZE, SIZE),
        "static_drawing": (1, SIZE, SIZE),
        "matte": (1, SIZE, SIZE),
        "landmarks": (68, 2),
        "target_landmarks": (2, 68, 2),
        "target_masks": (3, SIZE, SIZE),
        "drawing": (1, SIZE, SIZE),
        "drawing_masks": (3, SIZE, SIZE),
        "adjacent": (2, 1, SIZE, SIZE),
        "non_adjacent": (2, 1, SIZE, SIZE),
    }
    for name in TENSOR_FIELDS:
        values = getattr(batch, name)
        assert values.dtype == torch.float32
        if "landmarks" not in name:
            assert values.max() == 1
            assert values.min() == (0 if name == "matte" or "masks" in name else values.min())
            assert values.min() >= -1
    assert batch.drawing.min() < -0.9


def test_a_sample_is_a_function_of_its_address(sets):
    data, again = samples(sets, seed=3), samples(sets, seed=3)
    one = data[SampleAddress(2, 1)]
    assert same(one, again[SampleAddress(2, 1)])
    assert one.key.startswith("seed 3 cycle 2 index 1: photo synthetic photo 001, drawing synthetic drawing")
    for address in (SampleAddress(1, 1), SampleAddress(2, 2)):
        assert not same(one, data[address])
    assert not same(one, samples(sets, seed=4)[SampleAddress(2, 1)])


def test_masks_lie_on_the_landmarks(sets):
    """The masks went through crop, flip and alignment as pictures; made anew from the moved landmarks they agree."""
    for settings in (PLAIN, replace(PLAIN, own_share=1.0), replace(PLAIN, aligned=True)):
        data = samples(sets, targets=settings)
        for cycle in range(6):
            sample = data[SampleAddress(cycle, cycle % 5)]
            expected = torch.cat(list(part_masks(sample.target_landmarks[0][None], SIZE)), 1)[0]
            wrong = torch.cat(list(part_masks(sample.target_landmarks[0][None] + 3, SIZE)), 1)[0]
            error = (sample.target_masks - expected).abs().sum() / expected.sum()
            assert error < 0.06
            assert (sample.target_masks - wrong).abs().sum() / expected.sum() > 0.2


def test_photo_and_landmarks_belong_together(sets):
    """The lips of the photo are redder than the skin around them, wherever crop and flip have put them."""
    data = samples(sets)
    for cycle in range(8):
        sample = data[SampleAddress(cycle, 0)]
        redness = sample.photo[0] - sample.photo[1]
        points = sample.landmarks.round().long()
        lips = redness[points[[50, 52, 56, 58], 1], points[[50, 52, 56, 58], 0]].mean()
        cheek = redness[points[[2, 14], 1], (points[[2, 14], 0] * 2 + points[30, 0]) // 3].mean()
        assert lips > cheek + 0.05


def test_own_targets_have_the_wanted_share(sets):
    data = samples(sets, targets=TargetSettings(own_share=0.1, aligned=False, most_change=0.0))
    own = 0
    for cycle in range(100):
        for index in range(5):
            sample = data[SampleAddress(cycle, index)]
            own += bool(torch.equal(sample.landmarks, sample.target_landmarks[0]))
            assert torch.equal(sample.target_landmarks[0], sample.target_landmarks[1])
    assert own / 500 == pytest.approx(0.1, abs=0.04)


def test_unaligned_targets_are_the_drawings_own(sets):
    sample = samples(sets, targets=PLAIN)[SampleAddress(0, 2)]
    assert torch.equal(sample.target_masks, sample.drawing_masks)


def test_aligned_targets_fit_the_photo_better(sets):
    def distance(aligned):
        data = samples(sets, targets=replace(PLAIN, aligned=aligned))
        chosen = [data[SampleAddress(cycle, index)] for cycle in range(4) for index in range(5)]
        return np.mean([(s.target_landmarks[0] - s.landmarks).norm(dim=1).mean() for s in chosen])

    assert distance(aligned=True) < 0.5 * distance(aligned=False)


def test_real_motion_moves_the_target(sets):
    track = talking_face(np.random.default_rng(0), random_face(np.random.default_rng(0)), 30).astype(np.float32)
    settings = TargetSettings(change="motion")
    sample = samples(sets, targets=settings, tracks=[track])[SampleAddress(0, 0)]
    step = (sample.target_landmarks[1] - sample.target_landmarks[0]).norm(dim=1)
    assert 0 < step.max() < 0.1 * SIZE
    with pytest.raises(ConfigError, match="without a landmark track"):
        samples(sets, targets=settings, tracks=[track[:1]])


def test_without_film_there_are_no_pairs(sets):
    photos, drawings, _ = sets
    data = PortraitSamples(photos, drawings, None, image_size=SIZE)
    batch = stack_samples([data[SampleAddress(0, i)] for i in range(2)])
    assert tuple(batch.adjacent.shape) == tuple(batch.non_adjacent.shape) == (2, 0, 1, SIZE, SIZE)
    with_film = samples(sets)[SampleAddress(0, 0)]
    assert torch.equal(batch.photo[0], with_film.photo)  # nothing else changes


def test_unaugmented_samples_are_cut_from_the_middle(sets):
    data = samples(sets, augment=False)
    assert torch.equal(data[SampleAddress(0, 1)].photo, data[SampleAddress(5, 1)].photo)


def test_colour_drawings_have_three_channels():
    module = SyntheticPortraitsDataModule(
        photos=2, drawings=2, clips=2, clip_frames=2, image_size=64, drawing_channels=3, validation_photos=0
    )
    batch = next(iter(module.train_dataloader()))
    assert batch.drawing.shape[1] == batch.static_drawing.shape[1] == batch.adjacent.shape[2] == 3
    assert (batch.drawing[:, 0] - batch.drawing[:, 2]).abs().max() > 0.1


def test_talking_targets_are_the_photos_own_face_and_its_own_masks(sets):
    track = talking_face(np.random.default_rng(8), random_face(np.random.default_rng(7)), 12) * 40
    settings = TargetSettings(own_share=0.0, talking_share=1.0)
    made = samples(sets, targets=settings, tracks=[track.astype(np.float32)])[SampleAddress(0, 1)]
    first, second = made.target_landmarks
    moved, change = (first - made.landmarks).abs(), (second - first).abs()
    assert 0 < moved.max() < SIZE / 5
    assert 0 < change.max() < SIZE / 8
    expected = torch.cat(part_masks(first[None], SIZE), dim=1)[0]
    assert (made.target_masks - expected).abs().max() <= 0.5 / 255 + 1e-6
    with pytest.raises(ConfigError, match="real motion"):
        samples(sets, targets=settings)


def test_static_drawings_are_among_the_real_ones(sets):
    addresses = [SampleAddress(cycle, index) for cycle in range(12) for index in range(5)]
    shown = [samples(sets, static_share=0.5)[address] for address in addresses]
    static = [one for one in shown if "drawing synthetic photo" in one.key]
    assert 0.3 < len(static) / len(shown) < 0.7
    plain_samples = [samples(sets)[address] for address in addresses]
    assert not any("drawing synthetic photo" in one.key for one in plain_samples)
    everything = samples(sets, static_share=1.0, augment=False)
    drawn = everything[SampleAddress(0, 0)]
    own = [everything[SampleAddress(0, index)].static_drawing for index in range(5)]
    assert any(torch.equal(drawn.drawing, one) for one in own)
